"""How pools do: what players see of them, and what staff see."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Count, Min, Q

from matchmaking import selectors
from matchmaking.domain.skill import Calibration, calibration
from matchmaking.models import Match, Pool, RatingChange, Ticket

HOUR = timedelta(hours=1)
JUDGED_MATCHES = 5000
GAP_EDGES = (25, 50, 100, 200, 400)
WAIT_EDGES = (5, 15, 30, 60, 120, 300)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many were at most ``up_to`` (null: no limit) and not in a bucket before."""

    up_to: float | None
    count: int


class PoolStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A pool now, and in the last hour; waits in seconds are those of tickets that were matched."""

    pool_key: str
    waiting: int
    average_wait_seconds: float | None
    p95_wait_seconds: float | None
    matches_last_hour: int
    gap_histogram: list[Bucket]
    wait_histogram: list[Bucket]


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """How well waits were foreseen at the join: means of both, and the median error, in seconds."""

    tickets: int
    foreseen_seconds: float | None
    actual_seconds: float | None
    median_error_seconds: float | None


class PoolSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as staff see it; rates and failures are of the last hour."""

    tenant_id: str
    pool_key: str
    waiting: int
    reserved: int
    unreachable: int
    oldest_wait_seconds: float | None
    average_wait_seconds: float | None
    p95_wait_seconds: float | None
    matches_per_minute: float
    failures: dict[str, int]
    forecast: Forecast


def pool_statistics(tenant_id: str, *, now: datetime) -> list[PoolStatistics]:
    """Return the statistics of a tenant's active pools, in the order that staff gave them."""
    pools = list(Pool.objects.filter(tenant_id=tenant_id, is_active=True).order_by("ordering", "key"))
    waiting = selectors.live_tickets([pool.id for pool in pools])
    waits = _waits([pool.id for pool in pools], now=now)
    gaps = _gaps([pool.id for pool in pools], now=now)
    return [
        PoolStatistics(
            pool_key=pool.key,
            waiting=waiting.get(pool.id, 0),
            average_wait_seconds=_mean(waits.get(pool.id, [])),
            p95_wait_seconds=_percentile(waits.get(pool.id, []), 0.95),
            matches_last_hour=len(gaps.get(pool.id, [])),
            gap_histogram=_histogram(gaps.get(pool.id, []), GAP_EDGES),
            wait_histogram=_histogram(waits.get(pool.id, []), WAIT_EDGES),
        )
        for pool in pools
    ]


def pool_summaries(*, now: datetime) -> list[PoolSummary]:
    """Return the summary of every pool of every tenant."""
    pools = list(Pool.objects.order_by("tenant_id", "ordering", "key"))
    ids = [pool.id for pool in pools]
    seen = _queues(ids)
    waits, gaps, failures = _waits(ids, now=now), _gaps(ids, now=now), _failures(ids, now=now)
    return [
        PoolSummary(
            tenant_id=pool.tenant_id,
            pool_key=pool.key,
            waiting=seen[pool.id].waiting if pool.id in seen else 0,
            reserved=seen[pool.id].reserved if pool.id in seen else 0,
            unreachable=seen[pool.id].unreachable if pool.id in seen else 0,
            oldest_wait_seconds=seen[pool.id].oldest_wait(now) if pool.id in seen else None,
            average_wait_seconds=_mean(waits.get(pool.id, [])),
            p95_wait_seconds=_percentile(waits.get(pool.id, []), 0.95),
            matches_per_minute=round(len(gaps.get(pool.id, [])) / 60, 3),
            failures=failures.get(pool.id, {}),
            forecast=forecast(pool.id, now=now),
        )
        for pool in pools
    ]


class _Queue(NamedTuple):
    waiting: int
    reserved: int
    unreachable: int
    oldest: datetime

    def oldest_wait(self, now: datetime) -> float:
        return round((now - self.oldest).total_seconds(), 1)


def _queues(pool_ids: Sequence[UUID]) -> dict[UUID, _Queue]:
    """Return who waits in each pool, by the index of live tickets: the pools' past costs nothing."""
    searching = Q(status=Ticket.Status.SEARCHING)
    rows = (
        Ticket.objects.filter(pool__in=pool_ids, status__in=Ticket.LIVE)
        .order_by()
        .values_list("pool")
        .annotate(
            searching=Count("id", filter=searching),
            reserved=Count("id", filter=~searching),
            unreachable=Count("id", filter=searching & Q(unreachable_since__isnull=False)),
            oldest=Min("queued_at"),
        )
    )
    return {pool: _Queue(*counts) for pool, *counts in rows}


def forecast(pool_id: UUID, *, now: datetime) -> Forecast:
    """Return how well the last hour's waits were foreseen."""
    rows = Ticket.objects.filter(
        pool=pool_id, status=Ticket.Status.MATCHED, ended_at__gte=now - HOUR, estimated_wait__isnull=False
    ).values_list("estimated_wait", "queued_at", "ended_at")
    pairs = [
        (foreseen, (ended - queued).total_seconds())
        for foreseen, queued, ended in rows
        if ended is not None and foreseen is not None
    ]
    return Forecast(
        tickets=len(pairs),
        foreseen_seconds=_mean([foreseen for foreseen, _ in pairs]),
        actual_seconds=_mean([actual for _, actual in pairs]),
        median_error_seconds=_percentile([abs(foreseen - actual) for foreseen, actual in pairs], 0.5),
    )


def _waits(pool_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, list[float]]:
    rows = Ticket.objects.filter(
        pool__in=pool_ids, status=Ticket.Status.MATCHED, ended_at__gte=now - HOUR
    ).values_list("pool", "queued_at", "ended_at")
    return _gathered((pool, (ended - queued).total_seconds()) for pool, queued, ended in rows if ended)


def _gaps(pool_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, list[float]]:
    """Return the widest rating gap of each match of the queue that was confirmed within the hour."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.pool_id, max(p.rating) - min(p.rating) FROM matchmaking_match AS m"
            " JOIN matchmaking_matchplayer AS p ON p.match_id = m.id"
            " WHERE m.pool_id = ANY(%s) AND m.confirmed_at >= %s AND NOT m.is_arranged"
            " GROUP BY m.pool_id, m.id",
            [list(pool_ids), now - HOUR],
        )
        return _gathered(cursor.fetchall())


def _failures(pool_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, dict[str, int]]:
    rows = (
        Match.objects.filter(
            pool__in=pool_ids, is_arranged=False, status=Match.Status.CANCELLED, finished_at__gte=now - HOUR
        )
        .order_by()
        .values_list("pool", "cancel_reason")
        .annotate(count=Count("id"))
    )
    found: dict[UUID, dict[str, int]] = {}
    for pool, reason, count in rows:
        found.setdefault(pool, {})[reason] = count
    return found


def _gathered(rows: Any) -> dict[UUID, list[float]]:
    found: dict[UUID, list[float]] = {}
    for pool, value in rows:
        found.setdefault(pool, []).append(float(value))
    return found


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that so large a share of the values does not pass: the nearest rank."""
    if not values:
        return None
    rank = max(-(-len(values) * share // 1), 1)
    return round(sorted(values)[int(rank) - 1], 3)


def _histogram(values: Sequence[float], edges: Sequence[float]) -> list[Bucket]:
    limits = [*edges, None]
    counts = [0] * len(limits)
    for value in values:
        counts[next((i for i, edge in enumerate(edges) if value <= edge), len(edges))] += 1
    return [Bucket(up_to=limit, count=count) for limit, count in zip(limits, counts, strict=True)]


def rating_calibration(pool_id: UUID) -> Calibration | None:
    """Return how good the forecasts of a pool's latest rated matches were; None where there was none.

    One of each match's sides is taken: the other one says the same.
    """
    latest = RatingChange.objects.filter(match__pool_id=pool_id).order_by("-match_id", "user_id")
    firsts = latest.distinct("match_id").values_list("expected", "score")[:JUDGED_MATCHES]
    return calibration(list(firsts))
