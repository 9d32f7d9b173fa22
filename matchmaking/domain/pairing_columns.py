"""What every rule about who plays whom asks of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def checked_columns(
    rating: NDArray[Any], radius: NDArray[Any], max_gap: NDArray[Any], regions: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.uint64]]:
    """Return the columns of tickets or parties in their types; raise ValueError for what is no such column.

    Each is one-dimensional and as long as `rating`; ratings are finite, radii and own limits >= 0 and not
    NaN, regions integers >= 0.
    """
    rating, radius, max_gap = (np.asarray(column, dtype=np.float64) for column in (rating, radius, max_gap))
    regions = np.asarray(regions)
    columns = {"rating": rating, "radius": radius, "max_gap": max_gap, "regions": regions}
    for name, column in columns.items():
        if column.ndim != 1:
            raise ValueError(f"{name} must be one-dimensional")
        if column.size != rating.size:
            raise ValueError(f"the lengths of rating, {rating.size}, and of {name}, {column.size}, differ")
    if not np.isfinite(rating).all():
        raise ValueError("rating must be finite")
    for name, column in (("radius", radius), ("max_gap", max_gap)):
        if not (column >= 0).all():
            raise ValueError(f"{name} must be >= 0")
    if regions.size and (regions.dtype.kind not in "iu" or regions.min() < 0):
        raise ValueError("regions must be bit sets: integers >= 0")
    return rating, radius, max_gap, regions.astype(np.uint64)
