"""Routes for staff, below ``/internal``."""

from django.urls import path

from matchmaking import staff_api

urlpatterns = [
    path("queues/summary", staff_api.SummaryView.as_view()),
    path("tickets/<str:ticket_id>/explain", staff_api.TicketExplainView.as_view()),
]
