"""How long a ticket will wait: the mean of its band of ratings, or of everybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.estimates import BAND_POINTS, ENOUGH, band_of, usual_waits

ratings = st.floats(-3000, 5000)
waits = st.floats(0, 600)
recents = st.lists(st.tuples(ratings, waits), max_size=40)


def band(rating: float, *waits: float) -> list[tuple[float, float]]:
    return [(rating, wait) for wait in waits]


@pytest.mark.parametrize(
    ("rating", "lower_edge"),
    [(0, 0), (199.9, 0), (200, 200), (1500, 1400), (1599.99, 1400), (1600, 1600), (-0.1, -200), (-200, -200)],
)
def test_a_band_begins_at_its_lower_edge(rating: float, lower_edge: int) -> None:
    assert band_of(rating) == lower_edge


@given(ratings)
def test_a_rating_lies_in_its_band(rating: float) -> None:
    assert 0 <= rating - band_of(rating) <= BAND_POINTS
    assert band_of(rating) % BAND_POINTS == 0


def test_nothing_is_known_where_nobody_was_matched() -> None:
    assert usual_waits([], [1500, 900]) == [None, None]


def test_a_band_with_enough_waits_speaks_for_itself() -> None:
    recent = band(1450, *[10.0] * ENOUGH) + band(2100, *[100.0] * ENOUGH)
    assert usual_waits(recent, [1599, 2199, 1400, 1600]) == [10, 100, 10, 55]


def test_a_band_with_too_few_waits_is_told_what_everybody_waits() -> None:
    few = band(2100, *[100.0] * (ENOUGH - 1))
    recent = band(1450, *[10.0] * ENOUGH) + few
    everybody = (10 * ENOUGH + 100 * (ENOUGH - 1)) / (2 * ENOUGH - 1)
    assert usual_waits(recent, [1500, 2100]) == [10, pytest.approx(everybody)]


def test_nobody_to_estimate_is_nothing() -> None:
    assert usual_waits(band(1500, 3), []) == []


@given(recents, st.lists(ratings, max_size=5))
def test_an_estimate_is_the_mean_of_those_whom_one_would_pick_out_by_hand(
    recent: list[tuple[float, float]], asked: list[float]
) -> None:
    for rating, found in zip(asked, usual_waits(recent, asked), strict=True):
        alike = [wait for other, wait in recent if band_of(other) == band_of(rating)]
        chosen = alike if len(alike) >= ENOUGH else [wait for _, wait in recent]
        assert found == (pytest.approx(sum(chosen) / len(chosen)) if chosen else None)


@given(recents.filter(bool), ratings)
def test_an_estimate_is_no_wait_that_nobody_had(recent: list[tuple[float, float]], rating: float) -> None:
    (found,) = usual_waits(recent, [rating])
    assert found is not None
    every = [wait for _, wait in recent]
    assert min(every) - 1e-9 <= found <= max(every) + 1e-9
