"""A wall before HTTP under any ASGI server: so many requests at a time, and none with too large a body.

Our own server refuses such a body earlier, see `realtime.transport.requests`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from realtime.protocol.codec import MAX_BODY_BYTES, encode_json

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

REFUSAL = encode_json(
    {
        "type": "about:blank",
        "title": "The request is too large",
        "status": 413,
        "detail": f"The body is larger than {MAX_BODY_BYTES} bytes",
        "code": "invalid_request",
        "errors": {"body": [f"The body is larger than {MAX_BODY_BYTES} bytes"]},
    }
).encode()


WITHOUT_ACCOUNT = ("/v1/auth/", "/v1/sessions/join", "/v1/sessions/scan", "/v1/sessions/by-code/")
"""Where nobody looks at a token, and anybody may show one."""


class InTurn:
    """Lets so many HTTP requests run at a time; the others wait, in the order that they came.

    Each has a thread and a connection to the database: five hundred who join at once would leave none to the
    sockets. Who is known does not wait behind those who come in, who are half as many at a time, nor do
    machines that ask for ``/health/``.
    """

    def __init__(self, application: Application, *, at_once: int) -> None:
        self._application = application
        self._of_known = asyncio.Semaphore(at_once)
        self._of_strangers = asyncio.Semaphore(max(at_once // 2, 1))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on when it is its turn."""
        if scope["path"].startswith("/health/"):
            await self._application(scope, receive, send)
            return
        has_token = any(name == b"authorization" for name, _ in scope["headers"])
        is_known = has_token and not scope["path"].removeprefix("/api").startswith(WITHOUT_ACCOUNT)
        async with self._of_known if is_known else self._of_strangers:
            await self._application(scope, receive, send)


class BodyLimit:
    """Answers 413 to HTTP requests with a body of more than ``MAX_BODY_BYTES``."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on, up to the limit."""
        if _declared_length(dict(scope["headers"])) > MAX_BODY_BYTES:
            await _refuse(send)
            return
        read = 0

        async def limited() -> Mapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            # The application cleans up behind a client that has gone.
            return message if read <= MAX_BODY_BYTES else {"type": "http.disconnect"}

        await self._application(scope, limited, send)
        if read > MAX_BODY_BYTES:
            await _refuse(send)


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(REFUSAL)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})
