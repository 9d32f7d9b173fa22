"""The first step of a round in a large pool: whole columns at once instead of one ticket after the other.

The free tickets stand in a line in the order of their ratings. All neighbours who are compatible, and closer
to each other than either is to its other compatible neighbour, are paired and leave the line; the rest move
together, and the next round begins. Then the same with the tickets of one region at a time, since two who fit
may have stood apart only because tickets of other regions stood between them.

Age plays no part here, nor is it promised that nobody is left who could be paired: see `pairing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pairing_pool import Pool

# A round looks at the whole line. One that pairs less than this share of it is the last: what is left is
# cheaper to do ticket by ticket.
_WORTH_A_ROUND = 1 / 64

# If the gaps grow or shrink along the line, then hardly any two are each other's closest. If fewer than this
# share of the neighbours who fit could be paired, closeness is given up for one round.
_WORTH_BEING_CLOSEST = 1 / 8


def neighbours_first(pool: Pool) -> None:
    """Pair free tickets who are neighbours in rating, over all regions first, then within each."""
    _pair_along(pool, pool.by_rating)
    for part in pool.parts:
        free = pool.by_rating[pool.mates[pool.by_rating] == pool.nobody]
        _pair_along(pool, free[(pool.regions[free] & np.uint64(part)) != 0])


def _pair_along(pool: Pool, line: NDArray[np.int64]) -> None:
    while line.size > 1:
        chosen = _chosen(pool, line)
        one, other = line[chosen], line[chosen + 1]
        pool.mates[one], pool.mates[other] = other, one
        if chosen.size < _WORTH_A_ROUND * line.size:
            return
        line = line[pool.mates[line] == pool.nobody]


def _chosen(pool: Pool, line: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places k in the line such that its k-th and (k+1)-th ticket are to be paired now."""
    left, right = line[:-1], line[1:]
    fit = pool.compatible(left, right)
    gap = np.where(fit, pool.rating[right] - pool.rating[left], np.inf)
    # Of equal gaps the one at the even place wins, so that a row of them is paired in one round.
    right_wins = gap[1:] < gap[:-1]
    right_wins |= (gap[1:] == gap[:-1]) & (np.arange(1, gap.size) % 2 == 0)
    closest = fit.copy()
    closest[:-1] &= ~(right_wins & fit[1:])
    closest[1:] &= right_wins | ~fit[:-1]
    chosen = np.flatnonzero(closest)
    if chosen.size < _WORTH_BEING_CLOSEST * np.count_nonzero(fit):
        return _every_second_of_each_row(fit)
    return chosen


def _every_second_of_each_row(fit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each row of neighbours who fit, the places of the first, the third, and so on."""
    places = np.arange(fit.size)
    last_misfit = np.maximum.accumulate(np.where(fit, -1, places))
    return np.flatnonzero(fit & ((places - last_misfit) % 2 == 1))
