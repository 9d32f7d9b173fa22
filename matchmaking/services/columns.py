"""The tickets of a pool as columns for the pairing core, read in PostgreSQL's binary COPY format.

Rows of one width become arrays without a step for each row: a hundred thousand tickets take a tenth of the
time that rows of Python objects do.
"""

from collections.abc import Collection, Mapping
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


def _reachable(ticket: str) -> str:
    """Return the condition under which a ticket, by its name in the query, may be reserved by itself."""
    return (
        f"({ticket}.is_compared AND {ticket}.unreachable_since IS NULL"
        f" AND ({ticket}.not_before IS NULL OR {ticket}.not_before <= %(now)s)"
        " AND NOT EXISTS (SELECT FROM matchmaking_matchplayer AS p"
        f" WHERE p.tenant_id = {ticket}.tenant_id AND p.user_id = {ticket}.user_id AND p.is_live))"
    )


_REACHABLE = _reachable("t")
_ALL_REACHABLE = (
    f"({_REACHABLE} AND NOT EXISTS (SELECT FROM matchmaking_ticket AS mate WHERE mate.party_id = t.party_id"
    f" AND mate.status IN ('SEARCHING', 'RESERVED') AND NOT {_reachable('mate')}))"
)
"""A party is reserved when all of it may be; until then it keeps its place."""


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
    parties        V16[n], the bytes of the id of each ticket's party, of its own where it is alone
    """

    ids: NDArray[np.void]
    rating: NDArray[np.float64]
    waited: NDArray[np.float64]
    max_gap: NDArray[np.float64]
    modes: NDArray[np.int64]
    latencies_ms: NDArray[np.int16] | None
    is_reachable: NDArray[np.bool_]
    parties: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.rating)

    def id_of(self, index: int) -> UUID:
        """Return the id of the ticket at ``index``."""
        return UUID(bytes=self.ids[index].tobytes())

    def index_of(self) -> dict[bytes, int]:
        """Return where each ticket is, by the bytes of its id."""
        return {raw: i for i, raw in enumerate(_each(self.ids))}

    def groups(self) -> "Groups":
        """Return who waits together, the oldest first."""
        ranks: dict[bytes, int] = {}
        return Groups(np.array([ranks.setdefault(raw, len(ranks)) for raw in _each(self.parties)], np.int64))

    def region_bits(self, rules: PoolRules, mode_count: int) -> NDArray[np.uint64]:
        """Return the bit set of each ticket: the regions, and modes, that it may play in now."""
        if self.latencies_ms is None:
            regions = np.ones((len(self), REGION_SLOTS), dtype=bool)
        else:
            regions = open_regions(self.latencies_ms, rules.latency.limits_ms(self.waited))
        return region_bits(regions, self.modes, mode_count=mode_count)


def _each(ids: NDArray[np.void]) -> list[bytes]:
    raw = ids.tobytes()
    return [raw[start : start + 16] for start in range(0, len(raw), 16)]


class Groups:
    """Who waits together, g of them: parties, and who is alone as a party of one.

    members   the indices of each party's tickets
    sizes     int64[g], how many these are
    """

    def __init__(self, group_of: NDArray[np.int64]) -> None:
        """``group_of``: int64[n], the rank of each ticket's party, from 0 without a gap."""
        self._of = group_of
        self.sizes = np.bincount(group_of).astype(np.int64)
        self.members: list[list[int]] = [[] for _ in range(len(self.sizes))]
        for ticket, group in enumerate(group_of.tolist()):
            self.members[group].append(ticket)

    def merged(self, tickets: Columns) -> Columns:
        """Return one row for each party: the mean rating, and of all else what suits all of its members.

        Where it plays is its leader's word, which each of its tickets has.
        """
        first = np.array([members[0] for members in self.members], dtype=np.int64)
        return Columns(
            ids=tickets.ids[first],
            rating=np.bincount(self._of, weights=tickets.rating) / self.sizes,
            waited=self._folded(np.minimum, tickets.waited),
            max_gap=self._folded(np.minimum, tickets.max_gap),
            modes=self._folded(np.bitwise_and, tickets.modes),
            latencies_ms=None if tickets.latencies_ms is None else tickets.latencies_ms[first],
            is_reachable=self._folded(np.logical_and, tickets.is_reachable),
            parties=tickets.parties[first],
        )

    def _folded(self, fold: np.ufunc, column: NDArray[Any]) -> NDArray[Any]:
        """Return one value for each party, of those of its tickets."""
        first = np.array([members[0] for members in self.members], dtype=np.int64)
        found = column[first]
        fold.at(found, self._of, column)
        return found

    def conflicts(self, foes: Mapping[int, Collection[int]]) -> dict[int, set[int]]:
        """Return which parties may not meet, since two of their members may not; nobody is its own foe."""
        found: dict[int, set[int]] = {}
        for ticket, others in foes.items():
            own = int(self._of[ticket])
            theirs = {int(self._of[other]) for other in others} - {own}
            if theirs:
                found.setdefault(own, set()).update(theirs)
        return found


def read(pool: Pool, *, now: datetime, reachable_only: bool = True) -> Columns:
    """Return the pool's searching tickets; ``reachable_only``: those that may be reserved now.

    Who came since `conflicts.compare_new` may not: whom it may not meet is not written down yet.
    """
    has_regions = pool.regions.exists()
    fields: list[Any] = [("id", "V16"), ("rating", ">f8"), ("queued_at", ">i8"), ("max_gap", ">f8")]
    fields += [("modes", ">i8"), ("is_reachable", "u1"), ("party", "V16")]
    if has_regions:
        fields += [("latencies_ms", "<i2", (REGION_SLOTS,))]
    latencies = f", coalesce(t.latencies_ms, '{_EVERY_REGION}'::bytea)" if has_regions else ""
    # Nobody queues for pairs with a party of more than one.
    is_reachable = _REACHABLE if pool.is_for_pairs else _ALL_REACHABLE
    where, reachable = (f" AND {is_reachable}", "true") if reachable_only else ("", is_reachable)
    if not has_regions:  # the first to name one comes just now: it is read at the next look
        where += " AND t.latencies_ms IS NULL"
    rows = copied(
        "SELECT t.id, t.rating, t.queued_at, coalesce(t.max_gap, 'Infinity'), t.modes::int8"  # noqa: S608 - no values
        f", {reachable}, coalesce(t.party_id, t.id){latencies} FROM matchmaking_ticket AS t"
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
        parties=rows["party"].copy(),
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
