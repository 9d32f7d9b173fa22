"""Silence on the real processes: whose it is, how long it may last, and what it costs.

The clocks run fast: stale is 2 * 1.2 + 0.4 = 2.8 s after the last sign of life.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import psycopg
import pytest
from websockets.exceptions import InvalidMessage

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.conftest import FAST

MakePlayer = Callable[..., Player]

STALE_SECONDS = 2.8
SWEEP_SECONDS = 0.3
LATE_SECONDS = 2.0
"""A web process tells once a second what it has heard; the rest is a busy machine's."""

CLOCK_SECONDS = 0.2
"""A ticket's end is as of the beginning of the sweep, which reads signs of life a moment later."""

SLACK_SECONDS = 1.0
"""From the return of a killed process to the first who is let in."""

CROWD = 25
CLOCKS = FAST | {"STALE_SWEEP_SECONDS": str(SWEEP_SECONDS), "GAME_HOST_TIMEOUT_SECONDS": "3"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"), CLOCKS)
    running.start()
    # A start is the end of a fault, too: from here on it excuses nobody.
    time.sleep(STALE_SECONDS + 1)
    yield running
    running.stop()


class Queue:
    """The tickets of a stack, as its database has them; times are the machine's."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._database = psycopg.connect(stack.address_of("DATABASE_URL"), autocommit=True)

    def waiting(self, *players: Player) -> list[bool]:
        """Return of each player whether its newest ticket still searches, all as of one moment."""
        return [status == "SEARCHING" for status, _, _ in self._newest(players)]

    async def ended(self, player: Player, *, within: float = 15) -> float:
        """Wait for the end of the player's ticket, for its silence, and return when that was."""
        deadline = time.monotonic() + within
        while self.waiting(player) != [False]:
            assert time.monotonic() < deadline, f"still there: {self._stack.log_text()[-4000:]}"
            await asyncio.sleep(0.05)
        ((status, reason, at),) = self._newest([player])
        assert (status, reason) == ("CANCELLED", "connection_timeout")
        return at

    def _newest(self, players: Sequence[Player]) -> list[tuple[str, str, float]]:
        rows = self._database.execute(
            "SELECT user_id, status, cancel_reason, coalesce(extract(epoch FROM ended_at), 0)::float8"
            " FROM matchmaking_ticket WHERE user_id = ANY(%s) ORDER BY queued_at",
            [[user_of(player) for player in players]],
        )
        newest = {user: (status, reason, at) for user, status, reason, at in rows}
        return [newest[user_of(player)] for player in players]

    def close(self) -> None:
        self._database.close()

    def fault_since(self, moment: float) -> float:
        """Return the end of the last fault that the service found in itself, or the moment."""
        return max([moment, *(at for at in self.said("loop_lagged", "sweep_was_away") if at > moment)])

    def said(self, *events: str) -> list[float]:
        """Return when these events were logged."""
        lines = re.findall(rf"(\S+Z) \[\w+ *\] (?:{'|'.join(events)}) ", self._stack.log_text())
        return [datetime.fromisoformat(at).timestamp() for at in lines]


@pytest.fixture
def queue(stack: Stack) -> Iterator[Queue]:
    queue = Queue(stack)
    yield queue
    queue.close()


def user_of(player: Player) -> str:
    return str(player.of("connected")[0]["data"]["user_id"])


async def heard_from(player: Player) -> float:
    """Let the player give a sign of life; return when it did, at the earliest."""
    seen, before = len(player.frames), time.time()
    await player.send("heartbeat")
    await player.next("heartbeat_ack", since=seen)
    return before


async def cut(player: Player) -> None:
    player.abort()
    await player.closed()


async def come_back(player: Player) -> None:
    for _ in range(100):
        seen = len(player.frames)
        try:
            await player.connect()
        except (OSError, InvalidMessage):
            await asyncio.sleep(0.1)
            continue
        if (await player.next("state_restored", "goodbye", since=seen))["type"] == "state_restored":
            return
        await player.closed()
    raise AssertionError("nobody lets it in")


async def is_out_in_time(queue: Queue, player: Player, last_sign: float) -> bool:
    ended = await queue.ended(player)
    return (
        last_sign + STALE_SECONDS - CLOCK_SECONDS
        <= ended
        <= queue.fault_since(last_sign) + STALE_SECONDS + SWEEP_SECONDS + LATE_SECONDS
    )


# --- the player's own silence


async def test_who_drops_and_does_not_return_is_out_of_the_queue_in_time_and_is_told_later(
    player: MakePlayer, queue: Queue, stack: Stack
) -> None:
    async with player("ann") as ann, player("cat") as cat:
        await asyncio.gather(ann.join("blitz"), cat.join("casual"))
        seq = ann.of("queue_joined")[0]["seq"]
        last = await heard_from(ann)
        await cut(ann)
        assert await is_out_in_time(queue, ann, last)
        assert queue.waiting(cat) == [True], "who answers stays"
        seen = len(ann.frames)
        await ann.connect(f"?last_seq={seq}")
        restored = (await ann.next("state_restored", since=seen))["data"]
        assert restored["ticket"] is None
        (missed,) = restored["missed"]
        assert (missed["type"], missed["data"]["reason"]) == ("queue_cancelled", "connection_timeout")
        (line,) = [x for x in stack.log_text().splitlines() if f"user={user_of(ann)}" in x and "stale" in x]
        assert "[warning  ] player_stale" in line


async def test_who_comes_back_in_time_keeps_its_place(player: MakePlayer, queue: Queue) -> None:
    async with player("ann") as ann, player("bob") as bob:
        first = await ann.join("blitz", regions=["north"])
        await bob.join("blitz", regions=["south"])
        for _ in range(2):
            await heard_from(ann)
            await cut(ann)
            await asyncio.sleep(STALE_SECONDS - 1.3)
            await come_back(ann)
        restored = ann.of("state_restored")[-1]["data"]["ticket"]
        assert (restored["queue_entry_id"], restored["position"]) == (first["data"]["queue_entry_id"], 1)


async def test_who_answers_nothing_on_an_open_socket_is_closed_with_4008_and_out_in_time(
    player: MakePlayer, queue: Queue
) -> None:
    async with player("ann") as ann, player("cat") as cat:
        await asyncio.gather(ann.join("blitz"), cat.join("casual"))
        last = await heard_from(ann)
        ann.answers_heartbeats = False
        assert await is_out_in_time(queue, ann, last)
        assert await ann.closed() == 4008
        assert queue.waiting(cat) == [True]


async def test_of_two_connections_one_is_enough(player: MakePlayer, queue: Queue) -> None:
    async with player("ann") as ann, player("ann") as phone:
        await ann.join("blitz")
        ann.answers_heartbeats = False
        assert await ann.closed() == 4008
        await asyncio.sleep(STALE_SECONDS)
        assert queue.waiting(phone) == [True]
        last = await heard_from(phone)
        await cut(phone)
        assert await is_out_in_time(queue, phone, last)


# --- the service's


@asynccontextmanager
async def crowd(player: MakePlayer, size: int = 6) -> AsyncIterator[list[Player]]:
    """Let players queue each in a region of its own, and wait until everybody has answered a ping."""
    async with AsyncExitStack() as sockets:
        players = [await sockets.enter_async_context(player(f"one-{n}")) for n in range(size)]
        await asyncio.gather(*(each.join("casual", regions=[f"r{n}"]) for n, each in enumerate(players)))
        await asyncio.gather(*(each.next("heartbeat_ping") for each in players))
        yield players


async def stop_web(stack: Stack, seconds: float) -> None:
    web = stack.pid_of("web")
    os.kill(web, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(web, signal.SIGCONT)


async def test_while_the_web_process_is_stopped_and_right_after_nobody_is_stale(
    player: MakePlayer, queue: Queue, stack: Stack
) -> None:
    async with crowd(player) as players:
        await stop_web(stack, 4)
        assert all(queue.waiting(*players))
        await asyncio.sleep(STALE_SECONDS + SWEEP_SECONDS)
        assert all(queue.waiting(*players))


async def test_after_the_web_process_was_killed_everybody_has_the_whole_time_to_come_back(
    player: MakePlayer, queue: Queue, stack: Stack
) -> None:
    async with crowd(player) as players:
        os.kill(stack.pid_of("web"), signal.SIGKILL)
        await asyncio.gather(*(each.closed() for each in players))
        await come_back(players[0])
        back = time.time()
        ended = [await queue.ended(never, within=25) for never in players[1:]]
        assert min(ended) >= back + STALE_SECONDS - SLACK_SECONDS
        assert queue.waiting(players[0]) == [True]


async def test_when_valkey_is_killed_nobody_loses_the_ticket(
    player: MakePlayer, queue: Queue, stack: Stack
) -> None:
    async with crowd(player) as players:
        os.kill(stack.pid_of("valkey"), signal.SIGKILL)
        await asyncio.sleep(STALE_SECONDS + 3)
        assert all(queue.waiting(*players))
        assert [each.close_code for each in players] == [None] * len(players)


# --- everybody's


async def test_a_whole_process_that_breaks_off_at_once_is_not_to_blame_but_has_to_come_back(
    player: MakePlayer, queue: Queue
) -> None:
    async with crowd(player, CROWD) as players:
        broke = time.time()
        await asyncio.gather(*(cut(each) for each in players))
        await asyncio.gather(*(come_back(each) for each in players[:5]))
        ended = [await queue.ended(never) for never in players[5:]]
        assert min(ended) >= broke + STALE_SECONDS - CLOCK_SECONDS, "their silence began when they broke off"
        assert all(queue.waiting(*players[:5]))


async def test_a_whole_process_that_falls_silent_is_not_to_blame_but_has_to_speak_again(
    player: MakePlayer, queue: Queue, stack: Stack
) -> None:
    async with crowd(player, CROWD) as players:
        await stop_web(stack, 1.5)  # which leaves their pings in step
        await asyncio.gather(*(each.next("heartbeat_ping", since=len(each.frames)) for each in players))
        silent = time.time()
        for each in players:
            each.answers_heartbeats = False
        while not (found := [at for at in queue.said("connections_silent_together") if at > silent]):
            assert time.time() < silent + 10
            await asyncio.sleep(0.05)
        for again in players[:5]:
            again.answers_heartbeats = True
        ended = [await queue.ended(never) for never in players[5:]]
        assert min(ended) >= found[0] + STALE_SECONDS - CLOCK_SECONDS
        assert all(queue.waiting(*players[:5]))
