"""When a duel is over because somebody left, and what its standing is worth."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.domain.duels import is_decided, scores_won, shares_won
from realtime.domain.participants import ConnectionState
from realtime.domain.quiz import Player, standing

HERE = ConnectionState.CONNECTED
AWAY = ConnectionState.TEMPORARILY_DISCONNECTED
GONE = ConnectionState.DISCONNECTED

# Of each pair of states: whether the duel is over after a grace period, and after somebody walked out.
DECIDED = {
    (HERE, HERE): (False, False),
    (HERE, AWAY): (False, False),
    (AWAY, AWAY): (False, False),
    (HERE, GONE): (True, True),
    (AWAY, GONE): (False, True),
    (GONE, GONE): (True, True),
}


def test_a_duel_is_over_when_somebody_is_left_to_win_it_or_nobody_can() -> None:
    for states in product(ConnectionState, ConnectionState):
        expected = DECIDED.get(states) or DECIDED[states[1], states[0]]
        assert (
            is_decided(states, has_walked_out=False),
            is_decided(states, has_walked_out=True),
        ) == expected, states


def test_who_is_alone_from_the_beginning_plays_alone() -> None:
    assert not is_decided([HERE], has_walked_out=False)
    assert is_decided([GONE], has_walked_out=True)


def shares(*scores: int, gone: int | None = None) -> list[float]:
    places = standing(
        [
            Player(id=str(index), name="Ann", score=score, is_last=index == gone)
            for index, score in enumerate(scores)
        ]
    )
    won = shares_won(places)
    return [won[str(index)] for index in range(len(scores))]


@pytest.mark.parametrize(
    ("scores", "won"),
    [
        ((7, 3), [1, 0]),
        ((3, 7), [0, 1]),
        ((5, 5), [0.5, 0.5]),
        ((9, 5, 5, 1), [1, 0.5, 0.5, 0]),
        ((4,), [0]),
        ((), []),
    ],
    ids=["won", "lost", "draw", "four", "alone", "nobody"],
)
def test_a_win_is_one_a_draw_a_half_and_a_loss_nothing(scores: tuple[int, ...], won: list[float]) -> None:
    assert shares(*scores) == won


def scores(*points: int, gone: int | None = None) -> list[float]:
    places = standing(
        [
            Player(id=str(index), name="Ann", score=score, is_last=index == gone)
            for index, score in enumerate(points)
        ]
    )
    won = scores_won(places)
    return [won[str(index)] for index in range(len(points))]


def test_of_two_the_share_counts_and_of_more_the_points_that_teams_add_up() -> None:
    assert scores(900, 450) == [1, 0]
    assert scores(900, 0, 500, 500) == [900, 0, 500, 500]


def test_who_left_a_game_of_several_has_less_than_anybody_who_stayed() -> None:
    assert scores(900, 0, 0, 0, gone=0) == [-1, 0, 0, 0]


def test_who_left_has_lost_though_ahead() -> None:
    assert shares(9, 0, gone=0) == [0, 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6))
def test_half_of_what_there_is_to_win_is_won(scores: list[int]) -> None:
    assert sum(shares(*scores)) == pytest.approx(len(scores) / 2)
