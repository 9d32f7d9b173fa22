"""The ready check over the socket, on the demo pool that has one."""

import pytest

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.test_matchmaking_socket import MakePlayer, asked


async def find_each_other(*players: Player) -> str:
    """Let players join the pool, and wait until both are asked; return the match's id."""
    for each in players:
        await each.join("ready")
    found = [await each.next("match_found") for each in players]
    assert [frame["data"]["accept_within_ms"] for frame in found] == [20_000] * len(players)
    return str(found[0]["data"]["match_id"])


async def test_both_accept_hear_of_each_other_and_play(player: MakePlayer) -> None:
    async with player("ann") as ann, player("bob") as bob:
        match_id = await find_each_other(ann, bob)
        await ann.send("accept_match", {"match_id": match_id}, ref="yes")
        for each in (ann, bob):
            heard = await each.next("match_acceptance")
            assert heard["data"] == {"match_id": match_id, "accepted": 1, "needed": 2}
            assert heard.keys() == {"type", "timestamp", "data"}
        assert bob.of("match_ready") == []
        await bob.send("accept_match", {"match_id": match_id})
        for each in (ann, bob):
            assert (await each.next("match_ready"))["data"]["match_id"] == match_id
            assert each.of("error", "match_cancelled") == []
        # What is refused is answered, and nothing else is.
        for kind in ("accept_match", "decline_match"):
            seen = len(ann.frames)
            await ann.send(kind, {"match_id": match_id}, ref=kind)
            error = await ann.next("error", since=seen)
            assert (error["data"]["code"], error["ref"]) == ("not_awaiting_acceptance", kind)
        await ann.send("accept_match", {"match_id": "nobody's"}, ref="unknown")
        error = await ann.next("error", where=lambda frame: frame["ref"] == "unknown")
        assert error["data"]["code"] == "not_found"
        assert bob.of("error") == []


@pytest.mark.parametrize("has_accepted", [False, True])
async def test_who_comes_back_is_asked_again_unless_it_has_accepted(
    player: MakePlayer, stack: Stack, has_accepted: bool
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        match_id = await find_each_other(ann, bob)
        ready = ann if has_accepted else bob
        await ready.send("accept_match", {"match_id": match_id})
        await ann.next("match_acceptance")
        await _until_awaited(stack, ann)
        found = await ann.next("match_found")
        ann.abort()
        await ann._reader
        seen = len(ann.frames)
        await ann.connect(f"?last_seq={found['seq']}")
        counted = await ann.next("match_acceptance", since=seen)
        assert counted["data"] == {"match_id": match_id, "accepted": 1, "needed": 2}
        frames = ann.frames[seen:]
        restored = next(frame for frame in frames if frame["type"] == "state_restored")
        assert restored["data"]["match"]["status"] == "AWAITING_ACCEPTANCE"
        owed = [(f["id"], f["seq"]) for f in frames if f["type"] == "match_found"]
        assert owed == ([] if has_accepted else [(found["id"], found["seq"])])
        for each in (ann, bob):
            await each.send("accept_match", {"match_id": match_id})
        await ann.next("match_ready", since=seen)
        await bob.next("match_ready")


async def _until_awaited(stack: Stack, player: Player) -> None:
    for _ in range(50):
        active = await asked(stack, "matchmaking/active", player)
        if active["match"]["status"] == "AWAITING_ACCEPTANCE":
            return
    raise AssertionError(active)


async def test_who_declines_is_out_at_once_and_the_other_one_waits_on(
    player: MakePlayer, stack: Stack
) -> None:
    async with player("ann") as ann, player("bob") as bob:
        match_id = await find_each_other(ann, bob)
        await ann.send("accept_match", {"match_id": match_id})
        await bob.send("decline_match", {"match_id": match_id}, ref="no")
        theirs = await bob.next("match_cancelled")
        assert (theirs["data"]["reason"], theirs["data"]["requeued"]) == ("you_declined", False)
        out = await bob.next("queue_cancelled")
        assert out["data"]["reason"] == "declined"
        ours = await ann.next("match_cancelled")
        assert (ours["data"]["reason"], ours["data"]["requeued"]) == ("opponent_declined", True)
        assert (await asked(stack, "matchmaking/active", bob))["ticket"] is None
        active = await asked(stack, "matchmaking/active", ann)
        assert (active["ticket"]["status"], active["match"]) == ("SEARCHING", None)
        assert bob.of("error") == ann.of("error") == []
        await ann.send("leave_queue")
        await ann.next("queue_cancelled")
