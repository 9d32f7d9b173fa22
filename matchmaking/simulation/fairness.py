"""The promise of the pairing core, tested by brute force: nobody is passed over.

For every ticket left alone, every ticket compatible with it must have a mate that is older than it. This
looks at all pairs, and shares no code with the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from matchmaking.domain.rules import Rule

_CELLS_AT_ONCE: Final = 4_000_000


def passed_over(
    pairs: NDArray[np.int64],
    *,
    rating: NDArray[np.float64],
    radius: NDArray[np.float64],
    regions: NDArray[np.uint64],
    conflicts: Mapping[int, Collection[int]],
    rule: Rule,
    max_gap: NDArray[np.float64] | None = None,
) -> int:
    """Return how many tickets were left alone against the promise, by `pair`'s answer and arguments."""
    n = len(rating)
    mate = np.full(n, n)
    mate[pairs[:, 0]], mate[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    alone = np.flatnonzero(mate == n)
    rows = max(_CELLS_AT_ONCE // max(n, 1), 1)
    count = 0
    for start in range(0, len(alone), rows):
        some = alone[start : start + rows]
        gap = np.abs(rating[some, np.newaxis] - rating)
        fit = (gap <= _limits(some, radius, rule, max_gap)) & (regions[some, np.newaxis] & regions != 0)
        for row, ticket in enumerate(some.tolist()):
            fit[row, [ticket, *conflicts.get(ticket, ())]] = False
        count += int((fit & (mate > some[:, np.newaxis])).any(axis=1).sum())
    return count


def _limits(
    some: NDArray[np.int64], radius: NDArray[np.float64], rule: Rule, max_gap: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the widest gap that each of ``some`` may have to each ticket, float64[a, n]."""
    own = radius[some, np.newaxis]
    limit = {"mean": own + radius, "both": np.minimum(own, radius), "either": np.maximum(own, radius)}[rule]
    if max_gap is not None:
        limit = np.minimum(limit, np.minimum(max_gap[some, np.newaxis], max_gap))
    return np.asarray(limit)
