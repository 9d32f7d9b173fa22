"""What a client holds equals the database: an old snapshot and the events since are the new snapshot."""

import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from realtime import selectors
from realtime.domain.quiz import Phase
from realtime.models import GameSession
from realtime.protocol.codec import encode_json
from realtime.protocol.errors import DomainError
from realtime.selectors import Seat
from realtime.services import hosting, participants, play, rooms
from realtime.transport import events
from tests.rooms import answer, arrive, at, drop, duel_session, hosted_event, joined, leave

pytestmark = pytest.mark.django_db

State = dict[str, Any]
GAME = ("phase", "ends_at", "question", "correct_choice", "tally", "leaderboard")
SHARED = (*GAME, "participants", "locked")


def snapshot(session: GameSession, *, now: datetime) -> State:
    """Return what is the same for all in a session, as a client decodes it."""
    session.refresh_from_db()
    state = json.loads(encode_json(selectors.session_state(Seat(session, None), now=now)))
    return {key: state[key] for key in SHARED} | {"seq": events.newest_seq(rooms.session_address(session.id))}


STATES = {
    "participant_joined": "connected",
    "participant_reconnected": "connected",
    "participant_temporarily_disconnected": "temporarily_disconnected",
    "participant_left": "disconnected",
}


def applied(state: State, event: State) -> State:
    """Return a state after an event, as a client works it out."""
    kind, data = event["type"], event["data"]
    match kind:
        case "lock_changed":
            changes = {"locked": data["locked"]}
        case "game_state_update":
            changes = data["state"]
        case "game_over":
            changes = dict.fromkeys(GAME) | {"phase": "finished", "leaderboard": data["standing"]}
        case _:
            assert kind == "participant_renamed" or kind in STATES
            people = {person["participant_id"]: person for person in state["participants"]}
            news = {key: data[key] for key in ("participant_id", "display_name") if key in data}
            if kind in STATES:
                news["connection_state"] = STATES[kind]
            people[data["participant_id"]] = people.get(data["participant_id"], {}) | news
            changes = {"participants": list(people.values())}
    return {**state, **changes, "seq": event["seq"]}


def missed(session: GameSession, last_seq: int) -> list[State]:
    backlog = events.backlog(rooms.session_address(session.id), last_seq)
    assert not backlog.gap
    return [json.loads(encode_json(event)) for event in backlog.missed]


def as_client(state: State) -> State:
    """Return a state with its participants by id, as their order is nothing to clients."""
    people = sorted(state["participants"], key=lambda person: str(person["participant_id"]))
    return {**state, "participants": people}


class Schedule:
    """A random life of a session, one step after the other, in which time goes on."""

    def __init__(self, session: GameSession, seed: int) -> None:
        self.session = session
        self.chance = random.Random(seed)
        self.seconds = 0.0
        self.kinds: set[str] = set()
        self.snapshots = [snapshot(session, now=at(0))]

    def step(self, *deeds: Callable[[datetime], object]) -> None:
        self.seconds += self.chance.choice([0, 0.5, 3, 8])
        now = at(self.seconds)
        for due in (play.run_due, participants.expire_grace):
            due(now=now)
        try:
            self.chance.choice(deeds)(now)
        except DomainError as refusal:
            self.kinds.add(refusal.code)
        self.snapshots.append(snapshot(self.session, now=now))

    def check(self) -> None:
        """Apply, to every snapshot that somebody may hold, what came after it."""
        newest = self.snapshots[-1]
        assert newest["seq"] > 0
        for held in self.snapshots:
            state = held
            for event in missed(self.session, held["seq"]):
                assert event["seq"] == state["seq"] + 1
                state = applied(state, event)
                self.kinds.add(event["type"])
            assert as_client(state) == as_client(newest)


def names_of(session: GameSession) -> list[str]:
    return list(session.participants.values_list("user_id", flat=True))


def live_event(seed: int, steps: int) -> Schedule:
    session = hosted_event(now=at(0))
    life = Schedule(session, seed)
    one_of = life.chance.choice
    cast = ["ann", "bob", "cat", "dan"]

    def somebody() -> str:
        return one_of(names_of(session) or ["nobody"])

    deeds: list[Callable[[datetime], object]] = [
        lambda now: joined(session, one_of(cast), now=now),
        lambda now: joined(session, one_of(cast), now=now),
        lambda now: arrive(session, somebody(), now=now),
        lambda now: drop(session, somebody(), now=now),
        lambda now: participants.rename(session.id, somebody(), one_of(["Zoe", "Max", "Kim"]), now=now),
        lambda now: hosting.set_locked(session, is_locked=one_of([True, False, False]), now=now),
        lambda now: answer(session, somebody(), right=one_of([True, False]), now=now),
        lambda now: answer(session, somebody(), right=one_of([True, False]), now=now),
        lambda now: leave(session, somebody(), now=now),
    ]
    for number in range(steps):
        hosts = [lambda now: play.go_on(session.id, seen=None, now=now)] if number % 9 == 8 else []
        life.step(*(hosts or deeds))
    return life


@pytest.mark.parametrize("seed", range(6))
def test_an_old_snapshot_of_an_event_and_what_came_since_are_the_new_one(seed: int) -> None:
    live_event(seed, 30).check()


@pytest.mark.parametrize("seed", range(6))
def test_an_old_snapshot_of_a_duel_and_what_came_since_are_the_new_one(seed: int) -> None:
    session = duel_session()
    life = Schedule(session, seed)
    one_of = life.chance.choice

    def somebody() -> str:
        return one_of(["ann", "bob"])

    deeds: list[Callable[[datetime], object]] = [
        lambda now: arrive(session, somebody(), now=now),
        lambda now: arrive(session, somebody(), now=now),
        lambda now: drop(session, somebody(), now=now),
        lambda now: answer(session, somebody(), right=one_of([True, False]), now=now),
        lambda now: answer(session, somebody(), right=one_of([True, False]), now=now),
        lambda now: participants.rename(session.id, somebody(), one_of(["Zoe", "Max"]), now=now),
    ]
    for _ in range(30):
        life.step(*deeds)
    life.step(lambda now: leave(session, somebody(), now=now))
    life.check()


def test_these_lives_have_everything_in_them() -> None:
    kinds: set[str] = set()
    for seed in range(5):
        life = live_event(seed, 44)
        if life.snapshots[-1]["phase"] != Phase.FINISHED:
            play.end(life.session.id, now=at(life.seconds + 40))
            life.snapshots.append(snapshot(life.session, now=at(life.seconds + 40)))
        life.check()
        kinds |= life.kinds
    assert kinds >= {
        "participant_joined",
        "participant_renamed",
        "participant_temporarily_disconnected",
        "participant_reconnected",
        "participant_left",
        "lock_changed",
        "game_state_update",
        "game_over",
    }
