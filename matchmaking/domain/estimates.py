"""How long a ticket will wait, from what those before it waited."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BAND_POINTS: Final = 200
"""Ratings are taken together in bands so wide: narrower ones have too few matches in an hour."""
ENOUGH: Final = 8
"""A band with fewer waits says less than the whole pool does."""


def band_of(rating: float) -> int:
    """Return the lower edge of a rating's band."""
    return int(rating // BAND_POINTS) * BAND_POINTS


def usual_waits(recent: Sequence[tuple[float, float]], ratings: Sequence[float]) -> list[float | None]:
    """Return the usual wait in seconds of each of ``ratings``: the mean of its band, or else of all.

    recent    (rating, wait in seconds) of tickets that were matched lately
    """
    if not recent:
        return [None] * len(ratings)
    of_band: dict[int, list[float]] = defaultdict(list)
    for rating, wait in recent:
        of_band[band_of(rating)].append(wait)
    everybody = _mean([wait for _, wait in recent])
    means = {band: _mean(waits) for band, waits in of_band.items() if len(waits) >= ENOUGH}
    return [means.get(band_of(rating), everybody) for rating in ratings]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
