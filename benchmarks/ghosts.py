"""Fifty frozen players among a thousand queued: who gets a match, when, and who never does.

All join while the workers are held, so that one round finds a thousand. A frozen player keeps its socket open
and answers nothing. Times are taken from the database (reservation, deadline, roll-back) and at the clients
(arrival), which share this machine's clock.
"""

import asyncio
import os
import random
import signal
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from benchmarks.tables import p50_and_p99, write_table
from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

PLAYERS = 1000
FROZEN = 50
TOGETHER = 100
WITHIN_SECONDS = 120
SEED = 20

MATCHES = """
    SELECT m.id::text, m.status, m.created_at, m.deadline, m.finished_at, array_agg(p.user_id)
    FROM matchmaking_match m JOIN matchmaking_matchplayer p ON p.match_id = m.id GROUP BY m.id
"""


@dataclass(frozen=True, slots=True)
class Match:
    """A match as the database has it."""

    id: str
    status: str
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None
    users: list[str]


def arrived(player: Player, kind: str, match_id: str) -> float:
    """Return when a player was sent a frame about a match, as a time of day."""
    return next(
        at
        for frame, at in zip(player.frames, player.received_at, strict=True)
        if frame["type"] == kind and frame["data"]["match_id"] == match_id
    )


async def in_groups(work: list) -> None:  # type: ignore[type-arg]  # coroutines of any kind
    """Await some at a time: a thousand handshakes at once measure the handshakes."""
    for start in range(0, len(work), TOGETHER):
        await asyncio.gather(*work[start : start + TOGETHER])


async def play(stack: Stack, players: dict[str, Player], frozen: set[str]) -> None:
    """Let everybody queue, and wait until all who live have their match."""
    await in_groups([player.connect() for player in players.values()])
    await in_groups([player.next("state_restored", within=60) for player in players.values()])
    worker = stack.pid_of("worker")
    os.kill(worker, signal.SIGSTOP)
    await in_groups([player.join() for player in players.values()])
    os.kill(worker, signal.SIGCONT)
    living = [player for name, player in players.items() if name not in frozen]
    await asyncio.gather(*(player.next("match_ready", within=WITHIN_SECONDS) for player in living))


def report(matches: list[Match], players: dict[str, Player], frozen: set[str]) -> list[tuple[str, str]]:
    """Return what was found, as rows of a table."""
    confirmed = [match for match in matches if match.status == "CONFIRMED"]
    rolled_back = [match for match in matches if match.finished_at is not None]
    once_failed = {user for match in rolled_back for user in match.users}
    untouched = [match for match in confirmed if not once_failed & set(match.users)]
    ready = {
        match.id: max(arrived(players[user], "match_ready", match.id) for user in match.users)
        for match in confirmed
    }
    waits = [ready[match.id] - match.created_at.timestamp() for match in untouched]
    told = [
        arrived(players[user], "match_cancelled", match.id) - match.deadline.timestamp()
        for match in rolled_back
        for user in set(match.users) - frozen
    ]
    last = max((m.finished_at.timestamp() for m in rolled_back if m.finished_at), default=0.0)
    return [
        ("frozen players in a confirmed match", f"{sum(bool(frozen & set(m.users)) for m in confirmed)}"),
        ("confirmed matches", f"{len(confirmed)} of {(PLAYERS - FROZEN) // 2}"),
        ("roll-backs", f"{len(rolled_back)}"),
        ("pairs that no frozen player touched", f"{len(untouched)}"),
        ("their reservation to `match_ready`, p50 and p99", p50_and_p99(waits)),
        ("last roll-back to the last `match_ready`", f"{max(ready.values()) - last:.2f} s"),
        ("deadline missed to `match_cancelled`, p50 and p99", p50_and_p99(told)),
    ]


async def measure(stack: Stack) -> list[tuple[str, str]]:
    """Run it; return the table's rows."""
    names = [f"player-{number}" for number in range(PLAYERS)]
    frozen = set(random.Random(SEED).sample(names, FROZEN))  # noqa: S311 - the same ones each time
    players = {
        name: Player(stack.ws_url, token_for(name, key=stack.jwt_signing_key), silent=name in frozen)
        for name in names
    }
    await play(stack, players, frozen)
    with psycopg.connect(stack.address_of("DATABASE_URL")) as connection:
        matches = [Match(*row) for row in connection.execute(MATCHES).fetchall()]
    rows = report(matches, players, frozen)
    await in_groups([player.disconnect() for player in players.values()])
    return rows


def main() -> None:
    """Measure, print, and write the table into docs/reliability.md."""
    with tempfile.TemporaryDirectory(prefix="matchmaking-bench-") as directory:
        Path(directory).chmod(0o755)
        stack = Stack(Path(directory), {"LOG_LEVEL": "WARNING"})
        stack.start()
        try:
            rows = asyncio.run(measure(stack))
        finally:
            stack.stop()
    write_table("reliability.md", "ghosts", ["what", "seen"], rows)


if __name__ == "__main__":
    main()
