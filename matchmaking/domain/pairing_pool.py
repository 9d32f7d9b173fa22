"""The tickets of one round of matchmaking: their columns, who is compatible with whom, and the mates so far.

See `pairing` for the rule and for what `nobody` is.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from matchmaking.domain.rules import COLUMN_LIMITS, Rule, limit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pairing_conflicts import Conflicts


class Pool:
    """The columns, oldest first, and the mate of each ticket; `nobody` for those still free.

    The arguments are those of `pairing.pair`, checked; float64[n], but regions uint64[n]. A
    memoryview of the same memory stands beside each array that is read element by element: that is several
    times quicker than the array.
    """

    def __init__(
        self,
        rating: NDArray[np.float64],
        radius: NDArray[np.float64],
        regions: NDArray[np.uint64],
        max_gap: NDArray[np.float64],
        *,
        conflicts: Conflicts,
        rule: Rule,
    ) -> None:
        self.nobody = rating.size
        self.rating, self.regions, self.max_gap, self.conflicts = rating, regions, max_gap, conflicts
        # A gap beyond a ticket's own limit is refused anyway, so a radius beyond that limit changes nothing,
        # and searches stay short.
        self.radius = np.minimum(radius, max_gap)
        self.rule = rule
        self.limit, self.column_limit = limit_of(rule), COLUMN_LIMITS[rule]
        self.has_max_gaps = bool(np.isfinite(max_gap).any())
        self.by_rating = np.argsort(rating, kind="stable")
        self.mates = np.full(self.nobody, self.nobody, dtype=np.int64)
        self.mate_of = self.mates.data
        self.rating_of, self.radius_of = self.rating.data, self.radius.data
        self.region_of, self.max_gap_of = self.regions.data, self.max_gap.data

    @cached_property
    def parts(self) -> list[int]:
        """Region bits, such that two tickets share a region exactly if they share one of these.

        Of regions that the same tickets play in, one stands for all.
        """
        kinds = np.unique(self.regions)
        used = int(np.bitwise_or.reduce(kinds))
        bits = (1 << bit for bit in range(64) if used >> bit & 1)
        players = {((kinds & np.uint64(bit)) != 0).tobytes(): bit for bit in bits}
        return sorted(players.values())

    def compatible(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a[k] and b[k], two different tickets, may be paired; int64[m], int64[m] -> bool[m]."""
        gap = np.abs(self.rating[a] - self.rating[b])
        fit: NDArray[np.bool_] = gap <= self.column_limit(self.radius[a], self.radius[b])
        fit &= (self.regions[a] & self.regions[b]) != 0
        if self.has_max_gaps:
            fit &= gap <= np.minimum(self.max_gap[a], self.max_gap[b])
        if self.conflicts:
            near = np.flatnonzero(fit)
            fit[near] = ~self.conflicts.between(a[near], b[near])
        return fit

    def is_free(self, ticket: int) -> bool:
        """Whether the ticket has no mate."""
        return self.mate_of[ticket] == self.nobody

    def marry(self, a: int, b: int) -> int:
        """Make a, who is free, and b mates. Returns the mate that b had, who is free now, or nobody."""
        left = self.mate_of[b]
        if left != self.nobody:
            self.mate_of[left] = self.nobody
        self.mate_of[a], self.mate_of[b] = b, a
        return left

    def alone(self) -> NDArray[np.int64]:
        """The tickets without a mate, oldest first; int64[m]."""
        return np.flatnonzero(self.mates == self.nobody)

    def pairs(self) -> NDArray[np.int64]:
        """The pairs so far, as `pairing.pair` answers them."""
        older = np.flatnonzero((np.arange(self.nobody) < self.mates) & (self.mates < self.nobody))
        return np.column_stack((older, self.mates[older]))
