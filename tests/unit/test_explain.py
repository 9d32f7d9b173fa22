"""Why a ticket is not matched: every rule against a slow look at each candidate, and the nearest."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.explain import RULES, Candidates, Nearest, nearest, turned_away
from matchmaking.domain.pool_rules import NOT_PLAYABLE, AvoidanceRule, LatencyRule, PoolRules
from matchmaking.domain.rules import PRESETS, WindowRule, fits

ANN, BOB, CAT = range(3)
EU, US = range(2)
HORIZON = 600.0
TENTH = 0.1


@dataclass(frozen=True, kw_only=True)
class One:
    """A ticket as a row; ``foe``: as Ann sees it, "blocked", "recent" or neither."""

    rating: float = 1500
    waited: float = 0
    max_gap: float = math.inf
    modes: int = 1
    latencies: tuple[int, int] = (0, 0)
    foe: str = ""
    is_absent: bool = False


def columns(*tickets: One) -> Candidates:
    return Candidates(
        rating=np.array([float(t.rating) for t in tickets]),
        waited=np.array([float(t.waited) for t in tickets]),
        max_gap=np.array([float(t.max_gap) for t in tickets]),
        modes=np.array([t.modes for t in tickets], dtype=np.int64),
        latencies_ms=np.array([t.latencies for t in tickets], dtype=np.int16),
        is_blocked=np.array([t.foe == "blocked" for t in tickets]),
        is_recent=np.array([t.foe == "recent" for t in tickets]),
        is_absent=np.array([t.is_absent for t in tickets]),
    )


def rules_that_turn_away(own: One, other: One, rules: PoolRules) -> set[str]:
    """The rules in words, one pair at a time."""
    gap = abs(own.rating - other.rating)
    windows = [rules.window.window(t.waited) for t in (own, other)]
    latency = rules.latency
    limits = [
        min(latency.start_ms + latency.growth_ms_per_second * t.waited, latency.cap_ms or math.inf)
        for t in (own, other)
    ]
    shares_region = any(
        all(0 <= t.latencies[region] <= limit for t, limit in zip((own, other), limits, strict=True))
        for region in (EU, US)
    )
    have_waited = min(own.waited, other.waited) >= rules.avoidance.relax_seconds
    found = {
        "window": not fits(rules.window.rule, gap, *windows),
        "max_gap": gap > own.max_gap or gap > other.max_gap,
        "region": not shares_region,
        "mode": not own.modes & other.modes,
        "blocked": other.foe == "blocked",
        "recent": other.foe == "recent" and not have_waited,
        "absent": other.is_absent,
    }
    return {rule for rule, is_away in found.items() if is_away}


def away(own: int, *tickets: One, rules: PoolRules | None = None) -> list[set[str]]:
    found = turned_away(own, columns(*tickets), rules or PoolRules())
    assert tuple(found) == RULES
    return [{rule for rule in RULES if found[rule][i]} for i in range(len(tickets))]


def the_nearest(*tickets: One, rules: PoolRules | None = None, horizon: float = HORIZON) -> Nearest | None:
    return nearest(ANN, columns(*tickets), rules or PoolRules(), horizon_seconds=horizon)


def fits_in(*tickets: One, rules: PoolRules | None = None, horizon: float = HORIZON) -> float | None:
    found = the_nearest(*tickets, rules=rules, horizon=horizon)
    assert found is not None
    return found.fits_in_seconds


# --- each rule


@pytest.mark.parametrize(
    ("ann", "bob", "expected"),
    [
        (One(), One(), set()),
        (One(), One(rating=1600), set()),
        (One(), One(rating=1600.1), {"window"}),
        (One(waited=600), One(rating=1600.1), {"window"}),
        (One(waited=10), One(rating=1625, waited=10), set()),
        (One(max_gap=50), One(rating=1551), {"max_gap"}),
        (One(), One(rating=1449, max_gap=50), {"max_gap"}),
        (One(max_gap=50), One(rating=1450, max_gap=50), set()),
        (One(modes=0b01), One(modes=0b10), {"mode"}),
        (One(modes=0b11), One(modes=0b10), set()),
        (One(latencies=(0, NOT_PLAYABLE)), One(latencies=(NOT_PLAYABLE, 0)), {"region"}),
        (One(latencies=(80, 81)), One(latencies=(81, 80)), {"region"}),
        (One(latencies=(80, 81), waited=0.5), One(latencies=(81, 80)), set()),
        (One(latencies=(80, 300)), One(latencies=(80, NOT_PLAYABLE)), set()),
        (One(), One(foe="blocked", waited=600), {"blocked"}),
        (One(waited=60), One(foe="recent", waited=60), set()),
        (One(waited=60), One(foe="recent", waited=59.9), {"recent"}),
        (One(waited=59.9), One(foe="recent", waited=60), {"recent"}),
        (One(), One(is_absent=True), {"absent"}),
        (
            One(modes=1, max_gap=10),
            One(rating=3000, modes=2, latencies=(-1, -1), foe="blocked", is_absent=True),
            {"window", "max_gap", "mode", "region", "blocked", "absent"},
        ),
    ],
)
def test_a_candidate_is_counted_under_every_rule_that_turns_it_away(
    ann: One, bob: One, expected: set[str]
) -> None:
    assert away(ANN, ann, bob)[BOB] == expected
    assert rules_that_turn_away(ann, bob, PoolRules()) == expected


@pytest.mark.parametrize(
    ("rule", "own_waited", "fitting"), [("mean", 0, 125), ("both", 100, 25), ("either", 0, 100)]
)
def test_the_window_is_that_of_the_pools_rule(rule: Any, own_waited: float, fitting: float) -> None:
    window = WindowRule("custom", rule, radius=25, growth_per_second=0.75, step_seconds=0, cap=None)
    waits = (own_waited, 100 - own_waited)

    def turned(gap: float) -> set[str]:
        pair = (One(waited=waits[0]), One(waited=waits[1], rating=1500 + gap))
        return away(ANN, *pair, rules=PoolRules(window=window))[BOB]

    assert (turned(fitting), turned(fitting + 0.5)) == (set(), {"window"})


numbers = st.integers(0, 700).map(float) | st.floats(0, 700)
ones = st.builds(
    One,
    rating=st.integers(1200, 1800),
    waited=numbers,
    max_gap=st.sampled_from([0.0, 50.0, 300.0, math.inf]),
    modes=st.integers(1, 7),
    latencies=st.tuples(st.integers(-1, 500), st.sampled_from([NOT_PLAYABLE, 0, 80, 200])),
    foe=st.sampled_from(["", "", "blocked", "recent"]),
    is_absent=st.booleans(),
)
pool_rules = st.builds(
    PoolRules,
    window=st.sampled_from(list(PRESETS.values())),
    latency=st.builds(LatencyRule, cap_ms=st.sampled_from([None, 90.0, 200.0])),
    avoidance=st.builds(AvoidanceRule, relax_seconds=st.sampled_from([0.0, 60.0])),
)


@given(st.lists(ones, min_size=1, max_size=6), st.integers(0, 5), pool_rules)
def test_every_rule_turns_away_the_same_one_by_one(tickets: list[One], own: int, rules: PoolRules) -> None:
    own %= len(tickets)
    expected = [rules_that_turn_away(tickets[own], other, rules) for other in tickets]
    assert away(own, *tickets, rules=rules) == expected


@given(ones, ones, pool_rules, st.floats(0, 600), st.floats(0, 600))
def test_whom_a_rule_has_let_through_it_turns_away_no_more(
    ann: One, bob: One, rules: PoolRules, sooner: float, longer: float
) -> None:
    def after(seconds: float) -> set[str]:
        found = turned_away(ANN, columns(ann, bob).later(seconds), rules)
        return {rule for rule in RULES if found[rule][BOB]}

    assert after(sooner + longer) <= after(sooner)


def test_what_is_later_has_waited_longer_and_is_else_the_same() -> None:
    ann, bob = One(waited=3, latencies=(5, 6), foe="recent"), One(waited=4, max_gap=7, is_absent=True)
    later = columns(ann, bob).later(2.5)
    expected = columns(replace(ann, waited=5.5), replace(bob, waited=6.5))
    for name in Candidates.__slots__:
        assert np.array_equal(getattr(later, name), getattr(expected, name)), name


# --- the nearest


def test_the_nearest_has_the_smallest_gap_whether_it_fits_or_not() -> None:
    far, near = One(rating=1590), One(rating=1450, foe="recent")
    assert the_nearest(One(), far, near) == Nearest(index=2, gap=50, fits_in_seconds=60)


def test_of_two_as_near_the_older_is_the_nearest() -> None:
    assert the_nearest(One(), One(rating=1510), One(rating=1490)) == Nearest(
        index=BOB, gap=10, fits_in_seconds=0
    )


def test_one_is_not_ones_own_opponent() -> None:
    assert the_nearest(One()) is None


@pytest.mark.parametrize(
    "nobody",
    [
        One(rating=1501, max_gap=0),
        One(modes=2),
        One(foe="blocked"),
        One(is_absent=True),
        One(latencies=(NOT_PLAYABLE, NOT_PLAYABLE)),
        One(latencies=(5000, NOT_PLAYABLE)),
    ],
    ids=["max_gap", "mode", "blocked", "absent", "region", "latency"],
)
def test_who_never_can_is_not_the_nearest_and_whoever_can_is(nobody: One) -> None:
    assert the_nearest(One(), nobody) is None
    assert the_nearest(One(), nobody, One(rating=1700)) == Nearest(index=CAT, gap=200, fits_in_seconds=40)


@pytest.mark.parametrize(
    ("ann", "bob", "seconds"),
    [
        (One(), One(), 0),
        (One(), One(rating=1601), 10),
        (One(waited=25), One(rating=1601, waited=3), 7),
        (One(), One(rating=1500 + 1600), 600),
        (One(), One(rating=1500 + 1625), None),
        (One(), One(latencies=(100, NOT_PLAYABLE)), 10),
        (One(waited=9), One(latencies=(100, 92), waited=2), 4),
        (One(waited=20), One(foe="recent", waited=50), 40),
        (One(waited=20, rating=1501), One(foe="recent", waited=50, rating=1701), 40),
        (One(rating=1700), One(foe="recent", waited=50, rating=1400), 80),
    ],
)
def test_the_nearest_fits_when_the_last_rule_lets_it(ann: One, bob: One, seconds: float | None) -> None:
    assert fits_in(ann, bob) == seconds


def test_what_is_beyond_the_horizon_never_fits() -> None:
    pair = (One(), One(rating=1610))
    assert fits_in(*pair, horizon=9.9) is None
    assert fits_in(*pair, horizon=10) == 10


def test_what_does_not_fit_yet_does_not_fit_now() -> None:
    assert fits_in(One(waited=9.97), One(rating=1610, waited=9.97)) == TENTH


@given(ones, ones, pool_rules)
def test_at_its_time_the_nearest_fits_and_not_just_before(ann: One, bob: One, rules: PoolRules) -> None:
    found = the_nearest(ann, bob, rules=rules)
    never = rules_that_turn_away(ann, bob, rules) & {"max_gap", "mode", "blocked", "absent"}
    is_apart = turned_away(ANN, columns(ann, bob).later(HORIZON), rules)["region"][BOB]
    assert (found is None) == bool(never or is_apart)
    if found is None:
        return
    pair = columns(ann, bob)

    def fit_after(seconds: float) -> bool:
        later = turned_away(ANN, pair.later(seconds), rules)
        return not any(later[rule][BOB] for rule in RULES)

    seconds = found.fits_in_seconds
    assert (found.index, found.gap) == (BOB, abs(ann.rating - bob.rating))
    assert fit_after(HORIZON if seconds is None else seconds) is (seconds is not None)
    assert not seconds or not fit_after(round(seconds * 10 - 1) / 10)


@given(ones, ones, pool_rules, st.integers(0, 600))
def test_who_waits_on_has_less_to_wait(ann: One, bob: One, rules: PoolRules, more: int) -> None:
    now = the_nearest(ann, bob, rules=rules)
    later = the_nearest(
        replace(ann, waited=ann.waited + more), replace(bob, waited=bob.waited + more), rules=rules
    )
    assert (now is None) == (later is None)
    if now is None or later is None or now.fits_in_seconds is None:
        return
    assert later.fits_in_seconds is not None
    left = max(now.fits_in_seconds - more, 0)
    assert later.fits_in_seconds == pytest.approx(left, abs=TENTH + 1e-9)
