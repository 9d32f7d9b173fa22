"""A result that was not taken in is told again, ever more rarely, and never given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.reports import report_pause_seconds


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(0, 10), (1, 20), (2, 40), (3, 80), (4, 160), (5, 320), (6, 600), (7, 600), (10**6, 600)],
)
def test_pauses_double_up_to_ten_minutes(tries: int, seconds: float) -> None:
    assert report_pause_seconds(tries) == seconds


@given(st.integers(0, 10**9))
def test_no_pause_is_shorter_than_the_one_before(tries: int) -> None:
    assert report_pause_seconds(tries) <= report_pause_seconds(tries + 1)
