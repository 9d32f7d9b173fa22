"""One hub per web process: it knows which sockets are whose, and is the only subscriber of this process.

Pushes come in over one subscription and go to the sockets of their address. Answers go out gathered, within
5 ms; presence once a second. A push that is lost, or overtaken by a later one, is noticed by its number and
read from the outbox.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from redis.exceptions import RedisError

from realtime.identifiers import new_id
from realtime.protocol.errors import CloseCode
from realtime.transport.database import in_database
from realtime.transport.events import newest_seqs
from realtime.transport.presence import PresenceWriter
from realtime.transport.push import GROUP, Push, send

log = structlog.get_logger(__name__)

_chance = random.SystemRandom()

ANSWER_DELAY_SECONDS = 0.005
LAG_SECONDS = 0.5
MAX_CONNECTIONS_PER_USER = 5
STOP_SECONDS = 2
RECONNECT_WITHIN_MS = (500, 4000)


class Socket(Protocol):
    """What the hub needs of a connection: events come by ``address``, presence is kept by ``owner``."""

    connection_id: str
    address: str
    owner: str
    last_seq: int

    async def deliver(self, push: Push) -> None:
        """Take a push for this socket's address."""

    async def catch_up(self, newest_seq: int) -> None:
        """Send from the outbox what comes after the last number sent."""

    def beat(self, now: float) -> bool:
        """Look at the heartbeat's clock; return whether a ping is due now."""

    async def send_heartbeat(self, newest_seq: int) -> None:
        """Ping, and catch up where ``newest_seq`` shows that something was missed."""

    def forgive(self, now: float) -> None:
        """Forget an unanswered ping: the server was away, not the player."""

    async def say_goodbye(self, *, reconnect_after_ms: int) -> None:
        """Tell the client to come back, and close."""

    async def close(self, code: int) -> None:
        """Close the socket."""


class HubClosing(Exception):
    """The process is stopping: this connection has to go to another."""


class Hub:
    """The sockets of one web process."""

    def __init__(self) -> None:
        self.process_id = new_id().hex
        self._sockets: dict[str, dict[str, Socket]] = {}
        self._presence = PresenceWriter(self.process_id)
        self._heard: dict[str, float] = {}
        self._answers: list[tuple[str, str, float]] = []
        self._wakers: set[Callable[[], None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._presence_lost = False
        self._is_closing = False
        self._subscribed = asyncio.Event()

    def start(self) -> None:
        """Begin to receive, to renew the lease and to beat; needs a running event loop."""
        for loop in (self._receive, self._renew, self._beat):
            self.spawn(loop())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else; an exception in it is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("hub_task_failed", exc_info=error)

    # --- connections

    async def add(self, socket: Socket) -> None:
        """Register a connection: from now on pushes reach it. The oldest of more than five is closed.

        Raises `HubClosing` once the process has begun to stop.
        """
        if self._is_closing:
            raise HubClosing
        await self._wait_for_subscription()
        self._sockets.setdefault(socket.address, {})[socket.connection_id] = socket
        self.heard(socket.owner)
        try:
            connections = await self._presence.add(socket.owner, socket.connection_id)
        except (RedisError, OSError):
            self._presence_lost = True
            return
        surplus = connections[:-MAX_CONNECTIONS_PER_USER]
        await send([Push(address=socket.address, origin=c, close=CloseCode.REPLACED) for c in surplus])

    async def _wait_for_subscription(self) -> None:
        """Wait a moment, so that nothing pushed after a snapshot is missed; the outbox has it anyway."""
        try:
            await asyncio.wait_for(self._subscribed.wait(), timeout=2)
        except TimeoutError:
            log.warning("hub_not_subscribed", process=self.process_id)

    async def remove(self, socket: Socket) -> bool:
        """Forget a connection; return whether it was the last one of its address, anywhere."""
        sockets = self._sockets.get(socket.address, {})
        sockets.pop(socket.connection_id, None)
        if not sockets:
            self._sockets.pop(socket.address, None)
        try:
            return await self._presence.remove(socket.owner, socket.connection_id)
        except (RedisError, OSError):
            return not any(other.owner == socket.owner for other in sockets.values())

    # --- what comes from clients

    def heard(self, address: str) -> None:
        """Note that a user gave a sign of life; it is written, as of now, with the next renewal."""
        self._heard[address] = time.monotonic()

    def answered(self, address: str, token: str, wake: Callable[[], None]) -> None:
        """Note an answer to a health check or a delivery; ``wake`` is called once it is written."""
        self._wakers.add(wake)
        if not self._answers:
            asyncio.get_running_loop().call_later(
                ANSWER_DELAY_SECONDS, lambda: self.spawn(self._write_answers())
            )
        self._answers.append((address, token, time.monotonic()))

    async def _write_answers(self) -> None:
        answers, self._answers = self._answers, []
        wakers, self._wakers = self._wakers, set()
        now = time.monotonic()
        try:
            await self._presence.answer([(address, token, now - at) for address, token, at in answers])
        except (RedisError, OSError) as error:
            # Kept for the next renewal, with their true age.
            self._answers = answers + self._answers
            self._wakers |= wakers
            log.warning("answers_not_written", answers=len(answers), error=str(error))
            return
        for wake in wakers:
            await asyncio.to_thread(wake)

    # --- the three loops

    async def _receive(self) -> None:
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                self._subscribed.set()
                while True:
                    message = await layer.receive(channel)
                    await self._deliver(Push(**item) for item in message["items"])
            except Exception as error:
                log.warning("hub_subscription_failed", error=repr(error))
                await asyncio.sleep(1)

    async def _deliver(self, pushes: Iterable[Push]) -> None:
        for push in pushes:
            sockets = self._sockets.get(push.address)
            if sockets is None:
                continue
            if not push.close:
                for socket in list(sockets.values()):
                    await socket.deliver(push)
            elif push.origin in sockets:
                await sockets[push.origin].close(push.close)

    async def _renew(self) -> None:
        while True:
            heard, self._heard = self._heard, {}
            now = time.monotonic()
            try:
                kept = await self._presence.refresh({address: now - at for address, at in heard.items()})
                if not kept or self._presence_lost:
                    await self._presence.restore((s.owner, s.connection_id) for s in self._all_sockets())
                    self.spawn(self._catch_up())
                self._presence_lost = False
                if self._answers:
                    await self._write_answers()
            except (RedisError, OSError) as error:
                self._heard = heard | self._heard
                if not self._presence_lost:
                    log.warning("presence_not_written", error=str(error))
                self._presence_lost = True
            await asyncio.sleep(1)

    def _all_sockets(self) -> list[Socket]:
        return [socket for sockets in self._sockets.values() for socket in sockets.values()]

    async def _catch_up(self) -> None:
        """After a gap in the subscription, which is silent: send what the outbox has and sockets have not."""
        await self._compare_numbers(self._all_sockets())

    async def _compare_numbers(self, sockets: list[Socket], *, ping: bool = False) -> None:
        addresses = list({socket.address for socket in sockets})
        newest = await in_database(newest_seqs, addresses)
        for socket in sockets:
            seq = max(newest.get(socket.address, 0), socket.last_seq)
            if ping:
                await socket.send_heartbeat(seq)
            if seq > socket.last_seq:
                self.spawn(socket.catch_up(seq))

    async def _beat(self) -> None:
        pause = min(0.25, settings.HEARTBEAT_SECONDS / 4, settings.PONG_SECONDS / 4)
        expected = time.monotonic()
        while True:
            now = time.monotonic()
            sockets = self._all_sockets()
            if now - expected > LAG_SECONDS:
                log.warning("loop_lagged", seconds=round(now - expected, 3), sockets=len(sockets))
                for socket in sockets:
                    socket.forgive(now)
            due = [socket for socket in sockets if socket.beat(now)]
            if due:
                self.spawn(self._send_heartbeats(due))
            expected = time.monotonic() + pause
            await asyncio.sleep(pause)

    async def _send_heartbeats(self, sockets: list[Socket]) -> None:
        try:
            await self._compare_numbers(sockets, ping=True)
        except Exception as error:
            # Without the database nobody knows the newest number; the players are pinged all the same.
            log.warning("heartbeat_without_number", error=str(error))
            for socket in sockets:
                await socket.send_heartbeat(socket.last_seq)

    # --- the end

    async def say_goodbye(self) -> None:
        """Say goodbye to every socket, with a different time to come back for each, and take no more."""
        self._is_closing = True
        for socket in self._all_sockets():
            await socket.say_goodbye(reconnect_after_ms=_chance.randint(*RECONNECT_WITHIN_MS))

    async def stop(self) -> None:
        """Wait a moment for the sockets to end, then stop the loops and give the lease back."""
        give_up_at = time.monotonic() + STOP_SECONDS
        while self._sockets and time.monotonic() < give_up_at:
            await asyncio.sleep(0.02)
        for task in list(self._tasks):
            task.cancel()
        try:
            await self._presence.leave()
        except (RedisError, OSError) as error:
            log.warning("lease_not_given_back", error=str(error))


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def current_hub() -> Hub:
    """Return the hub of the running event loop, started on first use."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
        hub.start()
    return hub


async def close_hub() -> None:
    """Say goodbye to all sockets of the running event loop and stop its hub, if there is one."""
    hub = _hubs.get(asyncio.get_running_loop())
    if hub is not None:
        await hub.say_goodbye()
        await hub.stop()
