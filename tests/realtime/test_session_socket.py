"""The game session after a match: who is there, who dropped, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.test_matchmaking_socket import asked

MakePlayer = Callable[..., Player]


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
        assert (match["status"], match["result"]) == ("FINISHED", None)
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
