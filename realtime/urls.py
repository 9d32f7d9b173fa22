"""Routes of accounts and game sessions, below ``/v1``."""

from django.urls import path

from realtime.api import accounts, events, sessions

urlpatterns = [
    path("auth/token", accounts.TokenView.as_view()),
    path("auth/token/refresh", accounts.TokenRefreshView.as_view()),
    path("auth/guest", accounts.GuestView.as_view()),
    path("sessions", events.EventsView.as_view()),
    path("sessions/question-sets", events.QuestionSetsView.as_view()),
    path("sessions/join", events.JoinView.as_view()),
    path("sessions/scan", events.ScanView.as_view()),
    path("sessions/by-code/<str:join_code>", events.JoinPageView.as_view()),
    path("sessions/<str:session_id>", sessions.SessionView.as_view()),
    path("sessions/<str:session_id>/qr.svg", sessions.PictureView.as_view()),
    path("sessions/<str:session_id>/participants/me", sessions.OwnParticipantView.as_view()),
    path("sessions/<str:session_id>/leave", sessions.LeaveView.as_view()),
    path("sessions/<str:session_id>/lock", sessions.LockView.as_view(is_locked=True)),
    path("sessions/<str:session_id>/unlock", sessions.LockView.as_view(is_locked=False)),
    path("sessions/<str:session_id>/next", sessions.NextView.as_view()),
    path("sessions/<str:session_id>/finish", sessions.FinishView.as_view()),
]
