"""daphne's HTTP requests, bounded: a body that is too large is refused while it arrives, not after.

Twisted would take a body of any size into memory or a file, and take forms apart on the event loop, for a
minute where somebody makes one for that purpose. Here forms are left to Django, behind the limit.
"""

from typing import Any

from daphne.http_protocol import WebRequest
from twisted.internet import reactor

from realtime.protocol.codec import MAX_BODY_BYTES
from realtime.transport.bodies import REFUSAL

READ_ON_SECONDS = 2


class BoundedRequest(WebRequest):
    """A request that is answered 413, and its connection closed, as soon as its body is too large."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "parsePOSTFormSubmission": False})
        self._received = 0
        self._is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """Refuse a body that says that it will be too large, before it comes."""
        if length is not None and length > MAX_BODY_BYTES:
            self._refuse()
        super().gotLength(0 if self._is_refused else length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Refuse a body that has become too large; what still comes is dropped."""
        self._received += len(data)
        if self._received > MAX_BODY_BYTES and not self._is_refused:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        self._is_refused = True
        self.channel.transport.write(
            b"HTTP/1.1 413 Request Entity Too Large\r\n"
            b"Content-Type: application/problem+json\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(REFUSAL), REFUSAL)
        )
        # A client that is still writing would not read an answer whose connection is gone already.
        reactor.callLater(READ_ON_SECONDS, self._close)  # type: ignore[arg-type]  # the stubs have it wrong

    def _close(self) -> None:
        if self.channel is not None:
            self.channel.loseConnection()

    def process(self) -> Any:
        """Hand the request to the application, unless it was refused."""
        return None if self._is_refused else super().process()
