"""All the rules of a pool: the rating window, latency, and whom one meets again.

A ticket may play in the regions that it names, and where it has measured a region's latency, only once its
wait allows that latency. Opponents of the last while are avoided until both have waited long enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from matchmaking.domain.rules import CLASSIC, WindowRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

REGION_SLOTS: Final = 64
"""How many regions a ticket's row has room for, and a bit set has bits."""
NOT_PLAYABLE: Final = -1
"""In a slot: the ticket does not name that region."""


def _check_numbers(rule: LatencyRule | AvoidanceRule) -> None:
    for field in fields(rule):
        value = getattr(rule, field.name)
        if value is None and field.name == "cap_ms":
            continue
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{field.name} must be finite and not negative, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule:
    """The latency in ms that a ticket accepts after a wait in seconds; a cap of None: no limit.

    Numbers are finite and >= 0, and ``cap_ms >= start_ms``; anything else raises ValueError.
    """

    start_ms: float = 80.0
    growth_ms_per_second: float = 2.0
    cap_ms: float | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.cap_ms is not None and self.cap_ms < self.start_ms:
            raise ValueError(f"cap_ms {self.cap_ms} is below start_ms {self.start_ms}")

    def limits_ms(self, waited_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest latency accepted, float64[n] -> float64[n]; a negative wait counts as 0."""
        limits = self.start_ms + self.growth_ms_per_second * np.maximum(waited_seconds, 0.0)
        return limits if self.cap_ms is None else np.minimum(limits, self.cap_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvoidanceRule:
    """Opponents of the last ``remember_seconds`` meet again once both have waited ``relax_seconds``.

    Numbers are finite and >= 0; anything else raises ValueError.
    """

    remember_seconds: float = 1800.0
    relax_seconds: float = 60.0

    def __post_init__(self) -> None:
        _check_numbers(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """What decides who fits whom in a pool."""

    window: WindowRule = CLASSIC
    latency: LatencyRule = LatencyRule()
    avoidance: AvoidanceRule = AvoidanceRule()

    def as_dict(self) -> dict[str, Any]:
        """Return the rules as flat JSON, by the names that operators know; `from_dict` reads it."""
        return {
            **_fields_of(self.window),
            "latency_start_ms": self.latency.start_ms,
            "latency_growth_ms_per_second": self.latency.growth_ms_per_second,
            "latency_cap_ms": self.latency.cap_ms,
            "avoid_recent_seconds": self.avoidance.remember_seconds,
            "avoid_recent_relax_seconds": self.avoidance.relax_seconds,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PoolRules:
        """Return the rules that `as_dict` told; what is not there is a `classic` pool's.

        Raises ValueError for names that it does not know and for values that make no rule.
        """
        unknown = values.keys() - cls().as_dict().keys()
        if unknown:
            raise ValueError(f"unknown rules: {', '.join(sorted(unknown))}")
        told = cls().as_dict() | dict(values)
        try:
            return cls(
                window=WindowRule(**{name: told[name] for name in _fields_of(CLASSIC)}),
                latency=LatencyRule(
                    start_ms=told["latency_start_ms"],
                    growth_ms_per_second=told["latency_growth_ms_per_second"],
                    cap_ms=told["latency_cap_ms"],
                ),
                avoidance=AvoidanceRule(
                    remember_seconds=told["avoid_recent_seconds"],
                    relax_seconds=told["avoid_recent_relax_seconds"],
                ),
            )
        except TypeError as error:
            raise ValueError(f"not a number: {error}") from error


def open_regions(latencies_ms: NDArray[np.int16], limits_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return in which regions each ticket may play now: int16[n, k], float64[n] -> bool[n, k].

    In a ticket's row: its latency in ms in each region, 0 where it has measured none, NOT_PLAYABLE where it
    does not want to play.
    """
    return (latencies_ms >= 0) & (latencies_ms <= limits_ms[:, np.newaxis])


def region_bits(
    regions: NDArray[np.bool_], modes: NDArray[np.int64] | None = None, *, mode_count: int = 1
) -> NDArray[np.uint64]:
    """Return the bit set that the pairing core compares: bool[n, 64] -> uint64[n].

    With several modes a bit stands for a region and a mode; ``modes`` is a bit set for each ticket. Regions
    without a bit of their own then share one: such a pair is decided too kindly, never too harshly.
    """
    if mode_count > 1 and modes is not None:
        width = REGION_SLOTS // mode_count
        folded = np.zeros((len(regions), width), dtype=bool)
        for slot in range(regions.shape[1]):
            folded[:, slot % width] |= regions[:, slot]
        wanted = (modes[:, np.newaxis] >> np.arange(mode_count)) & 1 != 0
        product = (wanted[:, :, np.newaxis] & folded[:, np.newaxis, :]).reshape(len(regions), -1)
        regions = np.zeros((len(product), REGION_SLOTS), dtype=bool)
        regions[:, : product.shape[1]] = product
    packed = np.packbits(regions, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64).reshape(-1)


def _fields_of(rule: WindowRule) -> dict[str, Any]:
    return {field.name: getattr(rule, field.name) for field in fields(rule)}
