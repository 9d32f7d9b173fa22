"""How lobbies are split: every way, the best one, and what is done where there are too many."""

from __future__ import annotations

from itertools import product
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain import teams_split
from matchmaking.domain.teams_packing import packing
from matchmaking.domain.teams_split import EXACT_SPLITS, count, split, splits

Teams = tuple[tuple[int, ...], ...]

SHAPES = [(2, 1), (2, 3), (3, 2), (2, 5), (3, 3), (4, 2), (3, 4), (5, 2)]


def one_lobby(pattern: list[int], rating: list[float], teams: int, team_size: int) -> Teams:
    columns = np.array(pattern, np.int64), np.array(rating, float)
    return split([range(len(pattern))], *columns, teams=teams, team_size=team_size)[0]


def spread(lobby: Teams, pattern: list[int], rating: list[float], team_size: int) -> float:
    means = [sum(pattern[party] * rating[party] for party in team) / team_size for team in lobby]
    return max(means) - min(means)


def patterns(teams: int, team_size: int) -> list[tuple[int, ...]]:
    """Return the sizes of every lobby, the larger first."""
    sizes = np.arange(team_size + 1)
    return [tuple(np.repeat(sizes, counts)[::-1].tolist()) for counts in packing(teams, team_size).full]


@pytest.mark.parametrize(("teams", "team_size"), [(2, 1), (2, 3), (3, 2), (2, 4), (4, 2)])
def test_every_way_is_there_once_in_ascending_order(teams: int, team_size: int) -> None:
    for pattern in patterns(teams, team_size):
        every = set()
        for team_of in product(range(teams), repeat=len(pattern)):
            full = np.bincount(team_of, weights=pattern, minlength=teams) == team_size
            if full.all() and list(dict.fromkeys(team_of)) == list(range(teams)):
                every.add(team_of)
        assert list(map(tuple, splits(pattern, teams, team_size).tolist())) == sorted(every)
        assert count(pattern, teams, team_size) == len(every)


@pytest.mark.parametrize(("teams", "team_size"), [(2, 10), (4, 5), (10, 2), (20, 1)])
def test_ways_are_counted_without_looking_at_each(teams: int, team_size: int) -> None:
    ways = factorial(teams * team_size) // factorial(team_size) ** teams // factorial(teams)
    assert count((1,) * (teams * team_size), teams, team_size) == ways


def test_two_teams_are_always_split_exactly_and_so_are_twelve_players() -> None:
    for teams, team_size in [*((2, size) for size in range(1, 11)), (3, 4), (4, 3), (6, 2), (12, 1)]:
        for pattern in patterns(teams, team_size):
            assert count(pattern, teams, team_size) <= EXACT_SPLITS


def test_twenty_players_are_split_evenly_between_two_teams() -> None:
    rating = [float(2**k) for k in range(20)]
    lobby = one_lobby([1] * 20, rating, 2, 10)
    strong = next(team for team in lobby if 19 in team)
    assert strong == (*range(9), 19)


@given(st.lists(st.integers(0, 3000), min_size=12, max_size=12), st.randoms(use_true_random=False))
def test_a_lobby_is_split_the_same_whatever_others_are_split_with_it(
    rating: list[int], rng: np.random.Generator
) -> None:
    sizes, ratings = np.ones(12, np.int64), np.array(rating, float)
    lobbies = [[0, 1, 2, 3], [8, 9, 10, 11], [4, 5, 6, 7]]
    together = split(lobbies, sizes, ratings, teams=2, team_size=2)
    assert together == [split([lobby], sizes, ratings, teams=2, team_size=2)[0] for lobby in lobbies]
    assert together[0] == split([[3, 1, 0, 2]], sizes, ratings, teams=2, team_size=2)[0]


def test_no_lobbies_are_split_into_nothing() -> None:
    assert split([], np.array([], np.int64), np.array([]), teams=2, team_size=5) == []


@pytest.mark.parametrize("exact", [0, EXACT_SPLITS])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e308])
def test_ratings_of_any_size_are_split(monkeypatch: pytest.MonkeyPatch, exact: int, scale: float) -> None:
    monkeypatch.setattr(teams_split, "EXACT_SPLITS", exact)
    assert one_lobby([1] * 4, [scale, scale / 2, -scale / 2, -scale], 2, 2) == ((0, 3), (1, 2))


@pytest.mark.parametrize(("teams", "team_size"), SHAPES)
def test_every_lobby_is_split_into_full_teams_where_there_are_too_many_ways(
    monkeypatch: pytest.MonkeyPatch, teams: int, team_size: int
) -> None:
    monkeypatch.setattr(teams_split, "EXACT_SPLITS", 0)
    rng = np.random.default_rng(1)
    for pattern in patterns(teams, team_size):
        lobby = one_lobby(list(pattern), rng.normal(1500, 300, len(pattern)).tolist(), teams, team_size)
        assert [sum(pattern[party] for party in team) for team in lobby] == [team_size] * teams
        assert sorted(party for team in lobby for party in team) == list(range(len(pattern)))


@pytest.mark.parametrize(
    ("teams", "team_size", "worse"), [(4, 2, 1.05), (5, 2, 1.05), (3, 3, 1.0), (4, 3, 1.1)]
)
def test_what_is_not_looked_for_everywhere_comes_near_the_best(
    monkeypatch: pytest.MonkeyPatch, teams: int, team_size: int, worse: float
) -> None:
    """Over a hundred lobbies of single players, beside the best ones; ratings spread as in a pool."""
    rng = np.random.default_rng(2)
    ratings = rng.normal(1500, 300, (100, teams * team_size)).tolist()
    pattern = [1] * (teams * team_size)

    def mean_spread() -> float:
        lobbies = [one_lobby(pattern, rating, teams, team_size) for rating in ratings]
        found = zip(lobbies, ratings, strict=True)
        return float(np.mean([spread(lobby, pattern, rating, team_size) for lobby, rating in found]))

    best = mean_spread()
    monkeypatch.setattr(teams_split, "EXACT_SPLITS", 0)
    found = mean_spread()
    assert best <= found <= worse * best + 1e-9


def test_a_few_teams_are_split_anew_only_where_that_has_few_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teams_split, "_SPLITS_ANEW", 2)
    monkeypatch.setattr(teams_split, "EXACT_SPLITS", 0)
    assert one_lobby([1] * 4, [1400, 1500, 1510, 1600], 2, 2) == ((0, 3), (1, 2))
