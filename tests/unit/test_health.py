"""Healthy is who answered the ping in time; the rest only explains why not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.health import Failing, check_results, latency_ms

PINGED = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
DEADLINE = PINGED + timedelta(seconds=2)
NOW = PINGED + timedelta(seconds=2.5)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else PINGED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("answered", "connections", "reason", "milliseconds"),
    [
        (0.0123, 1, None, 12.3),
        (2, 1, None, 2000),  # at the last moment
        (2.000001, 1, Failing.LATE_ANSWER, 2000),
        (2.4, 0, Failing.LATE_ANSWER, 2400),  # it was there, whatever there is now
        (0.1, 0, None, 100),  # who has answered and gone was there
        (0.1, None, None, 100),
        (None, 1, Failing.NO_ANSWER, None),
        (None, 5, Failing.NO_ANSWER, None),
        (None, 0, Failing.NO_CONNECTION, None),
        (None, None, Failing.NO_ANSWER, None),  # nobody could say
    ],
)
def test_a_player_is_healthy_who_answered_in_time_and_else_it_says_why_not(
    answered: float | None, connections: int | None, reason: Failing | None, milliseconds: float | None
) -> None:
    (result,) = check_results(
        [("ann", at(answered))],
        pinged_at=PINGED,
        deadline=DEADLINE,
        connections={"ann": connections},
        now=NOW,
    )
    assert (result.user_id, result.is_healthy, result.reason) == ("ann", reason is None, reason)
    assert (result.latency_ms, result.checked_at) == (milliseconds, NOW)


def test_each_player_has_a_result_of_its_own_in_order_also_where_nobody_knows_connections() -> None:
    results = check_results(
        [("bob", None), ("ann", at(1)), ("cat", at(3))],
        pinged_at=PINGED,
        deadline=DEADLINE,
        connections={"cat": 0},
        now=NOW,
    )
    assert [(result.user_id, result.reason) for result in results] == [
        ("bob", Failing.NO_ANSWER),
        ("ann", None),
        ("cat", Failing.LATE_ANSWER),
    ]


@pytest.mark.parametrize(
    ("asked", "answered", "milliseconds"),
    [
        (0, 0.25, 250),
        (0, 0.00004, 0.0),
        (0, 0.00006, 0.1),
        (0, -0.3, 0.0),  # the clock of the other was behind
        (None, 1, None),
        (0, None, None),
        (None, None, None),
    ],
)
def test_a_latency_is_in_tenths_of_milliseconds_and_never_below_0(
    asked: float | None, answered: float | None, milliseconds: float | None
) -> None:
    assert latency_ms(at(asked), at(answered)) == milliseconds


@given(st.none() | st.integers(-(10**7), 10**7), st.none() | st.integers(0, 5))
def test_no_more_and_no_less_than_an_answer_in_time_makes_healthy(
    microseconds: int | None, connections: int | None
) -> None:
    answered = None if microseconds is None else PINGED + timedelta(microseconds=microseconds)
    (result,) = check_results(
        [("ann", answered)],
        pinged_at=PINGED,
        deadline=DEADLINE,
        connections={"ann": connections},
        now=NOW,
    )
    assert result.is_healthy == (answered is not None and answered <= DEADLINE)
    assert result.is_healthy == (result.reason is None)
