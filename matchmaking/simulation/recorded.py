"""The tickets of a pool as they came, for a run under other rules."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations, groupby
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from matchmaking.domain.pool_rules import REGION_SLOTS
from matchmaking.models import Block, MatchPlayer, Pool, Ticket
from matchmaking.simulation.arrivals import MAX_TICKETS, Arrivals

_MICROSECOND = timedelta(microseconds=1)
_ROWS_AT_ONCE = 10_000


class Recorded(NamedTuple):
    """Arrivals, with the ids of their tickets and the moment from which their times count."""

    arrivals: Arrivals
    ticket_ids: list[UUID]
    origin: datetime


class _Row(NamedTuple):
    id: UUID
    user_id: str
    queued_at: datetime
    priority_seconds: int
    rating: float
    latencies_ms: bytes | None
    modes: int
    max_gap: float | None
    status: str
    ended_at: datetime | None


def find_pool(tenant_and_key: str) -> Pool | None:
    """Return the pool of ``tenant/key``, if there is one."""
    tenant_id, _, key = tenant_and_key.partition("/")
    return Pool.objects.filter(tenant_id=tenant_id, key=key).first()


def recorded(pool: Pool, *, since: datetime, until: datetime, remember_seconds: float) -> Recorded:
    """Return who came to a pool from ``since`` until before ``until``, in the order of the tickets' ids.

    A player who left, or fell silent, would have done so under any rules, after the same wait; who was
    matched or timed out would have waited on. Who met in the ``remember_seconds`` before ``since`` is
    known, too.

    Raises ValueError for more tickets than a run can hold.
    """
    found = Ticket.objects.filter(pool=pool, queued_at__gte=since, queued_at__lt=until)
    if (count := found.count()) > MAX_TICKETS:
        raise ValueError(f"these are {count:,} tickets, more than {MAX_TICKETS:,}: take fewer days")
    columns = found.order_by("id").values_list(*_Row._fields)
    rows = [_Row(*row) for row in columns.iterator(chunk_size=_ROWS_AT_ONCE)]
    players: dict[str, int] = {}
    for row in rows:
        players.setdefault(row.user_id, len(players))
    met, met_at = _met(pool, players, since=since, remember_seconds=remember_seconds)
    arrivals = Arrivals(
        arrived_at=np.array([_seconds(row.queued_at - since) for row in rows], dtype=np.float64),
        rating=np.array([row.rating for row in rows], dtype=np.float64),
        latencies_ms=_latencies(rows),
        modes=np.array([row.modes for row in rows], dtype=np.int64),
        priority_seconds=np.array([row.priority_seconds for row in rows], dtype=np.int64),
        max_gap=np.array([np.inf if row.max_gap is None else row.max_gap for row in rows], dtype=np.float64),
        leaves_after=np.array([_leaves_after(row) for row in rows], dtype=np.float64),
        player=np.array([players[row.user_id] for row in rows], dtype=np.int64),
        blocks=_blocks(pool, players),
        met=met,
        met_at=met_at,
        mode_count=len(pool.modes),
    )
    return Recorded(arrivals, [row.id for row in rows], since)


def _seconds(duration: timedelta) -> float:
    return (duration // _MICROSECOND) / 1_000_000


def _latencies(rows: Sequence[_Row]) -> NDArray[np.int16]:
    anywhere = bytes(2 * REGION_SLOTS)
    raw = b"".join(anywhere if row.latencies_ms is None else bytes(row.latencies_ms) for row in rows)
    return np.frombuffer(raw, dtype="<i2").astype(np.int16).reshape(-1, REGION_SLOTS)


def _leaves_after(row: _Row) -> float:
    if row.status != Ticket.Status.CANCELLED or row.ended_at is None:
        return np.inf
    return max(_seconds(row.ended_at - row.queued_at), 0.0)


def _blocks(pool: Pool, players: dict[str, int]) -> NDArray[np.int64]:
    blocks = Block.objects.filter(tenant_id=pool.tenant_id).values_list("user_id", "blocked_id")
    both = [
        (players[user], players[blocked])
        for user, blocked in blocks.iterator(chunk_size=_ROWS_AT_ONCE)
        if user in players and blocked in players
    ]
    return np.array(both, dtype=np.int64).reshape(-1, 2)


def _met(
    pool: Pool, players: dict[str, int], *, since: datetime, remember_seconds: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return who of these met before ``since``, in any of the tenant's pools, and when."""
    seats: Any = (
        MatchPlayer.objects.filter(
            tenant_id=pool.tenant_id,
            match__confirmed_at__gt=since - timedelta(seconds=remember_seconds),
            match__confirmed_at__lt=since,
        )
        .order_by("match_id")
        .values_list("match_id", "match__confirmed_at", "user_id")
    )
    found = list(_pairs_of(seats, players))
    met = np.array([pair for pair, _ in found], dtype=np.int64).reshape(-1, 2)
    return met, np.array([_seconds(at - since) for _, at in found], dtype=np.float64)


def _pairs_of(seats: Any, players: dict[str, int]) -> Iterator[tuple[tuple[int, int], datetime]]:
    for (_, at), of_match in groupby(seats, key=lambda seat: (seat[0], seat[1])):
        known = [players[user] for _, _, user in of_match if user in players]
        yield from ((pair, at) for pair in combinations(known, 2))
