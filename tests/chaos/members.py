"""A process of the cluster, as real as in production: started again whenever it ends."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from matchmaking_site.stack.page import answers
from matchmaking_site.stack.parts import Part, spawn
from tests.chaos.history import HARNESS, History

START_SECONDS = 30
BACK_SECONDS = 3 * START_SECONDS
HEED_SECONDS = 15
"""For a signal that asks; platforms give it 10 to 30 s."""
RESTART_AFTER_SECONDS = 0.3
"""What a supervisor takes to notice; long enough that others see the process gone."""
POLL_SECONDS = 0.02

Ready = Callable[["Member"], Awaitable[bool]]


class Member:
    """One process, by the name under which the history speaks of it."""

    def __init__(self, name: str, part: Part, log: Path, history: History, ready: Ready) -> None:
        self.name = name
        self._part = part
        self._log = log
        self._history = history
        self._is_ready = ready
        self.spawned_at = 0.0
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int:
        """The process id of the present incarnation."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, wait until it is ready, and keep it alive from then on."""
        self._spawn()
        await self._wait_until_ready()
        self._keeper = asyncio.create_task(self._keep())

    async def run_to_end(self) -> None:
        """Start it as a step that has an end; fail where it fails."""
        self._spawn()
        assert self._process is not None
        while self._process.poll() is None:
            await asyncio.sleep(POLL_SECONDS)
        assert self._process.returncode == 0, self.said()

    async def end(self, number: signal.Signals) -> None:
        """End this incarnation by a signal, and for good where it does not heed it, as supervisors do."""
        ending = self._process
        self.signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEED_SECONDS):
                while ending is not None and ending.poll() is None:
                    await asyncio.sleep(POLL_SECONDS)
        if ending is not None and ending.poll() is None:
            self._history.record(HARNESS, "did_not_end", name=self.name, pid=ending.pid)
            ending.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, of which this program is the parent."""
        if number in {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}:
            self._ready.clear()
        # Another fault of the same moment may have ended it: it is started again in any case.
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def back(self) -> None:
        """Wait until it has been started again and is ready."""
        async with asyncio.timeout(BACK_SECONDS):
            await self._ready.wait()

    async def stop(self) -> None:
        """End it for good."""
        if self._keeper:
            self._keeper.cancel()
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self.pid, signal.SIGCONT)
        os.kill(self.pid, self._part.stop_signal)
        for _ in range(round(self._part.stop_seconds / POLL_SECONDS)):
            if self._process.poll() is not None:
                return
            await asyncio.sleep(POLL_SECONDS)
        self._process.kill()
        self._process.wait()

    def said(self) -> str:
        """Return what the present incarnation has written."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self.spawned_at = time.time()
            self._process = spawn(self._part, output=log)

    async def _wait_until_ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await self._is_ready(self):
                assert self._process is not None
                assert self._process.poll() is None, f"{self.name} ended: {self.said()}"
                await asyncio.sleep(POLL_SECONDS * 2)
        self._ready.set()
        self._history.record(HARNESS, "process_ready", name=self.name, pid=self.pid)

    async def _keep(self) -> None:
        assert self._process is not None
        while True:
            while (status := self._process.poll()) is None:
                await asyncio.sleep(POLL_SECONDS)
            self._ready.clear()
            self._history.record(HARNESS, "process_ended", name=self.name, status=status)
            await asyncio.sleep(RESTART_AFTER_SECONDS)
            self._spawn()
            try:
                await self._wait_until_ready()
            except AssertionError as error:  # it ended again: once more
                self._history.record(HARNESS, "start_failed", name=self.name, error=str(error)[-500:])
            except TimeoutError:  # it hangs, and a supervisor would end it
                self._history.record(HARNESS, "start_failed", name=self.name, error=self.said()[-500:])
                self._process.kill()


async def part_is_ready(member: Member) -> bool:
    """Ask as the supervisor does."""
    return member._part.is_ready is None or member._part.is_ready(member.pid)


def page_answers(port: int) -> Ready:
    """Return whether a web process answers on its port."""

    async def ready(_: Member) -> bool:
        return await answers("127.0.0.1", port)

    return ready


def has_said(words: str) -> Ready:
    """Return whether a process has written some words."""

    async def ready(member: Member) -> bool:
        return words in member.said()

    return ready
