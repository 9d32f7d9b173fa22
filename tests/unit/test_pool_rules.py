"""All the rules of a pool together: latency, whom one meets again, and the bit sets for the core."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.pool_rules import (
    NOT_PLAYABLE,
    REGION_SLOTS,
    AvoidanceRule,
    LatencyRule,
    PoolRules,
    open_regions,
    region_bits,
)
from matchmaking.domain.rules import PRESETS


@pytest.mark.parametrize(
    ("rule", "waited", "limit"),
    [
        (LatencyRule(), -1, 80),
        (LatencyRule(), 0, 80),
        (LatencyRule(), 10, 100),
        (LatencyRule(cap_ms=90), 10, 90),
        (LatencyRule(start_ms=0, growth_ms_per_second=0), 600, 0),
    ],
)
def test_the_latency_accepted_grows_with_the_wait_up_to_the_cap(
    rule: LatencyRule, waited: float, limit: float
) -> None:
    assert rule.limits_ms(np.array([float(waited)])).tolist() == [limit]


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (LatencyRule, {"start_ms": -1}),
        (LatencyRule, {"growth_ms_per_second": float("nan")}),
        (LatencyRule, {"start_ms": 80, "cap_ms": 79}),
        (AvoidanceRule, {"remember_seconds": float("inf")}),
        (AvoidanceRule, {"relax_seconds": -0.1}),
    ],
)
def test_numbers_that_make_no_rule_are_refused(make: Any, values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(reversed(values))):
        make(**values)


@pytest.mark.parametrize("preset", PRESETS)
def test_rules_come_back_from_json_as_they_were(preset: str) -> None:
    rules = PoolRules(window=PRESETS[preset], latency=LatencyRule(cap_ms=300), avoidance=AvoidanceRule())
    assert PoolRules.from_dict(rules.as_dict()) == rules


def test_what_json_does_not_say_is_a_classic_pools() -> None:
    assert PoolRules.from_dict({}) == PoolRules()
    assert PoolRules.from_dict({"radius": 7}).window.radius == 7


@pytest.mark.parametrize(
    "values", [{"raduis": 7}, {"radius": -1}, {"radius": "wide"}, {"rule": "any"}, {"latency_start_ms": None}]
)
def test_json_that_makes_no_rules_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        PoolRules.from_dict(values)


def test_a_region_is_open_where_it_is_named_and_its_latency_accepted() -> None:
    latencies = np.array([[0, 80, 81, NOT_PLAYABLE]], dtype=np.int16)
    assert open_regions(latencies, np.array([80.0])).tolist() == [[True, True, False, False]]
    assert open_regions(latencies, np.array([80.9])).tolist() == [[True, True, False, False]]
    assert open_regions(latencies, np.array([81.0])).tolist() == [[True, True, True, False]]


booleans = st.lists(st.booleans(), min_size=REGION_SLOTS, max_size=REGION_SLOTS)


@given(st.lists(booleans, min_size=1, max_size=3))
def test_each_region_has_a_bit(rows: list[list[bool]]) -> None:
    bits = region_bits(np.array(rows)).tolist()
    assert bits == [sum(1 << slot for slot, is_open in enumerate(row) if is_open) for row in rows]


@given(st.lists(st.tuples(booleans, st.integers(1, 7)), min_size=2, max_size=2))
def test_two_meet_in_a_region_and_a_mode_that_they_share_or_more_kindly(
    tickets: list[tuple[list[bool], int]],
) -> None:
    (a, modes_a), (b, modes_b) = tickets
    bits = region_bits(np.array([a, b]), np.array([modes_a, modes_b]), mode_count=3).tolist()
    fits = bits[0] & bits[1] != 0
    shared = any(x and y for x, y in zip(a, b, strict=True))
    assert fits or not (shared and modes_a & modes_b)
    assert not fits or modes_a & modes_b
    few = [[x and slot < 21 for slot, x in enumerate(row)] for row in (a, b)]
    exact = region_bits(np.array(few), np.array([modes_a, modes_b]), mode_count=3).tolist()
    is_shared = any(x and y for x, y in zip(*few, strict=True))
    assert (exact[0] & exact[1] != 0) == (is_shared and modes_a & modes_b != 0)
