"""Parties on the real service: made by REST, heard over sockets, and matched in teams."""

import asyncio
import json
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.acceptance.stacks import Stack
from tests.players import Frame, Player

MakePlayer = Callable[..., Player]
PARTIES = "matchmaking/parties"


def _asked(stack: Stack, path: str, player: Player, method: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{stack.base_url}/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {player._token}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


async def asked(stack: Stack, path: str, player: Player, method: str = "POST", body: Any = None) -> Any:
    return await asyncio.to_thread(_asked, stack, path, player, method, body)


async def id_of(player: Player) -> str:
    return str((await player.next("connected"))["data"]["user_id"])


async def party_of(stack: Stack, leader: Player, mate: Player) -> str:
    """Let two players be a party, each told by its socket; return its id."""
    party_id = str((await asked(stack, PARTIES, leader))["party_id"])
    await asked(stack, f"{PARTIES}/{party_id}/invite", leader, body={"user_id": await id_of(mate)})
    invited = await mate.next("party_invited", where=lambda f: f["data"]["party_id"] == party_id)
    assert invited["data"]["leader"] == await id_of(leader)
    joined = await asked(stack, f"{PARTIES}/{party_id}/join", mate)
    for each in (leader, mate):
        told = await each.next("party_updated", where=lambda f: len(f["data"]["members"]) == 2)
        assert told["data"] == joined
    return party_id


def is_connected(frame: Frame, user_id: str) -> bool:
    return any(m["user_id"] == user_id and m["connected"] for m in frame["data"]["members"])


async def told_status(player: Player, status: str, *, since: int = 0) -> Frame:
    return await player.next("party_updated", since=since, where=lambda f: f["data"]["status"] == status)


async def test_two_parties_meet_are_confirmed_and_stay_together(player: MakePlayer, stack: Stack) -> None:
    async with player("ann") as ann, player("bob") as bob, player("cat") as cat, player("dan") as dan:
        first, second = await party_of(stack, ann, bob), await party_of(stack, cat, dan)
        await ann.send("join_queue", {"pool_key": "teams", "party_id": first}, ref="1")
        assert (await ann.next("queue_joined"))["ref"] == "1"
        assert "ref" not in await bob.next("queue_joined")
        for each in (ann, bob):
            await told_status(each, "QUEUED")
        await asked(stack, "matchmaking/queue", cat, body={"pool_key": "teams", "party_id": second})
        ready = [await each.next("match_ready", within=15) for each in (ann, bob, cat, dan)]
        assert len({frame["data"]["match_id"] for frame in ready}) == 1
        teams = [(await each.next("match_found"))["data"]["team"] for each in (ann, bob, cat, dan)]
        assert teams[0] == teams[1] != teams[2] == teams[3]
        for each in (ann, bob, cat, dan):
            await told_status(each, "PLAYING")
        since = len(ann.frames)
        for each in (ann, bob, cat):
            await asked(stack, f"sessions/{ready[0]['data']['session_id']}/leave", each)
        idle = await told_status(ann, "IDLE", since=since)
        assert idle["data"]["party_id"] == first
        assert len(idle["data"]["members"]) == 2


async def test_members_hear_who_goes_and_who_comes_back(player: MakePlayer, stack: Stack) -> None:
    bob = player("bob")
    async with player("ann") as ann, bob:
        await party_of(stack, ann, bob)
        bob_id = await id_of(bob)
        since = len(ann.frames)
        await bob.disconnect()
        await ann.next("party_updated", since=since, where=lambda f: not is_connected(f, bob_id))
        since = len(ann.frames)
        await bob.connect()
        await ann.next("party_updated", since=since, where=lambda f: is_connected(f, bob_id))
        restored = await bob.next("state_restored", where=lambda f: f["data"]["party"] is not None)
        assert [member["connected"] for member in restored["data"]["party"]["members"]] == [True, True]


async def test_a_party_whose_member_is_away_keeps_its_place_until_it_is_back(
    player: MakePlayer, stack: Stack
) -> None:
    bob = player("bob")
    async with player("ann") as ann, bob, player("cat") as cat, player("dan") as dan:
        first, second = await party_of(stack, ann, bob), await party_of(stack, cat, dan)
        await asked(stack, "matchmaking/queue", ann, body={"pool_key": "teams", "party_id": first})
        bob_id = await id_of(bob)
        since = len(ann.frames)
        await bob.disconnect()
        told = await ann.next("party_updated", since=since, where=lambda f: not is_connected(f, bob_id))
        assert told["data"]["status"] == "QUEUED"
        await asked(stack, "matchmaking/queue", cat, body={"pool_key": "teams", "party_id": second})
        await asyncio.sleep(1)
        assert not ann.of("ping", "match_found", "queue_cancelled")
        await bob.connect()
        for each in (ann, bob, cat, dan):
            await each.next("match_ready", within=15)
        ready = await ann.next("match_ready")
        for each in (ann, bob, cat):
            await asked(stack, f"sessions/{ready['data']['session_id']}/leave", each)
