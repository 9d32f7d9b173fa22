"""Who takes a place in a running match: the longest waiting that fits, and nobody is passed over for it."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.backfill import Candidate, Vacancy, filled

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def vacancy(number: int = 1, *, age: float = 60, **values: Any) -> Vacancy:
    usual: dict[str, Any] = {"rating": 1500.0, "window": 100.0, "mode": 1, "players": frozenset({"ann"})}
    return Vacancy(id=UUID(int=number), age_from=ago(age), **(usual | values))


def candidate(name: str, *, age: float = 1, meets: float | None = None, **values: Any) -> Candidate:
    usual: dict[str, Any] = {"rating": 1500.0, "window": 100.0, "max_gap": math.inf, "modes": 3}
    would_meet = None if meets is None else ago(meets)
    identity: dict[str, Any] = {"ticket_id": UUID(int=hash(name) % 2**64), "user_id": name}
    return Candidate(age_from=ago(age), would_meet=would_meet, **(usual | identity | values))


def names(vacancies: list[Vacancy], candidates: list[Candidate]) -> list[str | None]:
    found = filled(vacancies, candidates, rule="both")
    return [found[each.id].user_id if each.id in found else None for each in vacancies]


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({}, True),
        ({"rating": 1601}, False),
        ({"rating": 1600}, True),
        ({"rating": 1600, "max_gap": 99}, False),
        ({"foes": frozenset({"ann"})}, False),
        ({"foes": frozenset({"zoe"})}, True),
        ({"user_id": "ann"}, False),
        ({"modes": 2}, False),
        ({"meets": 59}, True),
        ({"meets": 60}, False),
        ({"meets": 61}, False),
    ],
)
def test_who_may_come(values: dict[str, Any], fits: bool) -> None:
    one = candidate("cas", **values)
    assert names([vacancy()], [one]) == [one.user_id if fits else None]


def test_who_is_left_over_comes_before_whoever_would_meet_somebody() -> None:
    assert names([vacancy()], [candidate("dan", age=50, meets=50), candidate("cas", age=1)]) == ["cas"]


def test_each_place_is_filled_once_and_each_player_fills_one() -> None:
    two = [candidate("cas", age=9), candidate("dan", age=5)]
    assert names([vacancy(1), vacancy(2), vacancy(3)], two) == ["cas", "dan", None]


@given(
    st.lists(st.tuples(st.floats(1, 500), st.floats(1200, 1800), st.none() | st.floats(1, 500)), max_size=12),
    st.lists(st.tuples(st.floats(1, 500), st.floats(1200, 1800)), max_size=4),
)
def test_nobody_older_than_the_place_loses_a_match_to_it(
    waiting: list[tuple[float, float, float | None]], places: list[tuple[float, float]]
) -> None:
    vacancies = [vacancy(i, age=age, rating=r) for i, (age, r) in enumerate(sorted(places, reverse=True))]
    candidates = [
        candidate(f"p{i}", age=age, rating=rating, meets=meets)
        for i, (age, rating, meets) in enumerate(sorted(waiting, key=lambda each: -each[0]))
    ]
    found = filled(vacancies, candidates, rule="both")
    assert len({one.user_id for one in found.values()}) == len(found)
    for each in vacancies:
        one = found.get(each.id)
        if one is not None:
            assert abs(one.rating - each.rating) <= 100
            assert one.would_meet is None or one.would_meet > each.age_from
