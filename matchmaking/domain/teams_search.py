"""Who joins the seed of a lobby: the first parties, by their distance to it, that fill it. See `teams`.

Two ways lead to the same lobby. The walk takes the nearest party that fits, again and again: where that
fills the lobby, as it nearly always does, there is no earlier one. The search takes a party only if those
beyond can still fill what is missing: it turns round at conflicts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matchmaking.domain.teams_line import Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pairing_pool import Pool
    from matchmaking.domain.teams_packing import Packing

# A walk past this many free parties that do not fit costs about as much as a search.
_PATIENCE = 256

# How often all searches of a round may turn round, and which part of that each seed may use: to find parties
# that all get along among many that do not could take for ever.
_DEAD_ENDS = 2_000
_SHARE = 10

# So many of those nearest mostly fill what all can fill, and are asked sooner.
_NEARBY = 256

# To judge all parties at once costs as much as so many searches.
_IN_VAIN = 128


class Search:
    """The free parties of one round, and who of them fills the lobby of a seed.

    pool      the columns of the parties
    sizes     int64[n], players of each
    packing   of the lobby
    """

    def __init__(self, pool: Pool, sizes: NDArray[np.int64], packing: Packing) -> None:
        self._pool, self._sizes, self._packing = pool, sizes, packing
        self.parties = range(pool.nobody)
        self._line = Line(pool.rating)
        self._size_of: list[int] = sizes.tolist()
        self._radius_of: list[float] = pool.radius.tolist()
        self._max_gap_of: list[float] = pool.max_gap.tolist()
        self._region_of: list[int] = pool.regions.tolist()
        self._widest = float(pool.radius.max(initial=0.0))
        self._dead_ends = _DEAD_ENDS
        self._turns = 0
        self._hopeful = np.ones(pool.nobody, dtype=bool)
        self._until_judged = 0

    def is_free(self, party: int) -> bool:
        """Whether it is in no lobby."""
        return bool(self._line.free[party])

    def remove(self, party: int) -> None:
        """Take a party away: a lobby has it."""
        self._line.remove(party)

    def lobby_of(self, seed: int) -> list[int] | None:
        """The seed and those who fill its lobby, or None if nobody does; all of them free."""
        if not self._hopeful[seed]:
            return None
        return self._walk(seed) or self._look_ahead(seed)

    def _walk(self, seed: int) -> list[int] | None:
        """Take the nearest that fits until the lobby is full; None if that fails or patience ends."""
        limit, unit, partial = self._pool.limit, self._packing.unit, self._packing.partial
        radius, common, foes = (
            self._radius_of[seed],
            self._region_of[seed],
            set(self._pool.conflicts.of(seed)),
        )
        furthest = min(limit(radius, self._widest), self._max_gap_of[seed])
        members, taken = [seed], unit[self._size_of[seed]]
        missing, patience = self._packing.players - self._size_of[seed], _PATIENCE
        for gap, other in self._line.nearest(seed):
            if gap > furthest or not patience:
                return None
            near = gap <= limit(radius, self._radius_of[other]) and gap <= self._max_gap_of[other]
            size = self._size_of[other]
            fits = near and taken + unit[size] in partial and common & self._region_of[other]
            if not fits or other in foes:
                patience -= 1
                continue
            members.append(other)
            missing -= size
            if not missing:
                return members
            taken += unit[size]
            common &= self._region_of[other]
            foes |= self._pool.conflicts.of(other)
        return None

    def _look_ahead(self, seed: int) -> list[int] | None:
        """As `_walk`, but never into a lobby that cannot be filled."""
        self._judge_if_due()
        if not self._hopeful[seed]:
            return None
        others = np.flatnonzero(self._line.free)
        others = others[others != seed]
        others = others[self._pool.compatible(np.full(others.size, seed), others)]
        taken, common = self._with(seed, np.zeros_like(self._packing.full[0])), self._region_of[seed]
        if not self._can_fill(taken, common, others):
            return None
        gaps = np.abs(self._pool.rating[others] - self._pool.rating[seed])
        self._turns = self._dead_ends // _SHARE
        self._dead_ends -= self._turns
        found = self._extend(taken, common, others[np.argsort(gaps, kind="stable")])
        self._dead_ends += self._turns
        return None if found is None else [seed, *found]

    def _extend(self, taken: NDArray[np.int64], common: int, others: NDArray[np.int64]) -> list[int] | None:
        """The first of the others, in their order, that fill what is missing; None if none do.

        taken   counts of the sizes in the lobby, as in `Packing.full`
        common  the regions that all in it share
        others  int64[m]; no conflict with anybody in it
        """
        if (self._packing.full == taken).all(axis=1).any():
            return []
        hopeless = set[tuple[int, int]]()
        for place, other in enumerate(others.tolist()):
            kind = self._size_of[other], common & self._region_of[other]
            if kind in hopeless:
                continue
            grown, rest = self._with(other, taken), others[place + 1 :]
            if not self._can_fill(grown, kind[1], rest):
                # Nor does one of the same kind further on, which has fewer beyond it.
                hopeless.add(kind)
                continue
            found = self._extend(grown, kind[1], self._in_peace_with(other, rest))
            if found is not None:
                return [other, *found]
            if not self._turns:
                break
            self._turns -= 1
        return None

    def _with(self, party: int, taken: NDArray[np.int64]) -> NDArray[np.int64]:
        grown = taken.copy()
        grown[self._size_of[party]] += 1
        return grown

    def _in_peace_with(self, party: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the others that are not in conflict with the party."""
        foes = self._pool.conflicts.of(party)
        return others[~np.isin(others, list(foes))] if foes else others

    def _can_fill(self, taken: NDArray[np.int64], common: int, others: NDArray[np.int64]) -> bool:
        """Whether the sizes of those others that share a region fill the lobby; conflicts aside."""
        if others.size > _NEARBY and self._can_fill(taken, common, others[:_NEARBY]):
            return True
        sizes, regions, columns = self._sizes[others], self._pool.regions[others], taken.size
        return any(
            self._packing.can_fill(
                taken, np.bincount(sizes[(regions & np.uint64(part)) != 0], minlength=columns)
            )
            for part in self._pool.parts
            if part & common
        )

    def _judge_if_due(self) -> None:
        """Find out who may have a lobby at all; again after so many searches in vain that it pays."""
        if not self._until_judged:
            self._until_judged = _IN_VAIN
            free = np.flatnonzero(self._line.free)
            self._hopeful[free] = self._judge(free)
        self._until_judged -= 1

    def _judge(self, free: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each of the parties, whether those within reach have the sizes that a lobby takes; generously.

        Within reach of two circles is who touches, whatever the rule; where both must accept the other, it
        is who stands in one's own.
        """
        rating, radius = self._pool.rating[free], self._pool.radius[free]
        # More than what rounding takes from a limit.
        slack = (np.abs(rating) + radius) * 2.0**-50
        reach = np.zeros_like(radius) if self._pool.rule == "both" else radius
        hopeful = np.zeros(free.size, dtype=bool)
        for part in self._pool.parts:
            here = np.flatnonzero(self._pool.regions[free] & np.uint64(part))
            lowest, highest = (rating - radius - slack)[here], (rating + radius + slack)[here]
            starts, ends = (rating - reach - slack)[here], (rating + reach + slack)[here]
            sizes = self._sizes[free[here]]
            around = np.zeros((here.size, self._packing.full.shape[1]), dtype=np.int64)
            for size in np.unique(sizes).tolist():
                of_size = sizes == size
                around[:, size] = np.searchsorted(np.sort(starts[of_size]), highest, side="right")
                around[:, size] -= np.searchsorted(np.sort(ends[of_size]), lowest, side="left")
            hopeful[here] |= self._packing.can_fill_with(sizes, around)
        return hopeful
