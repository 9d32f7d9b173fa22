"""The cast: players who speak the real protocol over real sockets."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


def token_for(
    user_id: str, *, key: str, tenant_id: str = "demo", lifetime: float = 3600, **claims: Any
) -> str:
    """Return a JWT as an identity provider of the tenant would sign it."""
    payload = {
        "sub": user_id,
        "tenant_id": tenant_id,
        "iss": "matchmaking",
        "exp": time.time() + lifetime,
        "name": user_id.title(),
    }
    return jwt.encode(payload | claims, key, algorithm="HS256")


class Player:
    """A client on ``/ws/matchmaking/`` that answers as a good client does, unless told otherwise."""

    def __init__(self, url: str, token: str, *, path: str = "/ws/matchmaking/", silent: bool = False) -> None:
        self.frames: list[Frame] = []
        self.received_at: list[float] = []
        self.answers_pings = not silent
        self.acknowledges = not silent
        self.answers_heartbeats = not silent
        self.close_code: int | None = None
        self._url = url + path
        self._token = token
        self._socket: ClientConnection
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def connect(self, query: str = "") -> None:
        """Open the socket and begin to read."""
        self.close_code = None
        self._socket = await connect(
            self._url + query,
            subprotocols=["matchmaking.v1", f"bearer.{self._token}"],  # type: ignore[list-item]
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read())

    async def disconnect(self) -> None:
        """Close the socket."""
        await self._socket.close()
        await self._reader

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._socket.transport.abort()

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self._socket:
                frame = json.loads(text)
                async with self._news:
                    self.frames.append(frame)
                    self.received_at.append(time.time())
                    self._news.notify_all()
                await self._answer(frame)
        async with self._news:
            self.close_code = self._socket.close_code
            self._news.notify_all()

    async def _answer(self, frame: Frame) -> None:
        match frame["type"]:
            case "ping" if self.answers_pings:
                await self.send("pong", {"nonce": frame["data"]["nonce"]})
            case "heartbeat_ping" if self.answers_heartbeats:
                await self.send("heartbeat_pong", {"nonce": frame["data"]["nonce"]})
            case "match_found" if self.acknowledges:
                await self.send("ack", {"id": frame["id"]})

    async def send(self, kind: str, data: Any = None, **members: Any) -> None:
        """Send one frame."""
        frame = {"type": kind, **members} | ({} if data is None else {"data": data})
        await self.send_text(json.dumps(frame))

    async def send_text(self, text: str | bytes) -> None:
        """Send whatever it is."""
        await self._socket.send(text)

    async def join(self, pool_key: str = "duel", **data: Any) -> Frame:
        """Queue, and return ``queue_joined``."""
        await self.send("join_queue", {"pool_key": pool_key, **data})
        return await self.next("queue_joined")

    async def next(
        self, *kinds: str, within: float = 10, since: int = 0, where: Callable[[Frame], bool] = bool
    ) -> Frame:
        """Return the first frame of one of ``kinds`` at or after index ``since``; fail when none comes."""

        def found() -> Frame | None:
            return next((f for f in self.frames[since:] if f["type"] in kinds and where(f)), None)

        async with self._news:
            try:
                async with asyncio.timeout(within):
                    await self._news.wait_for(lambda: found() is not None or self.close_code is not None)
            except TimeoutError:
                raise AssertionError(f"no {kinds} within {within} s, but {self.frames}") from None
        frame = found()
        assert frame is not None, f"closed with {self.close_code} before {kinds}: {self.frames}"
        return frame

    async def closed(self, within: float = 10) -> int | None:
        """Return the code that the server closed with."""
        async with self._news, asyncio.timeout(within):
            await self._news.wait_for(lambda: self.close_code is not None)
        return self.close_code

    def of(self, *kinds: str) -> list[Frame]:
        """Return the frames of some kinds, in order."""
        return [frame for frame in self.frames if frame["type"] in kinds]
