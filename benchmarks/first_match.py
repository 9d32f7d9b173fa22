"""How long players wait for a match that could be made at once, on the real processes of one machine.

Two lone players, 20 times: from the second join to ``match_ready``. Then 100 players who join in a burst:
from the first join to the last ``match_ready``. The round trip of a heartbeat on an idle socket, measured in
the same run, tells how fast the machine is; the figures are given as multiples of it, too.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.tables import write_table
from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

TRIES = 20
BURST = 100
ROUND_TRIPS = 200


async def round_trip_seconds(stack: Stack) -> float:
    """Return the median time from ``heartbeat`` to ``heartbeat_ack``."""
    times = []
    async with Player(stack.ws_url, token_for("echo", key=stack.jwt_signing_key)) as player:
        await player.next("state_restored")
        for number in range(ROUND_TRIPS):
            await asyncio.sleep(0.06)  # below the limit of 20 frames a second
            started = time.perf_counter()
            seen = len(player.frames)
            await player.send("heartbeat", ref=str(number))
            await player.next("heartbeat_ack", since=seen)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


async def lone_pair_seconds(stack: Stack, number: int) -> float:
    """Return the time from the second join to the later ``match_ready``."""
    key = stack.jwt_signing_key
    async with (
        Player(stack.ws_url, token_for(f"first-{number}", key=key)) as first,
        Player(stack.ws_url, token_for(f"second-{number}", key=key)) as second,
    ):
        await first.join()
        await second.next("state_restored")
        started = time.perf_counter()
        await second.join()
        await asyncio.gather(first.next("match_ready"), second.next("match_ready"))
        return time.perf_counter() - started


async def burst_seconds(stack: Stack) -> float:
    """Return the time from the first join of a burst to the last ``match_ready``."""
    key = stack.jwt_signing_key
    players = [Player(stack.ws_url, token_for(f"burst-{number}", key=key)) for number in range(BURST)]
    await asyncio.gather(*(player.connect() for player in players))
    await asyncio.gather(*(player.next("state_restored", within=60) for player in players))
    started = time.perf_counter()
    await asyncio.gather(*(player.send("join_queue", {"pool_key": "duel"}) for player in players))
    await asyncio.gather(*(player.next("match_ready", within=60) for player in players))
    took = time.perf_counter() - started
    await asyncio.gather(*(player.disconnect() for player in players))
    return took


async def measure(stack: Stack) -> list[tuple[str, str, str]]:
    """Run everything; return the rows of the table."""
    unit = await round_trip_seconds(stack)
    pairs = sorted([await lone_pair_seconds(stack, number) for number in range(TRIES)])
    rows = [
        ("heartbeat round trip, median", unit),
        (f"two lone players, second join to `match_ready`, median of {TRIES}", statistics.median(pairs)),
        (f"the same, p95 of {TRIES}", pairs[-(-TRIES * 95 // 100) - 1]),
        (f"{BURST} players join in a burst, until the last `match_ready`", await burst_seconds(stack)),
    ]
    return [(what, f"{took:.4f}", f"{took / unit:.0f}") for what, took in rows]


def main() -> None:
    """Measure, print, and write the table into docs/performance.md."""
    with tempfile.TemporaryDirectory(prefix="matchmaking-bench-") as directory:
        Path(directory).chmod(0o755)
        stack = Stack(Path(directory))
        stack.start()
        try:
            rows = asyncio.run(measure(stack))
        finally:
            stack.stop()
    write_table("performance.md", "first_match", ["what", "seconds", "in round trips"], rows)


if __name__ == "__main__":
    main()
