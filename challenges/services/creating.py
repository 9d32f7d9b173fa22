"""Challenges are made."""

import math
from datetime import datetime

from django.conf import settings
from django.db import transaction

from challenges import selectors
from challenges.domain import states
from challenges.domain.errors import CannotChallenge, ChallengeExists
from challenges.domain.states import MAX_PENDING, Status
from challenges.models import Challenge
from challenges.services import telling
from matchmaking import selectors as matchmaking
from matchmaking.services import players
from matchmaking.services.direct import Terms
from realtime.protocol import parts
from realtime.protocol.errors import InvalidRequest, Limited
from realtime.transport.auth import Caller
from realtime.transport.events import emit

MODE_WITHOUT_POOL = "duel"


def create(caller: Caller, wanted: parts.NewChallenge, *, now: datetime) -> parts.Challenge:
    """Ask a player for a game, or whoever opens the link.

    Raises `InvalidRequest`, `PoolNotFound`, `CannotChallenge`, `ChallengeExists` and `Limited`.
    """
    if wanted.opponent_id == caller.user_id:
        raise InvalidRequest("You cannot challenge yourself", field="opponent_id")
    terms = _terms(caller.tenant_id, wanted)
    challenge = drafted(caller, wanted.opponent_id, terms, color_preference=wanted.color_preference, now=now)
    challenge.expires_at = states.expires_at(
        wanted.expires_in, default_seconds=settings.CHALLENGE_SECONDS, now=now
    )
    return insert(challenge, now=now)


def _terms(tenant_id: str, wanted: parts.NewChallenge) -> Terms:
    """Return what is to be played: the pool's, where one is named, with ratings that nobody may bend."""
    if wanted.pool_key is None:
        if wanted.rated:
            raise InvalidRequest("A rated game needs a pool: ratings are a pool's", field="rated")
        mode, time_control = wanted.mode or MODE_WITHOUT_POOL, wanted.time_control or ""
        return Terms(pool_key=None, mode=mode, time_control=time_control, rated=False)
    pool = matchmaking.active_pool(tenant_id, wanted.pool_key)
    if not pool.is_for_pairs:
        raise InvalidRequest("This pool plays in teams", field="pool_key")
    if wanted.mode is not None and wanted.mode not in pool.modes:
        raise InvalidRequest("This pool has no such mode", field="mode")
    if wanted.time_control not in {None, pool.time_control}:
        raise InvalidRequest("This pool has another time control", field="time_control")
    if wanted.rated and not pool.rated:
        raise InvalidRequest("This pool is not rated", field="rated")
    return Terms(
        pool_key=pool.key,
        mode=wanted.mode or pool.mode,
        time_control=pool.time_control,
        rated=pool.rated if wanted.rated is None else wanted.rated,
    )


def drafted(
    caller: Caller, opponent_id: str | None, terms: Terms, *, color_preference: str, now: datetime
) -> Challenge:
    """Return a challenge of the caller that is not made yet."""
    return Challenge(
        tenant_id=caller.tenant_id,
        challenger_id=caller.user_id,
        challenger_name=caller.display_name,
        opponent_id=opponent_id,
        opponent_name=matchmaking.known_name(caller.tenant_id, opponent_id) if opponent_id else None,
        is_open=opponent_id is None,
        pool_key=terms.pool_key,
        mode=terms.mode,
        time_control=terms.time_control,
        rated=terms.rated,
        color_preference=color_preference,
        created_at=now,
        expires_at=states.expires_at(None, default_seconds=settings.CHALLENGE_SECONDS, now=now),
    )


@transaction.atomic
def insert(challenge: Challenge, *, now: datetime) -> parts.Challenge:
    """Make a drafted challenge, and tell both players."""
    # One after the other: two that come at once would not see each other, and pass the limit.
    players.hold(challenge.tenant_id, [challenge.challenger_id])
    if challenge.opponent_id is not None and matchmaking.are_blocked(
        challenge.tenant_id, challenge.challenger_id, challenge.opponent_id
    ):
        raise CannotChallenge
    _refuse_too_many(challenge, now=now)
    challenge.save(force_insert=True)
    telling.note("challenge_made", challenge)
    emit(telling.made(challenge), now=now)
    return selectors.challenge_message(challenge)


def _refuse_too_many(challenge: Challenge, *, now: datetime) -> None:
    waiting = Challenge.objects.filter(
        tenant_id=challenge.tenant_id,
        challenger_id=challenge.challenger_id,
        status=Status.PENDING,
        expires_at__gt=now,
    )
    rows = list(waiting.order_by("expires_at"))
    same = next((row for row in rows if not challenge.is_open and _asked(row) == _asked(challenge)), None)
    if same is not None:
        raise ChallengeExists(challenge_id=str(same.id))
    if len(rows) >= MAX_PENDING:
        seconds = max((rows[0].expires_at - now).total_seconds(), 1)
        raise Limited(
            f"{MAX_PENDING} challenges of yours wait for an answer", retry_after_seconds=math.ceil(seconds)
        )


def _asked(challenge: Challenge) -> tuple[object, ...]:
    """Return what is asked of whom; the same twice is a mistake, or meant to annoy."""
    return (
        challenge.opponent_id,
        challenge.pool_key,
        challenge.mode,
        challenge.time_control,
        challenge.rated,
        challenge.rematch_of,
    )
