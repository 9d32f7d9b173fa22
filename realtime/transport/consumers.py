"""The sockets: a connection's life, frame by frame. What a command does is handed in where it is composed.

A handler here records and returns; commands run one after the other beside the connection, so that a slow one
delays no pong.
"""

import asyncio
import math
import random
import time
from datetime import UTC, datetime
from typing import Any, NoReturn

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from realtime.identifiers import new_id
from realtime.protocol.codec import decode_frame, encode_message, ref_of
from realtime.protocol.errors import (
    CloseCode,
    DomainError,
    InternalError,
    InvalidRequest,
    Unauthorized,
    Unavailable,
)
from realtime.protocol.messages import (
    Ack,
    Authenticate,
    ClientMessage,
    Connected,
    Error,
    Goodbye,
    Heartbeat,
    HeartbeatAck,
    HeartbeatPing,
    HeartbeatPong,
    Pong,
    Resync,
    ServerMessage,
    TokenExpiring,
)
from realtime.transport.auth import Caller
from realtime.transport.database import OUTAGES, in_database
from realtime.transport.delivery import Delivery
from realtime.transport.events import Origin
from realtime.transport.handshake import read_handshake, subprotocol_of
from realtime.transport.heartbeat import Pulse
from realtime.transport.hub import RECONNECT_WITHIN_MS, HubClosing, current_hub
from realtime.transport.presence_writer import PulseReport
from realtime.transport.push import Push
from realtime.transport.serial import Serial
from realtime.transport.throttle import TokenBucket
from realtime.transport.wiring import End, Refused, Snapshot, Wiring

log = structlog.get_logger(__name__)

_chance = random.SystemRandom()

TOKEN_WARNING_SECONDS = 60
RESYNC_SECONDS = 1
CLOSED_WITHOUT_A_WORD = 1006


class Connection(AsyncConsumer):
    """One socket. Its frames go out in the order of their numbers."""

    # Pushes come from the hub: no subscription for each socket.
    channel_layer_alias = "none"

    def __init__(self, *, wiring: Wiring) -> None:
        self.connection_id = new_id().hex
        self.owner = self.device = ""
        self._hub = current_hub()
        self._delivery = Delivery(self._send_text, connection_id=self.connection_id, spawn=self._hub.spawn)
        self._wiring = wiring
        self._caller: Caller | None = None
        self._is_open = False
        self._has_departed = False
        self._resync_from: int | None = None
        self._restored_at = -math.inf
        self._commands = Serial()
        self._timers: list[asyncio.TimerHandle] = []
        self._bucket = TokenBucket(
            rate=settings.FRAMES_PER_SECOND, burst=settings.FRAMES_BURST, now=time.monotonic()
        )
        self._pulse = Pulse(period_seconds=settings.HEARTBEAT_SECONDS, pong_seconds=settings.PONG_SECONDS)

    @property
    def address(self) -> str:
        """Where this socket's events come from."""
        return self._delivery.address

    @property
    def last_seq(self) -> int:
        """The number of the newest event that was sent."""
        return self._delivery.last_seq

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Take one ASGI event. Stock Channels would first look at old database connections, on one thread."""
        match message["type"]:
            case "websocket.connect":
                await self._connect()
            case "websocket.receive":
                await self._receive(message)
            case "websocket.disconnect":
                await self._disconnect(message.get("code"))

    # --- connect

    async def _connect(self) -> None:
        await self.send({"type": "websocket.accept", "subprotocol": subprotocol_of(self.scope)})
        self._is_open = True
        try:
            await self._enter()
        except Refused as refusal:
            await self.close(refusal.code)
        except Unauthorized:
            await self.close(CloseCode.NOT_AUTHENTICATED)
        except asyncio.CancelledError:
            # The client has gone while we were busy, and nobody will tell us so.
            self._hub.spawn(self._leave())
            raise
        except HubClosing:
            await self.say_goodbye(reconnect_after_ms=_chance.randint(*RECONNECT_WITHIN_MS))
        except Exception:
            log.exception("connect_failed", connection=self.connection_id)
            await self.say_goodbye(reconnect_after_ms=_chance.randint(*RECONNECT_WITHIN_MS))

    async def _enter(self) -> None:
        handshake = read_handshake(self.scope, self._wiring.identify)
        caller = handshake.caller
        self._delivery.address = self.owner = caller.address
        if self._wiring.place is not None:
            place = await in_database(self._wiring.place, caller, handshake.parameters)
            self._delivery.address = place.address
            self.owner = f"{place.address}:{caller.user_id}"
            self.device = place.device and f"{self.owner}:{place.device}"
        self._caller = caller
        await self._hub.add(self)
        self._hub.spawn(self._commands.run())
        await self._restore(handshake.last_seq, greet=True)
        self._pulse.start(time.monotonic() + _chance.random() * settings.HEARTBEAT_SECONDS)
        self._watch_token(caller)

    async def _restore(self, last_seq: int | None, *, greet: bool = False) -> None:
        """Send the state as of one number, what is owed, and then what was pushed meanwhile."""
        async with self._delivery.holding():
            await self._send_state(last_seq, greet=greet)

    async def _send_state(self, last_seq: int | None, *, greet: bool) -> None:
        caller = self._signed_in()
        snapshot = await in_database(self._look, caller, last_seq, arrives=greet)
        if greet:
            await self._send_message(
                Connected(
                    connection_id=self.connection_id,
                    user_id=caller.user_id,
                    heartbeat_interval=settings.HEARTBEAT_SECONDS,
                    server_time=_now(),
                    seq=snapshot.seq,
                )
            )
        await self._send_message(snapshot.state)
        await self._delivery.restored(snapshot.seq, snapshot.owed)

    def _look(self, caller: Caller, last_seq: int | None, *, arrives: bool) -> Snapshot:
        """Note the arrival, then look: one visit to the database for both."""
        if arrives:
            self._wiring.arrived(caller, self.address, self.connection_id)
        return self._wiring.snapshot(caller, self.address, last_seq)

    def _watch_token(self, caller: Caller) -> None:
        for timer in self._timers:
            timer.cancel()
        loop = asyncio.get_running_loop()
        left = (caller.expires_at - _now()).total_seconds()
        hub = self._hub
        warn_in = max(left - TOKEN_WARNING_SECONDS, 0)
        expiring = TokenExpiring(expires_in=round(left - warn_in, 3))
        self._timers = [
            loop.call_later(warn_in, lambda: hub.spawn(self._send_message(expiring))),
            loop.call_later(max(left, 0), lambda: hub.spawn(self.close(CloseCode.TOKEN_EXPIRED))),
        ]

    def _signed_in(self) -> Caller:
        if self._caller is None:
            raise Refused(CloseCode.NOT_AUTHENTICATED)
        return self._caller

    # --- frames from the client

    async def _receive(self, message: dict[str, Any]) -> None:
        if not self._is_open:
            return
        if not self._bucket.take(time.monotonic()):
            await self.close(CloseCode.TOO_MANY_FRAMES)
            return
        text = message.get("text")
        if text is None:
            await self.close(CloseCode.NOT_TEXT)
            return
        try:
            await self._take(decode_frame(text))
        except DomainError as refusal:
            await self._refuse(refusal, ref_of(text))

    async def _take(self, message: ClientMessage) -> None:
        caller = self._signed_in()
        match message:
            case Pong():
                self._hear()
                self._answer(message.data.nonce)
            case HeartbeatPong():
                self._hear()
            case Heartbeat():
                self._hear()
                await self._send_message(HeartbeatAck(server_time=_now()), ref=message.ref)
            case Ack():
                self._answer(message.data.id)
            case Authenticate():
                self._authenticate(message.data.token)
            case Resync():
                self._resync(message.data.last_seq)
            case _:
                self._command(caller, message)

    def _resync(self, last_seq: int) -> None:
        """Restore the state once, however often it is asked for meanwhile; the lowest number counts."""
        is_waiting = self._resync_from is not None
        self._resync_from = min(last_seq, self._resync_from) if self._resync_from is not None else last_seq
        if not is_waiting:
            self._hub.spawn(self._restore_from_resync())

    async def _restore_from_resync(self) -> None:
        """Restore, at most once in a second: the state costs more than the asking."""
        await asyncio.sleep(max(self._restored_at + RESYNC_SECONDS - time.monotonic(), 0))
        last_seq, self._resync_from = self._resync_from, None
        self._restored_at = time.monotonic()
        await self._restore(last_seq)

    def _command(self, caller: Caller, message: ClientMessage) -> None:
        handler = self._wiring.handlers.get(type(message))
        if handler is None:
            raise InvalidRequest("This command is not for this socket", field="type")
        self._hear()
        origin = Origin(self.connection_id, message.ref or "", self.address, time.monotonic())

        async def run() -> None:
            try:
                answer = await in_database(handler, caller, message, origin)
                if answer is not None:
                    await self._send_message(answer, ref=message.ref)
            except DomainError as refusal:
                await self._refuse(refusal, message.ref)
            except OUTAGES as error:
                log.warning("command_not_possible", command=type(message).__name__, error=str(error))
                await self._refuse(Unavailable(), message.ref)
            except Exception:
                log.exception("command_failed", command=type(message).__name__, user=caller.user_id)
                await self._refuse(InternalError(), message.ref)
            if self._has_departed:
                # What was just done does not know yet that nobody is there any more.
                await self._depart(caller, time.monotonic())

        self._commands.put(run)

    def _hear(self) -> None:
        self._pulse.hear(time.monotonic())
        self._hub.heard(self.owner)

    def _answer(self, token: str) -> None:
        """Note the answer to something that was sent to this connection; anything else is late or unknown."""
        if self._delivery.answers(token):
            self._hub.answered(self.owner, token, self._wiring.answered)

    def _authenticate(self, token: str) -> None:
        caller, present = self._wiring.identify(token), self._signed_in()
        if (caller.address, caller.session_id) != (present.address, present.session_id):
            raise Unauthorized("This token is another user's")
        self._caller = caller
        self._watch_token(caller)

    async def _refuse(self, refusal: DomainError, ref: str | None) -> None:
        await self._send_message(Error(**refusal.problem()), ref=ref)  # type: ignore[arg-type]  # its members

    # --- frames to the client

    async def arrive_again(self) -> None:
        """Say once more that this socket is open, after presence was lost: others may have been told so."""
        if self._caller is not None and self._is_open and self._wiring.place is not None:
            try:
                await in_database(self._wiring.arrived, self._caller, self.address, self.connection_id)
            except Refused as refusal:
                await self.close(refusal.code)

    async def deliver(self, push: Push) -> None:
        """Take a push for this socket's address."""
        await self._delivery.take(push)

    async def catch_up(self, newest_seq: int) -> None:
        """Send from the outbox what comes after the last number sent."""
        await self._delivery.catch_up(newest_seq)

    async def _send_message(self, message: ServerMessage, *, ref: str | None = None) -> None:
        await self._send_text(encode_message(message, timestamp=_now(), ref=ref or None))

    async def _send_text(self, text: str) -> None:
        if self._is_open:
            await self.send({"type": "websocket.send", "text": text})

    # --- heartbeats

    def beat(self, now: float) -> bool:
        """Close after too many misses in a row; return whether a ping is due."""
        if not self._is_open:
            return False
        if self._pulse.missed(now) >= settings.MISSED_HEARTBEATS:
            self._hub.spawn(self.close(CloseCode.NO_PONG))
            return False
        return self._pulse.take_due(now)

    async def send_heartbeat(self, newest_seq: int) -> None:
        """Ping the client, with the newest number of its stream."""
        self._pulse.pinged(time.monotonic())
        await self._send_message(HeartbeatPing(nonce=new_id().hex, seq=newest_seq))

    @property
    def is_silent(self) -> bool:
        """Whether the last ping was missed, and that has not been forgiven."""
        return self._pulse.is_silent

    def forgive(self, now: float) -> None:
        """Forget unanswered pings: the server was away, not the player."""
        self._pulse.forgive(now)

    def report_pulse(self, now: float) -> PulseReport | None:
        """Return the heartbeat, where it has changed since the last report."""
        if not self._pulse.take_news():
            return None
        ping, pong = self._pulse.last_ping_at, self._pulse.last_pong_at
        return PulseReport(
            address=self.owner,
            connection_id=self.connection_id,
            ping_age=None if ping is None else now - ping,
            pong_age=None if pong is None else now - pong,
            missed=self._pulse.missed(now),
        )

    # --- the end

    async def say_goodbye(self, *, reconnect_after_ms: int) -> None:
        """Tell the client to come back, and close."""
        await self._send_message(Goodbye(reason="server_going", reconnect_after_ms=reconnect_after_ms))
        await self.close(CloseCode.SERVER_GOING)

    async def close(self, code: int) -> None:
        """Close the socket, once."""
        if self._is_open:
            self._is_open = False
            await self.send({"type": "websocket.close", "code": int(code)})

    async def _disconnect(self, code: int | None) -> NoReturn:
        if code == CLOSED_WITHOUT_A_WORD and self._is_open:
            self._hub.broke(self)
        await self._leave()
        raise StopConsumer

    async def _leave(self) -> None:
        ended_at = time.monotonic()
        self._is_open = False
        for timer in self._timers:
            timer.cancel()
        if self._caller is not None:
            self._has_departed = True
            self._hub.spawn(self._commands.end())
            await self._depart(self._caller, ended_at)

    async def _depart(self, caller: Caller, ended_at: float) -> None:
        is_last = await self._hub.remove(self)
        end = End(
            caller=caller,
            address=self.address,
            connection_id=self.connection_id,
            is_last=is_last,
            age_seconds=time.monotonic() - ended_at,
        )
        await in_database(self._wiring.departed, end)


class NoSuchSocket(AsyncConsumer):
    """A path without a socket: accepted and closed, so that a browser can read why."""

    channel_layer_alias = "none"

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Refuse to connect."""
        if message["type"] == "websocket.connect":
            await self.send({"type": "websocket.accept"})
            await self.send({"type": "websocket.close", "code": int(CloseCode.NO_SUCH_SESSION)})
        elif message["type"] == "websocket.disconnect":
            raise StopConsumer


def _now() -> datetime:
    return datetime.now(UTC)
