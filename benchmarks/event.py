"""An event of 500: how long it takes to let them in, to ask them, and to tell each what its answer came to.

One web process serves all; the crowd is a process of its own. Beside it a player on the matchmaking socket
sends heartbeats all the time: what its longest one takes is how long a match could have to wait for a pong.
"""

import asyncio
import json
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.crowd import RemoteCrowd, Times
from benchmarks.tables import write_table
from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

PARTICIPANTS = 500
QUESTIONS = 12
HEARTBEAT_EVERY_SECONDS = 0.06  # below the limit of 20 frames a second

Row = tuple[str, str]


class Host:
    """The host, over REST."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.base_url}/v1/sessions"
        self._token = token_for("host", key=stack.jwt_signing_key)

    async def post(self, path: str, body: Any = None) -> Any:
        """Ask for something; return the answer."""
        return await asyncio.to_thread(self._post, path, body)

    def _post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._url + path,
            method="POST",
            data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"Bearer {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            return json.load(answer)


class Bystander:
    """A player on the matchmaking socket, who looks how long an answer takes."""

    def __init__(self, stack: Stack) -> None:
        self._player = Player(stack.ws_url, token_for("bystander", key=stack.jwt_signing_key))
        self._times: list[float] = []

    async def watch(self) -> None:
        """Send heartbeats, one after the other."""
        async with self._player as player:
            while True:
                await asyncio.sleep(HEARTBEAT_EVERY_SECONDS)
                sent_at, seen = time.monotonic(), len(player.frames)
                await player.send("heartbeat")
                await player.next("heartbeat_ack", since=seen, within=60)
                self._times.append(time.monotonic() - sent_at)

    def longest(self) -> float:
        """Return the longest that one has taken since this was last asked."""
        times, self._times = self._times, []
        return max(times, default=0)


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99))
    return f"{p50:.2f}, {p99:.2f} and {ordered[-1]:.2f} s"


async def _joins(stack: Stack, crowd: RemoteCrowd, code: str, bystander: Bystander) -> list[Row]:
    bystander.longest()
    began, times = await crowd("join", stack.port, code, PARTICIPANTS)
    joined = max(each.joined for each in times) - began
    restored = max(each.restored for each in times) - began
    return [
        (f"{PARTICIPANTS} join at once, until the last has its place", f"{joined:.1f} s"),
        ("the same, until the last has its socket and its state", f"{restored:.1f} s"),
        ("joins per second", f"{PARTICIPANTS / joined:.0f}"),
        ("longest heartbeat of a player in the queue meanwhile", f"{bystander.longest():.2f} s"),
    ]


async def _questions(crowd: RemoteCrowd, host: Host, path: str, bystander: Bystander) -> list[Row]:
    to_question: list[float] = []
    to_result: list[float] = []
    bystander.longest()
    for _ in range(QUESTIONS):
        said_at = time.monotonic()
        _, seen = await asyncio.gather(host.post(f"{path}/next"), crowd("see_question", said_at))
        to_question += [at - said_at for at in seen]
        to_result += await crowd("answer")
        await asyncio.sleep(1)
    return [
        (
            "the host asks for the next question, until a participant has it: p50, p99, max",
            _percentiles(to_question),
        ),
        ("all answer at once, until a participant has the result: p50, p99, max", _percentiles(to_result)),
        ("longest heartbeat of a player in the queue meanwhile", f"{bystander.longest():.2f} s"),
    ]


async def measure(stack: Stack) -> list[Row]:
    """Run everything; return the rows of the table."""
    host, bystander = Host(stack), Bystander(stack)
    questions = [
        {
            "text": f"What is {n} + {n}?",
            "choices": [f"{n + n}", f"{n}", "1", "0"],
            "answer": 0,
            "seconds": 120,
        }
        for n in range(3, QUESTIONS + 3)
    ]
    event = await host.post("", {"title": "Five hundred", "questions": questions})
    watching = asyncio.create_task(bystander.watch())
    with RemoteCrowd() as crowd:
        rows = await _joins(stack, crowd, event["join_code"], bystander)
        rows += await _questions(crowd, host, f"/{event['session_id']}", bystander)
        seen: list[Times] = await crowd("end")
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    closed = [each.close_code for each in seen if each.close_code]
    lags = stack.log_text().count("loop_lagged")
    frames, size = sum(each.frames for each in seen), sum(each.bytes for each in seen)
    return [
        *rows,
        ("frames that the participants were sent, and their size", f"{frames:,}, {size / 2**20:,.0f} MiB"),
        ("sockets that the service closed; times that it stood still for 0.5 s", f"{len(closed)}; {lags}"),
    ]


def main() -> None:
    """Measure, print, and write the table into docs/performance.md."""
    with tempfile.TemporaryDirectory(prefix="matchmaking-bench-") as directory:
        Path(directory).chmod(0o755)
        stack = Stack(Path(directory), {"LOG_LEVEL": "WARNING"})
        stack.start()
        try:
            rows = asyncio.run(measure(stack))
        finally:
            stack.stop()
    write_table("performance.md", "event", ["what", "seen"], rows)


if __name__ == "__main__":
    main()
