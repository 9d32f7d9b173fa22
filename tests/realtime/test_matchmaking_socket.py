"""Queue and match over the socket, message by message."""

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Callable
from typing import Any

from websockets.exceptions import InvalidMessage

from tests.acceptance.stacks import Stack
from tests.players import Frame, Player, token_for

MakePlayer = Callable[..., Player]


def rest(stack: Stack, path: str, player: Player, method: str = "GET", body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{stack.base_url}/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {player._token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


async def asked(stack: Stack, path: str, player: Player, method: str = "GET", body: Any = None) -> Any:
    return await asyncio.to_thread(rest, stack, path, player, method, body)


def seqs(frames: list[Frame]) -> list[int]:
    return [frame["seq"] for frame in frames if "seq" in frame]


async def test_two_players_are_found_confirmed_and_told_the_same_game(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        joined = await ann.join()
        assert joined["data"]["status"] == "SEARCHING"
        assert joined["data"]["position"] == 1
        await bob.join()
        found, ready = await ann.next("match_found"), await ann.next("match_ready")
        assert set(found["data"]) == {
            "match_id",
            "game_id",
            "queue_entry_id",
            "pool_key",
            "opponents",
            "color",
            "team",
            "ack_within_ms",
        }
        assert found["data"]["opponents"][0]["display_name"].startswith("Bob")
        theirs = await bob.next("match_ready")
        assert ready["data"] == theirs["data"]
        assert set(ready["data"]) == {"match_id", "game_id", "session_id"}
        colors = {(await p.next("match_found"))["data"]["color"] for p in (ann, bob)}
        assert colors == {"white", "black"}
        assert seqs(ann.frames) == [1, 2, 3]
        active = await asked(stack, "matchmaking/active", ann)
        assert active["match"]["status"] == "CONFIRMED"
        assert active["session_id"] == ready["data"]["session_id"]
        assert active["ticket"] is None


async def test_the_answer_to_a_command_has_its_ref_on_that_connection_alone(player: MakePlayer) -> None:
    async with player("ann") as here, player("ann") as there:
        await there.next("state_restored")
        await here.send("join_queue", {"pool_key": "blitz"}, ref="my join")
        assert (await here.next("queue_joined"))["ref"] == "my join"
        assert "ref" not in await there.next("queue_joined")
        await there.send("leave_queue", ref="my leave")
        assert (await there.next("queue_cancelled"))["ref"] == "my leave"
        assert "ref" not in await here.next("queue_cancelled")


async def test_refusals_of_the_queue_are_those_of_rest(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.send("join_queue", {"pool_key": "nowhere"}, ref="1")
        error = await ann.next("error")
        assert (error["data"]["code"], error["ref"]) == ("pool_not_found", "1")
        await ann.send("leave_queue", ref="2")
        error = await ann.next("error", where=lambda frame: frame["ref"] == "2")
        assert error["data"]["code"] == "queue_entry_not_found"
        joined = await ann.join("casual")
        await ann.send("join_queue", {"pool_key": "casual"}, ref="3")
        error = await ann.next("error", where=lambda frame: frame["ref"] == "3")
        assert error["data"]["code"] == "already_in_queue"
        assert error["data"]["queue_entry_id"] == joined["data"]["queue_entry_id"]
        await ann.send("leave_queue", {"queue_entry_id": joined["data"]["queue_entry_id"]})
        cancelled = await ann.next("queue_cancelled")
        assert cancelled["data"] == {
            "queue_entry_id": joined["data"]["queue_entry_id"],
            "reason": "user_request",
        }


async def test_queue_updates_come_when_something_changes(player: MakePlayer) -> None:
    async with player("ann", priority=600) as ann, player("bob", silent=True) as bob:
        await bob.join("casual")
        first = await bob.next("queue_update", where=lambda frame: frame["data"]["waiting"] == 1)
        assert set(first["data"]) == {
            "queue_entry_id",
            "position",
            "estimated_wait",
            "waiting",
            "rating_window",
        }
        await ann.send("join_queue", {"pool_key": "casual"})
        overtaken = await bob.next("queue_update", where=lambda frame: frame["data"]["position"] == 2)
        assert overtaken["data"]["waiting"] == 2
        await ann.send("leave_queue")
        await bob.send("leave_queue")
        await bob.next("queue_cancelled")


async def test_a_dead_player_is_never_matched_and_the_living_keeps_its_place(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("dead", silent=True) as dead, player("ann") as ann:
        await dead.join("blitz")
        joined = await ann.join("blitz")
        cancelled = await ann.next("match_cancelled")
        assert cancelled["data"]["reason"] == "opponent_unreachable"
        assert cancelled["data"]["requeued"] is True
        assert cancelled["data"]["position"] == 2
        assert (await dead.next("match_cancelled"))["data"]["reason"] == "you_unreachable"
        ticket = await asked(stack, f"matchmaking/queue/{joined['data']['queue_entry_id']}", ann)
        assert ticket["status"] == "SEARCHING"
        assert ticket["queued_at"] == joined["data"]["queued_at"]
        assert ann.of("match_found", "match_ready") == []
        async with player("bob") as bob:
            await bob.join("blitz")
            assert (await ann.next("match_ready"))["data"] == (await bob.next("match_ready"))["data"]
        await dead.send("leave_queue")
        await dead.next("queue_cancelled")


async def test_without_an_acknowledgement_nothing_is_confirmed(player: MakePlayer) -> None:
    async with player("deaf") as deaf, player("ann") as ann:
        deaf.acknowledges = False
        await deaf.join("blitz")
        await ann.join("blitz")
        cancelled = await ann.next("match_cancelled")
        assert cancelled["data"]["reason"] == "delivery_failed"
        assert cancelled["data"]["requeued"] is True
        again = deaf.of("match_found")
        assert len(again) == 2, "match_found is sent once more"
        assert again[0]["id"] == again[1]["id"]
        assert again[0]["seq"] == again[1]["seq"]
        assert ann.of("match_ready") == deaf.of("match_ready") == []
        for each in (ann, deaf):
            await each.send("leave_queue")
            await each.next("queue_cancelled")


async def test_leaving_while_reserved_rolls_the_match_back(player: MakePlayer) -> None:
    async with player("silent", silent=True) as silent, player("ann") as ann:
        await silent.join("casual")
        await ann.join("casual")
        await silent.next("ping")
        await silent.send("leave_queue")
        assert (await silent.next("queue_cancelled"))["data"]["reason"] == "user_request"
        cancelled = await ann.next("match_cancelled")
        assert cancelled["data"]["reason"] == "opponent_cancelled"
        assert cancelled["data"]["requeued"] is True
        assert silent.of("match_cancelled") == []
        await ann.send("leave_queue")
        await ann.next("queue_cancelled")


async def test_who_comes_back_in_time_gets_what_it_still_owes_and_what_it_missed(
    player: MakePlayer,
) -> None:
    async with player("ann", silent=True) as ann, player("bob") as bob:
        await ann.join("casual")
        await bob.join("casual")
        await ann.next("ping")
        ann.abort()
        await ann._reader
        seen = len(ann.frames)
        ann.answers_pings = ann.acknowledges = True
        await ann.connect("?last_seq=0")
        restored = await ann.next("state_restored", since=seen)
        assert restored["data"]["ticket"]["status"] == "RESERVED"
        assert [event["type"] for event in restored["data"]["missed"]] == ["queue_joined"]
        assert restored["data"]["resumed"] is True
        assert restored["data"]["gap"] is False
        after = [frame["type"] for frame in ann.frames[seen:]]
        assert after[:3] == ["connected", "state_restored", "ping"]
        await ann.next("match_ready", since=seen)
        await bob.next("match_ready")


async def test_the_unacknowledged_match_found_is_owed_after_a_connect_with_its_id_and_seq(
    player: MakePlayer,
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        ann.acknowledges = False
        await ann.join("casual")
        await bob.join("casual")
        found = await ann.next("match_found")
        ann.abort()
        await ann._reader
        seen = len(ann.frames)
        ann.acknowledges = True
        await ann.connect(f"?last_seq={found['seq']}")
        owed = await ann.next("match_found", since=seen)
        assert (owed["id"], owed["seq"]) == (found["id"], found["seq"])
        restored = next(f for f in ann.frames[seen:] if f["type"] == "state_restored")
        assert restored["data"]["match"]["status"] == "PROPOSED"
        assert restored["data"]["missed"] == []
        await ann.next("match_ready", since=seen)


async def test_resync_brings_the_state_and_what_was_missed(player: MakePlayer) -> None:
    async with player("ann", silent=True) as ann:
        await ann.join("casual")
        await ann.send("leave_queue")
        await ann.next("queue_cancelled")
        seen = len(ann.frames)
        await ann.send("resync", {"last_seq": 1})
        restored = await ann.next("state_restored", since=seen)
        assert [event["seq"] for event in restored["data"]["missed"]] == [2]
        assert restored["data"]["seq"] == 2
        seen = len(ann.frames)
        await ann.send("resync", {"last_seq": 99})
        restored = await ann.next("state_restored", since=seen)
        assert restored["data"]["gap"] is True
        assert restored["data"]["resumed"] is False


async def test_a_long_absence_is_made_up_for_in_one_frame_of_any_size(player: MakePlayer) -> None:
    async with player("ann", silent=True) as ann:
        for _ in range(45):
            seen = len(ann.frames)
            await ann.send("join_queue", {"pool_key": "casual"})
            await ann.send("leave_queue")
            await ann.next("queue_cancelled", since=seen)
            await asyncio.sleep(0.08)
        seen = len(ann.frames)
        await ann.send("resync", {"last_seq": 0})
        restored = await ann.next("state_restored", since=seen)
        assert [event["seq"] for event in restored["data"]["missed"]] == list(range(1, 91))
        assert len(json.dumps(restored)) > 16 * 1024


async def test_a_ticket_joined_by_rest_waits_for_a_socket(player: MakePlayer, stack: Stack) -> None:
    ann = player("ann")
    ticket = await asked(stack, "matchmaking/queue", ann, "POST", {"pool_key": "casual"})
    async with player("bob") as bob:
        await bob.join("casual")
        await asyncio.sleep(1.5)
        assert bob.of("ping", "match_cancelled") == []
        async with ann:
            restored = await ann.next("state_restored")
            assert restored["data"]["ticket"]["queue_entry_id"] == ticket["queue_entry_id"]
            await ann.next("match_ready")
            await bob.next("match_ready")


async def test_several_connections_are_one_presence_and_one_acknowledgement_is_enough(
    player: MakePlayer,
) -> None:
    async with player("ann", silent=True) as frozen, player("ann") as alive, player("bob") as bob:
        await frozen.next("state_restored")
        await alive.join("casual")
        await bob.join("casual")
        await bob.next("match_ready")
        await alive.next("match_ready")
        assert (await frozen.next("match_ready"))["seq"] == 3


async def test_who_closes_the_socket_while_searching_is_not_offered_to_others(
    player: MakePlayer,
) -> None:
    async with player("gone") as gone:
        await gone.join("casual")
    await asyncio.sleep(0.5)  # the server hears of the end a moment after the client
    async with player("ann") as ann:
        await ann.join("casual")
        await asyncio.sleep(1.5)
        assert ann.of("ping", "match_found", "match_cancelled") == []
        async with player("gone") as back:
            await back.next("match_ready")
            await ann.next("match_ready")


async def test_a_restarted_web_says_goodbye_and_the_ticket_is_still_there(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann:
        joined = await ann.join("casual")
        os.kill(stack.pid_of("web"), signal.SIGTERM)
        goodbye = await ann.next("goodbye")
        assert goodbye["data"]["reconnect_after_ms"] > 0
        assert await ann.closed() == 4000
        seen = len(ann.frames)
        for _ in range(300):
            try:
                await ann.connect("?last_seq=1")
                break
            except (OSError, InvalidMessage):
                await asyncio.sleep(0.1)
        restored = await ann.next("state_restored", since=seen)
        assert restored["data"]["ticket"]["queued_at"] == joined["data"]["queued_at"]
        await ann.send("leave_queue")
        await ann.next("queue_cancelled", since=seen)


async def test_a_killed_worker_leaves_nothing_stuck(player: MakePlayer, stack: Stack) -> None:
    async with player("cas") as cas, player("dan") as dan:
        dan.answers_pings = False
        first = await cas.join("casual")
        await dan.join("casual")
        await dan.next("ping")
        os.kill(stack.pid_of("worker"), signal.SIGKILL)
        dan.answers_pings = True
        cancelled = await cas.next("match_cancelled", within=30)
        assert cancelled["data"]["requeued"] is True
        await asyncio.gather(cas.next("match_ready", within=30), dan.next("match_ready", within=30))
        assert first["data"]["queue_entry_id"] == cancelled["data"]["queue_entry_id"]


async def test_another_tenants_pool_of_the_same_name_is_another_pool(stack: Stack) -> None:
    stranger = Player(stack.ws_url, token_for("stranger", key=stack.jwt_signing_key, tenant_id="other"))
    async with stranger:
        await stranger.send("join_queue", {"pool_key": "duel"})
        assert (await stranger.next("error"))["data"]["code"] == "pool_not_found"
