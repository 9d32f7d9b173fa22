"""A participant that drops has the grace period to come back, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.domain.participants import ConnectionState, grace_is_over, is_device_id
from realtime.protocol import parts

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("microseconds", "is_over"),
    [(-1, False), (0, False), (29_999_999, False), (30_000_000, True), (30_000_001, True)],
)
def test_thirty_seconds_of_grace_end_at_the_thirtieth_second(microseconds: int, *, is_over: bool) -> None:
    now = NOON + timedelta(microseconds=microseconds)
    assert grace_is_over(dropped_at=NOON, now=now, grace_seconds=30) == is_over


def test_the_time_zones_of_the_two_times_do_not_matter() -> None:
    now = (NOON + timedelta(seconds=30)).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert grace_is_over(dropped_at=NOON, now=now, grace_seconds=30)
    assert not grace_is_over(dropped_at=NOON, now=now, grace_seconds=30.5)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9))
def test_who_has_left_never_comes_back_by_waiting(waited: int, more: int, grace: int) -> None:
    grace_seconds = grace / 1_000_000
    over, later = (
        grace_is_over(
            dropped_at=NOON, now=NOON + timedelta(microseconds=microseconds), grace_seconds=grace_seconds
        )
        for microseconds in (waited, waited + more)
    )
    assert over == (waited >= grace)
    assert over <= later


def test_the_states_are_those_of_the_protocol() -> None:
    assert {state.value for state in ConnectionState} == set(get_args(parts.ConnectionState))


@pytest.mark.parametrize(("length", "is_one"), [(0, False), (15, False), (16, True), (64, True), (65, False)])
def test_a_device_is_known_by_16_to_64_characters(length: int, *, is_one: bool) -> None:
    assert is_device_id("d" * length) is is_one
