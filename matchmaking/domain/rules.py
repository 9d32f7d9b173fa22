"""Who fits whom, and who comes first.

A ticket has a window around its rating, and the window grows while the ticket waits. Three rules say when the
gap between two ratings is small enough:

- `mean`: the two circles touch; the gap is at most the sum of the two windows;
- `both`: each accepts the other; the gap is at most the smaller window;
- `either`: one of them accepts the other; the gap is at most the larger window.

The older ticket comes first, and a priority is a head start in age and nothing else: an ordinary ticket is
overtaken by at most that many seconds of later arrivals, so nobody starves.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Rule = Literal["mean", "both", "either"]
TicketId = TypeVar("TicketId")

# The widest gap that each rule allows two windows. Each one grows with either window: a search that assumes
# the widest window for the other side therefore misses nobody.
LIMITS: Final[Mapping[Rule, Callable[[float, float], float]]] = MappingProxyType(
    {"mean": operator.add, "both": min, "either": max}
)

COLUMN_LIMITS: Final[Mapping[Rule, np.ufunc]] = MappingProxyType(
    {"mean": np.add, "both": np.minimum, "either": np.maximum}
)
"""The same for whole columns."""

SHORTEST_STEP_SECONDS: Final = 0.001

# waited / step is off by at most three roundings: of the wait, of the step and of the quotient. Without this
# allowance 0.3 s would hold two steps of 0.1 s.
_QUOTIENT_ALLOWANCE: Final = 1 + 4 * math.ulp(1.0)


def fits(rule: Rule, gap: float, window_a: float, window_b: float) -> bool:
    """Whether two ratings `gap` (>= 0) apart are near enough. Raises ValueError for an unknown rule."""
    return gap <= limit_of(rule)(window_a, window_b)


def limit_of(rule: Rule) -> Callable[[float, float], float]:
    """The function from two windows to the widest allowed gap. Raises ValueError for an unknown rule."""
    if rule not in LIMITS:
        raise ValueError(f"unknown rule {rule!r}, expected one of {', '.join(LIMITS)}")
    return LIMITS[rule]


def age_order(queued_at: datetime, priority_seconds: int, ticket_id: TicketId) -> tuple[datetime, TicketId]:
    """The sort key that puts the oldest ticket first; `ticket_id` decides between equals.

    `priority_seconds` is a head start: the ticket counts as queued that much earlier.
    """
    return queued_at - timedelta(seconds=priority_seconds), ticket_id


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How wide a ticket's window is, in rating points, after a wait in seconds.

    preset             the name an operator knows it by, not empty
    radius             the window of a ticket that has just come
    growth_per_second  rating points for each second waited
    step_seconds       0: the window grows continuously; otherwise only with every full step of that length
                       (at least SHORTEST_STEP_SECONDS), by `growth_per_second * step_seconds`
    cap                the window never exceeds it; None: no cap

    Numbers are finite and >= 0, and `cap >= radius`; anything else raises ValueError.
    """

    preset: str
    rule: Rule
    radius: float
    growth_per_second: float
    step_seconds: float
    cap: float | None

    def __post_init__(self) -> None:
        if not self.preset:
            raise ValueError("preset must have a name")
        limit_of(self.rule)
        for name in ("radius", "growth_per_second", "step_seconds"):
            _check_finite_and_not_negative(name, getattr(self, name))
        if 0 < self.step_seconds < SHORTEST_STEP_SECONDS:
            raise ValueError(f"step_seconds {self.step_seconds} is neither 0 nor >= {SHORTEST_STEP_SECONDS}")
        if self.cap is not None:
            _check_finite_and_not_negative("cap", self.cap)
            if self.cap < self.radius:
                raise ValueError(f"cap {self.cap} is below the radius {self.radius}")

    def window(self, waited_seconds: float) -> float:
        """The window after a wait; a negative one counts as 0. Raises ValueError unless it is finite."""
        if not math.isfinite(waited_seconds):
            raise ValueError(f"waited_seconds must be finite, not {waited_seconds}")
        grown = max(float(waited_seconds), 0.0)
        if self.step_seconds:
            grown = math.floor(grown / self.step_seconds * _QUOTIENT_ALLOWANCE) * self.step_seconds
        window = self.radius + self.growth_per_second * grown
        return window if self.cap is None else min(window, self.cap)

    def windows(self, waited_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """`window` for every element: float64[n] -> float64[n], equal to the last bit; same errors."""
        waited = np.asarray(waited_seconds, dtype=np.float64)
        if not np.isfinite(waited).all():
            raise ValueError("waited_seconds must be finite")
        grown = np.maximum(waited, 0.0)
        if self.step_seconds:
            grown = np.floor(grown / self.step_seconds * _QUOTIENT_ALLOWANCE) * self.step_seconds
        window = self.radius + self.growth_per_second * grown
        return window if self.cap is None else np.minimum(window, self.cap)


def _check_finite_and_not_negative(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be finite and not negative, not {value}")


CLASSIC: Final = WindowRule(
    preset="classic", rule="both", radius=100.0, growth_per_second=2.5, step_seconds=10.0, cap=None
)

QUALITY: Final = WindowRule(
    preset="quality", rule="mean", radius=12.5, growth_per_second=1.25, step_seconds=0.0, cap=None
)
BALANCED: Final = WindowRule(
    preset="balanced", rule="mean", radius=25.0, growth_per_second=2.5, step_seconds=0.0, cap=400.0
)
FAST: Final = WindowRule(
    preset="fast", rule="mean", radius=12.5, growth_per_second=5.0, step_seconds=0.0, cap=None
)

PRESETS: Final[Mapping[str, WindowRule]] = MappingProxyType(
    {rule.preset: rule for rule in (CLASSIC, QUALITY, BALANCED, FAST)}
)
