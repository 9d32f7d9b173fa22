"""Why a ticket is not matched: whom each rule turns away, and when the nearest will fit.

A candidate is another ticket that waits in the pool; it is counted under every rule that turns it away now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from matchmaking.domain.pool_rules import PoolRules, open_regions
from matchmaking.domain.rules import COLUMN_LIMITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

RULES: Final = ("window", "max_gap", "region", "mode", "blocked", "recent", "absent")
FOR_EVER: Final = ("max_gap", "mode", "blocked")
_STEPS_PER_SECOND: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Tickets of a pool: n of each.

    rating, waited, max_gap   float64[n]; waits in seconds
    modes                     int64[n], bit sets
    latencies_ms              int16[n, k], see `open_regions`
    is_blocked, is_recent     bool[n], as the ticket that is explained sees them
    is_absent                 bool[n], not to be had now: unreachable, sitting out or in a match
    """

    rating: NDArray[np.float64]
    waited: NDArray[np.float64]
    max_gap: NDArray[np.float64]
    modes: NDArray[np.int64]
    latencies_ms: NDArray[np.int16]
    is_blocked: NDArray[np.bool_]
    is_recent: NDArray[np.bool_]
    is_absent: NDArray[np.bool_]

    def later(self, seconds: float) -> Candidates:
        """Return the same tickets when they have waited so much longer."""
        names = [name for name in self.__slots__ if name != "waited"]
        return Candidates(waited=self.waited + seconds, **{name: getattr(self, name) for name in names})

    def only(self, indices: list[int]) -> Candidates:
        """Return some of the tickets."""
        return Candidates(**{name: getattr(self, name)[indices] for name in self.__slots__})


def turned_away(own: int, tickets: Candidates, rules: PoolRules) -> dict[str, NDArray[np.bool_]]:
    """Return for each of `RULES` whom it keeps from ticket ``own`` now: bool[n]."""
    gap = np.abs(tickets.rating - tickets.rating[own])
    windows = rules.window.windows(tickets.waited)
    limits = COLUMN_LIMITS[rules.window.rule](windows, windows[own])
    regions = open_regions(tickets.latencies_ms, rules.latency.limits_ms(tickets.waited))
    has_waited = tickets.waited >= rules.avoidance.relax_seconds
    return {
        "window": gap > limits,
        "max_gap": gap > np.minimum(tickets.max_gap, tickets.max_gap[own]),
        "region": ~(regions & regions[own]).any(axis=1),
        "mode": (tickets.modes & tickets.modes[own]) == 0,
        "blocked": tickets.is_blocked,
        "recent": tickets.is_recent & ~(has_waited & has_waited[own]),
        "absent": tickets.is_absent,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The candidate with the smallest gap of those who can ever fit; None: it does not within the horizon."""

    index: int
    gap: float
    fits_in_seconds: float | None


def nearest(own: int, tickets: Candidates, rules: PoolRules, *, horizon_seconds: float) -> Nearest | None:
    """Return who will most likely be ticket ``own``'s opponent; None where nobody ever can.

    A tie goes to the older. Who is absent does not count: nobody knows whether it comes back.
    """
    away = turned_away(own, tickets, rules)
    # No region that both may ever play in is for ever, too.
    apart = turned_away(own, tickets.later(horizon_seconds), rules)["region"]
    never = np.logical_or.reduce([apart, *(away[rule] for rule in FOR_EVER)])
    never[own] = True
    possible = np.flatnonzero(~never & ~away["absent"])
    if not possible.size:
        return None
    gaps = np.abs(tickets.rating[possible] - tickets.rating[own])
    index = int(possible[np.argmin(gaps)])
    seconds = _fits_in(tickets.only([own, index]), rules, horizon_seconds)
    return Nearest(index=index, gap=float(gaps.min()), fits_in_seconds=seconds)


def _fits_in(pair: Candidates, rules: PoolRules, horizon_seconds: float) -> float | None:
    """Return the first tenth of a second at which the second fits the first.

    Each rule only widens, so from one instant on it fits.
    """

    def fits(step: int) -> bool:
        away = turned_away(0, pair.later(step / _STEPS_PER_SECOND), rules)
        return not any(away[rule][1] for rule in ("window", "region", "recent"))

    low, high = 0, math.floor(horizon_seconds * _STEPS_PER_SECOND)
    if fits(low):
        return 0.0
    if not fits(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high / _STEPS_PER_SECOND
