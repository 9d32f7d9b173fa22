"""A connection's commands: one after the other, beside the connection."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from realtime.protocol.errors import Unavailable

log = structlog.get_logger(__name__)

MAX_WAITING = 64
"""A connection sends at most 40 frames at once, so a full queue means that the database is stuck."""

Command = Callable[[], Awaitable[None]]


class Serial:
    """Runs commands in the order that they came; those that came before the end are still done."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Command | None] = asyncio.Queue(MAX_WAITING)

    def put(self, command: Command) -> None:
        """Let ``command`` have its turn; raise `Unavailable` where too many wait already."""
        try:
            self._waiting.put_nowait(command)
        except asyncio.QueueFull:
            raise Unavailable("Too many commands are waiting") from None

    async def end(self) -> None:
        """Let `run` return, after everything that waits."""
        await self._waiting.put(None)

    async def run(self) -> None:
        """Run commands until the end; what one of them raises is logged, and stops no other."""
        while (command := await self._waiting.get()) is not None:
            try:
                await command()
            except Exception:
                log.exception("command_failed")
