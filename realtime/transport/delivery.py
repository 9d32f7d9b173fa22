"""Frames to one socket, in the order of their numbers.

A connection sends number n only after n - 1. What is out of turn is read from the outbox; what is pushed
while the database is being read is held back until then.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from realtime.transport import events
from realtime.transport.database import in_database
from realtime.transport.push import Push

MAX_AWAITED = 64
"""A client that owes more answers than this has lost the oldest of them."""


class Delivery:
    """What one socket has been sent, and what it owes an answer to."""

    def __init__(
        self, send: Callable[[str], Awaitable[None]], *, connection_id: str, spawn: Callable[..., None]
    ) -> None:
        self.last_seq = 0
        self.address = ""
        self._send = send
        self._spawn = spawn
        self._connection_id = connection_id
        self._lock = asyncio.Lock()
        self._held: list[Push] | None = []
        self._is_restored = False
        self._awaited: dict[str, None] = {}
        self._latest: dict[str, str] = {}

    async def take(self, push: Push) -> None:
        """Send a push in its turn."""
        if self._held is not None:
            self._held.append(push)
        elif push.seq is None or (push.again and push.seq <= self.last_seq):
            await self._send_push(push)
        elif push.seq == self.last_seq + 1:
            self.last_seq = push.seq
            await self._send_push(push)
        elif push.seq > self.last_seq:
            self._held = []
            self._spawn(self.catch_up(push.seq))

    async def catch_up(self, newest_seq: int) -> None:
        """Send from the outbox what comes after the last number sent, up to ``newest_seq`` at least.

        What is no longer kept cannot be sent; the client sees the gap in the numbers and asks for the state.
        Before the first state there is nothing to catch up with: the state says it all.
        """
        if not self._is_restored:
            return
        async with self.holding():
            for event in await in_database(events.after, self.address, self.last_seq):
                self.last_seq = event.seq
                await self._send_push(events.as_push(event))
            self.last_seq = max(self.last_seq, newest_seq)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Hold back what is pushed while the database is read; afterwards, what is newer goes out."""
        async with self._lock:
            self._held = self._held or []
            try:
                yield
            finally:
                held, self._held = self._held, None
        for push in held:
            await self.take(push)

    async def restored(self, seq: int, owed: Sequence[Push]) -> None:
        """Note that the state as of ``seq`` was sent, and send what is owed an answer."""
        self._is_restored = True
        self.last_seq = max(self.last_seq, seq)
        for push in owed:
            await self._send_push(push)

    def answers(self, token: str) -> bool:
        """Return whether ``token`` names something that was sent here and not answered yet."""
        if token not in self._awaited:
            return False
        del self._awaited[token]
        return True

    async def _send_push(self, push: Push) -> None:
        if push.latest_of:
            kind, _, data = push.latest_of.partition(" ")
            if self._latest.get(kind) == data:
                return
            self._latest[kind] = data
        if push.token:
            self._awaited[push.token] = None
            if len(self._awaited) > MAX_AWAITED:
                del self._awaited[next(iter(self._awaited))]
        is_origin = push.origin == self._connection_id and push.origin_frame
        await self._send(push.origin_frame if is_origin else push.frame)
