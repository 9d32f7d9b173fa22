"""What a rating service says of players, kept as last heard: asked at joins, and for those who wait."""

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce
from redis.exceptions import RedisError

from matchmaking.domain.skill import Skill
from matchmaking.models import Pool, Rating, Ticket
from matchmaking.ratings.service import Ratings, rating_service, reading_breaker
from matchmaking.remote.breaker import State
from matchmaking.remote.calls import Failed, in_thread, run
from realtime.transport import store
from realtime.transport.database import database_now

log = structlog.get_logger(__name__)

ASKS_AT_JOIN = 10
"""A join beside so many that wait for the service goes by what is known: each keeps a thread."""
USERS_PER_CALL = 500
USERS_AT_ONCE = 5000
_GUARD_SECONDS = 0.2
"""The call ends by itself in time; should the loop stand still, the join goes on so soon after."""

_join_slots = threading.Semaphore(ASKS_AT_JOIN)


class _Wanted(NamedTuple):
    """Users of whom the service is asked in one call; the pool is the one whose ratings count."""

    tenant_id: str
    pool_id: UUID
    pool_key: str
    user_ids: Sequence[str]


# --- at a join


def refresh(pool: Pool, user_id: str, *, now: datetime) -> None:
    """Ask about one player, unless that was done lately or the service fails; keep what it says."""
    home = pool.shares_ratings_with or pool
    since = now - timedelta(seconds=settings.RATING_CACHE_SECONDS)
    if Rating.objects.filter(pool=home, user_id=user_id, read_at__gt=since).exists():
        return
    wanted = _Wanted(home.tenant_id, home.id, home.key, [user_id])
    found = _asked_in_time(wanted)
    if found is not None:
        _keep(wanted, found, now=now)


def _asked_in_time(wanted: _Wanted) -> Ratings | None:
    """Return what the service says within its time; None where it does not, or others wait for it already."""
    if not _is_worth_asking() or not _join_slots.acquire(blocking=False):
        return None
    answer = run(rating_service().read(wanted.tenant_id, wanted.pool_key, wanted.user_ids))
    try:
        return answer.result(settings.RATING_SERVICE_TIMEOUT_SECONDS + _GUARD_SECONDS)
    except Exception as error:
        # Whatever it is: what was known last is good enough to join with.
        log.warning("rating_not_read", tenant=wanted.tenant_id, user=wanted.user_ids[0], error=repr(error))
        return None
    finally:
        _join_slots.release()
        answer.cancel()


def _is_worth_asking() -> bool:
    """Return whether the service answers; a trial while it does not is left to who has time."""
    try:
        return reading_breaker.state() is State.CLOSED
    except RedisError as error:
        log.warning("breaker_not_read", error=str(error))
        return False


# --- who waits


def refresh_waiting(*, now: datetime) -> None:
    """Begin to ask about those who wait and whose ratings are old; one run of all processes at a time.

    While the breaker is open, one call every few seconds tries whether the service is back.
    """
    stale = _stale(now=now)
    if not stale or not store.take_turn("rating-refresh", seconds=settings.RATING_SERVICE_TIMEOUT_SECONDS):
        return
    if reading_breaker.state() is not State.CLOSED:
        stale = stale[:1] if reading_breaker.takes_trial() else []
    if stale:
        run(_read_all(stale))


def _stale(*, now: datetime) -> list[_Wanted]:
    since = now - timedelta(seconds=settings.RATING_CACHE_SECONDS)
    home = Coalesce("pool__shares_ratings_with_id", "pool_id")
    fresh = Rating.objects.filter(pool_id=OuterRef("home_id"), user_id=OuterRef("user_id"), read_at__gt=since)
    waiting = (
        Ticket.objects.filter(status=Ticket.Status.SEARCHING)
        .annotate(home_id=home, home_key=Coalesce("pool__shares_ratings_with__key", "pool__key"))
        .filter(~Exists(fresh))
        .order_by(F("age_from"), "id")
    )
    of_pool: dict[tuple[str, UUID, str], list[str]] = {}
    rows = waiting.values_list("tenant_id", "home_id", "home_key", "user_id")
    for *pool, user_id in rows[:USERS_AT_ONCE]:
        of_pool.setdefault(tuple(pool), []).append(user_id)
    return [
        _Wanted(*pool, user_ids[start : start + USERS_PER_CALL])
        for pool, user_ids in of_pool.items()
        for start in range(0, len(user_ids), USERS_PER_CALL)
    ]


async def _read_all(wanted: Iterable[_Wanted]) -> None:
    await asyncio.gather(*(_read(each) for each in wanted))


async def _read(wanted: _Wanted) -> None:
    try:
        found = await rating_service().read(wanted.tenant_id, wanted.pool_key, wanted.user_ids)
    except Failed as error:
        log.warning(
            "ratings_not_read", pool=str(wanted.pool_id), users=len(wanted.user_ids), error=str(error)
        )
        return
    await in_thread(_keep_of_waiting, wanted, found)


def _keep_of_waiting(wanted: _Wanted, found: Ratings) -> None:
    _keep(wanted, found, now=database_now())
    _take_over(wanted)


# --- what is kept


def _keep(wanted: _Wanted, found: Mapping[str, Skill], *, now: datetime) -> None:
    """Write down what the service said; whom it does not know begins as everybody does."""
    rows = [
        Rating(
            tenant_id=wanted.tenant_id,
            pool_id=wanted.pool_id,
            user_id=user_id,
            value=skill.value,
            deviation=skill.deviation,
            updated_at=now,
            read_at=now,
        )
        for user_id in sorted(set(wanted.user_ids))
        for skill in [found.get(user_id, Skill())]
    ]
    Rating.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["pool", "user_id"],
        update_fields=["value", "deviation", "updated_at", "read_at"],
    )


def _take_over(wanted: _Wanted) -> None:
    """Let those who wait look for opponents by what is kept now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH changed AS (SELECT ticket.id, rating.value FROM matchmaking_ticket AS ticket"
            " JOIN matchmaking_pool AS pool ON pool.id = ticket.pool_id"
            " JOIN matchmaking_rating AS rating ON rating.user_id = ticket.user_id"
            " AND rating.pool_id = COALESCE(pool.shares_ratings_with_id, pool.id)"
            " WHERE ticket.status = 'SEARCHING' AND rating.pool_id = %s AND ticket.user_id = ANY(%s)"
            " AND ticket.rating <> rating.value"
            " ORDER BY ticket.id FOR NO KEY UPDATE OF ticket SKIP LOCKED)"
            " UPDATE matchmaking_ticket AS ticket SET rating = changed.value FROM changed"
            " WHERE ticket.id = changed.id",
            [wanted.pool_id, list(wanted.user_ids)],
        )
