"""Who has missed matches pauses: not after the first, then ever longer, never long, and not for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.absences import pause_seconds, paused_until, recent

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
DAY = 24 * 3600
moments = st.integers(-3 * DAY * 10**6, 0).map(lambda us: NOON + timedelta(microseconds=us))


def ago(*seconds: float) -> list[datetime]:
    return [NOON - timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("missed", "seconds"),
    [(0, 0), (1, 0), (2, 30), (3, 60), (4, 120), (5, 240), (6, 480), (7, 600), (8, 600), (10**6, 600)],
)
def test_the_pause_doubles_from_the_second_time_on_and_ends_at_ten_minutes(
    missed: int, seconds: float
) -> None:
    assert pause_seconds(missed) == seconds


@pytest.mark.parametrize(
    ("missed_at", "left"),
    [
        ([], None),
        (ago(0), None),
        (ago(0, 100), 30),
        (ago(100, 0), 30),
        (ago(29.999, 100), 0.001),
        (ago(30, 100), None),
        (ago(10, 100, 1000), 50),
        (ago(0, DAY - 0.001), 30),
        (ago(0, DAY), None),
        (ago(0, 100, DAY, DAY + 5), 30),
        (ago(DAY, DAY + 1, DAY + 2), None),
    ],
)
def test_it_counts_from_the_latest_of_a_day(missed_at: list[datetime], left: float | None) -> None:
    until = paused_until(missed_at, now=NOON)
    assert until == (None if left is None else NOON + timedelta(seconds=left))


@given(st.lists(moments, max_size=20))
def test_nobody_pauses_for_longer_than_ten_minutes_or_for_a_single_absence(missed_at: list[datetime]) -> None:
    until = paused_until(missed_at, now=NOON)
    if until is not None:
        assert NOON < until <= NOON + timedelta(minutes=10)
        assert len(recent(missed_at, now=NOON)) >= 2


@given(st.lists(moments, max_size=20))
def test_one_more_never_makes_it_shorter_and_lifting_one_never_longer(missed_at: list[datetime]) -> None:
    fewer, more = paused_until(missed_at, now=NOON), paused_until([*missed_at, NOON], now=NOON)
    assert (more or NOON) >= (fewer or NOON)


@given(st.lists(moments, max_size=20), st.integers(0, 2 * DAY))
def test_time_alone_never_begins_a_pause_nor_prolongs_one(missed_at: list[datetime], seconds: int) -> None:
    until = paused_until(missed_at, now=NOON)
    later = paused_until(missed_at, now=NOON + timedelta(seconds=seconds))
    assert later in {until, None}
