"""How even a pair is: one for equals, and less with every point between them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaking.domain.quality import evenness

ratings = st.floats(-1e9, 1e9)


@pytest.mark.parametrize(
    ("gap", "quality"),
    [(0, 1), (100, 0.7199), (200, 0.4805), (400, 2 / 11), (800, 2 / 101), (1200, 2 / 1001)],
)
def test_the_quality_is_twice_the_expected_score_of_the_weaker(gap: float, quality: float) -> None:
    assert evenness(1500, 1500 + gap) == pytest.approx(quality, abs=1e-4)


@settings(deadline=None)
@given(ratings, ratings)
def test_the_quality_is_the_same_from_both_sides_and_between_nothing_and_one(a: float, b: float) -> None:
    assert evenness(a, b) == evenness(b, a)
    assert 0 < evenness(a, b) <= 1
    assert evenness(a, a) == 1


@settings(deadline=None)
@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_wider_gap_is_never_more_even(gap: float, more: float) -> None:
    assert evenness(0, gap) >= evenness(0, gap + more)


@pytest.mark.parametrize("gap", [40_000, 1e6, 1e308])
def test_a_gap_past_all_reason_is_no_error(gap: float) -> None:
    assert 0 < evenness(0, gap) < 1e-90
