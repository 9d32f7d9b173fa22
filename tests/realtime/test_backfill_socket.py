"""Another player for a running game, on the real service, over sockets."""

from collections.abc import Callable
from typing import Any

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.test_challenge_socket import Answer, asked, id_of

MakePlayer = Callable[..., Player]


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
