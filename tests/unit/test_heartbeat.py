"""One connection's heartbeat: what is a miss, what ends a row of misses, and when a ping is due."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.transport.heartbeat import Pulse

PERIOD, PONG = 15.0, 5.0
BEAT = 0.25


def pulse(first_ping_at: float = 0.0) -> Pulse:
    new = Pulse(period_seconds=PERIOD, pong_seconds=PONG)
    new.start(first_ping_at)
    return new


def misses(*, pinged: list[float], heard: list[float], at: float) -> int:
    """Return the misses at a time, for a connection that is looked at four times a second."""
    one = pulse()
    for step in range(int(at / BEAT) + 1):
        now = step * BEAT
        one.missed(now)
        if now in heard:
            one.hear(now)
        if now in pinged:
            one.pinged(now)
    return one.missed(at)


@pytest.mark.parametrize(
    ("heard", "at", "missed"),
    [
        ([0.25], 14.75, 0),
        ([0.25], 19.999, 0),  # the ping of 15 s may still be answered
        ([0.25], 20, 1),
        ([0.25], 30, 1),
        ([0.25], 34.999, 1),
        ([0.25], 35, 2),  # two in a row: stale
        ([], 5, 1),
        ([], 20, 2),
        ([0.25, 15.25], 35, 1),
        ([0.25, 20.5], 30, 0),  # late, and a sign of life all the same
        ([0.25, 25.0], 35, 1),  # any sign of life ends the row, an answer or not
        ([0.25, 34.75], 49, 0),
    ],
)
def test_two_misses_in_a_row_are_there_35_s_after_the_last_answered_ping(
    heard: list[float], at: float, missed: int
) -> None:
    assert misses(pinged=[0, 15, 30], heard=heard, at=at) == missed


def test_a_connection_is_pinged_once_a_period_and_not_before_its_start() -> None:
    one = Pulse(period_seconds=PERIOD, pong_seconds=PONG)
    assert not one.take_due(10**9)
    one.start(7)
    pinged = [step * BEAT for step in range(400) if one.take_due(step * BEAT)]
    assert pinged == [7, 22, 37, 52, 67, 82, 97]


def test_after_a_long_absence_one_ping_is_due_and_not_all_that_were_left_out() -> None:
    one = pulse(0)
    assert one.take_due(100)
    assert not one.take_due(114.999)
    assert one.take_due(115)


def test_the_last_ping_and_the_last_sign_of_life_are_known() -> None:
    one = pulse()
    assert (one.last_ping_at, one.last_pong_at) == (None, None)
    one.pinged(3)
    one.hear(4)
    one.pinged(18)
    assert (one.last_ping_at, one.last_pong_at) == (18, 4)


def test_who_is_forgiven_begins_anew_and_has_the_whole_time_for_the_present_ping() -> None:
    one = pulse()
    one.pinged(0)
    assert one.missed(5) == 1
    one.pinged(15)
    one.forgive(19)
    assert one.missed(19) == 0
    assert one.missed(23.999) == 0
    assert one.missed(24) == 1
    one.pinged(30)
    assert one.missed(35) == 2, "one is forgiven once, not for ever"


def test_forgiving_who_owes_no_answer_makes_nobody_owe_one() -> None:
    one = pulse()
    one.forgive(0)
    assert one.missed(1000) == 0
    one.pinged(0)
    one.hear(1)
    one.forgive(2)
    assert one.missed(1000) == 0


def silent(*happenings: str) -> bool:
    """Return whether a connection is silent to which this happened, one thing a period."""
    one = pulse()
    for n, what in enumerate(happenings):
        now = n * PERIOD
        match what:
            case "miss":
                one.pinged(now)
                one.missed(now + PONG)
            case "ping":
                one.pinged(now)
            case "hear":
                one.hear(now)
            case "forgive":
                one.forgive(now)
    return one.is_silent


@pytest.mark.parametrize(
    ("happenings", "is_silent"),
    [
        ("", False),
        ("ping", False),
        ("miss", True),
        ("miss miss", True),
        ("miss hear", False),
        ("miss forgive", False),
        ("miss forgive miss", False),  # each silence is forgiven once
        ("miss forgive hear", False),
        ("miss forgive hear miss", True),
    ],
)
def test_silent_is_who_missed_a_ping_and_was_not_forgiven_since_it_was_heard(
    happenings: str, *, is_silent: bool
) -> None:
    assert silent(*happenings.split()) is is_silent


def test_news_are_pings_signs_of_life_and_misses_each_told_once() -> None:
    one = pulse()
    assert not one.take_news()
    one.pinged(0)
    assert one.take_news()
    assert not one.take_news()
    one.hear(1)
    assert one.take_news()
    one.pinged(15)
    one.take_news()
    one.missed(19)
    assert not one.take_news()
    one.missed(20)
    assert one.take_news()
    one.missed(21)
    assert not one.take_news()


@dataclass
class Model:
    """The rule said once more, the slow way."""

    row: int = 0
    open_since: float = math.inf

    def look(self, now: float) -> None:
        if now - self.open_since >= PONG:
            self.row, self.open_since = self.row + 1, math.inf


steps = st.lists(
    st.tuples(st.sampled_from(["ping", "hear", "forgive", "look"]), st.integers(0, 160)), max_size=60
)


@settings(deadline=None)
@given(steps)
def test_whatever_happens_in_whatever_order_the_misses_are_those_of_the_rule(
    happenings: list[tuple[str, int]],
) -> None:
    one, model, now = pulse(), Model(), 0.0
    for what, eighths in happenings:
        now += eighths / 8
        model.look(now)
        assert one.missed(now) == model.row
        match what:
            case "ping":
                one.pinged(now)
                model.open_since = now
            case "hear":
                one.hear(now)
                model.row, model.open_since = 0, math.inf
            case "forgive":
                one.forgive(now)
                model.row = 0
                model.open_since = now if model.open_since < math.inf else math.inf
        assert one.missed(now) == model.row
        assert one.is_silent <= (model.row > 0)
