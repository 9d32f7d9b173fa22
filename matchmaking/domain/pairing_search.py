"""Finding a mate for a single ticket, and telling for many tickets at once that there is none.

The tickets are kept by region and, within a region, by the magnitudes of their radius and of their own limit,
each such cell in the order of the ratings. A window spans what the widest ticket of the cell could reach. The
others of the cell are of like width: so it holds hardly more than what is compatible, and one very wide
ticket leaves the search among the narrow ones as it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pairing_pool import Pool

    # How well another ticket suits, the best first: is it taken, the gap (0 if age decides), the ticket.
    Suits = tuple[bool, float, int]

# Relative widening of a window of ratings, far above float64's rounding (1.1e-16): "other >= rating - limit"
# and "rating - other <= limit" may round differently, and only the second, tested later, is the rule.
_SLACK = 1e-9

# Beyond this many tickets in the windows, looking at all of them at once is quicker than one by one.
_FEW = 64

# Windows that hold more than one in so many of all tickets: the oldest in them is soon found from the oldest
# of all on, in stretches of at first so many tickets.
_LARGE = 8
_STRETCH = 1024

# A kind of radius begins at a quarter of the one above, unless that one is small anyway, or the new one has
# so few tickets beside all the wider ones, by this factor, that they would hardly add to what a search looks
# at. More kinds would cost more to visit than they save.
_SMALL = 16
_FEWER = 3
_MAX_KINDS = 16

# A ticket that plays in more parts than this searches among those of all regions instead of in each part.
_MAX_PARTS = 4
_ANYWHERE = 2**64 - 1


class _Cell(NamedTuple):
    tickets: NDArray[np.int64]
    ratings: NDArray[np.float64]
    rating_at: memoryview  # the same memory
    ranks: NDArray[np.int64]  # places in the order of all ratings
    radius: float  # the widest of its tickets
    max_gap: float


class Search:
    """Looks among the tickets of a pool as its mates are at that moment; the columns may not change."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._cells_in_part: dict[int, list[_Cell]] = {}
        self._cells_of: dict[int, list[_Cell]] = {}

    def best(self, ticket: int, *, mate_after: int, oldest: bool = False) -> int:
        """The best compatible ticket whose mate is younger than `mate_after`, or who has none; or nobody.

        Free ones come before taken ones, then the nearest before the others; if `oldest`, then the oldest of
        the free ones. A tie goes to the older.
        """
        windows = self._windows(ticket)
        size = sum(window.size for window in windows)
        if oldest and size * _LARGE > self._pool.nobody:
            free = self._oldest_free(ticket)
            if free != self._pool.nobody:
                return free
        if size <= _FEW:
            return self._best_one_by_one(ticket, windows, mate_after, oldest=oldest)
        return self._best_at_once(ticket, np.concatenate(windows), mate_after, oldest=oldest)

    def may_find(self, tickets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a search with `mate_after` the ticket itself might succeed; int64[m] -> bool[m].

        False is certain. True is not: a window may hold tickets that are not compatible.
        """
        found = np.zeros(tickets.size, dtype=np.bool_)
        regions = self._pool.regions[tickets]
        everywhere = np.bitwise_count(regions & np.uint64(sum(self._pool.parts))) > _MAX_PARTS
        for part in (*self._pool.parts, _ANYWHERE):
            here = everywhere if part == _ANYWHERE else ~everywhere & ((regions & np.uint64(part)) != 0)
            if here.any():
                for cell in self._cells_in(part):
                    found[here] |= self._youngest_mate(tickets[here], cell) > tickets[here]
        return found

    def _best_one_by_one(
        self, ticket: int, windows: list[NDArray[np.int64]], mate_after: int, *, oldest: bool
    ) -> int:
        pool = self._pool
        rating_of, radius_of, max_gap_of = pool.rating_of, pool.radius_of, pool.max_gap_of
        rating, radius, max_gap = rating_of[ticket], radius_of[ticket], max_gap_of[ticket]
        regions, foes = pool.region_of[ticket], pool.conflicts.of(ticket)
        best: Suits = (True, np.inf, pool.nobody)
        for other in (other for window in windows for other in window.tolist()):
            mate = pool.mate_of[other]
            if mate <= mate_after or other == ticket:
                continue
            gap = abs(rating_of[other] - rating)
            if gap > pool.limit(radius, radius_of[other]) or gap > min(max_gap, max_gap_of[other]):
                continue
            if pool.region_of[other] & regions and other not in foes:
                taken = mate != pool.nobody
                best = min(best, (taken, gap if taken or not oldest else 0.0, other))
        return best[2]

    def _best_at_once(self, ticket: int, others: NDArray[np.int64], mate_after: int, *, oldest: bool) -> int:
        pool = self._pool
        others = others[pool.mates[others] > mate_after]
        others = others[others != ticket]
        others = others[pool.compatible(np.full(others.size, ticket), others)]
        free = others[pool.mates[others] == pool.nobody]
        if free.size:
            others = free
        if not (free.size and oldest):
            gap = np.abs(pool.rating[others] - pool.rating[ticket])
            others = others[gap == gap.min(initial=np.inf)]
        return int(others.min(initial=pool.nobody))

    def _oldest_free(self, ticket: int) -> int:
        """The oldest compatible free ticket, or nobody: looked for among the oldest first, then further."""
        pool, start, stop = self._pool, 0, _STRETCH
        while start < pool.nobody:
            others = start + np.flatnonzero(pool.mates[start:stop] == pool.nobody)
            others = others[others != ticket]
            fit = pool.compatible(np.full(others.size, ticket), others)
            if fit.any():
                return int(others[fit.argmax()])
            start, stop = stop, 2 * stop
        return pool.nobody

    def _windows(self, ticket: int) -> list[NDArray[np.int64]]:
        """Tickets that include everyone compatible; one that shares several regions may occur repeatedly."""
        pool, windows = self._pool, []
        rating, radius, max_gap = pool.rating_of[ticket], pool.radius_of[ticket], pool.max_gap_of[ticket]
        for cell in self._cells_for(pool.region_of[ticket]):
            reach = min(pool.limit(radius, cell.radius), max_gap, cell.max_gap)
            reach += _SLACK * (abs(rating) + reach)
            low = bisect_left(cell.rating_at, rating - reach)
            high = bisect_right(cell.rating_at, rating + reach, low)
            if low < high:
                windows.append(cell.tickets[low:high])
        return windows

    def _youngest_mate(self, tickets: NDArray[np.int64], cell: _Cell) -> NDArray[np.int64]:
        """For each ticket the youngest mate of the others in its window, nobody included; -1 of none."""
        pool = self._pool
        rating = pool.rating[tickets]
        reach = pool.column_limit(pool.radius[tickets], cell.radius)
        reach = np.minimum(reach, np.minimum(pool.max_gap[tickets], cell.max_gap))
        reach += _SLACK * (np.abs(rating) + reach)
        low = np.searchsorted(cell.ratings, rating - reach, side="left")
        high = np.searchsorted(cell.ratings, rating + reach, side="right")
        # The ticket itself has no mate: the window is parted where it stands, or would stand.
        own = self._rank[tickets]
        below, above = (np.searchsorted(cell.ranks, own, side=side) for side in ("left", "right"))
        mates = pool.mates[cell.tickets]
        return np.maximum(_range_maxima(mates, low, below), _range_maxima(mates, above, high))

    @cached_property
    def _rank(self) -> NDArray[np.int64]:
        rank = np.empty_like(self._pool.by_rating)
        rank[self._pool.by_rating] = np.arange(rank.size)
        return rank

    @cached_property
    def _kind(self) -> NDArray[np.int64]:
        """The kinds of radius and of max_gap of each ticket, as one number."""
        kind = _kinds(self._pool.radius)
        return kind * _MAX_KINDS + _kinds(self._pool.max_gap) if self._pool.has_max_gaps else kind

    def _cells_for(self, regions: int) -> list[_Cell]:
        cells = self._cells_of.get(regions)
        if cells is None:
            parts = [part for part in self._pool.parts if part & regions]
            parts = [_ANYWHERE] if len(parts) > _MAX_PARTS else parts
            cells = self._cells_of[regions] = [cell for part in parts for cell in self._cells_in(part)]
        return cells

    def _cells_in(self, part: int) -> list[_Cell]:
        cells = self._cells_in_part.get(part)
        if cells is None:
            pool = self._pool
            ranks = np.flatnonzero((pool.regions[pool.by_rating] & np.uint64(part)) != 0)
            kind = self._kind[pool.by_rating[ranks]]
            present = np.flatnonzero(np.bincount(kind))
            cells = self._cells_in_part[part] = [self._cell(ranks[kind == one]) for one in present]
        return cells

    def _cell(self, ranks: NDArray[np.int64]) -> _Cell:
        pool = self._pool
        tickets = pool.by_rating[ranks]
        ratings = pool.rating[tickets]
        radius, max_gap = float(pool.radius[tickets].max()), float(pool.max_gap[tickets].max())
        return _Cell(tickets, ratings, ratings.data, ranks, radius, max_gap)


def _kinds(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers below _MAX_KINDS for the magnitudes of values >= 0, from 0 for the largest on, as int64."""
    highest = np.finfo(np.float64).max
    exponent = np.frexp(np.minimum(column, highest))[1].astype(np.int64)
    # frexp gives 0 and the infinite no exponent of their own; all others lie from -1073 to 1024.
    exponent[column == 0], exponent[column > highest] = -1076, 1026
    power_of_four = (exponent + 1076) // 2
    sizes = np.bincount(power_of_four)
    number = np.zeros_like(sizes)
    kind = size = wider = 0
    for power in np.flatnonzero(sizes)[::-1].tolist():
        worthwhile = sizes[power] * _FEWER > wider and sizes[power] + size > _SMALL
        if worthwhile and kind < _MAX_KINDS - 1:
            kind, size = kind + 1, 0
        number[power], size = kind, size + sizes[power]
        wider += sizes[power]
    return number[power_of_four]


def _range_maxima(
    values: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The largest of values[low[k]:high[k]] for every k, -1 of an empty range.

    Each range is the union of two of the same length, a power of two; the maxima of all of that length come
    from those of half the length.
    """
    length = high - low
    maxima = np.full(length.size, -1, dtype=np.int64)
    width = 1
    while (length >= width).any():
        here = np.flatnonzero((length >= width) & (length < 2 * width))
        maxima[here] = np.maximum(values[low[here]], values[high[here] - width])
        values = np.maximum(values[:-width], values[width:])
        width *= 2
    return maxima
