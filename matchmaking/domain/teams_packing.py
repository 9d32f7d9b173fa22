"""Which sizes of parties fill a lobby of so many teams of so many players, no party torn apart.

Such a lobby, looked at by its sizes alone, is one of few: 28 for two teams of five, 903 at most for the 20
players that a lobby may have. So all of them are written down once, and each question is a look at that list.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_PLAYERS: Final = 20
"""Players in a lobby, at most. More would ask for other ways to split them, and no game has asked."""


class Packing:
    """How parties pack into `teams` teams of exactly `team_size` players.

    full      int64[f, team_size + 1]: each multiset of sizes that fills a lobby; column s counts the parties
              of size s, column 0 is 0
    unit      a multiset as one number, for sets: the sum of `unit[size]` over its parties
    partial   every multiset, so written, that some parties can join to fill a lobby, and the full ones
    """

    def __init__(self, teams: int, team_size: int) -> None:
        self.players = teams * team_size
        team = [np.bincount(parts, minlength=team_size + 1) for parts in _partitions(team_size, team_size)]
        lobbies = [np.sum(some, axis=0) for some in combinations_with_replacement(team, teams)]
        self.full: NDArray[np.int64] = np.unique(np.array(lobbies, dtype=np.int64), axis=0)
        self.unit = [0, *((MAX_PLAYERS + 1) ** (size - 1) for size in range(1, team_size + 1))]
        self.partial = self._parts_of_full()

    def _parts_of_full(self) -> frozenset[int]:
        """What sizes fit into the teams is what is left of a full lobby when parties leave it."""
        found, layer = set[int](), set(map(tuple, self.full.tolist()))
        while layer:
            found |= {sum(map(int.__mul__, counts, self.unit)) for counts in layer}
            layer = {
                (*counts[:size], count - 1, *counts[size + 1 :])
                for counts in layer
                for size, count in enumerate(counts)
                if count
            }
        return frozenset(found)

    def can_fill(self, taken: NDArray[np.int64], available: NDArray[np.int64]) -> bool:
        """Whether some of the available parties fill a lobby that has the taken ones; counts as in `full`."""
        missing = self.full - taken
        return bool(((missing >= 0) & (missing <= available)).all(axis=1).any())

    def can_fill_with(self, sizes: NDArray[np.int64], available: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each row, whether some of the available parties fill a lobby that has one of that size.

        sizes      int64[m]
        available  int64[m, team_size + 1], that one included; counts as in `full`
        """
        enough = np.zeros(sizes.size, dtype=bool)
        for counts in self.full:
            enough |= (counts[sizes] > 0) & (available >= counts).all(axis=1)
        return enough


@cache
def packing(teams: int, team_size: int) -> Packing:
    """Return the packing of a lobby; raise ValueError for too few or too small teams, or too many players."""
    if teams < 2:
        raise ValueError(f"teams must be >= 2, not {teams}")
    if team_size < 1:
        raise ValueError(f"team_size must be >= 1, not {team_size}")
    if teams * team_size > MAX_PLAYERS:
        raise ValueError(f"{teams} teams of {team_size} are more than {MAX_PLAYERS} players")
    return Packing(teams, team_size)


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """The ways to write `total` as a sum of numbers <= `largest`, the larger ones first."""
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in _partitions(total - part, part):
            yield part, *rest
