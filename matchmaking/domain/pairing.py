"""Who plays whom: one round of matchmaking over all the tickets of a pool.

The rule, in words. Two tickets are compatible when the gap between their ratings is within the limit of their
radii (see `rules`), they share a region and no conflict forbids them to meet.

1. Oldest first, nearest compatible. From the oldest on, each free ticket takes the free compatible ticket
   with the smallest gap; a tie goes to the older.
2. Nobody is passed over. In the first pass someone older, who had a choice, may take a younger ticket that is
   nearer and leave an older one alone. So each ticket left alone, oldest first, takes the oldest free
   compatible ticket, or else the nearest compatible one whose mate is younger than itself. The displaced mate
   moves at once, in the same way.

Promises: pairs are compatible; no two compatible tickets are both left alone; for every ticket left alone,
every compatible ticket has a mate that is older than it. The answer depends on the columns alone.

A ticket is its index, and the index is its age rank: `i < j` reads "i is older than j". `nobody` is n, so it
is younger than everyone, and "has a younger mate" includes "has no mate".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from matchmaking.domain.rules import Rule, limit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

Foes = dict[int, frozenset[int]]

_COLUMN_LIMITS: Final[Mapping[Rule, np.ufunc]] = {"mean": np.add, "both": np.minimum, "either": np.maximum}

# A walk past this many free but incompatible tickets costs about as much as one vectorised look at the
# whole window, so from there on the look is cheaper. It bounds the price of pools where hardly anyone fits.
_PATIENCE = 200

# Relative widening of a window of ratings, far above float64's rounding (1.1e-16): "other >= rating - limit"
# and "rating - other <= limit" may round differently, and only the second, tested later, is the rule.
_SLACK = 1e-9

_NO_FOES: Final[frozenset[int]] = frozenset()


def pair(
    rating: NDArray[np.float64],
    radius: NDArray[np.float64],
    regions: NDArray[np.uint64],
    conflicts: Mapping[int, Collection[int]],
    *,
    rule: Rule = "mean",
) -> NDArray[np.int64]:
    """Pair the tickets, given oldest first; int64[m, 2]: the older first, in the order of the older.

    rating     float64[n], finite
    radius     float64[n], >= 0; h of rule `mean`, the window of `both` and `either`; infinite means any gap
    regions    uint64[n], one bit per region that the ticket may play in now; 0 fits nobody
    conflicts  ticket -> tickets it may not meet; symmetric

    Raises ValueError for columns that are not one-dimensional, differ in length or hold anything else, for
    conflicts that are not symmetric, of a ticket with itself or outside 0..n-1, and for an unknown rule. The
    arguments are not changed.
    """
    limit_of(rule)
    rating, radius, regions = _checked_columns(rating, radius, regions)
    foes = _checked_conflicts(conflicts, rating.size)
    # A gap or a limit beyond float64 is infinite, as in plain Python, and compares as it should.
    with np.errstate(over="ignore"):
        pool = _Pool(rating, radius, regions, foes, rule)
        _oldest_first(pool)
        _nobody_passed_over(pool)
    return pool.pairs()


def _checked_columns(
    rating: NDArray[Any], radius: NDArray[Any], regions: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint64]]:
    rating, radius = np.asarray(rating, dtype=np.float64), np.asarray(radius, dtype=np.float64)
    regions = np.asarray(regions)
    if not rating.ndim == radius.ndim == regions.ndim == 1:
        raise ValueError("rating, radius and regions must be one-dimensional")
    if not rating.size == radius.size == regions.size:
        raise ValueError(f"the lengths {rating.size}, {radius.size} and {regions.size} differ")
    if not np.isfinite(rating).all():
        raise ValueError("rating must be finite")
    if not (radius >= 0).all():
        raise ValueError("radius must be >= 0")
    if regions.size and (regions.dtype.kind not in "iu" or regions.min() < 0):
        raise ValueError("regions must be bit sets: integers >= 0")
    return rating, radius, regions.astype(np.uint64)


def _checked_conflicts(conflicts: Mapping[int, Collection[int]], n: int) -> Foes:
    foes = {ticket: frozenset(others) for ticket, others in conflicts.items()}
    for ticket, others in foes.items():
        if not 0 <= ticket < n:
            raise ValueError(f"conflict of ticket {ticket}, which is not in 0..{n - 1}")
        if ticket in others:
            raise ValueError(f"ticket {ticket} is in conflict with itself")
        for other in others:
            if ticket not in foes.get(other, _NO_FOES):
                raise ValueError(f"conflict {ticket} -> {other} has no counterpart {other} -> {ticket}")
    return foes


class _Pool:
    """The columns by age as lists for single steps, by rating as arrays for whole windows, and the mates."""

    def __init__(
        self,
        rating: NDArray[np.float64],
        radius: NDArray[np.float64],
        regions: NDArray[np.uint64],
        foes: Foes,
        rule: Rule,
    ) -> None:
        self.nobody = rating.size
        self.foes = foes
        self.limit, self._column_limit = limit_of(rule), _COLUMN_LIMITS[rule]
        # Nobody, the last element, is infinitely far from everyone.
        self.rating: list[float] = [*rating.tolist(), np.inf]
        self.radius: list[float] = radius.tolist()
        self.regions: list[int] = regions.tolist()
        self.upwards = np.argsort(rating, kind="stable")
        self.downwards = np.argsort(-rating, kind="stable")
        self.widest_first = np.argsort(-radius, kind="stable")
        self._sorted_rating, self._sorted_radius = rating[self.upwards], radius[self.upwards]
        self._sorted_regions = regions[self.upwards]
        self._sorted_mate = np.full(self.nobody, self.nobody, dtype=np.int64)
        # The same memory, for single elements: a memoryview reads and writes them several times faster.
        self._mate = self._sorted_mate.data
        self._place: list[int] = np.argsort(self.upwards).tolist()

    def gap(self, a: int, b: int) -> float:
        return abs(self.rating[a] - self.rating[b])

    def mate(self, ticket: int) -> int:
        return self._mate[self._place[ticket]]

    def marry(self, a: int, b: int) -> int:
        """Make a, who is free, and b mates. Returns the mate that b had, who is free now, or nobody."""
        left = self.mate(b)
        if left != self.nobody:
            self._mate[self._place[left]] = self.nobody
        self._mate[self._place[a]] = b
        self._mate[self._place[b]] = a
        return left

    def fitting(self, ticket: int, mate_after: int) -> list[int]:
        """The tickets compatible with `ticket` whose mate is younger than `mate_after`, or who have none."""
        if not self.regions[ticket]:
            return []
        low, high = self._window(ticket)
        places = low + np.flatnonzero(self._sorted_mate[low:high] > mate_after)
        gap = np.abs(self._sorted_rating[places] - self.rating[ticket])
        near = gap <= self._column_limit(self.radius[ticket], self._sorted_radius[places])
        shared = (self._sorted_regions[places] & np.uint64(self.regions[ticket])) != 0
        foes = self.foes.get(ticket, _NO_FOES)
        found: list[int] = self.upwards[places[near & shared]].tolist()
        return [other for other in found if other != ticket and other not in foes]

    def nearest(self, ticket: int, others: list[int]) -> int:
        """The one with the smallest gap, a tie goes to the older; nobody of nobody."""
        return min(others, key=lambda other: (self.gap(ticket, other), other), default=self.nobody)

    def alone(self) -> list[int]:
        """The tickets without a mate, oldest first."""
        return sorted(self.upwards[self._sorted_mate == self.nobody].tolist())

    def pairs(self) -> NDArray[np.int64]:
        mate = self._sorted_mate[self._place]
        older = np.flatnonzero((np.arange(self.nobody) < mate) & (mate < self.nobody))
        return np.column_stack((older, mate[older]))

    def _window(self, ticket: int) -> tuple[int, int]:
        """The places, in rating order, that hold every ticket within the limit."""
        rating, radius = self.rating[ticket], self.radius[ticket]
        furthest = self.limit(radius, self.radius[self.widest_first[0]])
        furthest += _SLACK * (abs(rating) + furthest)
        low = np.searchsorted(self._sorted_rating, rating - furthest, side="left")
        high = np.searchsorted(self._sorted_rating, rating + furthest, side="right")
        return int(low), int(high)


class _FreeTickets:
    """The tickets still to be paired in the first pass, as two rings: one leads up the ratings, one down.

    Both rings put the older first among equal ratings: so the first compatible ticket on either way is the
    right one, however many tickets share a rating. `nobody` closes each ring.
    """

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._gone = bytearray(pool.nobody + 1)
        self._up, self._up_back = _ring(pool.upwards)
        self._down, self._down_back = _ring(pool.downwards)
        self._widest_first: list[int] = [*pool.widest_first.tolist(), pool.nobody]
        self._widest = 0

    def __contains__(self, ticket: int) -> bool:
        return not self._gone[ticket]

    def remove(self, ticket: int) -> None:
        """Take it out of both rings; its own links stay, so that one may still walk from where it was."""
        self._gone[ticket] = 1
        after, before = self._up[ticket], self._up_back[ticket]
        self._up[before], self._up_back[after] = after, before
        after, before = self._down[ticket], self._down_back[ticket]
        self._down[before], self._down_back[after] = after, before

    def nearest(self, ticket: int) -> int:
        """The nearest compatible free ticket, the older of a tie, or nobody; `ticket` is already removed."""
        pool = self._pool
        furthest = self._furthest(ticket)
        above = self._walk(self._up, ticket, furthest)
        if above is not None:
            gap_above = pool.gap(ticket, above)
            below = self._walk(self._down, ticket, min(furthest, gap_above))
            if below is not None:
                return min((gap_above, above), (pool.gap(ticket, below), below))[1]
        return pool.nearest(ticket, pool.fitting(ticket, mate_after=pool.nobody - 1))

    def _furthest(self, ticket: int) -> float:
        """The widest gap any free ticket could still have to `ticket`; negative when none is free."""
        while self._gone[self._widest_first[self._widest]]:
            self._widest += 1
        widest = self._widest_first[self._widest]
        pool = self._pool
        return -1.0 if widest == pool.nobody else pool.limit(pool.radius[ticket], pool.radius[widest])

    def _walk(self, after: list[int], ticket: int, furthest: float) -> int | None:
        """The first compatible ticket within `furthest`, nobody if there is none, None if patience ended."""
        pool = self._pool
        ratings, radii, regions, limit = pool.rating, pool.radius, pool.regions, pool.limit
        rating, radius, own_regions = ratings[ticket], radii[ticket], regions[ticket]
        foes = pool.foes.get(ticket, _NO_FOES)
        nobody = pool.nobody
        other = ticket
        for _ in range(_PATIENCE):
            other = after[other]
            if other == nobody:
                return nobody
            gap = abs(ratings[other] - rating)
            if gap > furthest:
                return nobody
            if regions[other] & own_regions and gap <= limit(radius, radii[other]) and other not in foes:
                return other
        return None


def _ring(order: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """The links (after, before) of a circular list through `order`, closed by the element n."""
    circle = np.append(order, order.size)
    after, before = np.empty_like(circle), np.empty_like(circle)
    after[circle], before[circle] = np.roll(circle, -1), np.roll(circle, 1)
    return after.tolist(), before.tolist()


def _oldest_first(pool: _Pool) -> None:
    """The first pass. Leaves no two compatible tickets alone.

    A ticket that finds nobody is removed as well: it is compatible with none of those still free. One without
    a region is removed at the start, so that the others need not walk past it.
    """
    free = _FreeTickets(pool)
    for ticket, regions in enumerate(pool.regions):
        if not regions:
            free.remove(ticket)
    for ticket in range(pool.nobody):
        if ticket not in free:
            continue
        free.remove(ticket)
        other = free.nearest(ticket)
        if other != pool.nobody:
            free.remove(other)
            pool.marry(ticket, other)


def _nobody_passed_over(pool: _Pool) -> None:
    """The second pass. Ends, since each step gives a ticket an older mate and frees only a younger one.

    A displaced mate may not wait for its turn: meanwhile it is free, and a ticket already settled as alone
    may be entitled to it without being asked again.
    """
    for ticket in pool.alone():
        if pool.mate(ticket) == pool.nobody:
            moving = ticket
            while moving != pool.nobody:
                moving = _settle(pool, moving)


def _settle(pool: _Pool, ticket: int) -> int:
    """Give a lone ticket the mate it is entitled to, if any; the one displaced by it, or nobody."""
    entitled = pool.fitting(ticket, mate_after=ticket)
    free = [other for other in entitled if pool.mate(other) == pool.nobody]
    other = min(free) if free else pool.nearest(ticket, entitled)
    return pool.nobody if other == pool.nobody else pool.marry(ticket, other)
