"""Where the questions of events and duels come from: the set that comes along, and a tenant's own."""

from typing import Any

import pytest

from realtime.models import GameSession, QuestionSet
from realtime.services.question_sets import for_event
from tests.factories import Rest
from tests.rooms import duel_session

pytestmark = pytest.mark.django_db

OWN = [{"text": f"Own {n}?", "choices": ["a", "b"], "answer": 1} for n in range(3)]


def question_set(key: str, questions: Any = OWN, *, tenant_id: str = "demo", **columns: Any) -> QuestionSet:
    return QuestionSet.objects.create(
        tenant_id=tenant_id, key=key, title=key.title(), questions=questions, **columns
    )


def texts(session: GameSession) -> list[str]:
    return [question["text"] for question in session.questions]


def host(**wanted: Any) -> tuple[int, Any]:
    answer = Rest("hanna").post("/sessions", {"title": "Quiz", **wanted})
    return answer.status, answer.body


def test_a_host_may_choose_from_the_set_that_comes_along_and_the_tenants_own(db: None) -> None:
    question_set("capitals")
    question_set("secret", tenant_id="acme")
    listed = Rest("hanna").get("/sessions/question-sets").body
    assert listed["next"] is None
    general, capitals = listed["results"]
    assert (general["key"], general["questions"]) == ("general", 30)
    assert capitals == {"key": "capitals", "title": "Capitals", "questions": 3}
    assert Rest().get("/sessions/question-sets").refusal == (401, "unauthorized")


def test_an_event_asks_all_of_a_set_in_its_order() -> None:
    question_set("capitals")
    assert host(question_set="capitals")[0] == 201
    assert texts(GameSession.objects.get()) == ["Own 0?", "Own 1?", "Own 2?"]
    assert [question["seconds"] for question in GameSession.objects.get().questions] == [15, 15, 15]


def test_without_a_word_an_event_asks_what_comes_along() -> None:
    assert host()[0] == host(question_set="general")[0] == 201
    one, other = GameSession.objects.all()
    assert texts(one) == texts(other)
    assert len(texts(one)) == 30


def test_a_tenants_own_general_set_is_meant_by_that_name() -> None:
    question_set("general")
    host(question_set="general")
    assert texts(GameSession.objects.get()) == ["Own 0?", "Own 1?", "Own 2?"]


def test_another_tenants_set_is_none() -> None:
    question_set("secret", tenant_id="acme")
    status, body = host(question_set="secret")
    assert (status, list(body["errors"])) == (400, ["question_set"])


@pytest.mark.parametrize(
    "questions",
    [[], [{"text": "?"}], [{**OWN[0], "answer": 5}], {"text": "?"}, 5, "all"],
    ids=["empty", "half", "wrong answer", "an object", "a number", "a text"],
)
def test_a_broken_set_is_refused_to_its_host_and_hurts_nobody_else(questions: Any) -> None:
    question_set("broken", questions)
    status, body = host(question_set="broken")
    assert (status, body["code"]) == (400, "invalid_request")
    assert all(text for texts_ in body["errors"].values() for text in texts_)
    assert host()[0] == 201


def test_duels_of_a_tenant_draw_from_its_own_set() -> None:
    question_set("ours", is_for_duels=True)
    question_set("not-for-duels", [{**OWN[0], "text": "Never?"}])
    assert sorted(texts(duel_session())) == ["Own 0?", "Own 1?", "Own 2?"], "as many as there are"
    assert not set(texts(duel_session(tenant_id="acme"))) & {"Own 0?", "Own 1?", "Own 2?"}


def test_duels_draw_different_questions_every_time() -> None:
    assert len({tuple(texts(duel_session())) for _ in range(6)}) > 1


def test_where_a_tenants_set_for_duels_is_broken_duels_play_with_the_built_in_one() -> None:
    built_in = {question["text"] for question in for_event("demo", None)}
    question_set("broken", [{"text": "?"}], is_for_duels=True)
    assert set(texts(duel_session())) <= built_in
