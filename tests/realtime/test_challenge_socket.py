"""Challenges on the real service: heard over sockets, answered by REST, made like any match."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.acceptance.stacks import Stack
from tests.players import Frame, Player

MakePlayer = Callable[..., Player]
CHALLENGES = "matchmaking/challenges"


class Answer(NamedTuple):
    status: int
    body: Any


def _asked(stack: Stack, path: str, player: Player, method: str, body: Any) -> Answer:
    request = urllib.request.Request(
        f"{stack.base_url}/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {player._token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as refusal:
        return Answer(refusal.code, json.load(refusal))


async def asked(stack: Stack, path: str, player: Player, method: str = "POST", body: Any = None) -> Answer:
    return await asyncio.to_thread(_asked, stack, path, player, method, body)


async def id_of(player: Player) -> str:
    return str((await player.next("connected"))["data"]["user_id"])


async def challenged(stack: Stack, by: Player, to: Player, **wanted: Any) -> Frame:
    """Let a player challenge another; return the frame in which that one hears of it."""
    since = len(to.frames)
    body = {"opponent_id": await id_of(to), **wanted}
    made = await asked(stack, CHALLENGES, by, body=body)
    assert made.status == 201, made
    heard = await to.next("challenge_received", since=since)
    assert heard["data"] == made.body
    return heard


def path_of(frame: Frame, action: str) -> str:
    return f"{CHALLENGES}/{frame['data']['challenge_id']}/{action}"


async def updated(player: Player, frame: Frame, status: str) -> Frame:
    made = frame["data"]["challenge_id"]
    return await player.next(
        "challenge_updated",
        where=lambda f: f["data"]["challenge_id"] == made and f["data"]["status"] == status,
    )


async def end_game(stack: Stack, *players: Player) -> str:
    """Let a player leave its game, which is over then; return the match."""
    ready = [frame for frame in players[0].frames if frame["type"] == "match_ready"][-1]["data"]
    assert (await asked(stack, f"sessions/{ready['session_id']}/leave", players[0])).status == 200
    return str(ready["match_id"])


async def test_who_is_challenged_hears_of_it_accepts_and_both_are_in_the_game(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        heard = await challenged(stack, ann, bob, pool_key="duel", color_preference="WHITE")
        assert heard["seq"] == 1
        answer = await asked(stack, path_of(heard, "accept"), bob)
        assert answer.status == 200, answer
        assert answer.body["game_id"]
        found, ready = await ann.next("match_found"), await bob.next("match_ready")
        assert (found["data"]["color"], found["data"]["queue_entry_id"]) == ("white", None)
        assert ready["data"]["game_id"] == answer.body["game_id"]
        for each in (ann, bob):
            accepted = await updated(each, heard, "ACCEPTED")
            assert accepted["data"] == answer.body
            assert each.of("ping")
        active = await asked(stack, "matchmaking/active", bob, "GET")
        assert active.body["match"]["match_id"] == answer.body["match_id"]
        assert active.body["challenges"] == {"incoming": [], "outgoing": []}
        await end_game(stack, ann)


async def test_who_connects_later_finds_the_challenge_in_its_state(player: MakePlayer, stack: Stack) -> None:
    bob = player("bob")
    async with player("ann") as ann:
        async with bob:
            heard = await challenged(stack, ann, bob)
        async with bob:
            restored = await bob.next("state_restored", where=lambda f: f["data"]["challenges"]["incoming"])
            assert restored["data"]["challenges"]["incoming"] == [heard["data"]]
            assert (await asked(stack, path_of(heard, "decline"), bob)).status == 200
            assert (await updated(ann, heard, "DECLINED"))["data"]["status"] == "DECLINED"
            await updated(bob, heard, "DECLINED")


async def test_a_challenge_that_nobody_answers_expires_by_itself(player: MakePlayer, stack: Stack) -> None:
    async with player("ann") as ann, player("bob") as bob:
        began = time.monotonic()
        heard = await challenged(stack, ann, bob, expires_in=10)
        expired = await asyncio.gather(
            *(each.next("challenge_updated", within=15, where=_is_expired) for each in (ann, bob))
        )
        assert 10 <= time.monotonic() - began <= 13
        assert {frame["data"]["challenge_id"] for frame in expired} == {heard["data"]["challenge_id"]}


def _is_expired(frame: Frame) -> bool:
    return bool(frame["data"]["status"] == "EXPIRED")


async def test_a_frozen_challenger_is_noticed_soon_and_the_challenge_waits_on(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann", silent=True) as ann, player("bob") as bob:
        heard = await challenged(stack, ann, bob)
        began = time.monotonic()
        answer = await asked(stack, path_of(heard, "accept"), bob)
        assert (answer.status, answer.body["code"]) == (409, "cannot_accept_challenge")
        assert time.monotonic() - began < 3
        assert (await bob.next("match_cancelled"))["data"]["reason"] == "opponent_unreachable"
        seen = await asked(stack, f"{CHALLENGES}/{heard['data']['challenge_id']}", bob, "GET")
        assert (seen.body["status"], seen.body["match_id"]) == ("PENDING", None)
        ann.answers_pings = ann.acknowledges = True
        assert (await asked(stack, path_of(heard, "accept"), bob)).status == 200
        await end_game(stack, bob)


async def test_a_searching_player_is_back_after_a_roll_back_and_leaves_the_queue_for_a_game(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob", silent=True) as bob:
        joined = (await ann.join("blitz"))["data"]
        heard = await challenged(stack, bob, ann)
        assert (await asked(stack, path_of(heard, "accept"), ann)).status == 409
        cancelled = await ann.next("match_cancelled")
        assert (cancelled["data"]["requeued"], cancelled["data"]["position"]) == (True, 1)
        ticket = await asked(stack, f"matchmaking/queue/{joined['queue_entry_id']}", ann, "GET")
        assert (ticket.body["status"], ticket.body["queued_at"]) == ("SEARCHING", joined["queued_at"])
        bob.answers_pings = bob.acknowledges = True
        assert (await asked(stack, path_of(heard, "accept"), ann)).status == 200
        left = await ann.next("queue_cancelled")
        assert left["data"] == {"queue_entry_id": joined["queue_entry_id"], "reason": "user_request"}
        assert left["seq"] < (await ann.next("match_ready"))["seq"]
        await end_game(stack, ann)


async def test_two_who_accept_each_others_at_once_play_one_game(player: MakePlayer, stack: Stack) -> None:
    async with player("ann") as ann, player("bob") as bob:
        mine, theirs = await challenged(stack, ann, bob), await challenged(stack, bob, ann, mode="blitz")
        answers = await asyncio.gather(
            asked(stack, path_of(mine, "accept"), bob), asked(stack, path_of(theirs, "accept"), ann)
        )
        assert sorted(answer.status for answer in answers) == [200, 409]
        won, lost = (mine, theirs) if answers[0].status == 200 else (theirs, mine)
        for each in (ann, bob):
            await updated(each, won, "ACCEPTED")
            await updated(each, lost, "CANCELLED")
            assert len(each.of("match_ready")) == 1
        await end_game(stack, ann)


async def test_both_press_rematch_and_play_again_with_colours_swapped(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        heard = await challenged(stack, ann, bob, pool_key="duel", color_preference="WHITE")
        assert (await asked(stack, path_of(heard, "accept"), bob)).status == 200
        await asyncio.gather(ann.next("match_ready"), bob.next("match_ready"))
        played = await end_game(stack, ann)
        answers = await asyncio.gather(
            *(asked(stack, f"matchmaking/matches/{played}/rematch", each) for each in (ann, bob))
        )
        assert [answer.status for answer in answers] == [201, 201], answers
        assert sorted(answer.body["status"] for answer in answers) == ["ACCEPTED", "PENDING"]
        ready = await ann.next("match_ready", where=lambda frame: frame["data"]["match_id"] != played)
        assert len({answer.body["challenge_id"] for answer in answers}) == 1
        found = await ann.next(
            "match_found", where=lambda f: f["data"]["match_id"] == ready["data"]["match_id"]
        )
        assert found["data"]["color"] == "black"
        await end_game(stack, bob)
