"""daphne, made to stop gracefully: every socket is told to come back before the listening process ends.

Stock daphne cuts sockets without a close frame, and its limit on frames reaches clients as 1006.
"""

import asyncio
import functools
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

import structlog
from autobahn.websocket.types import ConnectionDeny
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet import defer
from twisted.internet.tcp import Port

from realtime.protocol.codec import MAX_FRAME_BYTES
from realtime.protocol.errors import CloseCode
from realtime.transport.hub import close_hub
from realtime.transport.requests import BoundedRequest
from realtime.transport.throttle import TokenBucket

log = structlog.get_logger(__name__)

PING_INTERVAL_SECONDS = 5
PING_TIMEOUT_SECONDS = 5
CLOSE_SECONDS = 30
"""A slow client needs a while to read up to the closing frame; its buffer is bounded, so it may have it."""

END_SECONDS = 0.5
CANCEL_AGAIN_SECONDS = 0.1
SEND_BUFFER_BYTES = 128 * 1024
_WHOLE_TEXT = 0x81


@functools.lru_cache(maxsize=1)
def text_frame(payload: bytes) -> bytes:
    """Return a message as one frame; to all in a session it is the same."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", _WHOLE_TEXT, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", _WHOLE_TEXT, 126, size)
    else:
        head = struct.pack("!BBQ", _WHOLE_TEXT, 127, size)
    return head + payload


class PlayerProtocol(WebSocketProtocol):
    """A socket that knows when its client does not read."""

    maxMessagePayloadSize: int  # noqa: N815 - autobahn's name
    _full_since: float | None = None
    _pings: TokenBucket

    def onConnect(self, request: Any) -> Any:  # noqa: N802 - autobahn's name
        """Refuse a handshake whose headers are no text, without a word of what went wrong inside."""
        try:
            return super().onConnect(request)
        except UnicodeDecodeError:
            raise ConnectionDeny(400, "Bad request") from None

    def onPing(self, payload: bytes) -> None:  # noqa: N802 - autobahn's name
        """Answer the client's own protocol pings, as many as it may send frames."""
        if self._pings.take(time.monotonic()):
            super().onPing(payload)
        else:
            self.sendClose(code=int(CloseCode.TOO_MANY_FRAMES))

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        """Ask the transport to say when its buffer is full and when it is empty again."""
        super().onOpen()
        self._pings = TokenBucket(
            rate=settings.FRAMES_PER_SECOND, burst=settings.FRAMES_BURST, now=time.monotonic()
        )
        # The kernel would take megabytes for each client that does not read.
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        # Until the handshake the HTTP channel was registered here.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, streaming=True)

    def sendMessage(self, payload: bytes, isBinary: bool = False) -> None:  # noqa: FBT001, FBT002, N802, N803
        """Send a message of any size: autobahn would hold ours to the limit that is meant for clients.

        What is sent after we have said that we close goes nowhere, instead of raising in the application. We
        send text alone, whole and as it is: autobahn needs twice the time for what that comes to.
        """
        del isBinary
        if self.state == self.STATE_OPEN:
            self.transport.write(text_frame(payload))

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that the client does not read as fast as we write."""
        if self._full_since is None:
            self._full_since = time.monotonic()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that the client has read everything."""
        self._full_since = None

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Take note of the end of the transport, which needs nothing from us."""

    def check_timeouts(self) -> None:
        """Close the socket of a client that has not read for too long."""
        super().check_timeouts()
        full_for = 0.0 if self._full_since is None else time.monotonic() - self._full_since
        if full_for > settings.SLOW_READER_SECONDS:
            log.warning("slow_reader_closed", client=self.client_addr)
            self._full_since = None
            self.sendClose(code=int(CloseCode.SLOW_READER))


class GracefulServer(Server):
    """daphne's server with our limits and a goodbye."""

    def __init__(self, application: Any, *, endpoints: list[str]) -> None:
        super().__init__(
            application,
            endpoints=endpoints,
            # A session lasts as long as its player wants.
            websocket_timeout=-1,
            ping_interval=PING_INTERVAL_SECONDS,
            ping_timeout=PING_TIMEOUT_SECONDS,
            websocket_max_message_size=MAX_FRAME_BYTES,
            websocket_max_frame_size=MAX_FRAME_BYTES,
            server_name="matchmaking",
            ready_callable=self._set_limits,
        )
        self.failure = ""
        self._ports: list[Port] = []

    def _set_limits(self) -> None:
        self.ws_factory.protocol = PlayerProtocol
        build = self.http_factory.buildProtocol

        def build_bounded(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = BoundedRequest
            return protocol

        self.http_factory.buildProtocol = build_bounded
        # With failByDrop autobahn cuts the connection instead of saying 1009.
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_SECONDS)

    def listen_success(self, port: Port) -> None:
        """Keep the port, so that it can be closed before the goodbyes."""
        self._ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        """Stop at once where the port cannot be had."""
        self.failure = failure.getErrorMessage()
        super().listen_error(failure)

    def kill_all_applications(self) -> defer.Deferred[Any]:
        """Say goodbye, then end what still runs. Stock daphne stumbles over a socket not yet accepted."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        for port in self._ports:
            await port.stopListening().asFuture(asyncio.get_running_loop())
        await close_hub()
        running = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        await _cancelled(running)


async def _cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks until they have ended, or their time is over.

    Once is not enough: on Python 3.11 a cancellation is lost where asyncio.wait_for gets its answer in the
    same turn of the loop, and redis sends every command through it.
    """
    give_up_at = time.monotonic() + END_SECONDS
    running = set(tasks)
    while running and time.monotonic() < give_up_at:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
