"""Twenty frames a second for as long as one likes, and forty at once."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.transport.throttle import TokenBucket

RATE, BURST = 20, 40
START = 1000.0

# In steps of 1/1024 s every sum and product here is exact, so that a float says what a fraction says.
pauses = st.lists(st.integers(0, 3 * 1024) | st.integers(0, 60), max_size=200)


def bucket() -> TokenBucket:
    return TokenBucket(rate=RATE, burst=BURST, now=START)


def times_of(steps: list[int]) -> list[Fraction]:
    return [Fraction(step, 1024) for step in accumulate(steps)]


def taken(steps: list[int]) -> list[bool]:
    frames = bucket()
    return [frames.take(START + float(time)) for time in times_of(steps)]


@settings(deadline=None)
@given(pauses)
def test_in_any_span_of_time_no_more_than_the_burst_and_the_rate_get_through(steps: list[int]) -> None:
    through = [time for time, ok in zip(times_of(steps), taken(steps), strict=True) if ok]
    for first, begin in enumerate(through):
        for last in range(first, len(through)):
            assert last - first + 1 <= BURST + RATE * (through[last] - begin)


@settings(deadline=None)
@given(pauses)
def test_nobody_is_refused_while_there_is_one_left(steps: list[int]) -> None:
    left, filled_at = Fraction(BURST), Fraction(0)
    for time, ok in zip(times_of(steps), taken(steps), strict=True):
        left, filled_at = min(Fraction(BURST), left + (time - filled_at) * RATE), time
        assert ok == (left >= 1)
        left -= ok


def test_forty_at_once_get_through_and_the_next_one_does_not() -> None:
    frames = bucket()
    assert [frames.take(START) for _ in range(41)] == [True] * 40 + [False]


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e6])
def test_twenty_a_second_get_through_for_an_hour(offset: float) -> None:
    frames = TokenBucket(rate=RATE, burst=BURST, now=offset)
    assert all(frames.take(offset + frame / RATE) for frame in range(3600 * RATE))


def test_twenty_five_a_second_get_through_until_the_burst_is_used_up() -> None:
    frames = bucket()
    refused_after = next(n for n in range(1000) if not frames.take(START + n / 25))
    assert refused_after == pytest.approx((BURST - 1) / (1 - RATE / 25), abs=1)


def test_a_refusal_costs_nothing_and_a_pause_fills_the_bucket_to_the_brim_and_no_further() -> None:
    frames = bucket()
    for _ in range(1000):
        frames.take(START)
    assert not frames.take(START + 1 / 32)
    assert frames.take(START + 1 / 16)
    assert not frames.take(START + 1 / 16)
    assert sum(frames.take(START + 3600) for _ in range(100)) == BURST
