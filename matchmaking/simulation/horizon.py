"""When two waiting tickets could fit at the earliest.

Windows and latency limits only grow and conflicts only relax, so two tickets that fit go on fitting. As long
as nobody comes, a round before the first of these times finds nothing, and may be left out without any change
of the result. The times may be a little too early, which costs a round in vain; they are never too late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from matchmaking.domain.pool_rules import REGION_SLOTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pool_rules import LatencyRule, PoolRules
    from matchmaking.domain.rules import WindowRule

_SLACK: Final = 1e-9
"""Far above float64's rounding: a gap is taken for so much smaller than it is."""
_EARLY_SECONDS: Final = 0.001


class Horizon:
    """The earliest times of pairs of tickets, in microseconds.

    arrived_us    int64[n]
    rating        float64[n]
    max_gap       float64[n]
    modes         int64[n]
    latencies_ms  int16[n, 64]
    """

    def __init__(
        self,
        rules: PoolRules,
        *,
        arrived_us: NDArray[np.int64],
        rating: NDArray[np.float64],
        max_gap: NDArray[np.float64],
        modes: NDArray[np.int64],
        latencies_ms: NDArray[np.int16],
        mode_count: int,
    ) -> None:
        self._window = rules.window
        self._arrived_at, self._rating, self._modes = arrived_us / 1e6, rating, modes
        self._max_gap = max_gap if np.isfinite(max_gap).any() else None
        self._has_modes = mode_count > 1
        self._open_at = _open_at(rules.latency, self._arrived_at, _folded(latencies_ms, mode_count))

    def first_fit(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when each of ``some`` may fit each of ``others``: int64[a], int64[b] -> float64[a, b].

        Infinite where they never do, and for a ticket with itself. Conflicts are not looked at.
        """
        gap = np.abs(self._rating[some, np.newaxis] - self._rating[others])
        gap -= _SLACK * (1 + gap)
        first = self._arrived_at[some, np.newaxis]
        times = _wide_enough(self._window, gap, first, self._arrived_at[others])
        both_open = np.maximum(self._open_at[some, np.newaxis, :], self._open_at[others]).min(axis=2)
        times = np.maximum(times, both_open) - _EARLY_SECONDS
        if self._max_gap is not None:
            times[gap > np.minimum(self._max_gap[some, np.newaxis], self._max_gap[others])] = np.inf
        if self._has_modes:
            times[self._modes[some, np.newaxis] & self._modes[others] == 0] = np.inf
        times[some[:, np.newaxis] == others] = np.inf
        return np.asarray(times * 1e6)


def _wide_enough(
    rule: WindowRule, gap: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return from when on the windows of two tickets that came at ``one`` and ``other`` allow the gap."""
    later = np.maximum(one, other)
    if rule.rule == "both":
        return later + _needed_wait(rule, gap)
    if rule.rule == "either":
        return np.maximum(later, np.minimum(one, other) + _needed_wait(rule, gap))
    # Two windows add up. Steps are taken for steady growth, which is never narrower.
    beyond = np.maximum(gap - 2 * rule.radius, 0.0)
    times = np.maximum(later, (one + other) / 2 + _divided(beyond, 2 * rule.growth_per_second))
    if rule.cap is not None:
        # The older may be at its cap long before: the younger needs the rest.
        rest = np.maximum(gap - rule.cap - rule.radius, 0.0)
        times = np.maximum(times, later + _divided(rest, rule.growth_per_second))
        times[gap > 2 * rule.cap] = np.inf
    return times


def _needed_wait(rule: WindowRule, width: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the wait after which one window is so wide; infinite where it never is."""
    wait = _divided(np.maximum(width - rule.radius, 0.0), rule.growth_per_second)
    if rule.step_seconds:
        wait = np.ceil(wait / rule.step_seconds - _SLACK) * rule.step_seconds
    return wait if rule.cap is None else np.where(width > rule.cap, np.inf, wait)


def _divided(amount: NDArray[np.float64], per_second: float) -> NDArray[np.float64]:
    """Return how long an amount takes to grow: none takes no time, and what does not grow takes for ever."""
    if per_second:
        return amount / per_second
    return np.where(amount > 0, np.inf, 0.0)


def _folded(latencies_ms: NDArray[np.int16], mode_count: int) -> NDArray[np.int16]:
    """Return the columns of latencies that differ, int16[n, k].

    With several modes regions share bits, see `pool_rules.region_bits`; here the quicker one stands for both.
    """
    columns = list(latencies_ms.T)
    if mode_count > 1:
        width = REGION_SLOTS // mode_count
        unsigned = [column.view(np.uint16) for column in columns]
        columns = [np.minimum.reduce(unsigned[slot::width]).view(np.int16) for slot in range(width)]
    different = {column.tobytes(): column for column in columns}
    used = [column for column in different.values() if (column >= 0).any()] or columns[:1]
    return np.stack(used, axis=1)


def _open_at(
    rule: LatencyRule, arrived_at: NDArray[np.float64], latencies_ms: NDArray[np.int16]
) -> NDArray[np.float64]:
    """Return from when on each ticket may play in each region, float64[n, k]."""
    beyond = np.maximum(latencies_ms - rule.start_ms * (1 + _SLACK), 0.0)
    wait = _divided(beyond, rule.growth_ms_per_second)
    never = latencies_ms < 0
    if rule.cap_ms is not None:
        never |= latencies_ms > rule.cap_ms
    return np.where(never, np.inf, arrived_at[:, np.newaxis] + wait)
