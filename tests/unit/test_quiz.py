"""The quiz as a state machine: when a phase ends, what an answer is worth, and who stands where."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.domain.quiz import (
    FULL_POINTS,
    Phase,
    Place,
    Player,
    Question,
    Quiz,
    Verdict,
    following,
    gathered,
    is_due,
    judge,
    open_question,
    points_for,
    standing,
)
from realtime.protocol import parts

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
QUESTIONS = [
    Question(id="q1", text="Which?", choices=("this", "that", "neither"), answer=1, seconds=10),
    Question(id="q2", text="And now?", choices=("this", "that"), answer=0, seconds=20),
]
ASKED = Quiz(phase=Phase.QUESTION, number=1, began_at=NOON, ends_at=NOON + timedelta(seconds=10))


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def answered(choice: int, *, at: float = 0, earlier: int | None = None, question_id: str = "q1") -> Verdict:
    now = NOON + seconds(at)
    return judge(ASKED, QUESTIONS, question_id=question_id, choice=choice, earlier=earlier, now=now)


# --- phases


def test_the_phases_are_those_of_the_protocol() -> None:
    assert {phase.value for phase in Phase} == set(get_args(parts.Phase))


@pytest.mark.parametrize(
    ("after_the_end", "due"),
    [(-MOMENT, False), (timedelta(), True), (MOMENT, True)],
    ids=["just before", "on the edge", "just after"],
)
def test_a_phase_is_due_from_the_moment_of_its_end(after_the_end: timedelta, *, due: bool) -> None:
    assert ASKED.ends_at
    assert is_due(ASKED, now=ASKED.ends_at + after_the_end) is due


def test_a_phase_without_an_end_and_a_game_that_is_over_are_never_due() -> None:
    assert not is_due(Quiz(), now=NOON)
    assert not is_due(replace(ASKED, phase=Phase.FINISHED), now=NOON + seconds(99))


def test_the_lobby_ends_soon_after_all_are_there_and_waits_again_when_one_is_not() -> None:
    waiting = gathered(Quiz(), are_all_here=False, lobby_seconds=3, now=NOON)
    assert waiting == Quiz()
    ending = gathered(waiting, are_all_here=True, lobby_seconds=3, now=NOON)
    assert ending == Quiz(ends_at=NOON + seconds(3))
    assert gathered(ending, are_all_here=True, lobby_seconds=3, now=NOON + seconds(1)) == ending
    assert gathered(ending, are_all_here=False, lobby_seconds=3, now=NOON + seconds(1)) == Quiz()


@pytest.mark.parametrize("are_all_here", [True, False])
def test_nobody_who_comes_or_goes_moves_a_question(*, are_all_here: bool) -> None:
    assert gathered(ASKED, are_all_here=are_all_here, lobby_seconds=3, now=NOON) == ASKED


def test_a_quiz_goes_through_its_questions_and_ends() -> None:
    quiz, now, told = Quiz(), NOON, []
    while quiz.phase != Phase.FINISHED:
        now += seconds(1)
        quiz = following(quiz, QUESTIONS, leaderboard_seconds=4, now=now)
        told.append((quiz.phase.value, quiz.number, quiz.ends_at and (quiz.ends_at - now).total_seconds()))
        assert quiz.began_at == now
    assert told == [
        ("question", 1, 10),
        ("leaderboard", 1, 4),
        ("question", 2, 20),
        ("leaderboard", 2, 4),
        ("finished", 2, None),
    ]
    assert following(quiz, QUESTIONS, leaderboard_seconds=4, now=now) == quiz


def test_a_leaderboard_without_seconds_waits_for_somebody_to_go_on() -> None:
    assert following(ASKED, QUESTIONS, leaderboard_seconds=None, now=NOON).ends_at is None


def test_a_quiz_without_questions_is_over_at_once() -> None:
    assert following(Quiz(), [], leaderboard_seconds=4, now=NOON).phase == Phase.FINISHED


# --- answers


@pytest.mark.parametrize(
    ("after", "points"),
    [(-1, 1000), (0, 1000), (5, 750), (9.99, 500), (10, 500), (99, 500)],
)
def test_a_right_answer_is_worth_all_at_once_and_half_at_the_last_moment(after: float, points: int) -> None:
    assert points_for(seconds=after, of_seconds=10) == points


@settings(deadline=None)
@given(st.floats(-100, 1000), st.floats(0, 1000), st.floats(1, 300))
def test_who_is_slower_never_gets_more(sooner: float, more: float, of_seconds: float) -> None:
    fast, slow = (points_for(seconds=s, of_seconds=of_seconds) for s in (sooner, sooner + more))
    assert FULL_POINTS / 2 <= slow <= fast <= FULL_POINTS


def test_a_right_answer_counts_by_its_time_and_a_wrong_one_for_nothing() -> None:
    assert answered(1) == Verdict(is_accepted=True, is_new=True, is_correct=True, points=1000)
    assert answered(1, at=5).points == 750
    assert answered(0) == Verdict(is_accepted=True, is_new=True)


def test_an_answer_from_before_the_question_by_another_clock_is_worth_all_and_no_more() -> None:
    assert answered(1, at=-3).points == 1000
    endless = replace(ASKED, began_at=None)
    assert judge(endless, QUESTIONS, question_id="q1", choice=1, earlier=None, now=NOON).points == 1000


@pytest.mark.parametrize(("at", "accepted"), [(9.999999, True), (10, False), (10.000001, False)])
def test_an_answer_on_the_deadline_is_late(at: float, *, accepted: bool) -> None:
    assert answered(1, at=at).is_accepted is accepted


def test_the_same_answer_again_is_accepted_at_any_time_and_counts_once() -> None:
    assert answered(1, earlier=1) == answered(1, earlier=1, at=99) == Verdict(is_accepted=True)


def test_another_answer_after_the_first_is_refused() -> None:
    assert answered(1, earlier=0) == Verdict(is_accepted=False)


def test_a_choice_that_is_none_and_a_question_that_is_not_open_are_refused() -> None:
    assert answered(3) == answered(1, question_id="q2") == Verdict(is_accepted=False)
    for phase in (Phase.LOBBY, Phase.LEADERBOARD, Phase.FINISHED):
        assert open_question(replace(ASKED, phase=phase), QUESTIONS, now=NOON) is None
    assert open_question(ASKED, QUESTIONS, now=NOON) == QUESTIONS[0]


# --- standing


def player(name: str, score: int, *, is_last: bool = False) -> Player:
    return Player(id=name, name=name.title(), score=score, is_last=is_last)


def ranks(*players: Player) -> list[tuple[int, str]]:
    return [(place.rank, place.player.id) for place in standing(players)]


def test_equal_scores_share_a_rank_and_the_next_one_counts_those_above() -> None:
    found = ranks(player("dan", 5), player("cat", 7), player("bob", 7), player("ann", 9), player("eve", 5))
    assert found == [(1, "ann"), (2, "bob"), (2, "cat"), (4, "dan"), (4, "eve")]


def test_who_is_last_is_behind_all_others_whatever_the_score() -> None:
    assert ranks(player("ann", 900, is_last=True), player("bob", 0)) == [(1, "bob"), (2, "ann")]
    assert ranks(player("ann", 9, is_last=True), player("bob", 9, is_last=True)) == [(1, "ann"), (1, "bob")]


def test_nobody_stands_nowhere() -> None:
    assert standing([]) == []


PLAYERS = st.lists(
    st.builds(
        Player,
        id=st.uuids().map(str),
        name=st.sampled_from(["Ann", "Bob", "Cat"]),
        score=st.integers(0, 3),
        is_last=st.booleans(),
    ),
    unique_by=lambda each: each.id,
    max_size=8,
)


@settings(deadline=None)
@given(PLAYERS, st.randoms(use_true_random=False))
def test_a_standing_does_not_depend_on_the_order_of_the_players(
    players: list[Player], chance: random.Random
) -> None:
    places = standing(players)
    assert standing(chance.sample(players, len(players))) == places
    assert sorted(place.player.id for place in places) == sorted(each.id for each in players)


@settings(deadline=None)
@given(PLAYERS)
def test_a_rank_is_one_more_than_there_are_players_better(players: list[Player]) -> None:
    def is_better(one: Player, other: Player) -> bool:
        return (one.is_last, -one.score) < (other.is_last, -other.score)

    for place in standing(players):
        assert place == Place(1 + sum(is_better(each, place.player) for each in players), place.player)


# --- whole games

ANSWERS = st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 4), st.sampled_from(["q1", "q2", "q3"]))
STEPS = st.lists(st.tuples(st.floats(0, 30), st.none() | ANSWERS), max_size=40)


@settings(deadline=None)
@given(STEPS)
def test_any_game_ends_and_a_score_is_the_sum_of_its_points(
    steps: list[tuple[float, tuple[str, int, str] | None]],
) -> None:
    """Answers come whenever they like, and somebody looks only now and then."""
    quiz, now = gathered(Quiz(), are_all_here=True, lobby_seconds=3, now=NOON), NOON
    given_answers: dict[tuple[str, str], tuple[int, int]] = {}
    scores = {"ann": 0, "bob": 0}
    numbers = [quiz.number]
    for wait, answer in [*steps, *[(60.0, None)] * 6]:
        now += seconds(wait)
        if answer is None:
            if is_due(quiz, now=now):
                quiz = following(quiz, QUESTIONS, leaderboard_seconds=4, now=now)
                numbers.append(quiz.number)
            continue
        name, choice, question_id = answer
        earlier = given_answers.get((name, question_id), (None, 0))[0]
        verdict = judge(quiz, QUESTIONS, question_id=question_id, choice=choice, earlier=earlier, now=now)
        if verdict.is_new:
            assert earlier is None
            given_answers[name, question_id] = choice, verdict.points
            scores[name] += verdict.points
    assert quiz.phase == Phase.FINISHED
    assert not is_due(quiz, now=now + seconds(10**6))
    assert numbers == sorted(numbers)
    assert quiz.number == len(QUESTIONS)
    right = {question.id: question.answer for question in QUESTIONS}
    for name, score in scores.items():
        points = {key: worth for (who, key), (_, worth) in given_answers.items() if who == name}
        choices = {key: choice for (who, key), (choice, _) in given_answers.items() if who == name}
        assert score == sum(points.values()) <= FULL_POINTS * len(QUESTIONS)
        assert {key for key, worth in points.items() if worth} == {
            key for key, choice in choices.items() if choice == right[key]
        }
