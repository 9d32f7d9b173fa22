"""The network between one client and the web processes, which may slow down, stop or break.

Real sockets, so that both ends see what a bad network makes them see: a half-open connection is one that
nobody has closed and on which nothing comes.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

_CHUNK = 4096
_ABORTED = (OSError, asyncio.IncompleteReadError)


@dataclass
class Weather:
    """What the network does to each chunk: ``delay`` seconds later, at most ``rate`` bytes a second."""

    delay: float = 0
    rate: float = 0
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flows.set()

    async def pass_through(self, size: int) -> None:
        """Wait for as long as a chunk of this size takes."""
        await self.flows.wait()
        pause = self.delay + (size / self.rate if self.rate else 0)
        if pause:
            await asyncio.sleep(pause)
        await self.flows.wait()


class Link:
    """One client's way to each of the web processes: a port for each."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.ports: list[int] = []
        self.weather = Weather()
        self._targets = targets
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a port for each target."""
        for target in self._targets:
            server = await asyncio.start_server(partial(self._serve, target), "127.0.0.1", 0)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    def hold(self) -> None:
        """Accept and keep everything open, and forward nothing."""
        self.weather.flows.clear()

    def release(self, *, cut: bool) -> None:
        """Forward again what was held back, or break what was half-open, as a router does that forgot it."""
        if cut:
            self.cut()
        self.weather.flows.set()

    def cut(self) -> None:
        """Break all connections without a word, towards both ends."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        """Be gone."""
        for server in self._servers:
            server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(*_ABORTED, asyncio.CancelledError):
                await self.weather.flows.wait()
                await self._join(target, reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _join(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        self._writers.add(far_writer)
        try:
            both = (
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            )
            try:
                await asyncio.gather(*both)
            finally:
                for pump in both:
                    pump.cancel()
        finally:
            far_writer.transport.abort()
            self._writers.discard(far_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self.weather.pass_through(len(chunk))
            writer.write(chunk)
            await writer.drain()
        await self.weather.flows.wait()
        if writer.can_write_eof():
            writer.write_eof()
