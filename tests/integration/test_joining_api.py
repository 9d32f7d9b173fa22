"""Joining an event over REST: without an account, by its code, despite a lock that came meanwhile."""

from datetime import timedelta

import pytest
from django.core import signing

from realtime.domain.errors import SessionLocked
from realtime.domain.joining import MAX_PARTICIPANTS
from realtime.domain.participants import ConnectionState
from realtime.models import GameSession, Participant
from realtime.services import hosting, participants, play
from realtime.transport.database import database_now
from tests.factories import Answer, Rest, Told
from tests.rooms import (
    ParticipantRest,
    at,
    device_of,
    duel_session,
    hosted_event,
    join_body,
    joined,
    leave,
    session_told,
    types_told,
)

pytestmark = pytest.mark.django_db

ANYBODY = Rest()


@pytest.fixture
def event(db: None) -> GameSession:
    """The event that Hanna hosts."""
    return hosted_event("hanna")


def join(event: GameSession, name: str, **changes: object) -> Answer:
    return ANYBODY.post("/sessions/join", join_body(event, name, **changes))


def page(event: GameSession) -> Answer:
    return ANYBODY.get(f"/sessions/by-code/{event.join_code}")


# --- the join page


def test_anybody_sees_what_an_event_is_before_joining(event: GameSession) -> None:
    assert event.join_code
    for code in (event.join_code, event.join_code.lower(), f"{event.join_code[:3]}-{event.join_code[3:]}"):
        answer = ANYBODY.get(f"/sessions/by-code/{code}")
        assert answer.status == 200
        assert isinstance(answer.body.pop("attempt"), str)
        assert answer.body == {
            "session_id": str(event.id),
            "title": "Quiz night",
            "phase": "lobby",
            "locked": False,
        }
    hosting.set_locked(event, is_locked=True, now=database_now())
    play.end(event.id, now=database_now())
    assert page(event).body | {"attempt": ""} == {
        "session_id": str(event.id),
        "title": "Quiz night",
        "phase": "finished",
        "locked": True,
        "attempt": "",
    }


@pytest.mark.parametrize("code", ["AAAAAA", "A", "%00", "---", "9" * 300])
def test_a_code_of_nothing_is_404(event: GameSession, code: str) -> None:
    duel_session()
    assert ANYBODY.get(f"/sessions/by-code/{code}").refusal == (404, "not_found")
    assert join(event, "ann", join_code=code[:64].replace("%", "")).refusal == (404, "not_found")
    assert not Participant.objects.filter(session=event).exists()


# --- joining


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_anybody_joins_without_an_account_and_all_hear_of_it(event: GameSession, base: str) -> None:
    answer = Rest(base=base).post("/sessions/join", join_body(event, "ann", display_name="  Ann  "))
    assert answer.status == 201
    ann = Participant.objects.get()
    assert answer.body.keys() == {"participant_id", "session_id", "display_name", "token"}
    assert answer.body | {"token": ""} == {
        "participant_id": str(ann.id),
        "session_id": str(event.id),
        "display_name": "Ann",
        "token": "",
    }
    assert session_told(event) == [
        Told("participant_joined", {"participant_id": str(ann.id), "display_name": "Ann"})
    ]
    assert device_of("ann") not in str(answer.body) + str(page(event).body)
    assert ann.device_hash != device_of("ann")


def test_a_code_may_be_typed_in_small_letters_with_blanks(event: GameSession) -> None:
    assert event.join_code
    assert join(event, "ann", join_code=f" {event.join_code.lower()} ").status == 201


def test_the_same_device_gets_its_participant_back_with_its_name(event: GameSession) -> None:
    first = join(event, "ann")
    again = join(event, "ann", display_name="Somebody Else")
    assert (first.status, again.status) == (201, 200)
    assert again.body | {"token": ""} == first.body | {"token": ""}
    assert Participant.objects.count() == 1
    assert types_told(event) == ["participant_joined"]


def test_a_device_in_two_events_is_two_participants(event: GameSession) -> None:
    ids = {join(each, "ann").body["participant_id"] for each in (event, hosted_event("otto"))}
    assert len(ids) == 2


def test_who_left_and_joins_again_is_back_with_its_name(event: GameSession) -> None:
    ann = joined(event, "ann")
    mine = ParticipantRest(ann)
    left = mine.post(f"/sessions/{event.id}/leave")
    assert left.status == 200
    assert left.body["participants"][0]["connection_state"] == "disconnected"
    assert mine.send("PATCH", f"/sessions/{event.id}/participants/me", b'{"display_name": "A"}').status == 403
    assert join(event, "bob", display_name="Ann").refusal == (409, "name_taken"), "it may come back"
    again = join(event, "ann")
    assert (again.status, again.body["participant_id"]) == (200, ann.participant_id)
    assert types_told(event) == ["participant_joined", "participant_left", "participant_joined"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"device_id": "d" * 15}, "device_id"),
        ({"device_id": "d" * 65}, "device_id"),
        ({"device_id": None}, "device_id"),
        ({"display_name": ""}, "display_name"),
        ({"display_name": " \u200b\u3164 "}, "display_name"),
        ({"display_name": "n" * 65}, "display_name"),
        ({"join_code": 123456}, "join_code"),
        ({"attempt": 5}, "attempt"),
        ({"participant_id": "x"}, "participant_id"),
    ],
    ids=[
        "short device",
        "long device",
        "no device",
        "no name",
        "nothing to see",
        "long name",
        "code as a number",
        "attempt as a number",
        "unknown",
    ],
)
def test_a_join_that_makes_no_sense_is_refused_by_field(
    event: GameSession, changes: dict[str, object], field: str
) -> None:
    answer = join(event, "ann", **changes)
    assert answer.refusal == (400, "invalid_request")
    assert list(answer.body["errors"]) == [field]
    body = join_body(event, "ann")
    del body["device_id"]
    assert ANYBODY.post("/sessions/join", body).refusal == (400, "invalid_request")
    assert not Participant.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["Ann", "ANN", " ann ", "\uff21\uff4e\uff4e", "A\u200bnn"],
    ids=["same", "case", "blanks", "wide", "blank inside"],
)
def test_a_name_that_looks_like_anothers_is_taken(event: GameSession, name: str) -> None:
    assert join(event, "ann").status == 201
    expected = (201, None) if "\u200b" in name else (409, "name_taken")
    answer = join(event, "bob", display_name=name)
    assert (answer.status, answer.body.get("code")) == expected
    assert join(hosted_event("otto"), "bob", display_name=name).status == 201, "elsewhere it is free"


def test_a_name_that_unfolds_into_many_characters_is_a_name(event: GameSession) -> None:
    assert join(event, "ann", display_name="\ufdfa" * 64).status == 201
    assert join(event, "bob", display_name="\ufdfa" * 64).refusal == (409, "name_taken")


# --- another name


def rename(session_id: object, client: Rest, name: object) -> Answer:
    body = f'{{"display_name": "{name}"}}'.encode()
    return client.send("PATCH", f"/sessions/{session_id}/participants/me", body)


def test_a_participant_takes_another_name_that_nobody_has(event: GameSession) -> None:
    ann, bob = joined(event, "ann"), joined(event, "bob")
    answer = rename(event.id, ParticipantRest(ann), " Anna ")
    assert (answer.status, answer.body) == (
        200,
        {"participant_id": ann.participant_id, "display_name": "Anna"},
    )
    assert session_told(event)[-1] == Told("participant_renamed", answer.body)
    assert rename(event.id, ParticipantRest(bob), "ANNA").refusal == (409, "name_taken")
    assert rename(event.id, ParticipantRest(ann), "ANNA").status == 200, "it is its own"
    assert rename(event.id, ParticipantRest(bob), "Ann").status == 200, "it is free again"
    for bad in ("", " ", "n" * 65):
        assert rename(event.id, ParticipantRest(ann), bad).refusal == (400, "invalid_request")


def test_in_a_duel_two_may_have_the_same_name() -> None:
    session = duel_session()
    assert rename(session.id, Rest("ann"), "Bob").body["display_name"] == "Bob"
    assert rename(session.id, Rest("mallory"), "Bob").refusal == (403, "forbidden")


# --- the lock


def lock(event: GameSession, seconds: float, *, is_locked: bool = True) -> None:
    hosting.set_locked(event, is_locked=is_locked, now=at(seconds))


def stamp(event: GameSession, seconds: float) -> str:
    assert event.join_code
    return hosting.join_page(event.join_code, now=at(seconds)).attempt


def may_join(event: GameSession, attempt: str | None, seconds: float) -> bool:
    try:
        joined(event, "ann", attempt=attempt, now=at(seconds))
    except SessionLocked:
        return False
    Participant.objects.all().delete()
    return True


def test_nobody_new_joins_a_locked_event_and_its_own_people_do(event: GameSession) -> None:
    joined(event, "ann")
    lock(event, 0)
    assert join(event, "bob").refusal == (409, "session_locked")
    assert join(event, "ann").status == 200
    leave(event, str(Participant.objects.get().id), now=at(1))
    assert join(event, "ann").status == 200
    lock(event, 2, is_locked=False)
    assert join(event, "bob").status == 201


def test_a_join_begun_before_the_lock_still_counts_over_rest(event: GameSession) -> None:
    attempt = page(event).body["attempt"]
    Rest("hanna").post(f"/sessions/{event.id}/lock")
    after = page(event).body
    assert after["locked"]
    assert join(event, "ann", attempt=after["attempt"]).refusal == (409, "session_locked")
    assert join(event, "ann", attempt=attempt).status == 201


@pytest.mark.parametrize(
    ("begun", "now", "counts"),
    [(0, 50, True), (0, 60, True), (0, 60.001, False), (0, 61, False), (10, 10, False), (10.5, 11, False)],
    ids=["in time", "a minute", "just more", "61 s", "with the lock", "after the lock"],
)
def test_a_stamp_counts_from_before_the_lock_and_for_a_minute(
    event: GameSession, begun: float, now: float, *, counts: bool
) -> None:
    lock(event, 10)
    assert may_join(event, stamp(event, begun), now) is counts


def test_a_stamp_of_another_event_or_of_nobody_counts_for_nothing(event: GameSession) -> None:
    lock(event, 10)
    good = stamp(event, 9)
    elsewhere = stamp(hosted_event("otto"), 9)
    unsigned = signing.dumps([str(event.id), at(9).isoformat()], salt="another")
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    for bad in (None, "", elsewhere, unsigned, forged, "nonsense", "a:b:c", good[:40]):
        assert not may_join(event, bad, 11)
    assert may_join(event, good, 11)


def test_a_stamp_of_before_the_last_lock_counts_whatever_was_before(event: GameSession) -> None:
    lock(event, 10)
    between = stamp(event, 15)
    assert not may_join(event, between, 16)
    lock(event, 20, is_locked=False)
    assert may_join(event, None, 21)
    lock(event, 30)
    assert may_join(event, between, 31)
    assert not may_join(event, stamp(event, 31), 32)
    assert not may_join(event, between, 75.001)


# --- no place


def fill(event: GameSession, count: int) -> None:
    rows = [
        Participant(
            session=event, user_id=f"p{n}", device_hash=f"d{n}", display_name=f"P {n}", name_key=f"p {n}"
        )
        for n in range(count)
    ]
    Participant.objects.bulk_create(rows)


def test_an_event_has_five_hundred_places(event: GameSession) -> None:
    joined(event, "ann")
    fill(event, MAX_PARTICIPANTS - 2)
    assert join(event, "bob").status == 201
    assert join(event, "cat").refusal == (409, "session_full")
    assert join(event, "ann").status == 200
    state = Rest("hanna").get(f"/sessions/{event.id}").body
    assert len(state["participants"]) == MAX_PARTICIPANTS == 500


def test_nobody_joins_an_event_that_is_over(event: GameSession) -> None:
    joined(event, "ann")
    play.end(event.id, now=database_now())
    for name in ("ann", "bob"):
        assert join(event, name).refusal == (409, "session_finished")


def test_who_joins_is_there_and_drops_like_everybody(event: GameSession) -> None:
    ann = joined(event, "ann", now=at(0))
    row = Participant.objects.get()
    assert (row.connection_state, row.came_at) == (ConnectionState.CONNECTED, at(0))
    participants.drop(event.id, ann.participant_id, connection_id="", is_last=True, now=at(5))
    assert joined(event, "ann", now=at(6)).participant_id == ann.participant_id
    assert types_told(event)[-1] == "participant_reconnected"
    assert participants.expire_grace(now=at(5) + timedelta(seconds=99)) == 0
