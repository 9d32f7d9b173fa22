"""The matching core in large pools: the promises with the bulk stage, and the work it takes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matchmaking.domain import pairing, pairing_bulk, pairing_passes, pairing_search
from matchmaking.domain.pairing import pair
from matchmaking.domain.rules import LIMITS
from tests.unit.test_pairing_promises import (
    ANN,
    BOB,
    CAT,
    DAN,
    EU,
    EVE,
    FIRST_BY_AGE_GETS_EVE,
    FIRST_IN_LINE_GETS_DAN,
    Pool,
    as_pairs,
    assert_promises,
    pools,
    tiny_pools,
    wild_pools,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matchmaking.domain.rules import Rule

LARGE = 10_000

# What decides how a ticket is searched for, and may never decide who is found.
SEARCHES: dict[str, tuple[int, ...]] = {
    "_FEW": (0, 2, 64),
    "_LARGE": (0, 8, 1000),
    "_STRETCH": (1, 1024),
    "_SMALL": (0, 16),
    "_FEWER": (0, 3),
    "_MAX_KINDS": (2, 16),
    "_MAX_PARTS": (0, 1, 4),
}
searches = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in SEARCHES.items()})


@pytest.fixture(scope="module", autouse=True)
def _bulk_in_every_pool() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "_BULK_FROM", 0)
        yield


def pairs_searched_by(search: dict[str, int], pool: Pool, sift_from: int = 1) -> list[tuple[int, int]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing_passes, "_SIFT_FROM", sift_from)
        for name, value in search.items():
            patch.setattr(pairing_search, name, value)
        return pool.pairs()


@given(tiny_pools, searches, st.sampled_from((1, 2, 64)))
@settings(max_examples=700, deadline=None)
@example(FIRST_IN_LINE_GETS_DAN, {}, 64)
@example(FIRST_BY_AGE_GETS_EVE, {}, 64)
def test_every_promise_holds_however_mates_are_searched(
    pool: Pool, search: dict[str, int], sift_from: int
) -> None:
    pairs = pairs_searched_by(search, pool, sift_from)
    assert_promises(pool, pairs)
    assert pairs == pool.pairs()


@given(wild_pools, searches)
@settings(max_examples=200, deadline=None)
def test_the_promises_hold_for_numbers_of_any_size(pool: Pool, search: dict[str, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_promises(pool, pairs_searched_by(search, pool))


@given(tiny_pools, st.integers(-1000, 1000), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_answer_depends_neither_on_the_ratings_zero_nor_on_the_order_of_conflicts(
    pool: Pool, shift: int, rng: Any
) -> None:
    assert pool._replace(rating=[rating + shift for rating in pool.rating]).pairs() == pool.pairs()
    conflicts = [(ticket, rng.sample(sorted(foes), len(foes))) for ticket, foes in pool.conflicts().items()]
    rng.shuffle(conflicts)
    free = pool._replace(max_gap=None)
    assert as_pairs(pair(*free.columns(), dict(conflicts), rule=pool.rule)) == free.pairs()


@given(pools(ratings=st.integers(0, 12), radii=st.integers(0, 4)))
@settings(deadline=None)
def test_the_arguments_are_not_changed_and_may_be_read_only(pool: Pool) -> None:
    columns, conflicts = pool.columns(), pool.conflicts()
    for column in columns:
        column.setflags(write=False)
    pair(*columns, conflicts, rule=pool.rule, max_gap=columns[1])
    assert [column.tolist() for column in columns] == [pool.rating, pool.radius, pool.regions]
    assert conflicts == pool.conflicts()


def test_a_conflict_may_be_said_twice() -> None:
    columns = Pool([1500, 1500, 1520], [50] * 3, [EU] * 3).columns()
    assert as_pairs(pair(*columns, {ANN: [BOB, BOB], BOB: [ANN]})) == [(ANN, CAT)]


def test_the_two_who_are_closest_to_each_other_are_paired_first() -> None:
    assert Pool([0, 10, 11, 20], [50] * 4, [EU] * 4).pairs() == [(ANN, DAN), (BOB, CAT)]


def test_of_tickets_alike_neighbours_are_paired_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    six_at_each_rating = Pool([10 * (ticket // 6) for ticket in range(60)], [0] * 60, [EU] * 60)
    assert six_at_each_rating.pairs() == [(ticket, ticket + 1) for ticket in range(0, 60, 2)]
    assert work.rounds == 1


def test_the_older_who_was_left_alone_takes_the_place_of_the_younger() -> None:
    assert Pool([1500, 1450, 1510], [50, 0, 0], [EU] * 3).pairs() == [(ANN, BOB)]


def test_a_displaced_mate_takes_the_oldest_who_is_free() -> None:
    """Bob takes Ann from Cat. Eve is nearer to Cat than Dan is, but Dan would be passed over."""
    ratings, radii = [1500.0, 1450.0, 1501.0, 1551.0, 1549.0], [50.0, 0.0, 50.0, 0.0, 0.0]
    foes = frozenset({(DAN, EVE), (ANN, DAN), (ANN, EVE)})
    pool = Pool(ratings, radii, [EU] * 5, foes)
    assert_promises(pool, pool.pairs())
    assert pool.pairs() == [(ANN, BOB), (CAT, DAN)]


class Columns:
    """Arguments of `pair` for a large pool, oldest first."""

    def __init__(self, seed: int = 3, n: int = LARGE) -> None:
        self.rng, self.n = np.random.default_rng(seed), n
        self.rating, self.radius = self.rng.normal(1500, 300, n), self.rng.uniform(100, 400, n)
        self.regions = self.rng.integers(1, 8, n).astype(np.uint64)
        self.conflicts: dict[int, set[int]] = {}
        self.max_gap = np.full(n, np.inf)
        self.rule: Rule = "mean"

    def with_conflicts(self, each: int) -> Columns:
        for a, b in self.rng.integers(0, self.n, (self.n * each // 2, 2)).tolist():
            if a != b:
                self.conflicts.setdefault(a, set()).add(b)
                self.conflicts.setdefault(b, set()).add(a)
        return self

    def having(self, **columns: Any) -> Columns:
        vars(self).update(columns)
        return self

    def pairs(self) -> Any:
        columns = self.rating, self.radius, self.regions, self.conflicts
        return pair(*columns, rule=self.rule, max_gap=self.max_gap)

    def compatible_with(self, ticket: int) -> Any:
        limit: Any = {"mean": np.add, "both": np.minimum, "either": np.maximum}[self.rule]
        gap = np.abs(self.rating - self.rating[ticket])
        fit = gap <= limit(self.radius, self.radius[ticket])
        fit &= gap <= np.minimum(self.max_gap, self.max_gap[ticket])
        fit &= (self.regions & self.regions[ticket]) != 0
        fit[[ticket, *self.conflicts.get(ticket, ())]] = False
        return np.flatnonzero(fit)


def narrow(seed: int, rule: Rule) -> Columns:
    columns = Columns(seed, 2_000).with_conflicts(3)
    radius = columns.rng.exponential(1, 2_000)
    radius[columns.rng.random(2_000) < 0.005] = np.inf
    max_gap = np.where(columns.rng.random(2_000) < 0.5, np.inf, 1.0)
    return columns.having(radius=radius, max_gap=max_gap, rule=rule)


@pytest.mark.parametrize("rule", sorted(LIMITS))
@pytest.mark.parametrize("seed", range(2))
def test_a_crowd_keeps_every_promise(rule: Rule, seed: int) -> None:
    """With settings as they are, and a third of the tickets alone."""
    columns = narrow(seed, rule)
    pairs = columns.pairs()
    mates = np.full(columns.n, columns.n)
    assert np.unique(pairs).size == pairs.size
    mates[pairs[:, 0]], mates[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    for a, b in pairs.tolist():
        assert b in columns.compatible_with(a)
    alone = np.flatnonzero(mates == columns.n)
    assert 100 < alone.size < 1_900
    for ticket in alone.tolist():
        assert (mates[columns.compatible_with(ticket)] < ticket).all(), f"{ticket} is passed over"


def test_large_pools_are_paired_in_bulk_and_small_ones_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "_BULK_FROM", 4)
    assert Pool([0, 10, 11, 20], [50] * 4, [EU] * 4).pairs() == [(ANN, DAN), (BOB, CAT)]
    monkeypatch.setattr(pairing, "_BULK_FROM", 5)
    assert Pool([0, 10, 11, 20], [50] * 4, [EU] * 4).pairs() == [(ANN, BOB), (CAT, DAN)]


def far_apart(columns: Columns, *, wide: int | None = None) -> Columns:
    """Nobody fits anybody, but for one ticket that fits everyone."""
    radius = columns.radius.copy()
    if wide is not None:
        radius[wide] = np.inf
    return columns.having(rating=columns.rng.permutation(columns.n) * 1000.0, radius=radius)


def one_wide() -> Any:
    radius = np.full(LARGE, 0.01)
    radius[LARGE // 3] = np.inf
    return radius


def whole_numbers() -> Columns:
    columns = Columns()
    return columns.having(rating=np.round(columns.rating), radius=np.zeros(LARGE))


SHAPES: dict[str, Callable[[], Columns]] = {
    "normal": Columns,
    "equal": lambda: Columns().having(rating=np.full(LARGE, 1500.0)),
    "disjoint regions": lambda: Columns().having(
        regions=np.uint64(1) << (np.arange(LARGE) % 20).astype(np.uint64)
    ),
    "every region": lambda: Columns().having(regions=np.full(LARGE, np.uint64(2**64 - 1))),
    "rare region": lambda: Columns().having(
        regions=np.where(np.arange(LARGE) % 100 == 0, np.uint64(8), np.uint64(3))
    ),
    "conflicts": lambda: Columns().with_conflicts(5),
    "nobody": lambda: far_apart(Columns()),
    "nobody but the oldest": lambda: far_apart(Columns(), wide=0),
    "nobody but one": lambda: far_apart(Columns(), wide=LARGE // 2),
    "nobody but the youngest": lambda: far_apart(Columns(), wide=LARGE - 1),
    "nobody by their own limits": lambda: far_apart(Columns()).having(
        radius=np.full(LARGE, np.inf), max_gap=np.full(LARGE, 999.0)
    ),
    "one wide": lambda: Columns().having(radius=one_wide()),
    "no radius": lambda: Columns().having(radius=np.zeros(LARGE)),
    "whole numbers without radius": whole_numbers,
    "growing gaps": lambda: Columns().having(
        rating=(np.arange(LARGE) / LARGE) ** 3 * 3000, regions=np.ones(LARGE, np.uint64)
    ),
    "both": lambda: Columns().having(rule="both"),
    "either": lambda: Columns().having(rule="either"),
    "few fit": lambda: Columns().having(radius=np.random.default_rng(4).exponential(0.03, LARGE)),
}


class Work:
    """Counts the tickets looked at: in the line of each round, and in the windows of each search."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.rounds = self.searches = self.looks = 0
        chosen, windows = pairing_bulk._chosen, pairing_search.Search._windows

        def counted_chosen(pool: Any, line: Any) -> Any:
            self.rounds += 1
            self.looks += line.size
            return chosen(pool, line)

        def counted_windows(search: Any, ticket: int) -> Any:
            found = windows(search, ticket)
            self.searches += 1
            self.looks += sum(window.size for window in found)
            return found

        patch.setattr(pairing_bulk, "_chosen", counted_chosen)
        patch.setattr(pairing_search.Search, "_windows", counted_windows)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_a_pool_takes_much_more_work_than_another(
    monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    work = Work(monkeypatch)
    SHAPES[shape]().pairs()
    assert work.rounds <= 200
    assert work.searches <= LARGE // 3
    assert work.looks <= 100 * LARGE


def test_nearly_all_of_a_normal_pool_is_paired_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    pairs = Columns().pairs()
    assert len(pairs) >= LARGE // 2 - 5
    assert work.searches <= LARGE // 500
