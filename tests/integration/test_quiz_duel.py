"""A duel as a quiz: it begins when both are there, goes on by stored times, and decides its match."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.conf import settings

from matchmaking.models import Match, Pool, RatingChange
from realtime import tasks
from realtime.domain.errors import SessionFinished
from realtime.models import Answer, GameSession
from realtime.protocol.errors import Forbidden
from realtime.protocol.messages import AnswerResult
from realtime.services import participants, play
from realtime.transport.database import database_now
from tests import factories
from tests.factories import confirmed_match, queued
from tests.integration.threads import together
from tests.partying import queued_party
from tests.rooms import (
    answer,
    arrive,
    at,
    drop,
    duel_session,
    hosted_event,
    joined,
    leave,
    session_told,
    types_told,
    where,
)

pytestmark = pytest.mark.django_db
TRANSACTIONS = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])


def run(seconds: float) -> int:
    return play.run_due(now=at(seconds))


@pytest.fixture
def duel() -> GameSession:
    """The session of Ann and Bob, who have not come yet."""
    return duel_session()


@pytest.fixture
def asked(duel: GameSession) -> GameSession:
    """The same, its first question open from noon to 15 s after it."""
    arrive(duel, "ann", "bob", now=at(-3))
    assert run(0) == 1
    assert where(duel) == ("question", 1, 15)
    return duel


def scores(session: GameSession) -> dict[str, int]:
    return dict(session.participants.values_list("user_id", "score"))


# --- the lobby


def test_a_duel_begins_three_seconds_after_both_are_there(duel: GameSession) -> None:
    arrive(duel, "ann", now=at(0))
    assert where(duel) == ("lobby", 0, None)
    assert run(999) == 0
    arrive(duel, "bob", now=at(10))
    assert where(duel) == ("lobby", 0, 13)
    (update,) = session_told(duel, "game_state_update")
    assert update.data["state"] | {"ends_at": None} == {
        "phase": "lobby",
        "ends_at": None,
        "question": None,
        "correct_choice": None,
        "tally": None,
        "leaderboard": None,
    }
    assert update.data["state"]["ends_at"].startswith("2030-05-01T12:00:13")
    assert (run(12.999999), run(13)) == (0, 1)
    assert where(duel) == ("question", 1, 28)


def test_the_lobby_waits_again_when_somebody_drops_and_begins_anew_when_all_are_back(
    duel: GameSession,
) -> None:
    arrive(duel, "ann", "bob", now=at(0))
    drop(duel, "bob", now=at(2))
    assert where(duel) == ("lobby", 0, None)
    assert run(3) == 0
    assert types_told(duel)[-2:] == ["participant_temporarily_disconnected", "game_state_update"]
    arrive(duel, "bob", now=at(8), device="2")
    assert where(duel) == ("lobby", 0, 11)
    assert types_told(duel)[-2:] == ["participant_reconnected", "game_state_update"]


def test_a_question_goes_on_without_who_has_dropped(asked: GameSession) -> None:
    drop(asked, "bob", now=at(1))
    assert where(asked) == ("question", 1, 15)
    assert run(15) == 1
    assert where(asked) == ("leaderboard", 1, 19)


# --- questions


def test_a_question_is_told_without_its_answer_and_the_leaderboard_with_it(asked: GameSession) -> None:
    kept = asked.questions[0]
    told = session_told(asked)[-1].data["state"]
    assert told["question"] | {"deadline": ""} == {
        "question_id": "q1",
        "number": 1,
        "of": 5,
        "text": kept["text"],
        "choices": kept["choices"],
        "seconds": 15,
        "deadline": "",
    }
    assert told["question"]["deadline"] == told["ends_at"]
    assert (told["correct_choice"], told["tally"], told["leaderboard"]) == (None, None, None)
    answer(asked, "ann", now=at(3))
    answer(asked, "bob", right=False, now=at(6))
    told = session_told(asked)[-1].data["state"]
    assert (told["phase"], told["correct_choice"]) == ("leaderboard", kept["answer"])
    tally = [0] * len(kept["choices"])
    tally[kept["answer"]] = tally[(kept["answer"] + 1) % len(tally)] = 1
    assert told["tally"] == tally
    names = [(row["rank"], row["display_name"], row["score"]) for row in told["leaderboard"]]
    assert names == [(1, "Ann", 900), (2, "Bob", 0)]


def test_a_question_ends_at_its_deadline_and_not_a_moment_before(asked: GameSession) -> None:
    answer(asked, "ann", now=at(1))
    assert (run(14.999999), where(asked)[0]) == (0, "question")
    assert (run(15), where(asked)) == (1, ("leaderboard", 1, 19))


def test_a_question_ends_at_once_when_both_have_answered(asked: GameSession) -> None:
    answer(asked, "ann", now=at(1))
    assert where(asked) == ("question", 1, 15)
    answer(asked, "bob", now=at(2), right=False)
    assert where(asked) == ("leaderboard", 1, 6)


def test_five_questions_later_the_game_is_over(duel: GameSession) -> None:
    arrive(duel, "ann", "bob", now=at(0))
    seconds = 3.0
    for number in range(1, 6):
        assert run(seconds) == 1
        assert where(duel) == ("question", number, seconds + 15)
        answer(duel, "ann", now=at(seconds + 1.5))
        answer(duel, "bob", now=at(seconds + 3))
        assert where(duel) == ("leaderboard", number, seconds + 7)
        assert run(seconds + 6.9) == 0
        seconds += 7
    assert run(seconds) == 1
    assert where(duel) == ("finished", 5, None)
    assert scores(duel) == {"ann": 4750, "bob": 4500}
    update, over = session_told(duel)[-2:]
    assert (update.data["state"]["phase"], over.type) == ("finished", "game_over")
    standing = [(row["rank"], row["display_name"], row["score"]) for row in over.data["standing"]]
    assert standing == [(1, "Ann", 4750), (2, "Bob", 4500)]
    assert update.data["state"]["leaderboard"] == over.data["standing"] == duel.standing
    assert run(99_999) == 0


def test_the_questions_of_a_duel_are_five_different_ones(duel: GameSession) -> None:
    assert [question["id"] for question in duel.questions] == ["q1", "q2", "q3", "q4", "q5"]
    assert len({question["text"] for question in duel.questions}) == 5
    assert {question["seconds"] for question in duel.questions} == {settings.QUIZ_QUESTION_SECONDS}


# --- answers


def result(given: AnswerResult) -> tuple[bool, int | None, bool | None, int]:
    return given.accepted, given.choice, given.correct, given.score


def test_the_same_answer_twice_counts_once_and_another_one_is_refused(asked: GameSession) -> None:
    right = asked.questions[0]["answer"]
    for seconds in (3, 9, 14):
        assert result(answer(asked, "ann", now=at(seconds))) == (True, right, True, 900)
    assert result(answer(asked, "ann", now=at(14), right=False)) == (False, right, True, 900)
    assert (Answer.objects.count(), scores(asked)) == (1, {"ann": 900, "bob": 0})


def test_a_wrong_answer_is_the_one_that_counts_as_well(asked: GameSession) -> None:
    wrong = answer(asked, "ann", now=at(1), right=False)
    assert result(wrong) == (True, wrong.choice, False, 0)
    assert result(answer(asked, "ann", now=at(2))) == (False, wrong.choice, False, 0)


@pytest.mark.parametrize("seconds", [15, 15.000001, 60], ids=["on the edge", "just after", "later"])
def test_a_late_answer_is_refused_though_nobody_has_closed_the_question(
    asked: GameSession, seconds: float
) -> None:
    assert result(answer(asked, "ann", now=at(seconds))) == (False, None, None, 0)
    assert where(asked)[0] == "question"
    assert not Answer.objects.exists()


def test_an_answer_to_another_question_or_with_no_choice_of_it_is_refused(asked: GameSession) -> None:
    assert result(answer(asked, "ann", now=at(1), question_id="q2")) == (False, None, None, 0)
    given = play.answer(asked.id, "ann", question_id="q1", choice=6, now=at(1))
    assert result(given) == (False, None, None, 0)
    assert not Answer.objects.exists()


def test_who_does_not_play_cannot_answer_and_nobody_can_when_it_is_over(asked: GameSession) -> None:
    with pytest.raises(Forbidden):
        answer(asked, "mallory", now=at(1))
    play.end(asked.id, now=at(2))
    with pytest.raises(SessionFinished):
        answer(asked, "ann", now=at(3))
    with pytest.raises(SessionFinished):
        play.end(asked.id, now=at(3))


# --- the match


def played_match(duel: Pool) -> tuple[Match, GameSession]:
    """Return the confirmed match of Ann and Bob and its session, both there, at the first question."""
    for name in ("ann", "bob"):
        queued(name, duel)
    match = confirmed_match("ann", "bob")
    session = GameSession.objects.get(match_id=match.id)
    arrive(session, "ann", "bob", now=at(-3))
    run(0)
    return match, session


def outcome_of(match: Match) -> dict[str, float] | None:
    match.refresh_from_db()
    assert match.status == "FINISHED"
    if match.result is None:
        return None
    assert match.result.keys() == {"outcome", "finished_at"}
    assert match.finished_at
    assert match.finished_at == datetime.fromisoformat(match.result["finished_at"])
    assert match.result["finished_at"].endswith("Z")
    assert all(row.keys() == {"user_id", "score"} for row in match.result["outcome"])
    return {row["user_id"]: row["score"] for row in match.result["outcome"]}


def play_on(session: GameSession, seconds: float = 15) -> None:
    while where(session)[0] != "finished":
        run(seconds)
        seconds += 15


@pytest.fixture
def pool(db: None) -> Pool:
    return Pool.objects.create(tenant_id="demo", key="duel", name="Duel")


def test_the_better_one_has_won_the_match_and_both_may_queue_again(pool: Pool) -> None:
    match, session = played_match(pool)
    answer(session, "bob", now=at(1))
    play_on(session)
    assert outcome_of(match) == {"ann": 0, "bob": 1}
    assert [queued(name, pool).status for name in ("ann", "bob")] == ["SEARCHING"] * 2


def test_equal_scores_are_a_draw(pool: Pool) -> None:
    match, session = played_match(pool)
    for name in ("ann", "bob"):
        answer(session, name, now=at(1))
    play_on(session)
    assert outcome_of(match) == {"ann": 0.5, "bob": 0.5}


def test_who_leaves_has_lost_though_ahead_in_points(pool: Pool) -> None:
    match, session = played_match(pool)
    answer(session, "ann", now=at(1))
    leave(session, "ann", now=at(2))
    assert scores(session) == {"ann": 1000 - 33, "bob": 0}
    assert outcome_of(match) == {"ann": 0, "bob": 1}
    assert [row["display_name"] for row in session_told(session, "game_over")[0].data["standing"]] == [
        "Bob",
        "Ann",
    ]


def test_whose_grace_period_runs_out_has_lost(pool: Pool) -> None:
    match, session = played_match(pool)
    answer(session, "ann", now=at(1))
    drop(session, "ann", now=at(2))
    assert participants.expire_grace(now=at(32)) == 1
    assert outcome_of(match) == {"ann": 0, "bob": 1}


def test_when_nobody_is_left_the_match_has_no_result(pool: Pool) -> None:
    match, session = played_match(pool)
    drop(session, "ann", "bob", now=at(2))
    assert participants.expire_grace(now=at(32)) == 2
    assert outcome_of(match) is None


# --- whoever runs it, and however often


@TRANSACTIONS
def test_many_runs_at_once_go_on_once() -> None:
    session = duel_session()
    arrive(session, "ann", "bob", now=at(-3))
    for seconds in (0, 15, 19):
        before = len(types_told(session))
        ran = together(*[partial(run, seconds)] * 5)
        assert sum(1 for each in ran if each == 1) == 1, ran
        assert sum(1 for each in ran if each == 0) == 4, ran
        assert len(types_told(session)) == before + 1
        assert run(seconds) == 0


@TRANSACTIONS
@pytest.mark.parametrize("_again", range(5))
def test_the_last_answers_of_both_at_once_close_the_question_once(_again: int) -> None:
    session = duel_session()
    arrive(session, "ann", "bob", now=at(-3))
    run(0)
    before = types_told(session)
    given = together(
        lambda: answer(session, "ann", now=at(5)),
        lambda: answer(session, "bob", now=at(5)),
        lambda: answer(session, "bob", now=at(5)),
    )
    assert all(isinstance(each, AnswerResult) and each.accepted for each in given), given
    assert where(session) == ("leaderboard", 1, 9)
    assert types_told(session) == [*before, "game_state_update"]
    assert scores(session) == {"ann": 833, "bob": 833}


def test_a_game_that_fails_stops_no_other(duel: GameSession) -> None:
    broken = duel_session("cat", "dan")
    for session, names in ((broken, ("cat", "dan")), (duel, ("ann", "bob"))):
        arrive(session, *names, now=at(-3))
    GameSession.objects.filter(id=broken.id).update(questions=[{"nonsense": 1}])
    assert run(0) == 1
    assert (where(broken)[0], where(duel)[0]) == ("lobby", "question")


def test_an_event_that_nobody_ends_is_ended_after_four_hours() -> None:
    event = hosted_event(now=at(0))
    joined(event, "ann", now=at(0))
    hours = settings.MAX_GAME_SECONDS
    assert (run(hours - 0.001), where(event)[0]) == (0, "lobby")
    assert (run(hours), where(event)[0]) == (1, "finished")
    assert types_told(event)[-1] == "game_over"
    assert run(hours + 1) == 0


def test_the_task_finds_by_the_databases_clock_what_is_due(duel: GameSession) -> None:
    arrive(duel, "ann", "bob", now=database_now() - timedelta(seconds=4))
    tasks.run_games()
    assert where(duel)[0] == "question"


# --- more than two


def test_four_play_a_quiz_and_each_has_its_points(db: None) -> None:
    names = ("ann", "bob", "cat", "dan")
    session = duel_session(*names)
    arrive(session, *names[:3], now=at(-4))
    assert where(session)[0] == "lobby"
    arrive(session, "dan", now=at(-3))
    assert run(0) == 1
    for name in names[:3]:
        answer(session, name, now=at(1), right=name == "ann")
        assert where(session)[0] == "question"
    answer(session, "dan", now=at(1))
    assert where(session)[0] == "leaderboard"
    assert len(scores(session)) == 4


def test_a_game_of_four_goes_on_until_one_is_left(db: None) -> None:
    names = ("ann", "bob", "cat", "dan")
    session = duel_session(*names)
    arrive(session, *names, now=at(-3))
    run(0)
    for name in names[:2]:
        leave(session, name, now=at(1))
        assert where(session)[0] == "question"
    leave(session, "cat", now=at(2))
    assert where(session)[0] == "finished"
    assert session_told(session)[-1].data["standing"][0]["display_name"] == "Dan"


def test_the_lobby_of_four_does_not_wait_for_who_has_left(db: None) -> None:
    names = ("ann", "bob", "cat", "dan")
    session = duel_session(*names)
    arrive(session, *names[:3], now=at(0))
    assert where(session) == ("lobby", 0, None)
    leave(session, "dan", now=at(5))
    assert where(session) == ("lobby", 0, 8)


def test_the_team_with_more_points_has_won(db: None) -> None:
    twos = factories.pool("twos", team_size=2)
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    match = confirmed_match("ann", "bob", "cat", "dan")
    session = GameSession.objects.get(match_id=match.id)
    started = session.started_at
    assert started is not None
    arrive(session, "ann", "bob", "cat", "dan", now=started)
    session.participants.filter(user_id="ann").update(score=1000)
    session.participants.filter(user_id__in=["cat", "dan"]).update(score=600)
    play.end(session.id, now=started + timedelta(seconds=5))
    match.refresh_from_db()
    assert match.result is not None
    assert {o["user_id"]: o["score"] for o in match.result["outcome"]} == {
        "ann": 1000,
        "bob": 0,
        "cat": 600,
        "dan": 600,
    }
    won = {change.user_id: change.score for change in RatingChange.objects.all()}
    assert won == {"ann": 0, "bob": 0, "cat": 1, "dan": 1}
