"""Challenges that end without a game: declined, cancelled, expired."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from challenges import selectors
from challenges.domain import states
from challenges.domain.states import Action, Status
from challenges.models import Challenge
from challenges.services import telling
from realtime.protocol import parts
from realtime.transport.auth import Caller
from realtime.transport.events import emit

EXPIRED_PER_TRANSACTION = 500


def decline(caller: Caller, challenge_id: str, *, now: datetime) -> parts.Challenge:
    """Say no to a challenge; raises `ChallengeNotFound` and `InvalidChallengeState`."""
    return _end(caller, challenge_id, Action.DECLINE, Status.DECLINED, now=now)


def cancel(caller: Caller, challenge_id: str, *, now: datetime) -> parts.Challenge:
    """Withdraw one's own challenge; raises `ChallengeNotFound` and `InvalidChallengeState`."""
    return _end(caller, challenge_id, Action.CANCEL, Status.CANCELLED, now=now)


@transaction.atomic
def _end(
    caller: Caller, challenge_id: str, action: Action, status: Status, *, now: datetime
) -> parts.Challenge:
    seen = selectors.challenge_for(caller, challenge_id)
    challenge = Challenge.objects.select_for_update().get(id=seen.id)
    states.refuse(challenge.view, action, by=caller.user_id, now=now)
    _end_locked([challenge], status, now=now)
    return selectors.challenge_message(challenge)


def expire(*, now: datetime) -> int:
    """End the challenges that nobody has answered in time; return how many."""
    late = _waiting().filter(expires_at__lte=now).order_by("expires_at")
    return _end_waiting(late[:EXPIRED_PER_TRANSACTION], Status.EXPIRED, now=now)


def expire_one(challenge_id: UUID, *, now: datetime) -> bool:
    """End a challenge that nobody has answered in time; return whether it was one."""
    late = _waiting().filter(id=challenge_id, expires_at__lte=now)
    return bool(_end_waiting(late, Status.EXPIRED, now=now))


def cancel_by_staff(challenge_ids: Collection[UUID], *, now: datetime) -> int:
    """Cancel challenges that wait for an answer, as staff wish; return how many."""
    return _end_waiting(_waiting().filter(id__in=challenge_ids), Status.CANCELLED, now=now)


def _waiting() -> QuerySet[Challenge]:
    """Return the pending challenges that nobody is accepting; who holds one is at it already."""
    waiting = Challenge.objects.filter(status=Status.PENDING, match_id=None)
    return waiting.select_for_update(skip_locked=True)


@transaction.atomic
def _end_waiting(found: QuerySet[Challenge], status: Status, *, now: datetime) -> int:
    challenges = list(found)
    _end_locked(challenges, status, now=now)
    return len(challenges)


def _end_locked(challenges: Collection[Challenge], status: Status, *, now: datetime) -> None:
    for challenge in challenges:
        challenge.status, challenge.ended_at = status, now
        challenge.save(update_fields=["status", "ended_at"])
        telling.note(f"challenge_{status.lower()}", challenge)
    emit([event for challenge in challenges for event in telling.changed(challenge)], now=now)
