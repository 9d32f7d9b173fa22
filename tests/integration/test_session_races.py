"""Game sessions under real simultaneity: threads with database connections of their own."""

from functools import partial
from typing import Any

import pytest
from django.conf import settings

from realtime.domain.errors import NameTaken, PhaseChanged, SessionFinished, SessionLocked
from realtime.domain.quiz import Phase
from realtime.models import Event, Participant
from realtime.protocol.messages import AnswerResult
from realtime.protocol.parts import Joined
from realtime.services import hosting, participants, play
from realtime.services.hosting import Join
from tests.integration.threads import raised, together
from tests.rooms import answer, at, hosted_event, joined, session_told, states, types_told, where

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

MANY = 30
AT_ONCE = 15
"""The pool of connections has just enough for twenty."""


def join(code: str | None, **changes: Any) -> tuple[Joined, bool]:
    wish = {"display_name": "Ann", "device_id": "device-of-ann---", "attempt": None, "code": code or ""}
    return hosting.join(Join(**(wish | changes)), now=at(0))


def at_once(works: list[Any]) -> list[Any]:
    """Run so many works at the same moment, half of them after the other half."""
    assert settings.DATABASE_POOL_SIZE >= AT_ONCE
    return together(*works[:AT_ONCE]) + together(*works[AT_ONCE:])


def test_thirty_joins_of_one_device_are_one_participant() -> None:
    event = hosted_event(now=at(0))
    places = at_once([partial(join, event.join_code)] * MANY)
    assert len({place.participant_id for place, _ in places}) == 1
    assert sorted(is_new for _, is_new in places) == [False] * (MANY - 1) + [True]
    assert types_told(event) == ["participant_joined"]


def test_of_thirty_joins_by_one_name_one_gets_it() -> None:
    event = hosted_event(now=at(0))
    joins = [partial(join, event.join_code, device_id=f"device-number-{n:02}") for n in range(MANY)]
    places = at_once(joins)
    assert raised(places, NameTaken) == MANY - 1, places
    assert Participant.objects.count() == 1
    assert types_told(event) == ["participant_joined"]


def test_thirty_devices_with_thirty_names_are_all_in() -> None:
    event = hosted_event(now=at(0))
    joins = [
        partial(join, event.join_code, device_id=f"device-number-{n:02}", display_name=f"Ann {n}")
        for n in range(MANY)
    ]
    places = at_once(joins)
    assert all(is_new for _, is_new in places)
    assert [event.seq for event in Event.objects.order_by("seq")] == list(range(1, MANY + 1))


@pytest.mark.parametrize("_again", range(4))
def test_a_lock_lets_in_who_came_before_it_and_nobody_after(_again: int) -> None:
    event = hosted_event(now=at(0))
    joins = [
        partial(join, event.join_code, device_id=f"device-number-{n:02}", display_name=f"Ann {n}")
        for n in range(8)
    ]
    lock = partial(hosting.set_locked, event, is_locked=True, now=at(0))
    places = together(*joins[:4], lock, *joins[4:])
    places.pop(4)
    refused = raised(places, SessionLocked)
    assert refused + Participant.objects.filter(session=event).count() == 8, places
    told = types_told(event)
    assert told == ["participant_joined"] * (8 - refused) + ["lock_changed"]


def test_a_join_begun_before_the_lock_is_let_in_whenever_it_comes() -> None:
    event = hosted_event(now=at(0))
    attempt = hosting.join_page(event.join_code or "", now=at(-1)).attempt
    joins = [
        partial(
            join, event.join_code, device_id=f"device-number-{n:02}", display_name=f"Ann {n}", attempt=attempt
        )
        for n in range(8)
    ]
    places = together(*joins, partial(hosting.set_locked, event, is_locked=True, now=at(0)))
    assert raised(places, SessionLocked) == 0
    assert Participant.objects.count() == 8


def test_of_many_hosts_windows_that_say_next_one_is_heard() -> None:
    event = hosted_event(now=at(0))
    for seen in ((Phase.LOBBY, 0), (Phase.QUESTION, 1), (Phase.LEADERBOARD, 1)):
        before = len(types_told(event))
        said = together(*[partial(play.go_on, event.id, seen=seen, now=at(1))] * 6)
        assert raised(said, PhaseChanged) == 5, said
        assert len(types_told(event)) == before + 1
    assert where(event)[:2] == ("question", 2)


def test_an_event_ends_once() -> None:
    event = hosted_event(now=at(0))
    said = together(*[partial(play.end, event.id, now=at(1))] * 6)
    assert raised(said, SessionFinished) == 5, said
    assert types_told(event) == ["game_state_update", "game_over"]


@pytest.mark.parametrize("_again", range(3))
def test_the_last_answers_of_all_at_once_close_the_question_once(_again: int) -> None:
    event = hosted_event(now=at(0))
    players = [joined(event, f"ann{n}", now=at(0)).participant_id for n in range(8)]
    play.go_on(event.id, seen=(Phase.LOBBY, 0), now=at(0))
    before = types_told(event)
    given = together(*[partial(answer, event, player, now=at(1)) for player in players])
    assert all(isinstance(each, AnswerResult) and each.accepted for each in given), given
    assert types_told(event) == [*before, "game_state_update"]
    (told,) = session_told(event, "game_state_update")[1:]
    assert told.data["state"]["tally"] == [0, 8, 0]
    assert {row["score"] for row in told.data["state"]["leaderboard"]} == {950}


def test_an_answer_at_the_deadline_counts_in_the_leaderboard_or_not_at_all() -> None:
    for seconds in (1, 2, 3):
        event = hosted_event(now=at(0))
        ann, _bob = (joined(event, name, now=at(0)).participant_id for name in ("ann", "bob"))
        play.go_on(event.id, seen=(Phase.LOBBY, 0), now=at(0))
        given, _ = together(
            partial(answer, event, ann, now=at(seconds)),
            partial(play.go_on, event.id, seen=(Phase.QUESTION, 1), now=at(seconds)),
        )
        assert isinstance(given, AnswerResult)
        state = session_told(event)[-1].data["state"]
        assert state["phase"] == "leaderboard"
        assert sum(state["tally"]) == int(given.accepted)
        assert state["leaderboard"][0]["score"] == given.score


def test_who_leaves_while_the_device_joins_again_is_in_or_out_and_never_both() -> None:
    for n in range(4):
        event = hosted_event(now=at(0))
        place = joined(event, f"ann{n}", now=at(0))
        together(
            partial(participants.leave, event.id, place.participant_id, now=at(1)),
            partial(joined, event, f"ann{n}", now=at(1)),
        )
        is_back = types_told(event)[-1] == "participant_joined"
        assert states(event) == ["connected" if is_back else "disconnected"]
