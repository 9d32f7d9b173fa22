"""Answers that had to wait for their turn count as of when they came."""

import pytest

from realtime.models import GameSession
from realtime.protocol.messages import AnswerResult
from realtime.services import play
from tests.rooms import QUESTIONS, at, hosted_event, joined

pytestmark = pytest.mark.django_db
SECONDS = float(str(QUESTIONS[0]["seconds"]))


def answered(event: GameSession, name: str, *, age_seconds: float, seconds: float) -> AnswerResult:
    """Let somebody join, and answer rightly; what was sent is looked at so many seconds into the question."""
    place = joined(event, name, now=at(0))
    return play.answer(
        event.id, place.participant_id, question_id="q1", choice=1, age_seconds=age_seconds, now=at(seconds)
    )


@pytest.fixture
def event() -> GameSession:
    made = hosted_event(now=at(0))
    joined(made, "somebody who never answers", now=at(0))
    play.go_on(made.id, seen=None, now=at(0))
    return made


def test_who_waited_for_its_turn_has_the_points_of_who_did_not(event: GameSession) -> None:
    at_once = answered(event, "ann", age_seconds=0, seconds=2)
    in_turn = answered(event, "bob", age_seconds=5, seconds=7)
    assert in_turn.score == at_once.score == 900


def test_an_answer_in_time_counts_though_its_turn_comes_after_the_deadline(event: GameSession) -> None:
    assert answered(event, "ann", age_seconds=1, seconds=SECONDS + 0.5).accepted
    assert not answered(event, "bob", age_seconds=0.4, seconds=SECONDS + 0.5).accepted
