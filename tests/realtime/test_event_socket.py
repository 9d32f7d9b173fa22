"""An event over its socket: who gets in, who is there, and what happens to who is not."""

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.stacks import Stack
from tests.guests import RIGHT, WRONG, Event, Guest
from tests.players import Player, token_for
from tests.realtime.conftest import FAST

HEARTBEAT_SECONDS = float(FAST["HEARTBEAT_SECONDS"])
GRACE_SECONDS = float(FAST["GRACE_SECONDS"])
CAST = ("Ann", "Bob")
OWN = {"participant_id", "score", "answers"}


@asynccontextmanager
async def event_with(
    stack: Stack, *names: str, count: int = 3, seconds: float = 60
) -> AsyncIterator[tuple[Event, list[Guest]]]:
    """Yield an event, and guests of these names whose sockets are open and restored."""
    event = await Event.made(stack, count=count, seconds=seconds)
    async with AsyncExitStack() as sockets:
        guests = []
        for name in names:
            guests.append(await event.join(name))
            await sockets.enter_async_context(guests[-1].socket)
            await guests[-1].socket.next("state_restored")
        yield event, guests


# --- who gets in


async def test_the_host_observes_and_takes_no_part(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]), event.socket(event.host_token) as host:
        state = (await host.next("state_restored"))["data"]
        assert not OWN & set(state)
        assert state["session"]["kind"] == "event"
        assert [p["display_name"] for p in state["participants"]] == ["Ann"]
        assert await event.state() == {
            name: value for name, value in state.items() if name not in {"seq", "resumed", "gap", "missed"}
        }
        await event.host("next")
        asked = (await host.next("game_state_update"))["data"]["state"]
        await host.send("answer", {"question_id": asked["question"]["question_id"], "choice": 1}, ref="mine?")
        refused = await host.next("error")
        assert (refused["data"]["code"], refused["ref"]) == ("forbidden", "mine?")
        assert (await event.state())["answered"] == 0
        assert len(ann.socket.of("participant_joined")) == 0, "nobody came after Ann"


async def test_a_guest_sees_itself_and_everybody(stack: Stack) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]):
        state = (await bob.socket.next("state_restored"))["data"]
        assert {name: state[name] for name in OWN} == {
            "participant_id": bob.participant_id,
            "score": 0,
            "answers": [],
        }
        assert "answered" not in state
        assert [(p["participant_id"], p["connection_state"]) for p in state["participants"]] == [
            (ann.participant_id, "connected"),
            (bob.participant_id, "connected"),
        ]
        assert {k: v for k, v in state.items() if k in await event.state(bob.token)} == await event.state(
            bob.token
        )


async def test_a_guests_token_opens_its_own_session_and_no_other_socket(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]):
        other = await Event.made(stack)
        for path in (other.path, f"/ws/sessions/{uuid.uuid4()}/", "/ws/matchmaking/"):
            async with event.socket(ann.token, path=path) as refused:
                assert await refused.closed() == 4501, path
                assert refused.frames == []


async def test_an_account_that_is_not_the_host_is_a_stranger(stack: Stack) -> None:
    event = await Event.made(stack)
    token = token_for("stranger", key=stack.jwt_signing_key)
    async with event.socket(token) as stranger:
        assert await stranger.closed() == 4503
    async with event.socket(token, path=f"/ws/sessions/{uuid.uuid4()}/") as nowhere:
        assert await nowhere.closed() == 4504
    async with event.socket(
        token_for("stranger", key=stack.jwt_signing_key, tenant_id="other")
    ) as of_another_tenant:
        assert await of_another_tenant.closed() == 4504


async def test_who_has_left_stays_away_until_it_joins_again_and_has_its_place_back(stack: Stack) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]):
        await event.leave(ann)
        assert await ann.socket.closed() == 4510
        left = await bob.socket.next("participant_left")
        assert left["data"] == {"participant_id": ann.participant_id, "reason": "left"}
        async with event.socket(ann.token) as still:
            assert await still.closed() == 4510
        back = await event.join("Ann", device_id=ann.device_id)
        assert back.participant_id == ann.participant_id
        told = await bob.socket.next("participant_joined")
        assert told["data"] == {"participant_id": ann.participant_id, "display_name": "Ann"}
        async with back.socket as again:
            assert (await again.next("state_restored"))["data"]["participant_id"] == ann.participant_id


async def test_a_second_socket_of_a_device_closes_the_first_and_nobody_has_dropped(stack: Stack) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]), event.socket(ann.token) as second:
        await second.next("state_restored")
        assert await ann.socket.closed() == 4509
        await asyncio.sleep(GRACE_SECONDS + 2)
        assert bob.socket.of("participant_temporarily_disconnected", "participant_left") == []
        assert second.close_code is None
        await second.send("heartbeat")
        await second.next("heartbeat_ack")
        assert {p["connection_state"] for p in (await event.state())["participants"]} == {"connected"}


# --- who is there


async def test_joining_is_told_once_and_opening_the_socket_tells_nothing_more(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]):
        bob = await event.join("Bob")
        told = await ann.socket.next("participant_joined")
        assert told["data"] == {"participant_id": bob.participant_id, "display_name": "Bob"}
        async with bob.socket:
            await bob.socket.next("state_restored")
            await asyncio.sleep(0.5)
            again = await event.join("Bob", device_id=bob.device_id)
            assert again.participant_id == bob.participant_id
            await asyncio.sleep(0.5)
            assert [f["type"] for f in ann.socket.frames if "seq" in f] == ["participant_joined"]
            assert bob.socket.close_code is None


async def test_who_never_opens_the_socket_drops_and_then_leaves_once(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]):
        began = time.time()
        bob = await event.join("Bob")
        dropped = await ann.socket.next("participant_temporarily_disconnected")
        dropped_at = time.time()
        assert dropped["data"] == {"participant_id": bob.participant_id, "grace_seconds": GRACE_SECONDS}
        assert dropped_at - began >= HEARTBEAT_SECONDS
        left = await ann.socket.next("participant_left")
        assert left["data"] == {"participant_id": bob.participant_id, "reason": "grace_expired"}
        assert time.time() - dropped_at >= GRACE_SECONDS - 0.1
        await asyncio.sleep(1.5)
        assert len(ann.socket.of("participant_left", "participant_temporarily_disconnected")) == 2


async def test_both_sides_hear_heartbeats_and_who_answers_none_is_closed_with_4008(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]):
        bob = await event.join("Bob")
        async with event.socket(bob.token, silent=True) as mute:
            ping = await mute.next("heartbeat_ping")
            assert ping["data"]["seq"] == (await mute.next("state_restored"))["data"]["seq"]
            assert await mute.closed() == 4008
            dropped = await ann.socket.next("participant_temporarily_disconnected")
            assert dropped["data"]["participant_id"] == bob.participant_id
        await ann.socket.next("heartbeat_ping", since=len(ann.socket.frames))
        assert ann.socket.close_code is None


async def test_a_new_name_is_told_to_all_and_answers_who_asked(stack: Stack) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]):
        await ann.socket.send("rename", {"display_name": " Anna  K "}, ref="me")
        mine = await ann.socket.next("participant_renamed")
        theirs = await bob.socket.next("participant_renamed")
        assert mine["ref"] == "me"
        assert "ref" not in theirs
        assert (
            mine["data"] == theirs["data"] == {"participant_id": ann.participant_id, "display_name": "Anna K"}
        )
        for name, code in {"bOB": "name_taken", "\u200b": "invalid_request"}.items():
            seen = len(ann.socket.frames)
            await ann.socket.send("rename", {"display_name": name}, ref=code)
            refused = await ann.socket.next("error", since=seen)
            assert (refused["data"]["code"], refused["ref"]) == (code, code)
        assert [p["display_name"] for p in (await event.state())["participants"]] == ["Anna K", "Bob"]
        assert len(bob.socket.of("participant_renamed")) == 1


async def test_the_lock_is_told_once_and_holds(stack: Stack) -> None:
    async with event_with(stack, "Ann") as (event, [ann]):
        for _ in range(2):
            assert (await event.host("lock"))["locked"] is True
        assert (await event.ask_to_join("Late")).body["code"] == "session_locked"
        assert (await event.join("Ann", device_id=ann.device_id)).participant_id == ann.participant_id
        assert (await event.host("unlock"))["locked"] is False
        await ann.socket.next("lock_changed", where=lambda f: not f["data"]["locked"])
        assert [f["data"]["locked"] for f in ann.socket.of("lock_changed")] == [True, False]


@pytest.mark.parametrize("way", ["cut", "closed"])
async def test_who_comes_back_misses_nothing(stack: Stack, way: str) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]):
        state = await event.host("next")
        question = state["question"]["question_id"]
        await bob.socket.next("game_state_update")
        await bob.socket.send("answer", {"question_id": question, "choice": 1})
        result = (await bob.socket.next("answer_result"))["data"]
        last_seq = max(f["seq"] for f in bob.socket.frames if "seq" in f)
        if way == "cut":
            bob.socket.abort()
        else:
            await bob.socket.disconnect()
        await bob.socket._reader
        await ann.socket.next("participant_temporarily_disconnected")
        seen = len(bob.socket.frames)
        await ann.socket.send("rename", {"display_name": "Anna"})
        await ann.socket.next("participant_renamed")
        await event.host("lock")
        await ann.socket.next("lock_changed")
        await bob.socket.connect(f"?last_seq={last_seq}")
        back = (await bob.socket.next("state_restored", since=seen))["data"]
        live = await ann.socket.next("participant_reconnected")
        assert (back["resumed"], back["gap"]) == (True, False)
        told = [f for f in ann.socket.frames if f.get("seq", 0) > last_seq and f["seq"] <= live["seq"]]
        assert [(f["seq"], f["type"], f["data"]) for f in back["missed"]] == [
            (f["seq"], f["type"], f["data"]) for f in told
        ]
        assert [f["type"] for f in back["missed"]] == [
            "participant_temporarily_disconnected",
            "participant_renamed",
            "lock_changed",
            "participant_reconnected",
        ]
        assert back["score"] == result["score"] > 500
        assert back["answers"] == [
            {"question_id": question, "choice": 1, "correct": True, "points": back["score"]}
        ]
        assert 40_000 < back["time_left_ms"] < 60_000
        assert back["question"] == state["question"]
        assert back["seq"] == live["seq"]


async def test_without_a_number_the_state_alone_is_told(stack: Stack) -> None:
    async with (
        event_with(stack, *CAST) as (event, [ann, _]),
        Player(stack.ws_url, ann.token, path=f"{event.path}?device_id={secrets.token_hex(16)}") as again,
    ):
        restored = (await again.next("state_restored"))["data"]
        assert (restored["resumed"], restored["gap"], restored["missed"]) == (False, False, [])
        assert await ann.socket.closed() == 4509, "a guest's token is one device's, whatever it says"


# --- the game


async def phase(socket: Player, name: str, number: int) -> dict[str, Any]:
    """Return the state of a phase, when it is told."""
    update = await socket.next(
        "game_state_update",
        where=lambda f: (
            f["data"]["state"]["phase"] == name and f["data"]["state"]["question"]["number"] == number
        ),
    )
    return dict(update["data"]["state"])


async def answer(socket: Player, question_id: str, choice: int, ref: str) -> dict[str, Any]:
    """Answer, and return what became of it."""
    await socket.send("answer", {"question_id": question_id, "choice": choice}, ref=ref)
    return dict((await socket.next("answer_result", where=lambda f: f.get("ref") == ref))["data"])


async def test_an_event_from_the_first_question_to_the_last_word(stack: Stack) -> None:
    async with event_with(stack, *CAST) as (event, [ann, bob]), event.socket(event.host_token) as host:
        await host.next("state_restored")
        early = await answer(bob.socket, "q1", RIGHT, "early")
        assert (early["accepted"], early["choice"], early["correct"], early["score"]) == (
            False,
            None,
            None,
            0,
        )

        assert (await event.host("next", phase="lobby", number=0))["phase"] == "question"
        assert (
            await event.rest(
                "POST",
                f"sessions/{event.id}/next",
                token=event.host_token,
                body={"phase": "lobby", "number": 0},
            )
        ).body["code"] == "phase_changed"
        asked = (await phase(ann.socket, "question", 1))["question"]
        assert not {"answer", "correct_choice"} & set(asked)
        right = await answer(ann.socket, asked["question_id"], RIGHT, "one")
        assert (right["accepted"], right["choice"], right["correct"]) == (True, RIGHT, True)
        assert 500 < right["score"] <= 1000
        assert await answer(ann.socket, asked["question_id"], RIGHT, "twice") == right
        assert await answer(ann.socket, asked["question_id"], WRONG, "changed") == right | {"accepted": False}
        for question_id, choice in (("q2", RIGHT), ("nonsense", RIGHT), (asked["question_id"], 77)):
            refused = await answer(bob.socket, question_id, choice, f"{question_id} {choice}")
            assert (refused["accepted"], refused["choice"], refused["score"]) == (False, None, 0)
        assert (await event.state())["answered"] == 1

        wrong = await answer(bob.socket, asked["question_id"], WRONG, "mine")
        assert (wrong["accepted"], wrong["correct"], wrong["score"]) == (True, False, 0)
        closed = await phase(host, "leaderboard", 1)
        assert (closed["correct_choice"], closed["tally"], closed["ends_at"]) == (RIGHT, [0, 1, 1], None)
        assert [(row["rank"], row["display_name"], row["score"]) for row in closed["leaderboard"]] == [
            (1, "Ann", right["score"]),
            (2, "Bob", 0),
        ]
        late = await answer(bob.socket, asked["question_id"], RIGHT, "late")
        assert (late["accepted"], late["choice"], late["correct"]) == (False, WRONG, False)

        cem = await event.join("Cem")
        async with cem.socket:
            state = (await cem.socket.next("state_restored"))["data"]
            assert (state["phase"], state["question"]["number"], state["tally"]) == (
                "leaderboard",
                1,
                [0, 1, 1],
            )
            assert (state["time_left_ms"], state["score"]) == (None, 0)
            await event.host("next")
            second = (await phase(cem.socket, "question", 2))["question"]
            assert (await answer(cem.socket, second["question_id"], RIGHT, "late, and right"))["correct"]
            await event.host("next")
            assert (await phase(cem.socket, "leaderboard", 2))["tally"] == [0, 1, 0]

            await event.host("finish")
            over = [(await socket.next("game_over"))["data"] for socket in (host, ann.socket, cem.socket)]
            assert over[0] == over[1] == over[2]
            assert [(row["rank"], row["display_name"]) for row in over[0]["standing"]][2] == (3, "Bob")
            end = await event.state(cem.token)
            assert (end["phase"], end["leaderboard"]) == ("finished", over[0]["standing"])
        assert (await event.ask_to_join("Dan")).body["code"] == "session_finished"
        for socket in (host, ann.socket):
            assert {f.get("ref") for f in socket.of("answer_result")} <= {"one", "twice", "changed"}
            numbers = [f["seq"] for f in socket.frames if "seq" in f]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert host.of("answer_result") == []


async def test_a_question_that_nobody_answers_ends_at_its_deadline(stack: Stack) -> None:
    async with event_with(stack, "Ann", count=1, seconds=5) as (event, [ann]):
        question = (await event.host("next"))["question"]
        closed = await phase(ann.socket, "leaderboard", 1)
        deadline = datetime.fromisoformat(question["deadline"])
        assert 0 <= time.time() - deadline.timestamp() < 3
        assert closed["tally"] == [0, 0, 0]
        assert (await event.host("next"))["phase"] == "finished"
        await ann.socket.next("game_over")
