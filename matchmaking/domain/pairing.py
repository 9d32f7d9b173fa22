"""Who plays whom: one round of matchmaking over all the tickets of a pool.

The rule, in words. Two tickets are compatible when the gap between their ratings is within the limit of
their radii (see `rules`) and within the own limit of each, they share a region, and no conflict forbids them
to meet.

1. Pairs are made. In a large pool, round after round, every two neighbours in rating who are each other's
   closest (`pairing_bulk`); in a small one, oldest first, each with the nearest compatible ticket.
2. Nobody is passed over. Someone older, who had a choice, may have taken a younger ticket that is nearer and
   left an older one alone. So each ticket left alone, oldest first, takes a free compatible ticket, or else
   the nearest compatible one whose mate is younger than itself. The displaced mate moves at once, in the same
   way (`pairing_passes`).

Promises: pairs are compatible; no two compatible tickets are both left alone; for every ticket left alone,
every compatible ticket has a mate that is older than it; the answer depends on the columns alone. The second
step keeps them whatever pairs the first one made, so the first may be as quick as it likes.

A ticket is its index, and the index is its age rank: `i < j` reads "i is older than j". `nobody` is n, so it
is younger than everyone, and "has a younger mate" includes "has no mate".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matchmaking.domain.pairing_bulk import neighbours_first
from matchmaking.domain.pairing_columns import checked_columns
from matchmaking.domain.pairing_conflicts import Conflicts
from matchmaking.domain.pairing_passes import nobody_passed_over, oldest_first
from matchmaking.domain.pairing_pool import Pool
from matchmaking.domain.rules import Rule, limit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

# From so many tickets on, whole columns at once are quicker than one ticket after the other.
_BULK_FROM = 5_000


def pair(
    rating: NDArray[np.float64],
    radius: NDArray[np.float64],
    regions: NDArray[np.uint64],
    conflicts: Mapping[int, Collection[int]],
    *,
    rule: Rule = "mean",
    max_gap: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Pair the tickets, given oldest first; int64[m, 2]: the older first, in the order of the older.

    rating     float64[n], finite
    radius     float64[n], >= 0; h of rule `mean`, the window of `both` and `either`; infinite means any gap
    regions    uint64[n], one bit per region that the ticket may play in now; 0 fits nobody
    conflicts  ticket -> tickets it may not meet; symmetric
    max_gap    float64[n], >= 0; the widest gap the ticket accepts, whatever the rule allows; None or infinite
               means no limit of its own

    Raises ValueError for columns that are not one-dimensional, differ in length or hold anything else, for
    conflicts that are not symmetric, of a ticket with itself or outside 0..n-1, and for an unknown rule. The
    arguments are not changed.
    """
    limit_of(rule)
    if max_gap is None:
        max_gap = np.full(np.shape(rating), np.inf)
    rating, radius, max_gap, regions = checked_columns(rating, radius, max_gap, regions)
    checked_conflicts = Conflicts(conflicts, rating.size)
    # A gap or a limit beyond float64 is infinite, as in plain Python, and compares as it should.
    with np.errstate(over="ignore"):
        pool = Pool(rating, radius, regions, max_gap, conflicts=checked_conflicts, rule=rule)
        if pool.nobody >= _BULK_FROM:
            neighbours_first(pool)
        else:
            oldest_first(pool)
        nobody_passed_over(pool)
    return pool.pairs()
