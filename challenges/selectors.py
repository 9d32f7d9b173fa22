"""Reads: challenges as their players see them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from challenges.domain.errors import ChallengeNotFound
from challenges.domain.states import MAX_PENDING, Status, may_see
from challenges.models import Challenge
from realtime.identifiers import parse_id
from realtime.protocol import parts
from realtime.transport.auth import Caller

SHOWN_INCOMING = 50
"""So many that wait are in the state of a player; the list has all of them."""


def challenge_message(challenge: Challenge) -> parts.Challenge:
    """Return a challenge as its players see it."""
    is_accepted = challenge.status == Status.ACCEPTED
    opponent = None
    if challenge.opponent_id is not None:
        name = challenge.opponent_name or challenge.opponent_id
        opponent = parts.Challenger(user_id=challenge.opponent_id, display_name=name)
    return parts.Challenge(
        challenge_id=str(challenge.id),
        challenger=parts.Challenger(user_id=challenge.challenger_id, display_name=challenge.challenger_name),
        opponent=opponent,
        pool_key=challenge.pool_key,
        mode=challenge.mode,
        time_control=challenge.time_control,
        rated=challenge.rated,
        color_preference=challenge.color_preference,  # type: ignore[arg-type]  # the choices are the message's
        status=challenge.status,  # type: ignore[arg-type]  # as above
        created_at=challenge.created_at,
        expires_at=challenge.expires_at,
        match_id=str(challenge.match_id) if is_accepted else None,
        game_id=challenge.game_id if is_accepted else None,
        rematch_of=str(challenge.rematch_of) if challenge.rematch_of else None,
        url=f"{settings.PUBLIC_URL}/challenges/{challenge.id}" if challenge.is_open else None,
    )


def challenge_for(caller: Caller, challenge_id: str) -> Challenge:
    """Return a challenge that the caller may see; raise `ChallengeNotFound` for any other id."""
    parsed = parse_id(challenge_id)
    found = Challenge.objects.filter(tenant_id=caller.tenant_id, id=parsed).first() if parsed else None
    if found is None or not may_see(found.view, caller.user_id):
        raise ChallengeNotFound
    return found


def incoming(caller: Caller) -> QuerySet[Challenge]:
    """Return the challenges to the caller, newest first."""
    return Challenge.objects.filter(tenant_id=caller.tenant_id, opponent_id=caller.user_id)


def outgoing(caller: Caller) -> QuerySet[Challenge]:
    """Return the caller's own challenges, newest first."""
    return Challenge.objects.filter(tenant_id=caller.tenant_id, challenger_id=caller.user_id)


def page(found: QuerySet[Challenge], *, before: UUID | None, limit: int) -> list[Challenge]:
    """Return those older than ``before``."""
    return list((found.filter(id__lt=before) if before else found)[:limit])


def pending(caller: Caller, now: datetime) -> parts.Challenges:
    """Return the challenges that wait for an answer, newest first."""
    waiting = Q(status=Status.PENDING, expires_at__gt=now)
    return parts.Challenges(
        incoming=_messages(incoming(caller).filter(waiting)[:SHOWN_INCOMING]),
        outgoing=_messages(outgoing(caller).filter(waiting)[:MAX_PENDING]),
    )


def _messages(found: Sequence[Challenge] | QuerySet[Challenge]) -> list[parts.Challenge]:
    return [challenge_message(challenge) for challenge in found]


def pending_rematch(tenant_id: str, match_id: UUID) -> Challenge | None:
    """Return the challenge to play a match again that waits for an answer; the constraint allows one."""
    waiting = Challenge.objects.filter(tenant_id=tenant_id, rematch_of=match_id, status=Status.PENDING)
    return waiting.first()
