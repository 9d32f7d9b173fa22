"""The parties that no lobby has yet, ready to be walked from any of them to ever more distant ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Line:
    """The free parties in places along a line of ratings; parties of one rating share a place.

    The parties of a place form a ring, the older first, that a node of the place's own closes. Places are
    linked upwards and downwards; those without a party are left out. So parties of one rating come in the
    order of their age from either side, however many they are. `end` stands beyond both ends of the line.
    """

    def __init__(self, rating: NDArray[np.float64]) -> None:
        n = rating.size
        places, place_of = np.unique(rating, return_inverse=True)
        self.end = n + places.size
        self._rating: list[float] = [*rating.tolist(), *places.tolist(), math.inf]
        self._place: list[int] = (place_of + n).tolist()
        self._after, self._before = list(range(self.end + 1)), list(range(self.end + 1))
        self._higher, self._lower = list(range(1, self.end + 1)), list(range(-1, self.end))
        self._higher.append(n)
        self._lower[n:] = [self.end, *range(n, self.end)]
        for party, place in enumerate(self._place):
            self._link(self._before[place], party)
            self._link(party, place)
        self.free = np.ones(n, dtype=bool)

    def _link(self, node: int, following: int) -> None:
        self._after[node], self._before[following] = following, node

    def remove(self, party: int) -> None:
        """Take a party off the line."""
        self.free[party] = False
        self._link(self._before[party], self._after[party])
        place = self._place[party]
        if self._after[place] == place:
            above, below = self._higher[place], self._lower[place]
            self._lower[above], self._higher[below] = below, above

    def nearest(self, party: int) -> Iterator[tuple[float, int]]:
        """The other parties on the line with their distance, the nearest first; a tie goes to the older.

        Of different ratings to one side that only rounding makes equally distant, the one nearer on the line.
        """
        ratings, after = self._rating, self._after
        rating, home, places = ratings[party], self._place[party], len(self._place)
        up, down = after[home], after[self._lower[home]]
        up_gap, down_gap = 0.0, abs(ratings[down] - rating)
        while True:
            if (up_gap, up) < (down_gap, down):
                if up != party:
                    yield up_gap, up
                up = after[up]
                if up >= places:
                    up = after[self._higher[up]]
                up_gap = abs(ratings[up] - rating)
            elif down != self.end:
                yield down_gap, down
                down = after[down]
                if down >= places:
                    down = after[self._lower[down]]
                down_gap = abs(ratings[down] - rating)
            else:
                return
