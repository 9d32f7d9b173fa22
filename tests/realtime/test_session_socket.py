"""The game session after a match: who is there, who dropped, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.conftest import FAST
from tests.realtime.test_event_socket import answer, phase
from tests.realtime.test_matchmaking_socket import asked

MakePlayer = Callable[..., Player]
QUESTIONS = int(FAST["QUIZ_DUEL_QUESTIONS"])


@asynccontextmanager
async def duel(player: MakePlayer) -> AsyncIterator[tuple[Player, Player, Player, Player]]:
    """Yield both players' matchmaking sockets and both session sockets."""
    async with AsyncExitStack() as sockets:
        ann = await sockets.enter_async_context(player("ann"))
        bob = await sockets.enter_async_context(player("bob"))
        await ann.join()
        await bob.join()
        ready = await ann.next("match_ready")
        await bob.next("match_ready")
        path = f"/ws/sessions/{ready['data']['session_id']}/"
        in_session = []
        for name in ("ann", "bob"):
            in_session.append(await sockets.enter_async_context(player(name, path=path)))
            await in_session[-1].next("state_restored")
        yield ann, bob, in_session[0], in_session[1]


def shares(match: dict[str, Any]) -> dict[str, float]:
    """Return the result of a match by the players' names."""
    return {row["user_id"].partition("-")[0]: row["score"] for row in match["result"]["outcome"]}


async def test_both_are_in_the_same_room_and_see_each_other(player: MakePlayer) -> None:
    async with duel(player) as (_, _, ann, bob):
        await ann.next("participant_joined", where=lambda f: f["data"]["display_name"].startswith("Bob"))
        state = (await bob.next("state_restored"))["data"]
        assert state["phase"] == "lobby"
        assert {p["display_name"][:3] for p in state["participants"]} == {"Ann", "Bob"}
        assert {p["connection_state"] for p in state["participants"]} == {"connected"}
        assert state["participant_id"] in {p["participant_id"] for p in state["participants"]}


async def test_who_leaves_ends_the_duel_and_both_can_queue_again(player: MakePlayer, stack: Stack) -> None:
    async with duel(player) as (ann_queue, bob_queue, ann, bob):
        active = await asked(stack, "matchmaking/active", ann)
        await ann_queue.send("join_queue", {"pool_key": "duel"})
        assert (await ann_queue.next("error"))["data"]["code"] == "active_game_exists"
        await asked(stack, f"sessions/{active['session_id']}/leave", ann, "POST")
        left = await bob.next("participant_left")
        assert left["data"]["reason"] == "left"
        assert (await bob.next("game_over"))["data"]["session_id"] == active["session_id"]
        assert await ann.closed() == 4510
        match = await asked(stack, f"matchmaking/matches/{active['match']['match_id']}", bob)
        assert match["status"] == "FINISHED"
        assert shares(match) == {"bob": 1, "ann": 0}
        for each in (ann_queue, bob_queue):
            await each.send("join_queue", {"pool_key": "blitz"})
            await each.send("leave_queue")
            await each.next("queue_cancelled")
        async with player("ann", path=f"/ws/sessions/{active['session_id']}/") as again:
            assert await again.closed() == 4510


async def test_a_drop_is_temporary_and_who_reconnects_in_time_stays(player: MakePlayer) -> None:
    async with duel(player) as (_, _, ann, bob):
        ann.abort()
        await ann._reader
        dropped = await bob.next("participant_temporarily_disconnected")
        assert dropped["data"]["grace_seconds"] == 1.5
        await ann.connect()
        back = await bob.next("participant_reconnected")
        assert back["data"]["participant_id"] == dropped["data"]["participant_id"]
        await asyncio.sleep(2.5)
        assert bob.of("participant_left") == []


async def test_who_stays_away_has_left_once_after_the_grace_period(player: MakePlayer, stack: Stack) -> None:
    async with duel(player) as (_, bob_queue, ann, bob):
        ann.abort()
        await bob.next("participant_temporarily_disconnected")
        left = await bob.next("participant_left", within=6)
        assert left["data"]["reason"] == "grace_expired"
        await asyncio.sleep(1.5)
        assert len(bob.of("participant_left")) == 1
        assert (await asked(stack, "matchmaking/active", bob_queue))["match"] is None


async def test_a_room_that_stands_empty_ends_the_match(player: MakePlayer, stack: Stack) -> None:
    async with duel(player) as (ann_queue, _, ann, bob):
        ann.abort()
        bob.abort()
        match = (await asked(stack, "matchmaking/active", ann_queue))["match"]
        for _ in range(60):
            now = await asked(stack, f"matchmaking/matches/{match['match_id']}", ann_queue)
            if now["status"] == "FINISHED":
                break
            await asyncio.sleep(0.1)
        assert now["status"] == "FINISHED"


async def test_one_of_two_tabs_may_close_without_a_drop(player: MakePlayer) -> None:
    async with duel(player) as (_, _, ann, bob):
        async with player("ann", path=ann._url.removeprefix(ann._url.split("/ws/")[0])) as second_tab:
            await second_tab.next("state_restored")
        await asyncio.sleep(0.5)
        assert bob.of("participant_temporarily_disconnected") == []
        ann.abort()
        await bob.next("participant_temporarily_disconnected")


async def test_two_devices_of_one_user_play_as_one_and_one_device_has_one_socket(
    player: MakePlayer,
) -> None:
    async with duel(player) as (_, _, ann, bob):
        path = ann._url.removeprefix(ann._url.split("/ws/")[0])
        phone, laptop = (f"{path}?device_id={name * 4}" for name in ("phone", "laptop"))
        async with player("ann", path=phone) as first, player("ann", path=laptop) as second:
            await first.next("state_restored")
            await second.next("state_restored")
            async with player("ann", path=phone) as again:
                await again.next("state_restored")
                assert await first.closed() == 4509
                await asyncio.sleep(0.5)
                assert (ann.close_code, second.close_code, again.close_code) == (None, None, None)
        assert bob.of("participant_temporarily_disconnected") == []
        states = [await each.next("state_restored") for each in (ann, second, again)]
        assert len({state["data"]["participant_id"] for state in states}) == 1


async def test_a_duel_is_played_to_its_end_and_the_match_has_the_result(
    player: MakePlayer, stack: Stack
) -> None:
    async with duel(player) as (ann_queue, _, ann, bob):
        match_id = (await asked(stack, "matchmaking/active", ann_queue))["match"]["match_id"]
        scores: dict[str, int] = {}
        for number in range(1, QUESTIONS + 1):
            for choice, (name, socket) in enumerate((("ann", ann), ("bob", bob))):
                question = (await phase(socket, "question", number))["question"]
                assert (question["of"], "answer" in question) == (QUESTIONS, False)
                result = await answer(socket, question["question_id"], choice, f"{name} {number}")
                assert result["accepted"]
                scores[name] = result["score"]
            closed = await phase(bob, "leaderboard", number)
            assert closed["ends_at"] is not None, "a duel goes on by itself"
            assert sum(closed["tally"]) == 2
            assert {row["score"] for row in closed["leaderboard"]} == set(scores.values())
        over = (await ann.next("game_over"))["data"]
        assert over == (await bob.next("game_over"))["data"]
        assert {
            row["display_name"].partition("-")[0].lower(): row["score"] for row in over["standing"]
        } == scores
        match = await asked(stack, f"matchmaking/matches/{match_id}", ann_queue)
        assert match["status"] == "FINISHED"
        draw = scores["ann"] == scores["bob"]
        winner = max(scores, key=lambda name: scores[name])
        assert shares(match) == {name: 0.5 if draw else float(name == winner) for name in scores}
        assert (await asked(stack, "matchmaking/active", ann_queue))["match"] is None
        for socket in (ann, bob):
            assert len(socket.of("answer_result")) == QUESTIONS, "one's own alone"


async def test_a_stranger_is_closed_with_4503(player: MakePlayer) -> None:
    async with duel(player) as (_, _, ann, _):
        path = ann._url.removeprefix(ann._url.split("/ws/")[0])
        async with player("stranger", path=path) as stranger:
            assert await stranger.closed() == 4503


async def test_queue_commands_are_not_for_the_session_socket(player: MakePlayer) -> None:
    async with duel(player) as (_, _, ann, _):
        await ann.send("join_queue", {"pool_key": "duel"}, ref="here?")
        error = await ann.next("error")
        assert (error["data"]["code"], error["ref"]) == ("invalid_request", "here?")
