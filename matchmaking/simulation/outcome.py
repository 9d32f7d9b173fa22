"""What became of everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matchmaking.domain.pool_rules import PoolRules, open_regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.simulation.arrivals import Arrivals


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of n tickets, in the order of the arrivals.

    mate            int64[n], with whom each was matched; -1: with nobody
    matched_at      float64[n], seconds as in the arrivals; NaN for those without a match
    ended_after     float64[n], the wait in seconds until the match, or until it left or timed out
    has_timed_out   bool[n], waited in vain until the time-out
    is_left_out     bool[n], came while the same player still waited, and is counted nowhere
    latency_ms      float64[n], the larger of the two in the match's best region; NaN where not measured
    rounds_checked  rounds whose fairness was tested by brute force
    passed_over     tickets that these found alone though they should have had somebody
    """

    arrivals: Arrivals
    rules: PoolRules
    mate: NDArray[np.int64]
    matched_at: NDArray[np.float64]
    ended_after: NDArray[np.float64]
    has_timed_out: NDArray[np.bool_]
    is_left_out: NDArray[np.bool_]
    latency_ms: NDArray[np.float64]
    rounds_checked: int
    passed_over: int

    def pairs(self) -> list[tuple[int, int]]:
        """Return the matches as indices of the arrivals, the lower first, in order of these."""
        return [(one, int(other)) for one, other in enumerate(self.mate.tolist()) if one < other]


def larger_latency_ms(
    arrivals: Arrivals, rules: PoolRules, mate: NDArray[np.int64], waited: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the larger of the two latencies, in that region open to both where it is least; else NaN.

    ``mate`` as in `Outcome`; ``waited`` float64[n], seconds until the match.
    """
    latency = np.full(len(mate), np.nan)
    one = np.flatnonzero(mate >= 0)
    ours, theirs = arrivals.latencies_ms[one], arrivals.latencies_ms[mate[one]]
    is_open = open_regions(ours, rules.latency.limits_ms(waited[one]))
    is_open &= open_regions(theirs, rules.latency.limits_ms(waited[mate[one]]))
    # 0 stands for a region that was named and not measured.
    is_measured = is_open & (ours > 0) & (theirs > 0)
    least = np.where(is_measured, np.maximum(ours, theirs), np.inf).min(axis=1)
    latency[one] = np.where(np.isfinite(least), least, np.nan)
    return latency
