"""Routes of the queue, below ``/v1/matchmaking``."""

from django.urls import path

from matchmaking import api

urlpatterns = [
    path("queue", api.QueueView.as_view()),
    path("queue/<str:queue_entry_id>", api.QueueEntryView.as_view()),
    path("queue/<str:queue_entry_id>/explain", api.ExplainView.as_view()),
    path("preferences", api.PreferencesView.as_view()),
    path("statistics", api.StatisticsView.as_view()),
    path("active", api.ActiveView.as_view()),
    path("pools", api.PoolsView.as_view()),
    path("matches", api.MatchesView.as_view()),
    path("matches/<str:match_id>", api.MatchView.as_view()),
    path("matches/<str:match_id>/accept", api.AcceptView.as_view()),
    path("matches/<str:match_id>/decline", api.DeclineView.as_view()),
    path("matches/<str:match_id>/result", api.ResultView.as_view()),
    path("ratings", api.RatingsView.as_view()),
    path("ratings/<str:pool_key>/history", api.RatingHistoryView.as_view()),
]
