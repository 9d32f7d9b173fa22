"""The matching core against a slow reference, against its promises, and by named example."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matchmaking.domain import pairing_passes
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
    US,
    Pool,
    Reference,
    as_pairs,
    assert_promises,
    tiny_pools,
    wild_pools,
)

if TYPE_CHECKING:
    from matchmaking.domain.rules import Rule


@given(tiny_pools, st.sampled_from((0, 1, 2, 200, 200)))
@settings(max_examples=700, deadline=None)
@example(FIRST_IN_LINE_GETS_DAN, 200)
@example(FIRST_BY_AGE_GETS_EVE, 200)
def test_every_promise_holds_and_the_answer_is_the_references(pool: Pool, patience: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing_passes, "_PATIENCE", patience)
        pairs = pool.pairs()
    assert_promises(pool, pairs)
    assert pairs == Reference(pool).pairs()


@given(wild_pools, st.sampled_from((0, 1, 200)))
@settings(max_examples=200, deadline=None)
def test_the_promises_hold_for_ratings_of_any_size_and_an_infinite_radius(pool: Pool, patience: int) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(pairing_passes, "_PATIENCE", patience)
        warnings.simplefilter("error")
        assert_promises(pool, pool.pairs())


@given(tiny_pools, st.integers(-1000, 1000))
@settings(deadline=None)
def test_the_answer_does_not_depend_on_where_the_rating_scale_starts(pool: Pool, shift: int) -> None:
    assert pool._replace(rating=[rating + shift for rating in pool.rating]).pairs() == pool.pairs()


@given(tiny_pools, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_answer_does_not_depend_on_the_order_of_the_conflicts(pool: Pool, rng: Any) -> None:
    conflicts = [(ticket, rng.sample(sorted(foes), len(foes))) for ticket, foes in pool.conflicts().items()]
    rng.shuffle(conflicts)
    free = pool._replace(max_gap=None)
    assert as_pairs(pair(*pool.columns(), dict(conflicts), rule=pool.rule)) == free.pairs()


@given(tiny_pools)
@settings(deadline=None)
def test_the_arguments_are_not_changed_and_may_be_read_only(pool: Pool) -> None:
    columns, conflicts = pool.columns(), pool.conflicts()
    for column in columns:
        column.setflags(write=False)
    first = pair(*columns, conflicts, rule=pool.rule)
    assert [column.tolist() for column in columns] == [pool.rating, pool.radius, pool.regions]
    assert conflicts == pool.conflicts()
    assert np.array_equal(first, pair(*columns, conflicts, rule=pool.rule))


@pytest.mark.parametrize("rule", sorted(LIMITS))
def test_a_crowd_keeps_every_promise(rule: Rule) -> None:
    rng = np.random.default_rng(7)
    n = 300
    foes = frozenset((min(a, b), max(a, b)) for a, b in rng.integers(0, n, (n, 2)).tolist() if a != b)
    rating, radius = rng.normal(1500, 300, n).tolist(), rng.exponential(20, n).tolist()
    pool = Pool(rating, radius, rng.integers(0, 8, n).tolist(), foes, rule)
    pairs = pool.pairs()
    assert_promises(pool, pairs)
    assert pairs == Reference(pool).pairs()


def test_nobody_and_one_alone_make_no_pairs() -> None:
    assert Pool([], [], []).pairs() == Pool([1500], [100], [EU]).pairs() == []


def test_the_oldest_takes_the_nearest() -> None:
    assert Pool([1500, 1530, 1510, 1540], [50] * 4, [EU] * 4).pairs() == [(ANN, CAT), (BOB, DAN)]


@pytest.mark.parametrize(
    ("bob", "cat"), [(1510, 1490), (1490, 1510), (1500, 1500), (1490, 1490), (1510, 1510)]
)
def test_a_tie_goes_to_the_older(bob: int, cat: int) -> None:
    assert Pool([1500, bob, cat, 1530], [50] * 4, [EU] * 4).pairs() == [(ANN, BOB), (CAT, DAN)]


def test_pairs_come_in_the_order_of_their_older_ticket() -> None:
    assert Pool([3000, 100, 100, 3000], [10] * 4, [EU] * 4).pairs() == [(ANN, DAN), (BOB, CAT)]


@pytest.mark.parametrize("elsewhere", [US, 0])
def test_a_nearer_ticket_without_a_shared_region_is_left_out(elsewhere: int) -> None:
    assert Pool([1500, 1500, 1520], [50] * 3, [EU, elsewhere, EU | US]).pairs() == [(ANN, CAT)]


def test_two_who_may_not_meet_do_not_meet() -> None:
    assert Pool([1500, 1500, 1520], [50] * 3, [EU] * 3, frozenset({(ANN, BOB)})).pairs() == [(ANN, CAT)]


def test_an_infinite_radius_reaches_everyone() -> None:
    assert Pool([0, 1e308], [np.inf, 0], [EU, EU]).pairs() == [(ANN, BOB)]


@pytest.mark.parametrize(
    ("rule", "gap", "expected"),
    [
        (rule, limit + more, not more)
        for rule, limit in (("mean", 40), ("both", 10), ("either", 30))
        for more in (0, 1)
    ],
)
@pytest.mark.parametrize("radius", [[10, 30], [30, 10]])
def test_the_limit_itself_still_fits(rule: Rule, gap: int, expected: bool, radius: list[float]) -> None:
    for rating in ([1500.0, 1500.0 + gap], [1500.0, 1500.0 - gap]):
        assert Pool(rating, radius, [EU, EU], rule=rule).pairs() == ([(ANN, BOB)] if expected else [])


@pytest.mark.parametrize(("ann", "bob", "radius"), [(2.7, 0.7, 2.0), (0.4, 1.8, 1.4)])
@pytest.mark.parametrize("patience", [0, 200])
def test_a_gap_that_only_rounding_brings_to_the_limit_fits(
    monkeypatch: pytest.MonkeyPatch, ann: float, bob: float, radius: float, patience: int
) -> None:
    """The gap is at most the radius, yet Bob lies outside Ann's rating -/+ radius: all in float64."""
    monkeypatch.setattr(pairing_passes, "_PATIENCE", patience)
    assert abs(ann - bob) <= radius
    assert bob < ann - radius or bob > ann + radius
    assert Pool([ann, bob], [radius, radius], [EU, EU], rule="both").pairs() == [(ANN, BOB)]


@pytest.mark.parametrize("rule", sorted(LIMITS))
@pytest.mark.parametrize("max_gap", [[40, np.inf], [np.inf, 40]])
def test_a_limit_of_ones_own_holds_whatever_the_rule_allows(rule: Rule, max_gap: list[float]) -> None:
    for radius in (1000.0, np.inf):
        at_the_limit = Pool([1500, 1540], [radius] * 2, [EU] * 2, rule=rule, max_gap=max_gap)
        assert at_the_limit.pairs() == [(ANN, BOB)]
        assert at_the_limit._replace(rating=[1500, 1541]).pairs() == []


def test_a_limit_of_ones_own_widens_nothing() -> None:
    assert Pool([1500, 1521], [10, 10], [EU] * 2, max_gap=[100, 100]).pairs() == []


def test_a_nearer_ticket_that_accepts_no_such_gap_is_left_out() -> None:
    assert Pool([1500, 1510, 1520], [50] * 3, [EU] * 3, max_gap=[np.inf, 9, 20]).pairs() == [(ANN, CAT)]


def test_a_narrow_ticket_walks_past_another_narrow_one_to_a_wide_one() -> None:
    assert Pool([1500, 1520, 1560], [5, 5, 60], [EU] * 3).pairs() == [(ANN, CAT)]


def test_the_older_who_was_left_alone_takes_the_place_of_the_younger() -> None:
    """Ann's nearest is Cat, but Bob fits only Ann: Cat, younger than Bob, gives way."""
    assert Pool([1500, 1450, 1510], [50, 0, 0], [EU] * 3).pairs() == [(ANN, BOB)]


def test_a_younger_ticket_left_alone_displaces_nobody() -> None:
    assert Pool([1500, 1510, 1450], [50, 0, 0], [EU] * 3).pairs() == [(ANN, BOB)]


def test_a_displaced_mate_moves_on_to_the_oldest_who_is_free() -> None:
    """Bob takes Ann from Cat. Cat fits Dan and Eve, both still free: Eve is nearer, but Dan is older."""
    ratings, radii = [1500.0, 1450.0, 1510.0, 1541.0, 1539.0], [50.0, 0.0, 30.0, 1.0, 1.0]
    foes = frozenset({(DAN, EVE), (ANN, DAN), (ANN, EVE)})
    assert Pool(ratings, radii, [EU] * 5, foes).pairs() == [(ANN, BOB), (CAT, DAN)]


def test_a_displaced_mate_moves_before_anyone_else_does() -> None:
    assert FIRST_IN_LINE_GETS_DAN.pairs() == [(ANN, CAT), (BOB, DAN)]
    assert FIRST_BY_AGE_GETS_EVE.pairs() == [(ANN, CAT), (BOB, EVE)]


GOOD: dict[str, Any] = {"rating": [1, 2], "radius": [1, 1], "regions": np.array([1, 1]), "conflicts": {}}


REFUSED: dict[str, list[dict[str, Any]]] = {
    "differ": [{"rating": [1.0]}, {"radius": [1.0]}, {"regions": np.array([1])}, {"max_gap": [1.0]}],
    "one-dimensional": [
        *({name: bad} for name in ("rating", "radius", "max_gap") for bad in ([[1.0, 2.0]], 1.0)),
        {"regions": np.array([[1], [1]])},
    ],
    "rating must be finite": [{"rating": [1.0, bad]} for bad in (np.nan, np.inf, -np.inf)],
    "radius must be >= 0": [{"radius": [1.0, bad]} for bad in (np.nan, -0.5)],
    "max_gap must be >= 0": [{"max_gap": [1.0, bad]} for bad in (np.nan, -0.5)],
    "bit sets": [{"regions": np.array(bad)} for bad in ([1.0, 1.0], [1, -1])],
    "no counterpart": [{"conflicts": bad} for bad in ({0: {1}}, {0: {1}, 1: set()}, {0: {5}}, {0: {-1}})],
    "with itself": [{"conflicts": {0: {0}}}],
    "not in 0..1": [
        {"conflicts": {2: {0}, 0: {2}}},
        {"conflicts": {-1: set()}},
        {"conflicts": {2**64: set()}},
    ],
    "unknown rule": [{"rule": "neither"}],
}


@pytest.mark.parametrize(("words", "bad"), [(words, bad) for words, each in REFUSED.items() for bad in each])
def test_bad_input_is_refused(words: str, bad: dict[str, Any]) -> None:
    assert as_pairs(pair(**GOOD)) == [(0, 1)]
    with pytest.raises(ValueError, match=words):
        pair(**(GOOD | bad))
