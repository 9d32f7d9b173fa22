"""Hosted events over REST: making one, its pace, its end, and who may do and see what."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from realtime.models import GameSession
from realtime.protocol.parts import Joined
from realtime.services import play
from realtime.transport.auth import participant_token
from realtime.transport.database import database_now
from tests.factories import Rest
from tests.rooms import (
    ParticipantRest,
    answer,
    arrive,
    drop,
    hosted_event,
    joined,
    leave,
    session_told,
    types_told,
    where,
)

pytestmark = pytest.mark.django_db

HOST_ROUTES = ["lock", "unlock", "next", "finish"]
INLINE = [{"text": "Which?", "choices": ["this", "that"], "answer": 1, "seconds": 5}]


@pytest.fixture
def event(db: None) -> GameSession:
    """The event that Hanna hosts."""
    return hosted_event("hanna")


@pytest.fixture
def ann(event: GameSession) -> Joined:
    """Ann's place in it."""
    return joined(event, "ann")


def path(session: GameSession, route: str = "") -> str:
    return f"/sessions/{session.id}{'/' if route else ''}{route}"


HANNA = "hanna"

# --- making one


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_host_makes_an_event_and_sees_it_whole(base: str, db: None) -> None:
    made = Rest(HANNA, base=base).post("/sessions", {"title": "  Quiz   night ", "questions": INLINE})
    assert made.status == 201
    session = GameSession.objects.get()
    code = session.join_code
    assert code
    assert made.body["session"].pop("created_at").endswith("Z")
    link = f"{settings.PUBLIC_URL}/join/{code}"
    assert made.body == {
        "session_id": str(session.id),
        "join_code": code,
        "join_url": link,
        "session": {
            "session_id": str(session.id),
            "kind": "event",
            "title": "Quiz night",
            "match_id": None,
            "join_code": code,
            "join_url": link,
            "finished_at": None,
        },
        "phase": "lobby",
        "ends_at": None,
        "question": None,
        "time_left_ms": None,
        "correct_choice": None,
        "tally": None,
        "leaderboard": None,
        "participants": [],
        "locked": False,
    }
    seen = Rest(HANNA, base=base).get(path(session)).body
    assert seen["session"].pop("created_at").endswith("Z")
    assert seen == {key: made.body[key] for key in seen}
    assert (session.host_id, session.tenant_id) == ("hanna", "demo")
    assert session.questions[0] | INLINE[0] == session.questions[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": " \u200b "}, "title"),
        ({"title": "x" * 101}, "title"),
        ({"title": 5}, "title"),
        ({"title": "Quiz", "host_id": "mallory"}, "host_id"),
        ({"title": "Quiz", "questions": INLINE, "question_set": "general"}, "question_set"),
        ({"title": "Quiz", "question_set": "unheard-of"}, "question_set"),
        ({"title": "Quiz", "questions": "all"}, "questions"),
        ({"title": "Quiz", "questions": [INLINE[0] | {"points": 5}]}, "questions[0].points"),
        ({"title": "Quiz", "questions": [INLINE[0] | {"choices": ["one"]}]}, "questions[0].choices"),
        ({"title": "Quiz", "questions": []}, "questions"),
        ({"title": "Quiz", "questions": [INLINE[0] | {"answer": 2}]}, "questions"),
    ],
    ids=[
        "nothing",
        "nothing to see",
        "too long",
        "no text",
        "unknown",
        "both",
        "unknown set",
        "no list",
        "unknown in a question",
        "one choice",
        "no questions",
        "answer that is no choice",
    ],
)
def test_an_event_that_makes_no_sense_is_refused_by_field(body: object, field: str, db: None) -> None:
    answer = Rest(HANNA).post("/sessions", body)
    assert answer.refusal == (400, "invalid_request")
    assert any(name.startswith(field) for name in answer.body["errors"]), answer.body
    assert all(text for texts in answer.body["errors"].values() for text in texts)
    assert not GameSession.objects.exists()


def test_faults_of_questions_are_told_one_by_one(db: None) -> None:
    bad = [INLINE[0] | {"text": " ", "answer": 9}, INLINE[0] | {"choices": ["a", "A"]}]
    answer = Rest(HANNA).post("/sessions", {"title": "Quiz", "questions": bad})
    assert answer.body["errors"] == {
        "questions": [
            "Question 1: its text is blank",
            "Question 1: the answer 9 is not the index of a choice, 0 to 1",
            "Question 2: two choices are the same",
        ]
    }


def test_two_events_have_two_codes(db: None) -> None:
    bodies = [Rest(HANNA).post("/sessions", {"title": "Quiz"}).body for _ in range(2)]
    assert len({body["join_code"] for body in bodies}) == 2
    assert all(len(body["join_code"]) == 6 for body in bodies)


# --- who may


@pytest.mark.parametrize("route", ["", "qr.svg", "leave", *HOST_ROUTES, "participants/me"])
def test_every_route_of_an_event_needs_a_token_of_its_own_people(event: GameSession, route: str) -> None:
    method = {"": "GET", "qr.svg": "GET", "participants/me": "PATCH"}.get(route, "POST")
    body = b'{"display_name": "Mallory"}' if method == "PATCH" else b""
    other = joined(hosted_event("otto"), "mallory")
    for client, refusal in (
        (Rest(), (401, "unauthorized")),
        (ParticipantRest(other), (401, "unauthorized")),
        (Rest("mallory"), (403, "forbidden")),
        (Rest(HANNA, tenant_id="acme"), (404, "not_found")),
    ):
        assert client.send(method, path(event, route), body).refusal == refusal, refusal
    gone = f"/sessions/{uuid4()}/{route}".rstrip("/")
    assert Rest(HANNA).send(method, gone, body).refusal == (404, "not_found")
    assert Rest(HANNA).send(method, f"/sessions/nonsense/{route}".rstrip("/"), body).status == 404
    assert types_told(event) == []
    assert where(event)[0] == "lobby"


@pytest.mark.parametrize("route", HOST_ROUTES)
def test_the_host_alone_leads(event: GameSession, ann: Joined, route: str) -> None:
    assert ParticipantRest(ann).post(path(event, route)).refusal == (403, "forbidden")
    assert where(event) == ("lobby", 0, None)
    assert types_told(event) == ["participant_joined"]


def test_the_host_has_no_name_in_it_and_does_not_leave(event: GameSession) -> None:
    renamed = Rest(HANNA).send("PATCH", path(event, "participants/me"), b'{"display_name": "H"}')
    assert renamed.refusal == (403, "forbidden")
    assert Rest(HANNA).post(path(event, "leave")).refusal == (403, "forbidden")


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("POST", "/sessions"),
        ("GET", "/sessions/question-sets"),
        ("GET", "/matchmaking/active"),
        ("GET", "/matchmaking/pools"),
        ("POST", "/matchmaking/queue"),
        ("GET", "/matchmaking/preferences"),
        ("GET", "/matchmaking/matches"),
    ],
)
def test_a_participants_token_is_good_for_its_session_and_nothing_else(
    ann: Joined, method: str, route: str
) -> None:
    assert ParticipantRest(ann).send(method, route).refusal == (401, "unauthorized")


def test_a_participants_token_ends_with_the_longest_game(event: GameSession, ann: Joined) -> None:
    ids = {"session_id": str(event.id), "participant_id": ann.participant_id}
    past = database_now() - timedelta(seconds=1)
    old = participant_token(tenant_id="demo", expires_at=past, **ids)
    expired = Joined(display_name="Ann", token=old, **ids)
    assert ParticipantRest(expired).get(path(event)).refusal == (401, "unauthorized")
    elsewhere = participant_token(tenant_id="acme", expires_at=past + timedelta(hours=1), **ids)
    stranger = Joined(display_name="Ann", token=elsewhere, **ids)
    assert ParticipantRest(stranger).get(path(event)).refusal == (404, "not_found")


def test_a_user_with_a_participants_id_is_not_that_participant(event: GameSession, ann: Joined) -> None:
    assert Rest(ann.participant_id).get(path(event)).refusal == (403, "forbidden")


# --- its pace


def test_the_host_leads_through_the_questions_to_the_end(event: GameSession, ann: Joined) -> None:
    host, player = Rest(HANNA), ParticipantRest(ann)
    asked = host.post(path(event, "next")).body
    assert (asked["phase"], asked["question"]["number"], asked["answered"]) == ("question", 1, 0)
    assert 9_000 < asked["time_left_ms"] <= 10_000
    assert asked["ends_at"] == asked["question"]["deadline"]
    assert "participant_id" not in asked
    bob = joined(event, "bob")
    given = answer(event, ann.participant_id, now=database_now())
    assert host.get(path(event)).body["answered"] == 1
    seen = player.get(path(event)).body
    assert (seen["participant_id"], seen["score"]) == (ann.participant_id, given.score)
    assert seen["answers"] == [{"question_id": "q1", "choice": 1, "correct": True, "points": given.score}]
    assert "answered" not in seen
    assert seen["correct_choice"] is None
    shown = host.post(path(event, "next")).body
    assert (shown["phase"], shown["ends_at"], shown["time_left_ms"]) == ("leaderboard", None, None)
    assert (shown["correct_choice"], shown["tally"], "answered" in shown) == (1, [0, 1, 0], False)
    ranks = [(row["rank"], row["participant_id"]) for row in shown["leaderboard"]]
    assert ranks == [(1, ann.participant_id), (2, bob.participant_id)]
    assert host.post(path(event, "next")).body["question"]["number"] == 2
    assert host.post(path(event, "next")).body["phase"] == "leaderboard"
    over = host.post(path(event, "next")).body
    assert (over["phase"], over["question"]) == ("finished", None)
    assert over["session"]["finished_at"].endswith("Z")
    assert session_told(event)[-1].type == "game_over"
    assert player.get(path(event)).body["leaderboard"] == over["leaderboard"]


def test_a_question_ends_when_all_who_are_still_in_it_have_answered(event: GameSession, ann: Joined) -> None:
    bob, cat = joined(event, "bob"), joined(event, "cat")
    Rest(HANNA).post(path(event, "next"))
    leave(event, cat.participant_id, now=database_now())
    arrive(event, bob.participant_id, now=database_now())
    drop(event, bob.participant_id, now=database_now())
    answer(event, ann.participant_id, now=database_now())
    assert where(event)[0] == "question", "Bob may come back"
    answer(event, bob.participant_id, now=database_now())
    assert where(event)[::2] == ("leaderboard", None)


def test_a_question_ends_when_the_last_one_who_owes_an_answer_leaves(event: GameSession, ann: Joined) -> None:
    bob = joined(event, "bob")
    Rest(HANNA).post(path(event, "next"))
    answer(event, ann.participant_id, now=database_now())
    assert play.run_due(now=database_now()) == 0
    leave(event, bob.participant_id, now=database_now())
    assert play.run_due(now=database_now()) == 1
    assert where(event)[0] == "leaderboard"


def test_next_goes_on_only_from_what_the_host_sees(event: GameSession) -> None:
    host = Rest(HANNA)
    seen = {"phase": "lobby", "number": 0}
    assert host.post(path(event, "next"), seen).body["phase"] == "question"
    for stale in (seen, {"phase": "question", "number": 0}, {"phase": "leaderboard", "number": 1}):
        assert host.post(path(event, "next"), stale).refusal == (409, "phase_changed")
    assert where(event)[:2] == ("question", 1)
    assert host.post(path(event, "next"), {"phase": "question", "number": 1}).body["phase"] == "leaderboard"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phase": "lobby"}, "number"),
        ({"number": 0}, "number"),
        ({"phase": "intermission", "number": 0}, "phase"),
        ({"phase": "lobby", "number": -1}, "number"),
        ({"phase": "lobby", "number": 0, "force": True}, "force"),
    ],
    ids=["phase alone", "number alone", "no such phase", "negative", "unknown"],
)
def test_a_next_that_makes_no_sense_is_refused(event: GameSession, body: object, field: str) -> None:
    answer = Rest(HANNA).post(path(event, "next"), body)
    assert answer.refusal == (400, "invalid_request")
    assert list(answer.body["errors"]) == [field]
    assert where(event)[0] == "lobby"


def test_the_host_ends_it_at_any_time_and_then_nothing_more_can_be_done(
    event: GameSession, ann: Joined
) -> None:
    host = Rest(HANNA)
    host.post(path(event, "next"))
    over = host.post(path(event, "finish")).body
    assert (over["phase"], over["leaderboard"][0]["display_name"]) == ("finished", "Ann")
    told = types_told(event)
    for route in HOST_ROUTES:
        assert host.post(path(event, route)).refusal == (409, "session_finished")
    renamed = ParticipantRest(ann).send("PATCH", path(event, "participants/me"), b'{"display_name": "A"}')
    assert renamed.refusal == (409, "session_finished")
    assert ParticipantRest(ann).post(path(event, "leave")).status == 200
    assert host.get(path(event)).body["phase"] == "finished"
    assert types_told(event) == told


def test_locking_twice_is_locking_once(event: GameSession) -> None:
    host = Rest(HANNA)
    for route, locked in (("lock", True), ("lock", True), ("unlock", False), ("unlock", False)):
        assert host.post(path(event, route)).body["locked"] is locked
    assert [each.data for each in session_told(event)] == [{"locked": True}, {"locked": False}]
