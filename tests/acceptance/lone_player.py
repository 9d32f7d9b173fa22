"""One well-behaved player in a process of its own, to be stopped and continued from outside.

``python -m tests.acceptance.lone_player WS_URL TOKEN POOL`` queues, answers everything, and prints each frame
that it receives as a line of JSON.
"""

import asyncio
import json
import sys

from tests.players import Player


async def play(url: str, token: str, pool_key: str) -> None:
    async with Player(url, token) as player:
        await player.send("join_queue", {"pool_key": pool_key})
        seen = 0
        while player.close_code is None:
            for frame in player.frames[seen:]:
                sys.stdout.write(json.dumps(frame) + "\n")
                sys.stdout.flush()
                seen += 1
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(play(*sys.argv[1:]))
