"""Routes of accounts and game sessions, below ``/v1``."""

from django.urls import path

from realtime import api

urlpatterns = [
    path("auth/token", api.TokenView.as_view()),
    path("auth/token/refresh", api.TokenRefreshView.as_view()),
    path("auth/guest", api.GuestView.as_view()),
    path("sessions/<str:session_id>", api.SessionView.as_view()),
    path("sessions/<str:session_id>/leave", api.SessionLeaveView.as_view()),
]
