"""The processes that run: their output line by line, and their end."""

import asyncio
import collections
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable

from matchmaking_site.stack.console import Lines
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.parts import Part, spawn

Write = Callable[[str, Iterable[str]], None]

_TAIL_LINES = 20


class Child:
    """One running process. ``status`` is None until it has ended."""

    def __init__(self, part: Part, process: subprocess.Popen[bytes], output: int, write: Write) -> None:
        self.part = part
        self.status: int | None = None
        self.tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        self._process = process
        self._over = asyncio.Event()
        self._output = output
        self._write = write
        self._lines = Lines()
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self._read)

    @property
    def last_line(self) -> str:
        """What it wrote last."""
        return self.tail[-1] if self.tail else "without a word"

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    async def end(self) -> int:
        """Wait for its end, and return its status as ``subprocess`` spells it."""
        await self._over.wait()
        return self._process.returncode

    def notice_end(self) -> None:
        """Find out whether the process has ended; called whenever any process has."""
        if self.status is not None or self._process.poll() is None:
            return
        while self._output >= 0 and self._read():
            pass
        self._close_output()
        self.status = self._process.returncode
        self._over.set()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask it to end, and kill it when its time is over; ``hurry`` gives only services that time."""
        self._process.send_signal(self.part.stop_signal)
        deadline = time.monotonic() + self.part.stop_seconds
        while self.status is None and time.monotonic() < deadline:
            if hurry.is_set() and not self.part.holds_data:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), 0.05)
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            await self._over.wait()

    def _read(self) -> bool:
        """Pass on what there is; return whether there may be more."""
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._close_output()
            return False
        self._pass_on(self._lines.feed(data))
        return True

    def _close_output(self) -> None:
        if self._output >= 0:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = -1
            self._pass_on(self._lines.close())

    def _pass_on(self, lines: list[str]) -> None:
        if lines:
            self.tail.extend(lines)
            if not self.part.quiet:
                self._write(self.part.name, lines)


class Children:
    """All processes of the stack. Use it from the main thread only."""

    def __init__(self, write: Write, inherit: tuple[int, ...]) -> None:
        self._write = write
        self._inherit = inherit
        self._running: dict[int, Child] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._notice_ends)

    def start(self, part: Part) -> Child:
        """Start a process for a part."""
        output, write_end = os.pipe()
        try:
            process = spawn(part, output=write_end, inherit=self._inherit)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(output)
            raise StackError(f"{part.name} cannot be started: {error}") from None
        finally:
            os.close(write_end)
        child = Child(part, process, output, self._write)
        self._running[process.pid] = child
        child.notice_end()  # its signal may have come before it was in the table
        return child

    def running(self, *names: str) -> list[Child]:
        """Return what runs under these names, or everything."""
        return [child for child in self._running.values() if not names or child.part.name in names]

    def _notice_ends(self) -> None:
        for pid, child in list(self._running.items()):
            child.notice_end()
            if child.status is not None:
                del self._running[pid]
