"""Who does not come to its games hears, over the socket, when it may queue again."""

import asyncio
from collections.abc import Callable

from tests.players import Frame, Player

OVER_WITHIN_SECONDS = 20


async def answer_to_join(player: Player) -> Frame:
    """Queue, as soon as the game before is over; return what that is answered with."""
    async with asyncio.timeout(OVER_WITHIN_SECONDS):
        while True:
            since = len(player.frames)
            await player.send("join_queue", {"pool_key": "duel"})
            answer = await player.next("queue_joined", "error", since=since)
            if answer["data"].get("code") != "active_game_exists":
                return answer
            await asyncio.sleep(0.2)


async def test_who_misses_two_games_is_told_for_how_long_it_pauses(player: Callable[..., Player]) -> None:
    async with player("ann") as ann, player("bob") as bob, player("cat") as cat:
        for other in (bob, cat):
            assert (await answer_to_join(ann))["type"] == "queue_joined"
            since = len(ann.frames)
            await other.join()
            await ann.next("match_ready", since=since)
        refusal = await answer_to_join(ann)
        assert (refusal["type"], refusal["data"]["code"]) == ("error", "rate_limited")
        assert 20 < refusal["data"]["retry_after_seconds"] <= 30
        assert refusal["data"]["detail"].startswith("You did not come to 2 matches lately")
