"""Routes of challenges, below ``/v1/matchmaking``."""

from django.urls import path

from challenges import api

urlpatterns = [
    path("challenges", api.ChallengesView.as_view()),
    path("challenges/incoming", api.ListView.as_view(which="incoming")),
    path("challenges/outgoing", api.ListView.as_view(which="outgoing")),
    path("challenges/<str:challenge_id>", api.ChallengeView.as_view()),
    path("challenges/<str:challenge_id>/accept", api.AnswerView.as_view(answer="accept")),
    path("challenges/<str:challenge_id>/decline", api.AnswerView.as_view(answer="decline")),
    path("challenges/<str:challenge_id>/cancel", api.AnswerView.as_view(answer="cancel")),
    path("matches/<str:match_id>/rematch", api.RematchView.as_view()),
]
