"""Which tickets may not meet, whatever their ratings."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

_NONE: Final[frozenset[int]] = frozenset()


class Conflicts:
    """Pairs of tickets that may not meet, for questions about one ticket and about whole columns.

    conflicts  ticket -> tickets it may not meet, each in 0..n-1; read here, never changed

    Raises ValueError unless they are symmetric, within 0..n-1 and between two different tickets.
    """

    def __init__(self, conflicts: Mapping[int, Collection[int]], n: int) -> None:
        self._conflicts, self._n = conflicts, n
        self._keys = np.empty(0, dtype=np.int64)
        if not conflicts:
            return
        keys, mirrored = _keys(conflicts, n)
        # Repeats may stand in one direction only, so what looks asymmetric here need not be.
        if not np.array_equal(keys, mirrored):
            _refuse_any_fault(conflicts, n)
        self._keys = keys

    def __bool__(self) -> bool:
        return self._keys.size > 0

    def of(self, ticket: int) -> frozenset[int]:
        """The tickets that this one may not meet."""
        return frozenset(self._conflicts.get(ticket, _NONE))

    def between(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a[k] and b[k] may not meet, if there are conflicts at all; int64[m] twice -> bool[m]."""
        keys = a * self._n + b
        places = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
        found: NDArray[np.bool_] = self._keys[places] == keys
        return found


def _keys(conflicts: Mapping[int, Collection[int]], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every conflict as `ticket * n + other`, and as `other * n + ticket`, each in ascending order.

    A test of each conflict by itself takes longer than pairing all the tickets. It is done only where the
    columns cannot be trusted: those of wrong tickets would be taken for others.
    """
    sizes = [len(others) for others in conflicts.values()]
    try:
        tickets = np.repeat(np.fromiter(conflicts, dtype=np.int64, count=len(sizes)), sizes)
        others = np.fromiter(chain.from_iterable(conflicts.values()), dtype=np.int64, count=sum(sizes))
        within = all(0 <= ticket < n for ticket in conflicts) and bool(((others >= 0) & (others < n)).all())
    except OverflowError:
        within = False
    if not within or (tickets == others).any():
        _refuse_any_fault(conflicts, n)
    return np.sort(tickets * n + others), np.sort(others * n + tickets)


def _refuse_any_fault(conflicts: Mapping[int, Collection[int]], n: int) -> None:
    """Raise ValueError for the first fault, if there is any."""
    foes = {ticket: frozenset(others) for ticket, others in conflicts.items()}
    for ticket, others in foes.items():
        if not 0 <= ticket < n:
            raise ValueError(f"conflict of ticket {ticket}, which is not in 0..{n - 1}")
        if ticket in others:
            raise ValueError(f"ticket {ticket} is in conflict with itself")
        for other in others:
            if ticket not in foes.get(other, _NONE):
                raise ValueError(f"conflict {ticket} -> {other} has no counterpart {other} -> {ticket}")
