"""Windows that grow with the wait, the three rules of fitting, and who is older."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.rules import CLASSIC, PRESETS, SHORTEST_STEP_SECONDS, WindowRule, age_order, fits

if TYPE_CHECKING:
    from matchmaking.domain.rules import Rule

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def window_rule(**changes: Any) -> WindowRule:
    plain: dict[str, Any] = {"preset": "mine", "rule": "mean", "radius": 25.0, "growth_per_second": 2.5}
    return WindowRule(**(plain | {"step_seconds": 0.0, "cap": None} | changes))


@pytest.mark.parametrize(
    ("waited", "window"),
    [(-5, 100), (0, 100), (9.999999, 100), (10, 125), (10.000001, 125), (19.9, 125), (20, 150), (600, 1600)],
)
def test_classic_grows_by_25_with_every_full_10_seconds_and_never_stops(waited: float, window: float) -> None:
    assert CLASSIC.window(waited) == window


def test_classic_asks_both_players_and_the_other_presets_let_circles_touch() -> None:
    assert CLASSIC.rule == "both"
    others = [rule for name, rule in PRESETS.items() if name != "classic"]
    assert [(rule.preset, rule.rule, rule.window(0), rule.window(200)) for rule in others] == [
        ("quality", "mean", 12.5, 262.5),
        ("balanced", "mean", 25, 400),
        ("fast", "mean", 12.5, 1012.5),
    ]


@pytest.mark.parametrize(("waited", "window"), [(-1, 25), (0, 25), (0.5, 26.25), (10, 50), (30, 100)])
def test_without_a_step_the_window_grows_continuously(waited: float, window: float) -> None:
    assert window_rule().window(waited) == window


@pytest.mark.parametrize(("waited", "window"), [(29, 97.5), (30, 100), (31, 100), (1e9, 100)])
def test_the_window_stops_at_the_cap(waited: float, window: float) -> None:
    assert window_rule(cap=100.0).window(waited) == window


def test_a_cap_may_equal_the_radius() -> None:
    assert window_rule(cap=25.0).window(60) == 25


@given(st.integers(1, 10**4), st.integers(1, 10**6))
def test_a_full_step_counts_from_its_very_microsecond(steps: int, milliseconds: int) -> None:
    rule = window_rule(radius=0.0, growth_per_second=1.0, step_seconds=milliseconds / 1000)
    full = timedelta(milliseconds=steps * milliseconds)
    assert round(rule.window(full.total_seconds()) / rule.step_seconds) == steps
    early = full - timedelta(microseconds=1)
    assert round(rule.window(early.total_seconds()) / rule.step_seconds) == steps - 1


amounts = st.floats(0, 1e6)
window_rules = st.builds(
    window_rule,
    radius=amounts,
    growth_per_second=amounts,
    step_seconds=st.just(0.0) | st.floats(SHORTEST_STEP_SECONDS, 1e6),
    cap=st.none() | st.floats(1e6, 1e12),
)
waits = st.floats(-1e9, 1e9)


@given(window_rules, st.lists(waits))
def test_a_column_of_waits_gives_exactly_the_single_windows(rule: WindowRule, waited: list[float]) -> None:
    column = rule.windows(np.array(waited, dtype=float))
    assert column.dtype == np.float64
    assert column.tolist() == [rule.window(wait) for wait in waited]


@given(window_rules, waits, waits)
def test_a_longer_wait_never_narrows_the_window(rule: WindowRule, one: float, other: float) -> None:
    assert rule.radius <= rule.window(min(one, other)) <= rule.window(max(one, other))


def test_windows_leave_the_waits_unchanged() -> None:
    waited = np.array([-1.0, 10.0])
    CLASSIC.windows(waited)
    assert waited.tolist() == [-1.0, 10.0]


@pytest.mark.parametrize("wait", [np.nan, np.inf, -np.inf])
def test_a_wait_that_is_no_number_is_refused(wait: float) -> None:
    with pytest.raises(ValueError, match="waited_seconds must be finite"):
        CLASSIC.window(wait)
    with pytest.raises(ValueError, match="waited_seconds must be finite"):
        CLASSIC.windows(np.array([0.0, wait]))


@pytest.mark.parametrize(
    ("words", "bad"),
    [
        ("preset", {"preset": ""}),
        ("unknown rule", {"rule": "neither"}),
        ("radius", {"radius": -1.0}),
        ("radius", {"radius": np.inf}),
        ("growth_per_second", {"growth_per_second": np.nan}),
        ("growth_per_second", {"growth_per_second": -0.1}),
        ("step_seconds", {"step_seconds": -10.0}),
        ("step_seconds", {"step_seconds": np.inf}),
        ("neither 0 nor", {"step_seconds": SHORTEST_STEP_SECONDS / 2}),
        ("cap must be finite", {"cap": np.inf}),
        ("cap must be finite", {"cap": np.nan}),
        ("below the radius", {"cap": 24.0}),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(words: str, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=words):
        window_rule(**bad)


def test_a_window_rule_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLASSIC.radius = 1.0  # type: ignore[misc]  # the assignment is the test


@pytest.mark.parametrize(("rule", "limit"), [("mean", 40), ("both", 10), ("either", 30)])
def test_the_limit_is_the_sum_the_smaller_or_the_larger_window(rule: Rule, limit: float) -> None:
    for window_a, window_b in ((10, 30), (30, 10)):
        assert fits(rule, limit, window_a, window_b)
        assert not fits(rule, limit + 0.001, window_a, window_b)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown rule 'neither', expected one of mean, both, either"):
        fits("neither", 0, 1, 1)  # type: ignore[arg-type]  # the wrong word is the test


def test_the_earlier_ticket_is_older_and_the_id_decides_between_equals() -> None:
    earlier, later = NOON, NOON + timedelta(microseconds=1)
    assert sorted([age_order(later, 0, 1), age_order(earlier, 0, 3), age_order(earlier, 0, 2)]) == [
        (earlier, 2),
        (earlier, 3),
        (later, 1),
    ]


def test_priority_is_a_head_start_and_no_more() -> None:
    vip = age_order(NOON, 30, 9)
    assert vip < age_order(NOON - timedelta(seconds=29), 0, 1)
    assert vip > age_order(NOON - timedelta(seconds=31), 0, 1)
    assert vip > age_order(NOON - timedelta(seconds=30), 0, 1)
