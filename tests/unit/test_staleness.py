"""Thirty-five seconds after its last answered ping a player is stale, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.staleness import is_stale, last_sign, stale_seconds

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
PERIOD, PONG, MISSES = 15, 5, 2

moments = st.integers(-(10**14), 10**14).map(lambda us: NOON + timedelta(microseconds=us))
signs = st.lists(st.none() | moments, max_size=5)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("period", "pong", "misses", "seconds"),
    [
        (15, 5, 2, 35),
        (15, 5, 1, 20),
        (15, 5, 3, 50),
        (15, 15, 2, 45),
        (10, 2.5, 2, 22.5),
        (1.2, 0.4, 2, 2.8),
    ],
)
def test_stale_is_so_many_periods_and_one_time_to_answer_after_the_last_answered_ping(
    period: float, pong: float, misses: int, seconds: float
) -> None:
    assert stale_seconds(period_seconds=period, pong_seconds=pong, misses=misses) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("second", "is_so"),
    [
        (0, False),  # the ping that is answered
        (15, False),  # the first that is not
        (20, False),  # the first miss
        (30, False),  # the second that is not
        (34.999999, False),  # one may still answer
        (35, True),  # the second miss
        (35.000001, True),
        (41, True),
        (3600, True),
    ],
)
def test_with_pings_at_0_15_and_30_a_player_who_answered_the_first_is_stale_at_35(
    second: float, *, is_so: bool
) -> None:
    limit = stale_seconds(period_seconds=PERIOD, pong_seconds=PONG, misses=MISSES)
    assert is_stale(NOON, now=after(second), after_seconds=limit) is is_so


def test_the_time_zones_of_the_two_times_do_not_matter() -> None:
    elsewhere = timezone(timedelta(hours=-9, minutes=-30))
    assert is_stale(NOON, now=after(35).astimezone(elsewhere), after_seconds=35)
    assert not is_stale(NOON.astimezone(elsewhere), now=after(34), after_seconds=35)


@given(moments, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9))
def test_who_is_stale_stays_so_until_something_is_heard(
    sign: datetime, waited: int, more: int, limit: int
) -> None:
    now, later = (sign + timedelta(microseconds=us) for us in (waited, waited + more))
    over, still = (is_stale(sign, now=at, after_seconds=limit / 1_000_000) for at in (now, later))
    assert over == (waited >= limit)
    assert over <= still


@pytest.mark.parametrize(
    ("queued", "whole", "heard", "counts_from"),
    [
        (0, -600, [], 0),  # joined by REST, never heard from
        (0, -600, [None, None], 0),
        (0, -600, [-500.0], 0),  # heard from long before it joined
        (0, -600, [12.0], 12),
        (0, -600, [12.0, None, 31.0], 31),  # any sign will do
        (0, 40, [12.0], 40),  # the end of a fault of the service
        (0, 40, [None, 41.0], 41),
    ],
)
def test_silence_counts_from_the_latest_of_all_that_begins_it_anew(
    queued: float, whole: float, heard: list[float | None], counts_from: float
) -> None:
    sign = last_sign(
        queued_at=after(queued),
        whole_since=after(whole),
        signs=[None if second is None else after(second) for second in heard],
    )
    assert sign == after(counts_from)


@given(moments, moments, signs, st.none() | moments)
def test_one_more_sign_of_life_never_makes_anybody_stale_sooner(
    queued: datetime, whole: datetime, heard: list[datetime | None], one_more: datetime | None
) -> None:
    before = last_sign(queued_at=queued, whole_since=whole, signs=heard)
    with_it = last_sign(queued_at=queued, whole_since=whole, signs=[*heard, one_more])
    assert with_it == (before if one_more is None else max(before, one_more))
    assert before >= max(queued, whole)
    assert before in {queued, whole, *heard}
