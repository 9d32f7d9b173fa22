"""One hub per web process: it knows which sockets are whose, and is the only subscriber of this process.

Pushes come in over one subscription and go to the sockets of their address. Presence goes out once a second.
A push that is lost, or overtaken by a later one, is noticed by its number and read from the outbox.
"""

import asyncio
import math
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
from realtime.transport.answer_writer import AnswerWriter
from realtime.transport.database import in_database
from realtime.transport.events import newest_seqs
from realtime.transport.presence_writer import PresenceWriter, PulseReport
from realtime.transport.push import GROUP, Push, send
from realtime.transport.silence import Silence

log = structlog.get_logger(__name__)

_chance = random.SystemRandom()

LAG_SECONDS = 0.5
SUBSCRIPTION_SECONDS = 2
TURN_SECONDS = 0.01
MAX_CONNECTIONS_PER_USER = 5
STOP_SECONDS = 2
RECONNECT_WITHIN_MS = (500, 4000)


class Socket(Protocol):
    """What the hub needs of a connection: events come by ``address``, presence is kept by ``owner``.

    Of a ``device``, where it is known, there is one connection.
    """

    connection_id: str
    address: str
    owner: str
    device: str
    last_seq: int

    async def deliver(self, push: Push) -> None:
        """Take a push for this socket's address."""

    async def catch_up(self, newest_seq: int) -> None:
        """Send from the outbox what comes after the last number sent."""

    async def arrive_again(self) -> None:
        """Say once more that this socket is open."""

    def beat(self, now: float) -> bool:
        """Look at the heartbeat's clock; return whether a ping is due now."""

    async def send_heartbeat(self, newest_seq: int) -> None:
        """Ping, and catch up where ``newest_seq`` shows that something was missed."""

    @property
    def is_silent(self) -> bool:
        """Whether the last ping was missed, and that has not been forgiven."""

    def forgive(self, now: float) -> None:
        """Forget unanswered pings: the server was away, not the player."""

    def report_pulse(self, now: float) -> PulseReport | None:
        """Return the heartbeat, where it has changed since the last report."""

    async def say_goodbye(self, *, reconnect_after_ms: int) -> None:
        """Tell the client to come back, and close."""

    async def close(self, code: int) -> None:
        """Close the socket."""


def _replacing(socket: Socket) -> Push:
    """Return what closes older connections of a socket's device."""
    return Push(
        address=socket.address,
        origin=socket.device,
        close=CloseCode.REPLACED,
        older_than=socket.connection_id,
    )


def _is_meant(push: Push, socket: Socket) -> bool:
    """Return whether a push that closes is for this socket; ids of connections rise with time."""
    is_named = push.origin in {socket.connection_id, socket.owner, socket.device}
    return is_named and (not push.older_than or socket.connection_id < push.older_than)


class HubClosing(Exception):
    """The process is stopping: this connection has to go to another."""


class Hub:
    """The sockets of one web process."""

    def __init__(self) -> None:
        self.process_id = new_id().hex
        self._sockets: dict[str, dict[str, Socket]] = {}
        self._presence = PresenceWriter(self.process_id)
        self._heard: dict[str, float] = {}
        self._answers = AnswerWriter(self._presence, spawn=self.spawn, on_loss=self._lose_presence)
        self._tasks: set[asyncio.Task[None]] = set()
        self._presence_lost = False
        self._unremoved: set[tuple[str, str]] = set()
        self._channel: str | None = None
        self._is_closing = False
        self._beat_at = math.inf
        self._subscribed = asyncio.Event()
        self._silence = Silence(within_seconds=settings.HEARTBEAT_SECONDS + settings.PONG_SECONDS)

    def start(self) -> None:
        """Begin to receive, to renew the lease and to beat; needs a running event loop."""
        for step in (self._receive, self._renew, self._beat, self._answers.tell):
            self.spawn(self._forever(step))

    async def _forever(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Take a step over and over; what one raises is logged, and the next one comes a second later."""
        while True:
            try:
                await step()
            except Exception:
                log.exception("hub_step_failed", step=step.__name__)
                await asyncio.sleep(1)

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
        """Register a connection: from now on pushes reach it.

        The oldest of more than five is closed, and so is an older one of the same device.
        Raises `HubClosing` once the process has begun to stop.
        """
        await self._wait_for_subscription()
        if self._is_closing:
            raise HubClosing
        self._sockets.setdefault(socket.address, {})[socket.connection_id] = socket
        self.heard(socket.owner)
        try:
            connections = await self._presence.add(socket.owner, socket.connection_id)
        except (RedisError, OSError):
            self._presence_lost = True
            return
        closing = [
            Push(address=socket.address, origin=surplus, close=CloseCode.REPLACED)
            for surplus in connections[:-MAX_CONNECTIONS_PER_USER]
        ]
        if socket.device and len(connections) > 1:
            closing.append(_replacing(socket))
        await send(closing)

    async def _wait_for_subscription(self) -> None:
        """Wait a moment, so that nothing pushed after a snapshot is missed; the outbox has it anyway."""
        try:
            await asyncio.wait_for(self._subscribed.wait(), timeout=2)
        except TimeoutError:
            log.warning("hub_not_subscribed", process=self.process_id)

    def broke(self, socket: Socket) -> None:
        """Note that a connection ended without a word."""
        self._silence.fell_silent(socket.connection_id, socket.owner, time.monotonic())

    async def remove(self, socket: Socket) -> bool:
        """Forget a connection; return whether it was the last one of its address, anywhere."""
        sockets = self._sockets.get(socket.address, {})
        sockets.pop(socket.connection_id, None)
        if not sockets:
            self._sockets.pop(socket.address, None)
        try:
            return await self._presence.remove(socket.owner, socket.connection_id)
        except (RedisError, OSError):
            self._unremoved.add((socket.owner, socket.connection_id))
            self._presence_lost = True
            return not any(other.owner == socket.owner for other in sockets.values())

    # --- what comes from clients

    def heard(self, address: str) -> None:
        """Note that a user gave a sign of life; it is written, as of now, with the next renewal."""
        self._heard[address] = time.monotonic()

    def answered(self, address: str, token: str, wake: Callable[[], None]) -> None:
        """Note an answer to a health check or a delivery; ``wake`` is called once it is written."""
        self._answers.add(address, token, wake)

    def _lose_presence(self) -> None:
        self._presence_lost = True

    # --- the loops, a step at a time

    async def _receive(self) -> None:
        layer = get_channel_layer()
        if self._channel is None:
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
            self._channel = channel
            self._subscribed.set()
        message = await layer.receive(self._channel)
        await self._deliver(Push(**item) for item in message["items"])

    async def _deliver(self, pushes: Iterable[Push]) -> None:
        began = time.monotonic()
        for push in pushes:
            if push.token:
                self._answers.expect()
            for socket in list(self._sockets.get(push.address, {}).values()):
                await self._hand(push, socket)
                if time.monotonic() - began > TURN_SECONDS:
                    # A full room takes longer than anybody's pong may wait.
                    await asyncio.sleep(0)
                    began = time.monotonic()

    async def _hand(self, push: Push, socket: Socket) -> None:
        try:
            if not push.close:
                await socket.deliver(push)
            elif _is_meant(push, socket):
                await socket.close(push.close)
        except Exception:
            log.exception("push_not_delivered", connection=socket.connection_id)

    async def _renew(self) -> None:
        self._notice_lag()
        was_lost, self._presence_lost = self._presence_lost, False
        if was_lost:
            self._hear_all()
        heard, self._heard = self._heard, {}
        now = time.monotonic()
        try:
            ages = {address: now - at for address, at in heard.items()}
            kept = await self._presence.refresh(ages, self._pulses(now))
            if was_lost or not kept:
                await self._restore()
        except (RedisError, OSError) as error:
            self._heard = heard | self._heard
            self._presence_lost = True
            if not was_lost:
                log.warning("presence_not_written", error=str(error))
        await asyncio.sleep(1)

    async def _restore(self) -> None:
        """Tell Redis again who is here, and who is not, and tell the sockets what they may have missed."""
        sockets = self._all_sockets()
        await self._presence.restore((socket.owner, socket.connection_id) for socket in sockets)
        for gone in list(self._unremoved):
            await self._presence.remove(*gone)
            self._unremoved.discard(gone)
        for socket in sockets:
            self.spawn(socket.arrive_again())
        self.spawn(self._catch_up())

    def _pulses(self, now: float) -> list[PulseReport]:
        reports = [socket.report_pulse(now) for socket in self._all_sockets()]
        return [report for report in reports if report is not None]

    def _all_sockets(self) -> list[Socket]:
        return [socket for sockets in self._sockets.values() for socket in sockets.values()]

    async def _catch_up(self) -> None:
        """After a gap in the subscription, which is silent: send what the outbox has and sockets have not.

        Twice, since the subscription comes back a moment after the first command that succeeds.
        """
        for pause in (0, SUBSCRIPTION_SECONDS):
            await asyncio.sleep(pause)
            for socket, seq in await self._with_newest(self._all_sockets()):
                if seq > socket.last_seq:
                    self.spawn(socket.catch_up(seq))

    async def _with_newest(self, sockets: list[Socket]) -> list[tuple[Socket, int]]:
        """Return each socket with the newest number of its stream."""
        newest = await in_database(newest_seqs, list({socket.address for socket in sockets}))
        return [(socket, max(newest.get(socket.address, 0), socket.last_seq)) for socket in sockets]

    async def _beat(self) -> None:
        pause = min(0.25, settings.HEARTBEAT_SECONDS / 4, settings.PONG_SECONDS / 4)
        self._beat_at = time.monotonic() + pause
        await asyncio.sleep(pause)
        self._notice_lag()
        now = time.monotonic()
        sockets = self._all_sockets()
        self._notice_silence(sockets, now)
        due = [socket for socket in sockets if socket.beat(now)]
        if due:
            self.spawn(self._send_heartbeats(due))

    def _notice_lag(self) -> None:
        """Blame nobody after the loop has stood still; whichever step comes first afterwards sees to it."""
        now = time.monotonic()
        lag = now - self._beat_at
        if lag <= LAG_SECONDS:
            return
        self._beat_at = now
        sockets = self._all_sockets()
        log.warning("loop_lagged", seconds=round(lag, 3), sockets=len(sockets))
        self._hear_all()
        for socket in sockets:
            socket.forgive(now)

    def _hear_all(self) -> None:
        """Let everybody count as heard from now: a fault of ours has ended."""
        for socket in self._all_sockets():
            self.heard(socket.owner)

    def _notice_silence(self, sockets: list[Socket], now: float) -> None:
        """Blame nobody where too many connections have fallen silent together."""
        for socket in sockets:
            if socket.is_silent:
                self._silence.fell_silent(socket.connection_id, socket.owner, now)
            else:
                self._silence.spoke(socket.connection_id)
        blameless = self._silence.blameless({socket.connection_id for socket in sockets}, now)
        if not blameless:
            return
        log.warning("connections_silent_together", users=len(blameless), sockets=len(sockets))
        for owner in blameless:
            self.heard(owner)
        for socket in sockets:
            if socket.owner in blameless:
                socket.forgive(now)

    async def _send_heartbeats(self, sockets: list[Socket]) -> None:
        try:
            with_newest = await self._with_newest(sockets)
        except Exception as error:
            # Without the database nobody knows the newest number; the players are pinged all the same.
            log.warning("heartbeat_without_number", error=str(error))
            with_newest = [(socket, socket.last_seq) for socket in sockets]
        for socket, seq in with_newest:
            self.spawn(self._send_heartbeat(socket, seq))

    async def _send_heartbeat(self, socket: Socket, newest_seq: int) -> None:
        """Ping a client that has been sent everything: one that finds itself behind asks for its state."""
        if newest_seq > socket.last_seq:
            await socket.catch_up(newest_seq)
        await socket.send_heartbeat(newest_seq)

    # --- the end

    async def say_goodbye(self) -> None:
        """Say goodbye to every socket, with a different time to come back for each, and take no more."""
        self._is_closing = True
        for socket in self._all_sockets():
            # The fault is ours: they have all the time that silence is given to come back.
            self.heard(socket.owner)
            await socket.say_goodbye(reconnect_after_ms=_chance.randint(*RECONNECT_WITHIN_MS))

    async def stop(self) -> None:
        """Wait a moment for the sockets to end, then stop the loops and give the lease back."""
        give_up_at = time.monotonic() + STOP_SECONDS
        while self._sockets and time.monotonic() < give_up_at:
            await asyncio.sleep(0.02)
        for task in list(self._tasks):
            task.cancel()
        now = time.monotonic()
        try:
            await self._presence.refresh({address: now - at for address, at in self._heard.items()})
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
