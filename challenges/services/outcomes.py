"""What becomes of a challenge with its match: heard in the transactions that confirm it or take it back.

Rows of challenges are locked after those of matches and tickets, by everybody.
"""

from collections.abc import Sequence
from datetime import datetime

from challenges.domain.states import Status
from challenges.models import Challenge
from challenges.services import telling
from matchmaking.services.arranged import Arranged
from realtime.transport.events import Outgoing


def note_confirmed(matches: Sequence[Arranged], now: datetime) -> list[Outgoing]:
    """Let challenges be accepted whose matches are confirmed; those that cross them are needed no more."""
    told = []
    accepted = _being_accepted(matches)
    for match in matches:
        challenge = accepted.get(match.match_id)
        if challenge is not None:
            told += _accept(challenge, match, now=now)
            told += _cancel_crossing(challenge, now=now)
    return told


def _being_accepted(matches: Sequence[Arranged]) -> dict[object, Challenge]:
    locked = Challenge.objects.select_for_update().order_by("id")
    found = locked.filter(match_id__in=[match.match_id for match in matches], status=Status.PENDING)
    return {challenge.match_id: challenge for challenge in found}


def _accept(challenge: Challenge, match: Arranged, *, now: datetime) -> list[Outgoing]:
    challenge.status, challenge.ended_at, challenge.game_id = Status.ACCEPTED, now, match.game_id
    (opponent,) = match.players.keys() - {challenge.challenger_id}
    challenge.opponent_id, challenge.opponent_name = opponent, match.players[opponent]
    challenge.save(update_fields=["status", "ended_at", "game_id", "opponent_id", "opponent_name"])
    telling.note("challenge_accepted", challenge)
    return telling.changed(challenge)


def _cancel_crossing(accepted: Challenge, *, now: datetime) -> list[Outgoing]:
    """Cancel what the opponent had asked of the challenger: the two have their game."""
    crossing = Challenge.objects.select_for_update().filter(
        tenant_id=accepted.tenant_id,
        challenger_id=accepted.opponent_id,
        opponent_id=accepted.challenger_id,
        status=Status.PENDING,
        match_id=None,
    )
    told = []
    for challenge in crossing.order_by("id"):
        challenge.status, challenge.ended_at = Status.CANCELLED, now
        challenge.save(update_fields=["status", "ended_at"])
        telling.note("challenge_cancelled", challenge, why="crossed")
        told += telling.changed(challenge)
    return told


def note_rolled_back(matches: Sequence[Arranged], _now: datetime) -> list[Outgoing]:
    """Let challenges wait on whose matches were taken back; for their players nothing has changed."""
    Challenge.objects.filter(
        match_id__in=[match.match_id for match in matches], status=Status.PENDING
    ).update(match_id=None)
    return []
