"""daphne, made to stop gracefully: every socket is told to come back before the listening process ends.

Stock daphne cuts sockets without a close frame, and its limit on frames reaches clients as 1006.
"""

import asyncio
import time
from typing import Any

import structlog
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer
from twisted.internet.tcp import Port

from realtime.protocol.codec import MAX_FRAME_BYTES
from realtime.protocol.errors import CloseCode
from realtime.transport.hub import close_hub

log = structlog.get_logger(__name__)

PING_INTERVAL_SECONDS = 5
PING_TIMEOUT_SECONDS = 5
SLOW_SECONDS = 10
"""A client that lets its buffer stand full for so long is closed; it comes back to a fresh state."""


class PlayerProtocol(WebSocketProtocol):
    """A socket that knows when its client does not read."""

    _full_since: float | None = None

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        """Ask the transport to say when its buffer is full and when it is empty again."""
        super().onOpen()
        self.transport.registerProducer(self, streaming=True)

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
        if self._full_since is not None and time.monotonic() - self._full_since > SLOW_SECONDS:
            log.warning("slow_reader_closed", client=self.client_addr)
            self.sendClose(code=int(CloseCode.SLOW_READER))
            self.dropConnection(abort=True)


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
            ready_callable=self._set_socket_options,
        )
        self.failure = ""
        self._ports: list[Port] = []

    def _set_socket_options(self) -> None:
        self.ws_factory.protocol = PlayerProtocol
        # With failByDrop autobahn cuts the connection instead of saying 1009.
        self.ws_factory.setProtocolOptions(failByDrop=False)

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
        for application in running:
            application.cancel()
        await asyncio.gather(*running, return_exceptions=True)
