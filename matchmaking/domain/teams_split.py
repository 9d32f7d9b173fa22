"""How a full lobby is split into teams whose mean ratings lie as close together as they can.

Spread is the difference between the strongest and the weakest team's mean rating, where every player weighs
equally; as all teams are of one size, that is a matter of their sums. Up to `EXACT_SPLITS` ways to split the
sizes of a lobby, all of them are compared, for all lobbies with these sizes at once: two teams are always
split so, and whatever has at most twelve players. Beyond (20 single players make 488 million splits into four
teams of five) each party, from the largest and the strongest on, joins the weakest team that has room; then
few teams at a time are split anew, the strongest or the weakest always among them, until that gains nothing.

Ratings are rounded to whole multiples of a power of two, so fine that sums in float64 are exact: the answer
is the same on every machine, and equal spreads are equal. Between these the first split wins: parties stand
in the order of their size, the larger first, then of their age, and each is in as early a team as can be.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

EXACT_SPLITS: Final = 100_000

# Compared at once, so that they stay in the processor's cache: splits times lobbies.
_AT_ONCE = 2**18

# Kept from one round to the next: the splits of the usual lobbies, some megabytes in all.
_KEPT_SPLITS = 5_000

# Teams split anew at a time, beyond EXACT_SPLITS: no more than this many ways, or else only two teams.
_SPLITS_ANEW = 1_000

# A sum of 20 players of this many bits each is exact in float64.
_BITS = 48

Sizes = tuple[int, ...]


def split(
    lobbies: Sequence[Sequence[int]],
    sizes: NDArray[np.int64],
    rating: NDArray[np.float64],
    *,
    teams: int,
    team_size: int,
) -> list[tuple[tuple[int, ...], ...]]:
    """Split each lobby, a list of parties that exactly fills `teams` teams of `team_size`, into its teams.

    sizes   int64[n], players of each party
    rating  float64[n], their mean
    """
    of_sizes: dict[Sizes, list[int]] = defaultdict(list)
    size_of = sizes.tolist()
    ordered = [sorted(lobby, key=lambda party: (-size_of[party], party)) for lobby in lobbies]
    for number, lobby in enumerate(ordered):
        of_sizes[tuple(size_of[party] for party in lobby)].append(number)
    answers: dict[int, tuple[tuple[int, ...], ...]] = {}
    for pattern, numbers in of_sizes.items():
        weights = _weights(pattern, rating[np.array([ordered[number] for number in numbers])])
        assigned = _best(pattern, weights, teams, team_size)
        for number, team_of in zip(numbers, assigned.tolist(), strict=True):
            answers[number] = _teams(ordered[number], team_of, teams)
    return [answers[number] for number in range(len(lobbies))]


def _teams(parties: list[int], team_of: list[int], teams: int) -> tuple[tuple[int, ...], ...]:
    members: list[list[int]] = [[] for _ in range(teams)]
    for party, team in zip(parties, team_of, strict=True):
        members[team].append(party)
    return tuple(sorted(tuple(sorted(some)) for some in members))


def _weights(pattern: Sizes, rating: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each party adds to its team, in whole numbers; float64[lobbies, parties] twice.

    The sum of its ratings above the lowest of the lobby, in a unit of each lobby's own.
    """
    # A quarter first: no difference between two float64 is then beyond float64.
    above = rating / 4
    above -= above.min(axis=1, keepdims=True)
    exponent = np.frexp(above.max(axis=1, keepdims=True))[1]
    weights: NDArray[np.float64] = np.rint(np.ldexp(above, _BITS - exponent)) * np.array(pattern)
    return weights


def _best(pattern: Sizes, weights: NDArray[np.float64], teams: int, team_size: int) -> NDArray[np.int8]:
    """The team of each party; pattern[parties], float64[lobbies, parties] -> int8[lobbies, parties]."""
    if count(pattern, teams, team_size) > EXACT_SPLITS:
        return np.array([_improved(pattern, row, teams, team_size) for row in weights], dtype=np.int8)
    ways = splits(pattern, teams, team_size)
    members = _members(ways, teams)
    best = np.empty(len(weights), dtype=np.int64)
    step = max(1, _AT_ONCE // len(ways))
    for start in range(0, len(weights), step):
        some = weights[start : start + step]
        best[start : start + step] = _spreads(members, some).argmin(axis=0)
    return ways[best]


def _members(ways: NDArray[np.int8], teams: int) -> list[NDArray[np.float64]]:
    """For each team, who is in it in each of the ways; int8[k, parties] -> float64[k, parties] of 0 and 1."""
    return [(ways == team).astype(np.float64) for team in range(teams)]


def _spreads(members: list[NDArray[np.float64]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the sums of the teams lie apart in each way; float64[m, parties] -> float64[k, m]."""
    highest = lowest = members[0] @ weights.T
    for team in members[1:]:
        sums = team @ weights.T
        highest, lowest = np.maximum(highest, sums), np.minimum(lowest, sums)
    spreads: NDArray[np.float64] = highest - lowest
    return spreads


def splits(pattern: Sizes, teams: int, team_size: int) -> NDArray[np.int8]:
    """Every way to split parties of these sizes, once: int8[k, parties], the team of each party.

    The first party is in team 0, and each new team is the lowest that has nobody yet; in ascending order.
    """
    find = _kept_splits if count(pattern, teams, team_size) <= _KEPT_SPLITS else _splits
    return find(pattern, teams, team_size)


def _splits(pattern: Sizes, teams: int, team_size: int) -> NDArray[np.int8]:
    ways = np.zeros((1, 0), dtype=np.int8)
    room = np.full((1, teams), team_size, dtype=np.int8)
    begun = np.zeros(1, dtype=np.int8)
    for size in pattern:
        way, team = np.nonzero((room >= size) & (np.arange(teams) <= begun[:, None]))
        ways = np.column_stack((ways[way], team.astype(np.int8)))
        room, begun = room[way], np.maximum(begun[way], team.astype(np.int8) + 1)
        room[np.arange(way.size), team] -= size
    return ways


_kept_splits = lru_cache(maxsize=512)(_splits)


def count(pattern: Sizes, teams: int, team_size: int) -> int:
    """In how many ways parties of these sizes can be split."""
    return _count(pattern, (), teams, team_size)


@lru_cache(maxsize=2**16)
def _count(pattern: Sizes, room: Sizes, empty: int, team_size: int) -> int:
    """The ways to fill teams with that much room left, all different, and so many empty ones, all alike."""
    if not pattern:
        return 1
    size, rest = pattern[0], pattern[1:]
    ways = sum(
        _count(rest, _without(room, team, size), empty, team_size)
        for team in range(len(room))
        if room[team] >= size
    )
    if empty:
        ways += _count(rest, tuple(sorted((*room, team_size - size))), empty - 1, team_size)
    return ways


def _without(room: Sizes, team: int, size: int) -> Sizes:
    return tuple(sorted((*room[:team], room[team] - size, *room[team + 1 :])))


def _improved(pattern: Sizes, weights: NDArray[np.float64], teams: int, team_size: int) -> NDArray[np.int8]:
    """A good split of a lobby that has too many; float64[parties] -> int8[parties]."""
    team_of = _weakest_first(pattern, weights, teams, team_size)
    while (better := _better(pattern, weights, team_of, teams, team_size)) is not None:
        team_of = better
    return team_of


def _weakest_first(
    pattern: Sizes, weights: NDArray[np.float64], teams: int, team_size: int
) -> NDArray[np.int8]:
    """The larger and the stronger first, each party joins the weakest team that leaves room for the rest."""
    team_of = np.zeros(len(pattern), dtype=np.int8)
    room, sums = (team_size,) * teams, [0.0] * teams
    order = sorted(range(len(pattern)), key=lambda party: (-pattern[party], -weights[party], party))
    for place, party in enumerate(order):
        size, rest = pattern[party], pattern[place + 1 :]
        team = next(
            team
            for team in sorted(range(teams), key=lambda team: (sums[team], team))
            if room[team] >= size and _count(rest, _without(room, team, size), 0, team_size)
        )
        room = (*room[:team], room[team] - size, *room[team + 1 :])
        sums[team] += float(weights[party])
        team_of[party] = team
    return team_of


def _better(
    pattern: Sizes, weights: NDArray[np.float64], team_of: NDArray[np.int8], teams: int, team_size: int
) -> NDArray[np.int8] | None:
    """The same with a few teams split anew, if that brings all teams, or else these, closer together."""
    sums = np.bincount(team_of, weights=weights, minlength=teams)
    for some in _groups(int(sums.argmax()), int(sums.argmin()), teams):
        parties = np.flatnonzero(np.isin(team_of, some))
        sizes = tuple(pattern[party] for party in parties)
        if count(sizes, len(some), team_size) > _SPLITS_ANEW:
            continue
        ways = splits(sizes, len(some), team_size)
        way = ways[_spreads(_members(ways, len(some)), weights[None, parties])[:, 0].argmin()]
        changed = team_of.copy()
        changed[parties] = np.array(some, dtype=np.int8)[way]
        if _unevenness(np.bincount(changed, weights=weights, minlength=teams)) < _unevenness(sums):
            return changed
    return None


def _groups(strongest: int, weakest: int, teams: int) -> Iterator[tuple[int, ...]]:
    """Which teams to split anew, the most promising first."""
    others = [team for team in range(teams) if team not in (strongest, weakest)]
    yield strongest, weakest
    for other in others:
        yield strongest, weakest, other
    for other in others:
        yield strongest, other
        yield weakest, other


def _unevenness(sums: NDArray[Any]) -> tuple[float, float]:
    """What a change has to lessen: the spread, or at the same spread the sum of squares."""
    return float(np.ptp(sums)), float(np.square(sums - sums.mean()).sum())
