"""Routes of the queue, below ``/v1/matchmaking``."""

from django.urls import path

from matchmaking import api, party_api

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
    path("matches/<str:match_id>/backfill", api.BackfillView.as_view()),
    path("matches/<str:match_id>/result", api.ResultView.as_view()),
    path("parties", party_api.PartiesView.as_view()),
    path("parties/<str:party_id>", party_api.PartyView.as_view()),
    *(
        path(f"parties/<str:party_id>/{change}", party_api.MembershipView.as_view(change=change))
        for change in party_api.MembershipView.changes
    ),
    *(
        path(f"parties/<str:party_id>/{change}", party_api.OthersView.as_view(change=change))
        for change in party_api.OthersView.changes
    ),
    path("ratings", api.RatingsView.as_view()),
    path("ratings/<str:pool_key>/history", api.RatingHistoryView.as_view()),
]
