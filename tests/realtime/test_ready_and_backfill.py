"""The ready check and another player for a running game, on the real service, over sockets."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.test_challenge_socket import Answer, asked, id_of

MakePlayer = Callable[..., Player]


def counts(player: Player) -> list[tuple[int, int]]:
    return [(f["data"]["accepted"], f["data"]["needed"]) for f in player.of("match_acceptance")]


async def status_of_match(stack: Stack, player: Player) -> str:
    active = await asked(stack, "matchmaking/active", player, "GET")
    return str(active.body["match"]["status"])


async def found_by_both(ann: Player, bob: Player) -> str:
    await ann.join("ready")
    await bob.join("ready")
    found = await ann.next("match_found")
    assert found["data"]["accept_within_ms"] == 20_000
    return str((await bob.next("match_found"))["data"]["match_id"])


async def test_who_accept_hear_of_each_other_and_are_in_the_game(player: MakePlayer) -> None:
    async with player("ann") as ann, player("bob") as bob:
        match_id = await found_by_both(ann, bob)
        await ann.send("accept_match", {"match_id": match_id})
        await bob.next("match_acceptance", where=lambda f: f["data"]["accepted"] == 1)
        await bob.send("accept_match", {"match_id": match_id})
        for each in (ann, bob):
            assert (await each.next("match_ready"))["data"]["match_id"] == match_id
        assert counts(ann)[0] == (1, 2)
        assert not ann.of("error")
        await bob.send("accept_match", {"match_id": match_id}, ref="late")
        refusal = await bob.next("error")
        assert (refusal["ref"], refusal["data"]["code"]) == ("late", "not_awaiting_acceptance")


async def test_who_comes_back_is_asked_once_more_and_who_declines_is_out_alone(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        match_id = await found_by_both(ann, bob)
        await ann.send("accept_match", {"match_id": match_id})
        await bob.next("match_acceptance")
        while await status_of_match(stack, bob) != "AWAITING_ACCEPTANCE":
            await asyncio.sleep(0.05)
        first = bob.of("match_found")[0]
        await bob.disconnect()
        bob.frames.clear()
        await bob.connect()
        state = await bob.next("state_restored")
        assert state["data"]["match"]["status"] == "AWAITING_ACCEPTANCE"
        again = await bob.next("match_found")
        assert (again["id"], again["seq"]) == (first["id"], first["seq"])
        assert (await bob.next("match_acceptance"))["data"]["accepted"] == 1
        await bob.send("decline_match", {"match_id": match_id})
        cancelled, ended = await bob.next("match_cancelled"), await bob.next("queue_cancelled")
        assert (cancelled["data"]["reason"], cancelled["data"]["requeued"]) == ("you_declined", False)
        assert ended["data"]["reason"] == "declined"
        back = await ann.next("match_cancelled")
        assert (back["data"]["reason"], back["data"]["requeued"]) == ("opponent_declined", True)
        await ann.send("leave_queue")
        await ann.next("queue_cancelled")


async def test_a_game_server_gets_another_player_for_one_who_is_gone(
    player: MakePlayer, stack: Stack
) -> None:
    async def ask(match_id: str, user_id: str) -> Answer:
        server = player("server", roles=["game_server"])
        return await asked(
            stack, f"matchmaking/matches/{match_id}/backfill", server, body={"user_id": user_id}
        )

    def room(name: str, session_id: Any) -> Player:
        return player(name, path=f"/ws/sessions/{session_id}/?device_id={name * 6}")

    async with player("ann") as ann, player("bob") as bob, player("cas") as cas:
        await ann.join()
        await bob.join()
        ready = (await ann.next("match_ready"))["data"]
        async with room("ann", ready["session_id"]) as hers, room("bob", ready["session_id"]) as his:
            await hers.next("state_restored")
            await his.next("state_restored")
            assert (await ask(ready["match_id"], await id_of(bob))).status == 202
            await cas.join()
            found = await cas.next("match_found")
            assert [o["user_id"] for o in found["data"]["opponents"]] == [await id_of(ann)]
            moved = (await cas.next("match_ready"))["data"]
            assert (moved["game_id"], moved["session_id"]) == (ready["game_id"], ready["session_id"])
            assert cas.of("ping"), "verified like anybody"
            assert await his.closed() == 4510
            async with room("cas", ready["session_id"]) as theirs:
                state = (await theirs.next("state_restored"))["data"]
                there = {p["display_name"]: p["connection_state"] for p in state["participants"]}
                assert sorted(there.values()) == ["connected", "connected", "disconnected"]
            active = await asked(stack, "matchmaking/active", bob, "GET")
            assert active.body["match"] is None
            assert (await asked(stack, f"sessions/{ready['session_id']}/leave", ann)).status == 200
