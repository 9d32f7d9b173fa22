"""A participant that drops has the grace period to come back, keeps all it had, and leaves once."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings

from realtime import tasks
from realtime.models import GameSession, Participant
from realtime.protocol.parts import RatingChange
from realtime.services import hosting, participants, play, rooms
from realtime.transport.database import database_now
from realtime.transport.store import client
from tests.factories import Told, as_process, fall_silent, service_is_well
from tests.integration.threads import together
from tests.rooms import (
    answer,
    arrive,
    at,
    clear_told,
    drop,
    duel_session,
    hold_socket,
    hosted_event,
    joined,
    leave,
    participant,
    session_told,
    states,
    types_told,
    where,
)

pytestmark = pytest.mark.django_db

LAST_MOMENT = 29.999999
HERE, AWAY, GONE = "connected", "temporarily_disconnected", "disconnected"


def expire(seconds: float) -> int:
    return participants.expire_grace(now=at(seconds))


@pytest.fixture
def duel() -> GameSession:
    """The session of Ann and Bob, who are both there; nothing has been told yet."""
    session = duel_session()
    arrive(session, "ann", "bob", now=at(0))
    clear_told(session)
    return session


# --- the thirty seconds


@pytest.mark.parametrize(("after", "has_left"), [(0, False), (LAST_MOMENT, False), (30, True), (32, True)])
def test_who_has_dropped_leaves_at_the_thirtieth_second_and_not_before(
    duel: GameSession, after: float, *, has_left: bool
) -> None:
    drop(duel, "ann", now=at(10))
    assert expire(10 + after) == int(has_left)
    assert states(duel) == [GONE if has_left else AWAY, HERE]
    assert ("participant_left" in types_told(duel)) is has_left


def test_a_drop_tells_everyone_how_long_the_place_is_kept(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10))
    ann = str(participant(duel, "ann").id)
    assert session_told(duel)[0] == Told(
        "participant_temporarily_disconnected", {"participant_id": ann, "grace_seconds": 30}
    )


@pytest.mark.parametrize("after", [0.000001, LAST_MOMENT, 30, 31], ids=["at once", "last", "edge", "late"])
def test_who_is_back_before_anybody_looked_has_never_left(duel: GameSession, after: float) -> None:
    drop(duel, "ann", now=at(10))
    arrive(duel, "ann", now=at(10 + after), device="2")
    assert expire(99) == 0
    assert states(duel) == [HERE, HERE]
    assert "participant_reconnected" in types_told(duel)
    assert "participant_left" not in types_told(duel)


def test_who_comes_back_after_it_has_left_changes_nothing(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10))
    assert expire(40) == 1
    before = types_told(duel)
    arrive(duel, "ann", now=at(40), device="2")
    assert (states(duel), types_told(duel)) == ([GONE, HERE], before)


def test_a_second_drop_begins_a_second_grace_period(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10))
    arrive(duel, "ann", now=at(39), device="2")
    drop(duel, "ann", now=at(41), device="2")
    assert expire(41 + LAST_MOMENT) == 0
    assert expire(71) == 1
    kinds = [kind for kind in types_told(duel) if kind.startswith("participant_")]
    assert kinds == [
        "participant_temporarily_disconnected",
        "participant_reconnected",
        "participant_temporarily_disconnected",
        "participant_left",
    ]


def test_a_drop_that_is_told_twice_begins_one_grace_period(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10))
    drop(duel, "ann", now=at(20))
    assert types_told(duel).count("participant_temporarily_disconnected") == 1
    assert expire(40) == 1


def test_a_player_on_another_device_is_the_same_participant(duel: GameSession) -> None:
    arrive(duel, "ann", now=at(1), device="phone")
    drop(duel, "ann", now=at(2))
    assert states(duel) == [HERE, HERE]
    drop(duel, "ann", now=at(3), device="phone")
    arrive(duel, "ann", now=at(4), device="tablet")
    assert duel.participants.count() == 2
    assert (states(duel), expire(99)) == ([HERE, HERE], 0)


def test_the_late_end_of_an_old_connection_drops_nobody(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10))
    arrive(duel, "ann", now=at(12), device="2")
    drop(duel, "ann", now=at(13))
    assert states(duel) == [HERE, HERE]


def test_where_another_socket_is_left_the_last_one_counts(duel: GameSession) -> None:
    drop(duel, "ann", now=at(10), is_last=False)
    assert states(duel) == [HERE, HERE]
    drop(duel, "ann", now=at(20), device="other")
    assert states(duel) == [AWAY, HERE]


# --- nobody said so


def test_who_was_held_by_a_process_that_died_drops_and_then_leaves(duel: GameSession) -> None:
    service_is_well()
    for name in ("ann", "bob"):
        hold_socket(duel, name, f"{name}-1", process="web-1" if name == "ann" else "web-2")
    later = at(60)
    assert participants.drop_unheld(now=later) == 0
    fall_silent("web-1", seconds_ago=60)
    assert participants.drop_unheld(now=later) == 0, "not at once"
    _wait_until_unheld()
    assert participants.drop_unheld(now=later) == 1
    assert states(duel) == [AWAY, HERE]
    assert expire(60 + LAST_MOMENT) == 0
    assert expire(90) == 1
    assert states(duel) == [GONE, HERE]


def _wait_until_unheld() -> None:
    """Let the absence that was noticed be as old as it has to be."""
    for key in client().scan_iter("mm:absent:*"):
        client().expire(key, client().ttl(key) - participants.UNHELD_SECONDS)


def test_who_came_back_to_another_process_is_not_dropped_for_the_dead_one(duel: GameSession) -> None:
    service_is_well()
    for name in ("ann", "bob"):
        hold_socket(duel, name, f"{name}-1")
    fall_silent("web-1", seconds_ago=60)
    participants.drop_unheld(now=at(60))
    for name in ("ann", "bob"):
        hold_socket(duel, name, f"{name}-2", process="web-2")
    _wait_until_unheld()
    assert participants.drop_unheld(now=at(63)) == 0


@pytest.mark.parametrize(
    ("after", "dropped"),
    [(0, 0), (14.9, 0), (15, 1)],
    ids=["at once", "just before", "a heartbeat later"],
)
@pytest.mark.parametrize("has_been_there", [False, True], ids=["new", "back"])
def test_who_joined_by_code_has_a_heartbeats_time_to_open_the_socket(
    *, after: float, dropped: int, has_been_there: bool
) -> None:
    session = hosted_event(now=at(0))
    place = joined(session, "ann", now=at(0))
    if has_been_there:
        arrive(session, place.participant_id, now=at(1))
        drop(session, place.participant_id, now=at(2))
        joined(session, "ann", now=at(0))
    participants.drop_unheld(now=at(after))
    _wait_until_unheld()
    assert participants.drop_unheld(now=at(after)) == dropped


# --- when the task comes late


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What matches hear of the ends of their sessions."""
    heard: list[object] = []

    def hear(_id: UUID, outcome: object, _now: datetime) -> dict[str, RatingChange]:
        heard.append(outcome)
        return {}

    monkeypatch.setattr(rooms, "session_finished_listeners", [*rooms.session_finished_listeners, hear])
    return heard


def test_when_both_players_are_gone_nobody_has_won(duel: GameSession, outcomes: list[object]) -> None:
    drop(duel, "ann", now=at(10))
    drop(duel, "bob", now=at(12))
    assert expire(300) == 2
    assert outcomes == [None]
    assert types_told(duel).count("participant_left") == 2
    assert types_told(duel).count("game_over") == 1


def test_who_is_back_in_time_wins_though_the_task_comes_late(
    duel: GameSession, outcomes: list[object]
) -> None:
    drop(duel, "ann", "bob", now=at(10))
    arrive(duel, "bob", now=at(35), device="2")
    assert expire(300) == 1
    assert outcomes == [{"ann": 0, "bob": 1}]


def test_where_one_has_left_while_the_other_was_away_that_one_may_still_come_and_win(
    duel: GameSession, outcomes: list[object]
) -> None:
    drop(duel, "ann", now=at(10))
    drop(duel, "bob", now=at(20))
    assert expire(40) == 1
    assert (where(duel)[0], outcomes) == ("lobby", [])
    arrive(duel, "bob", now=at(45), device="2")
    assert (where(duel)[0], outcomes) == ("finished", [{"ann": 0, "bob": 1}])
    assert expire(99) == 0


def test_where_the_other_one_stays_away_as_well_nobody_has_won(
    duel: GameSession, outcomes: list[object]
) -> None:
    drop(duel, "ann", now=at(10))
    drop(duel, "bob", now=at(20))
    assert (expire(40), expire(50)) == (1, 1)
    assert (where(duel)[0], outcomes) == ("finished", [None])


def test_who_walks_out_while_the_other_is_away_has_lost(duel: GameSession, outcomes: list[object]) -> None:
    drop(duel, "ann", now=at(10))
    leave(duel, "bob", now=at(11))
    assert outcomes == [{"ann": 1, "bob": 0}]


def test_where_nobody_ever_came_nobody_has_won(outcomes: list[object]) -> None:
    session = duel_session()
    assert expire(31) == 2
    assert (where(session)[0], outcomes) == ("finished", [None])


def test_an_event_that_is_over_lets_nobody_leave_any_more() -> None:
    session = hosted_event(now=at(0))
    place = joined(session, "ann", now=at(0))
    drop(session, place.participant_id, now=at(1))
    play.end(session.id, now=at(2))
    assert expire(99) == 0


@pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])
def test_many_runs_at_once_let_a_participant_leave_once() -> None:
    session = duel_session()
    arrive(session, "ann", "bob", now=at(0))
    drop(session, "ann", now=at(0))
    ran = together(*[lambda: participants.expire_grace(now=at(31))] * 4)
    assert sorted(map(str, ran)) == ["0", "0", "0", "1"]
    assert types_told(session).count("participant_left") == 1
    assert types_told(session).count("game_over") == 1


@pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])
@pytest.mark.parametrize("_again", range(6))
def test_who_comes_back_while_the_task_runs_is_back_or_has_left_and_never_both(_again: int) -> None:
    session = duel_session()
    arrive(session, "ann", "bob", now=at(0))
    drop(session, "ann", now=at(0))
    together(
        lambda: participants.expire_grace(now=at(31)),
        lambda: arrive(session, "ann", now=at(31), device="2"),
    )
    kinds = types_told(session)
    assert kinds.count("participant_reconnected") + kinds.count("participant_left") == 1
    assert states(session)[0] == (GONE if "participant_left" in kinds else HERE)


# --- nothing is lost


def _playing_event() -> tuple[GameSession, Participant]:
    """Return an event with one right answer of Ann's, by a name that she took meanwhile."""
    session = hosted_event(now=at(0))
    place = joined(session, "ann", now=at(0))
    joined(session, "bob", now=at(0))
    participants.rename(session.id, place.participant_id, "Annabel", now=at(0))
    play.go_on(session.id, seen=None, now=at(0))
    assert answer(session, place.participant_id, now=at(5)).score == 750
    return session, participant(session, place.participant_id)


def _kept(session: GameSession, ann: Participant) -> tuple[str, int, list[tuple[str, int]]]:
    row = session.participants.get(id=ann.id)
    return row.display_name, row.score, list(row.answers.values_list("question_id", "points"))


def test_who_comes_back_within_the_grace_period_has_its_name_score_and_answers() -> None:
    session, ann = _playing_event()
    arrive(session, ann.user_id, now=at(6))
    drop(session, ann.user_id, now=at(7))
    arrive(session, ann.user_id, now=at(7 + LAST_MOMENT), device="2")
    assert _kept(session, ann) == ("Annabel", 750, [("q1", 750)])
    assert types_told(session)[-1] == "participant_reconnected"


@pytest.mark.parametrize("how", ["left", "grace_expired"])
def test_who_joins_an_event_again_after_leaving_has_its_name_score_and_answers(how: str) -> None:
    session, ann = _playing_event()
    if how == "left":
        leave(session, ann.user_id, now=at(8))
    else:
        drop(session, ann.user_id, now=at(8))
        assert expire(38) == 1
    assert session_told(session)[-1].data == {"participant_id": str(ann.id), "reason": how}
    hosting.set_locked(session, is_locked=True, now=at(39))
    again = joined(session, "ann", display_name="Somebody Else", now=at(40))
    assert (again.participant_id, again.display_name) == (str(ann.id), "Annabel")
    assert _kept(session, ann) == ("Annabel", 750, [("q1", 750)])
    row = session.participants.get(id=ann.id)
    assert (row.connection_state, row.left_at, row.left_reason, row.dropped_at) == (HERE, None, "", None)
    assert session_told(session)[-1] == Told(
        "participant_joined", {"participant_id": str(ann.id), "display_name": "Annabel"}
    )


def test_leaving_twice_or_as_a_stranger_tells_nothing() -> None:
    session, ann = _playing_event()
    leave(session, ann.user_id, now=at(8))
    before = types_told(session)
    leave(session, ann.user_id, now=at(9))
    leave(session, "mallory", now=at(9))
    assert types_told(session) == before


def test_the_task_finds_by_the_databases_clock_who_has_gone() -> None:
    session = duel_session()
    arrive(session, "ann", "bob", now=at(0))
    long_ago: datetime = at(0) - timedelta(days=365 * 20)
    Participant.objects.filter(user_id="ann").update(connection_state=AWAY, dropped_at=long_ago)
    hold_socket(session, "bob", "bob-1")
    tasks.expire_grace()
    assert states(session) == [GONE, HERE]
    assert settings.GRACE_SECONDS == 30


def test_heartbeats_are_kept_and_never_set_back() -> None:
    assert participants.note_heartbeats(now=database_now()) == 0, "where nobody is connected"
    event = hosted_event()
    ann = joined(event, "ann")
    row = Participant.objects.get(id=ann.participant_id)
    owner = f"session:{event.id}:{row.user_id}"
    as_process("web-1", lambda web: web.refresh({owner: 0}))
    Participant.objects.update(last_heartbeat=database_now() - timedelta(seconds=20))
    assert participants.note_heartbeats(now=database_now()) == 1
    row.refresh_from_db()
    assert row.last_heartbeat is not None
    assert database_now() - row.last_heartbeat < timedelta(seconds=5)
    assert participants.note_heartbeats(now=database_now()) == 0
