"""Who plays with and against whom in teams: one round of matchmaking over all the parties of a pool.

The rule, in words. A lobby takes `teams` teams of exactly `team_size` players, and a party is in one team as
a whole. The oldest party seeds a lobby, and the others join it from the nearest on, by mean rating; a tie
goes to the older. Whoever joins has to be compatible with the seed, as a pair would (see `pairing`), to share
one region with all who are in already, to be in conflict with none of them, and to leave room that those
further away can fill. If the seed finds no full lobby, it waits, and the next oldest seeds; it may still join
that one. A full lobby is split into the teams whose mean ratings lie closest together (`teams_split`).

Promises:

- A lobby is exactly full, in one region that all share, without a conflict; everyone in it is compatible with
  its seed, the oldest free party when it was made that could have one.
- The lobby of a seed is the first: no other one of that seed has, in the order of distance, the earlier party
  where they differ.
- No party is passed over: each lobby that a party left alone could have seeded has somebody who plays in a
  lobby with an older seed. So the wait of the oldest ends as soon as there is any lobby for it, and nobody
  starves. In particular no lobby at all can be made of those left alone.
- The answer depends on the arguments alone.

Conflicts alone can make a lobby hard to find. A search that had to turn round at them too often is given up
until the next round, and with it, for that seed, the second promise and the third.

A party is its index, and the index is its age rank: `i < j` reads "i is older than j".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matchmaking.domain.pairing_columns import checked_columns
from matchmaking.domain.pairing_conflicts import Conflicts
from matchmaking.domain.pairing_pool import Pool
from matchmaking.domain.rules import Rule, limit_of
from matchmaking.domain.teams_packing import packing
from matchmaking.domain.teams_search import Search
from matchmaking.domain.teams_split import split

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

Lobby = tuple[tuple[int, ...], ...]
"""For each team its parties, the older first; the teams in the order of their oldest party."""


def form(
    sizes: NDArray[np.int64],
    rating: NDArray[np.float64],
    radius: NDArray[np.float64],
    regions: NDArray[np.uint64],
    conflicts: Mapping[int, Collection[int]],
    *,
    teams: int,
    team_size: int,
    rule: Rule = "mean",
    max_gap: NDArray[np.float64] | None = None,
) -> list[Lobby]:
    """Form lobbies of the parties, given oldest first; in the order of their seeds.

    sizes      int64[n], players of each party, 1..team_size
    rating     float64[n], the mean of its players, finite
    radius     float64[n], >= 0; h of rule `mean`, the window of `both` and `either`; infinite means any gap
    regions    uint64[n], one bit per region that the party may play in now; 0 fits nobody
    conflicts  party -> parties that it may not be in a lobby with; symmetric
    teams      2 or more
    team_size  1 or more; no more than `MAX_PLAYERS` in all teams together
    max_gap    float64[n], >= 0; the widest gap to the seed, or of the seed to others, that the party accepts,
               whatever the rule allows; None or infinite means no limit of its own

    Raises ValueError for columns that are not one-dimensional, differ in length or hold anything else, for
    conflicts that are not symmetric, of a party with itself or outside 0..n-1, for an unknown rule, and for
    teams that are too few, too small or too large. The arguments are not changed.
    """
    limit_of(rule)
    lobby_packing = packing(teams, team_size)
    if max_gap is None:
        max_gap = np.full(np.shape(rating), np.inf)
    rating, radius, max_gap, regions = checked_columns(rating, radius, max_gap, regions)
    sizes = _checked_sizes(sizes, rating.size, team_size)
    checked_conflicts = Conflicts(conflicts, rating.size)
    # A gap or a limit beyond float64 is infinite, as in plain Python, and compares as it should.
    with np.errstate(over="ignore"):
        pool = Pool(rating, radius, regions, max_gap, conflicts=checked_conflicts, rule=rule)
        lobbies = _lobbies(Search(pool, sizes, lobby_packing))
    return split(lobbies, sizes, rating, teams=teams, team_size=team_size)


def _lobbies(search: Search) -> list[list[int]]:
    """The parties of each lobby, from the oldest seed on."""
    lobbies = []
    for seed in search.parties:
        if search.is_free(seed) and (lobby := search.lobby_of(seed)):
            lobbies.append(lobby)
            for party in lobby:
                search.remove(party)
    return lobbies


def _checked_sizes(sizes: NDArray[Any], n: int, team_size: int) -> NDArray[np.int64]:
    sizes = np.asarray(sizes)
    if sizes.ndim != 1:
        raise ValueError("sizes must be one-dimensional")
    if sizes.size != n:
        raise ValueError(f"the lengths of rating, {n}, and of sizes, {sizes.size}, differ")
    if n and (sizes.dtype.kind not in "iu" or sizes.min() < 1 or sizes.max() > team_size):
        raise ValueError(f"sizes must be integers from 1 to {team_size}")
    return sizes.astype(np.int64)
