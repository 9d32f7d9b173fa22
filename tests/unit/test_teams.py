"""Lobbies of teams against a slow reference, against their promises, and by named example."""

from __future__ import annotations

import warnings
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaking.domain import teams_search
from matchmaking.domain.rules import LIMITS, fits
from matchmaking.domain.teams import form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matchmaking.domain.rules import Rule
    from matchmaking.domain.teams import Lobby

ANN, BOB, CAT, DAN, EVE = range(5)
EU, US = 1, 2


class Pool(NamedTuple):
    """Parties, oldest first. `foes` holds each pair that may not be in one lobby once, the older first."""

    sizes: list[int]
    rating: list[float]
    radius: list[float]
    regions: list[int]
    teams: int = 2
    team_size: int = 2
    foes: frozenset[tuple[int, int]] = frozenset()
    rule: Rule = "mean"
    max_gap: list[float] | None = None

    def columns(self) -> tuple[Any, Any, Any, Any]:
        """Return what `form` is given first."""
        numbers = np.array(self.rating, float), np.array(self.radius, float)
        return np.array(self.sizes, np.int64), *numbers, np.array(self.regions, np.uint64)

    def conflicts(self) -> dict[int, set[int]]:
        both_ways: dict[int, set[int]] = {}
        for a, b in self.foes:
            both_ways.setdefault(a, set()).add(b)
            both_ways.setdefault(b, set()).add(a)
        return both_ways

    def form(self) -> list[Lobby]:
        max_gap = None if self.max_gap is None else np.array(self.max_gap, float)
        options: dict[str, Any] = {"teams": self.teams, "team_size": self.team_size, "rule": self.rule}
        return form(*self.columns(), self.conflicts(), **options, max_gap=max_gap)

    def gap(self, a: int, b: int) -> float:
        return abs(self.rating[a] - self.rating[b])

    def near(self, a: int, b: int) -> bool:
        own = self.max_gap is None or self.gap(a, b) <= min(self.max_gap[a], self.max_gap[b])
        return own and fits(self.rule, self.gap(a, b), self.radius[a], self.radius[b])

    def in_peace(self, parties: tuple[int, ...]) -> bool:
        return not any((min(two), max(two)) in self.foes for two in combinations(parties, 2))

    def fills(self, parties: tuple[int, ...]) -> bool:
        """Whether they, the seed first, are a lobby."""
        common = ~0
        for party in parties:
            common &= self.regions[party]
        full = sum(self.sizes[party] for party in parties) == self.teams * self.team_size
        near = all(self.near(parties[0], other) for other in parties[1:])
        return full and near and common != 0 and self.in_peace(parties) and any(self.splits(parties))

    def splits(self, parties: tuple[int, ...]) -> Iterator[Lobby]:
        """Every way to split them into full teams, each team named in turn."""
        for team_of in product(range(self.teams), repeat=len(parties)):
            lobby = tuple(
                tuple(party for party, its in zip(parties, team_of, strict=True) if its == team)
                for team in range(self.teams)
            )
            if all(sum(self.sizes[party] for party in team) == self.team_size for team in lobby):
                yield lobby

    def spread(self, lobby: Lobby) -> float:
        means = [
            sum(self.sizes[party] * self.rating[party] for party in team) / self.team_size for team in lobby
        ]
        return max(means) - min(means)

    def lobbies_of(self, seed: int, free: list[int]) -> Iterator[tuple[int, ...]]:
        """Every lobby of a seed, the first one first."""
        others = sorted(set(free) - {seed}, key=lambda other: (self.gap(seed, other), other))
        yield from (
            found
            for found in self._in_order((seed,), others)
            if sum(self.sizes[party] for party in found) == self.teams * self.team_size and self.fills(found)
        )

    def _in_order(self, chosen: tuple[int, ...], others: list[int]) -> Iterator[tuple[int, ...]]:
        if sum(self.sizes[party] for party in chosen) > self.teams * self.team_size:
            return
        yield chosen
        for place, other in enumerate(others):
            yield from self._in_order((*chosen, other), others[place + 1 :])


def reference(pool: Pool) -> list[tuple[int, ...]]:
    """The rule word for word: the first lobby of the oldest of those free that has one, again and again."""
    free, lobbies = list(range(len(pool.sizes))), []
    for seed in list(free):
        found = next(pool.lobbies_of(seed, free), None) if seed in free else None
        if found:
            lobbies.append(found)
            free = [party for party in free if party not in found]
    return lobbies


def members_of(lobbies: list[Lobby]) -> list[list[int]]:
    return [sorted(party for team in lobby for party in team) for lobby in lobbies]


def assert_promises(pool: Pool, lobbies: list[Lobby]) -> None:
    plays = {party: number for number, lobby in enumerate(lobbies) for team in lobby for party in team}
    assert len(plays) == sum(len(team) for lobby in lobbies for team in lobby), "someone is in two teams"
    for lobby in lobbies:
        members = members_of([lobby])[0]
        assert len(lobby) == pool.teams, "a lobby has another number of teams"
        assert all(sum(pool.sizes[party] for party in team) == pool.team_size for team in lobby), "not full"
        assert any(pool.fills((seed, *(other for other in members if other != seed))) for seed in members), (
            "not a lobby of anybody"
        )
        assert lobby == tuple(sorted(tuple(sorted(team)) for team in lobby)), "not in the order of age"
    for lone in set(range(len(pool.sizes))) - set(plays):
        for other in pool.lobbies_of(lone, list(range(len(pool.sizes)))):
            older = [
                min(party for party, number in plays.items() if number == plays[member])
                for member in other
                if member in plays
            ]
            assert older, f"{other} are all left alone"
            assert min(older) < lone, f"{lone} is passed over: {other} play with younger ones only"


def assert_best_splits(pool: Pool, lobbies: list[Lobby]) -> None:
    for lobby in lobbies:
        best = min(pool.spread(split) for split in pool.splits(tuple(members_of([lobby])[0])))
        assert pool.spread(lobby) == pytest.approx(best, rel=1e-9, abs=1e-9), "a better split exists"


@st.composite
def pools(draw: st.DrawFn, ratings: st.SearchStrategy[float], radii: st.SearchStrategy[float]) -> Pool:
    teams, team_size = draw(st.sampled_from(((2, 1), (2, 2), (2, 3), (3, 2), (2, 4), (3, 1))))
    n = draw(st.integers(0, 9))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    party = st.integers(0, max(n - 1, 0))
    foes = draw(st.frozensets(st.tuples(party, party).filter(lambda two: two[0] < two[1]), max_size=n))
    return Pool(
        sizes=column(st.integers(1, team_size)),
        rating=column(ratings),
        radius=column(radii),
        regions=column(st.sampled_from((1, 1, 1, 2, 3, 3, 6, 0, 2**63))),
        teams=teams,
        team_size=team_size,
        foes=foes if n > 1 else frozenset(),
        rule=draw(st.sampled_from(sorted(LIMITS))),
        max_gap=draw(st.none() | st.lists(st.sampled_from((np.inf, 0, 1, 3, 8)), min_size=n, max_size=n)),
    )


tiny_pools = pools(ratings=st.integers(0, 8), radii=st.integers(0, 5))
wild_pools = pools(
    ratings=st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1),
    radii=st.floats(min_value=0, allow_nan=False) | st.floats(0, 1),
)


@given(tiny_pools, st.sampled_from((0, 1, 256, 256)), st.sampled_from((1, 128)), st.sampled_from((2, 256)))
@settings(max_examples=600, deadline=None)
def test_every_promise_holds_and_the_lobbies_are_the_references(
    pool: Pool, patience: int, in_vain: int, nearby: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teams_search, "_PATIENCE", patience)
        patch.setattr(teams_search, "_IN_VAIN", in_vain)
        patch.setattr(teams_search, "_NEARBY", nearby)
        lobbies = pool.form()
    assert_promises(pool, lobbies)
    assert_best_splits(pool, lobbies)
    assert members_of(lobbies) == [sorted(lobby) for lobby in reference(pool)]


@given(wild_pools, st.sampled_from((0, 64)))
@settings(max_examples=200, deadline=None)
def test_the_promises_hold_for_ratings_of_any_size_and_an_infinite_radius(pool: Pool, patience: int) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(teams_search, "_PATIENCE", patience)
        warnings.simplefilter("error")
        assert_promises(pool, pool.form())


@given(tiny_pools, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_answer_depends_on_the_arguments_alone_and_they_are_not_changed(pool: Pool, rng: Any) -> None:
    columns, conflicts = pool.columns(), pool.conflicts()
    for column in columns:
        column.setflags(write=False)
    shuffled = [(party, rng.sample(sorted(foes), len(foes))) for party, foes in conflicts.items()]
    rng.shuffle(shuffled)
    options: dict[str, Any] = {"teams": pool.teams, "team_size": pool.team_size, "rule": pool.rule}
    first = form(*columns, conflicts, **options)
    assert form(*columns, dict(shuffled), **options) == first
    assert conflicts == pool.conflicts()
    assert [column.tolist() for column in columns] == [pool.sizes, pool.rating, pool.radius, pool.regions]


def singles(rating: list[float], **changes: Any) -> Pool:
    n = len(rating)
    return Pool([1] * n, rating, [100.0] * n, [EU] * n)._replace(**changes)


def test_nobody_and_too_few_make_no_lobby() -> None:
    assert singles([]).form() == singles([1500] * 3).form() == []


def test_two_alone_play_one_against_one() -> None:
    assert singles([1500, 1530, 1510], team_size=1).form() == [((ANN,), (CAT,))]


def test_the_oldest_seeds_and_the_nearest_join() -> None:
    assert members_of(singles([1500, 1590, 1510, 1490, 1505]).form()) == [[ANN, CAT, DAN, EVE]]


@pytest.mark.parametrize("there", [1490, 1510, 1500])
def test_a_tie_goes_to_the_older(there: float) -> None:
    assert members_of(singles([1500, 1500, 1500, there, 3000 - there]).form()) == [[ANN, BOB, CAT, DAN]]
    assert members_of(singles([1500, there, there, there, there]).form()) == [[ANN, BOB, CAT, DAN]]


def test_a_party_is_never_torn_apart() -> None:
    """Three and one fill a team of three by no means: the nearer pair of two waits."""
    pool = Pool([2, 2, 2, 1, 1], [1500, 1501, 1502, 1510, 1520], [100.0] * 5, [EU] * 5, team_size=3)
    assert members_of(pool.form()) == [[ANN, BOB, DAN, EVE]]


def test_the_nearest_does_not_join_where_nobody_could_fill_what_is_left() -> None:
    """Bob leaves room for one player alone, and nobody comes alone."""
    pool = Pool([3, 2, 3], [1500, 1501, 1590], [100.0] * 3, [EU] * 3, team_size=3)
    assert members_of(pool.form()) == [[ANN, CAT]]


def test_an_older_party_that_found_no_lobby_may_join_a_younger_ones() -> None:
    """Ann reaches Bob alone; Bob reaches everybody."""
    pool = singles([1500, 1560, 1600, 1650], radius=[30.0, 60.0, 30.0, 30.0])
    assert members_of(pool.form()) == [[ANN, BOB, CAT, DAN]]


def test_a_lobby_has_one_region_that_all_share() -> None:
    """Each of them shares one with Ann, but Bob none with Cat."""
    regions = [EU | US, EU, US, US, US]
    assert members_of(singles([1500] * 5, regions=regions).form()) == [[ANN, CAT, DAN, EVE]]


def test_conflicts_are_kept_between_any_two() -> None:
    pool = singles([1500, 1501, 1502, 1503, 1504], foes=frozenset({(BOB, CAT)}))
    assert members_of(pool.form()) == [[ANN, BOB, DAN, EVE]]


BOB_GETS_ALONG_WITH_ANN_ALONE = singles(
    [1500, 1501, 1502, 1503, 1504],
    radius=[100.0, 0, 0, 0, 0],
    foes=frozenset((BOB, other) for other in (CAT, DAN, EVE)),
)


def test_a_search_that_meets_conflicts_turns_round() -> None:
    """The nearest to Ann may be with nobody else, so her lobby does without him."""
    assert members_of(BOB_GETS_ALONG_WITH_ANN_ALONE.form()) == [[ANN, CAT, DAN, EVE]]


@pytest.mark.parametrize(("dead_ends", "lobbies"), [(9, []), (10, [[ANN, CAT, DAN, EVE]])])
def test_a_search_that_turned_round_too_often_is_given_up(
    monkeypatch: pytest.MonkeyPatch, dead_ends: int, lobbies: list[list[int]]
) -> None:
    monkeypatch.setattr(teams_search, "_DEAD_ENDS", dead_ends)
    assert members_of(BOB_GETS_ALONG_WITH_ANN_ALONE.form()) == lobbies


def test_limits_of_ones_own_bind_the_seed_and_those_who_join() -> None:
    pool = singles([1500, 1540, 1541, 1500, 1500], max_gap=[np.inf, 40, 40, np.inf, np.inf])
    assert members_of(pool.form()) == [[ANN, BOB, DAN, EVE]]
    assert singles([1500, 1540, 1500, 1500], max_gap=[40, *[np.inf] * 3]).form() != []
    assert singles([1500, 1541, 1500, 1500], max_gap=[40, *[40] * 3]).form() == []


GOOD: dict[str, Any] = {
    "sizes": np.array([1, 1]),
    "rating": [1, 2],
    "radius": [1, 1],
    "regions": np.array([1, 1]),
    "conflicts": {},
    "teams": 2,
    "team_size": 1,
}

REFUSED: dict[str, list[dict[str, Any]]] = {
    "differ": [
        *({name: [1.0]} for name in ("rating", "radius", "max_gap")),
        {"regions": np.array([1])},
        *({"sizes": np.array(bad, np.int64)} for bad in ([], [1], [1, 1, 1])),
    ],
    "one-dimensional": [{"sizes": np.array([[1], [1]])}, {"rating": 1.0}],
    "integers from 1 to 1": [{"sizes": np.array(bad)} for bad in ([0, 1], [1, 2], [-1, 1], [1.0, 1.0])],
    "rating must be finite": [{"rating": [1.0, bad]} for bad in (np.nan, np.inf)],
    "radius must be >= 0": [{"radius": [1.0, bad]} for bad in (np.nan, -0.5)],
    "max_gap must be >= 0": [{"max_gap": [1.0, bad]} for bad in (np.nan, -0.5)],
    "bit sets": [{"regions": np.array(bad)} for bad in ([1.0, 1.0], [1, -1])],
    "no counterpart": [{"conflicts": {0: {1}}}],
    "with itself": [{"conflicts": {0: {0}}}],
    "not in 0..1": [{"conflicts": {2: {0}, 0: {2}}}],
    "unknown rule": [{"rule": "neither"}],
    "teams must be >= 2": [{"teams": bad} for bad in (1, 0, -1)],
    "team_size must be >= 1": [{"team_size": bad} for bad in (0, -1)],
    "more than 20 players": [
        {"teams": teams, "team_size": size} for teams, size in ((21, 1), (3, 7), (2, 11))
    ],
}


@pytest.mark.parametrize(("words", "bad"), [(words, bad) for words, each in REFUSED.items() for bad in each])
def test_bad_input_is_refused(words: str, bad: dict[str, Any]) -> None:
    assert form(**GOOD) == [((0,), (1,))]
    with pytest.raises(ValueError, match=words):
        form(**(GOOD | bad))


def test_the_teams_are_as_even_as_they_can_be() -> None:
    assert singles([1400, 1500, 1510, 1600], radius=[500.0] * 4).form() == [((ANN, DAN), (BOB, CAT))]


def test_of_equal_splits_the_older_play_in_the_first_team() -> None:
    assert singles([1500] * 4).form() == [((ANN, BOB), (CAT, DAN))]


def test_every_player_of_a_party_weighs_the_same() -> None:
    """Two of 1600 and one of 1300 are as strong as three of 1500."""
    pool = Pool([1, 2, 1, 1, 1], [1300, 1600, 1500, 1500, 1500], [900.0] * 5, [EU] * 5, team_size=3)
    assert pool.form() == [((ANN, BOB), (CAT, DAN, EVE))]


FULL: list[Lobby] = [((ANN, DAN), (BOB, CAT))]

BROKEN: dict[str, list[Lobby]] = {
    "in two teams": [*FULL, *FULL],
    "another number": [((ANN, BOB),)],
    "not full": [((ANN,), (BOB, CAT, DAN))],
    "not a lobby of anybody": [((ANN, BOB), (CAT, EVE))],
    "order of age": [((BOB, CAT), (ANN, DAN))],
    "all left alone": [],
    "passed over": [((BOB, CAT), (DAN, EVE))],
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_promise_is_noticed(words: str) -> None:
    """All fit each other, but that Ann and Eve may not meet."""
    pool = singles([1500, 1510, 1520, 1530, 1540], foes=frozenset({(ANN, EVE)}))
    assert_promises(pool, FULL)
    with pytest.raises(AssertionError, match=words):
        assert_promises(pool, BROKEN[words])
    with pytest.raises(AssertionError, match="better split"):
        assert_best_splits(pool, [((ANN, BOB), (CAT, DAN))])
