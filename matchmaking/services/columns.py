"""The tickets of a pool as columns for the pairing core, read in PostgreSQL's binary COPY format.

Rows of one width become arrays without a step for each row: a hundred thousand tickets take a tenth of the
time that rows of Python objects do.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from matchmaking.domain.pool_rules import REGION_SLOTS, PoolRules, open_regions, region_bits
from matchmaking.models import Pool

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": a header; for each row the number of
# its fields, and for each field its length and its bytes; a trailer.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EVERY_REGION = "\\x" + "00" * (2 * REGION_SLOTS)
"""A ticket that names no region plays in any, whatever its latency."""

_REACHABLE = (
    "t.is_compared AND t.unreachable_since IS NULL AND (t.not_before IS NULL OR t.not_before <= %(now)s)"
    " AND NOT EXISTS (SELECT FROM matchmaking_matchplayer AS p"
    " WHERE p.tenant_id = t.tenant_id AND p.user_id = t.user_id AND p.is_live)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Searching tickets, oldest first: n of each.

    ids            V16[n], the bytes of each ticket's id
    rating         float64[n]
    waited         float64[n], seconds
    max_gap        float64[n], infinite where the player sets none
    modes          int64[n], a bit for each of the pool's modes
    latencies_ms   int16[n, 64], see `open_regions`; None where nobody names a region
    is_reachable   bool[n], may be reserved now
    """

    ids: NDArray[np.void]
    rating: NDArray[np.float64]
    waited: NDArray[np.float64]
    max_gap: NDArray[np.float64]
    modes: NDArray[np.int64]
    latencies_ms: NDArray[np.int16] | None
    is_reachable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rating)

    def id_of(self, index: int) -> UUID:
        """Return the id of the ticket at ``index``."""
        return UUID(bytes=self.ids[index].tobytes())

    def index_of(self) -> dict[bytes, int]:
        """Return where each ticket is, by the bytes of its id."""
        raw = self.ids.tobytes()
        return {raw[16 * i : 16 * i + 16]: i for i in range(len(self))}

    def region_bits(self, rules: PoolRules, mode_count: int) -> NDArray[np.uint64]:
        """Return the bit set of each ticket: the regions, and modes, that it may play in now."""
        if self.latencies_ms is None:
            regions = np.ones((len(self), REGION_SLOTS), dtype=bool)
        else:
            regions = open_regions(self.latencies_ms, rules.latency.limits_ms(self.waited))
        return region_bits(regions, self.modes, mode_count=mode_count)


def read(pool: Pool, *, now: datetime, reachable_only: bool = True) -> Columns:
    """Return the pool's searching tickets; ``reachable_only``: those that may be reserved now.

    Who came since `conflicts.compare_new` may not: whom it may not meet is not written down yet.
    """
    has_regions = pool.regions.exists()
    fields: list[Any] = [("id", "V16"), ("rating", ">f8"), ("queued_at", ">i8"), ("max_gap", ">f8")]
    fields += [("modes", ">i8"), ("is_reachable", "u1")]
    if has_regions:
        fields += [("latencies_ms", "<i2", (REGION_SLOTS,))]
    latencies = f", coalesce(t.latencies_ms, '{_EVERY_REGION}'::bytea)" if has_regions else ""
    where, reachable = (f" AND {_REACHABLE}", "true") if reachable_only else ("", _REACHABLE)
    if not has_regions:  # the first to name one comes just now: it is read at the next look
        where += " AND t.latencies_ms IS NULL"
    rows = copied(
        "SELECT t.id, t.rating, t.queued_at, coalesce(t.max_gap, 'Infinity'), t.modes::int8"  # noqa: S608 - no values
        f", {reachable}{latencies} FROM matchmaking_ticket AS t"
        f" WHERE t.pool_id = %(pool)s AND t.status = 'SEARCHING'{where} ORDER BY t.age_from, t.id",
        {"pool": pool.id, "now": now},
        fields,
    )
    now_us = (now - _EPOCH) // timedelta(microseconds=1)
    return Columns(
        ids=rows["id"].copy(),
        rating=rows["rating"].astype(np.float64),
        waited=(now_us - rows["queued_at"]) / 1e6,
        max_gap=rows["max_gap"].astype(np.float64),
        modes=rows["modes"].astype(np.int64),
        latencies_ms=rows["latencies_ms"].astype(np.int16) if has_regions else None,
        is_reachable=rows["is_reachable"].astype(bool),
    )


def copied(query: str, values: dict[str, Any], fields: list[Any]) -> NDArray[np.void]:
    """Return the rows of a query as a structured array; every field of every row has that very width."""
    layout: list[Any] = [("_count", ">i2")]
    for name, *kind in fields:
        layout += [(f"_length_of_{name}", ">i4"), (name, *kind)]
    statement = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    # Django translates what its own cursor raises, and knows nothing of a copy.
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement, values) as copy,
    ):
        data = b"".join(bytes(block) for block in copy)
    return np.frombuffer(data[_HEADER_BYTES : len(data) - _TRAILER_BYTES], dtype=np.dtype(layout))
