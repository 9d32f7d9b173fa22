"""A player's program: it speaks the real protocol over a network of its own, and writes down what it sees."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.chaos.clocks import Clocks
from tests.chaos.history import Data, History
from tests.chaos.mirror import Mirror
from tests.chaos.personas import Persona
from tests.chaos.proxy import Link

if TYPE_CHECKING:
    from tests.chaos.games import Games

OPEN_SECONDS = 5
ANSWER_SECONDS = 4
UNREACHABLE = (OSError, WebSocketException, httpx.HTTPError)
"""What the network, or its absence, raises in a client; TimeoutError is an OSError."""


@dataclass
class World:
    """What all clients have in common."""

    history: History
    clocks: Clocks
    http: httpx.AsyncClient
    games: "Games | None" = None
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    players: "list[Client]" = field(default_factory=list)
    """Those who play now, whom the nemesis may strike."""
    open_challenges: list[str] = field(default_factory=list)
    """What a page would list for whoever wants a game, the newest last."""

    def partner_of(self, client: "Client") -> str | None:
        """Return who makes a pair with a player: the neighbour among those of the same kind."""
        kind = sorted(player.name for player in self.players if player.persona is client.persona)
        index = kind.index(client.name) ^ 1
        return kind[index] if index < len(kind) else None


class Client:
    """One user with one matchmaking socket at a time."""

    def __init__(
        self, name: str, token: str, link: Link, world: World, *, persona: Persona, rng: random.Random
    ) -> None:
        self.name = name
        self.mirror = Mirror(name)
        self.persona = persona
        self.rng = rng
        self.world = world
        self.link = link
        self.web = rng.randrange(2)
        self.refused: Data | None = None
        self.come_back_after = 0.0
        self.has_played = False
        self._token = token
        self._socket: ClientConnection | None = None
        self._number = 0
        self._heard_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._news = asyncio.Event()
        self._awake = asyncio.Event()
        self._awake.set()

    # --- the socket

    @property
    def is_open(self) -> bool:
        """Whether there is a socket; one on which nothing comes for too long is given up."""
        if self._socket is not None and self.world.history.now - self._heard_at > self._patience:
            self.note("gave_up", conn=self._number)
            self.abort()
        return self._socket is not None

    @property
    def _patience(self) -> float:
        return self.world.clocks.heartbeat * 2 + self.world.clocks.pong

    async def open(self) -> None:
        """Connect to the present web process, and go on from the last number, or from none."""
        fresh = self.rng.random() < self.persona.forgets_number
        query = "" if fresh else f"?last_seq={self.mirror.last_seq}"
        self._number += 1
        number = self._number
        self.note("opening", conn=number, web=self.web, last_seq=None if fresh else self.mirror.last_seq)
        try:
            socket = await self.dial(f"/ws/matchmaking/{query}")
        except UNREACHABLE as error:
            self.note("open_failed", conn=number, error=repr(error)[:200])
            raise
        self._socket, self._heard_at = socket, self.world.history.now
        self.note("opened", conn=number, web=self.web)
        self.start(self._read(socket, number))

    async def dial(self, path: str) -> ClientConnection:
        """Open a socket to the present web process."""
        return await connect(
            f"ws://127.0.0.1:{self.link.ports[self.web]}{path}",
            subprotocols=["matchmaking.v1", f"bearer.{self._token}"],  # type: ignore[list-item]
            open_timeout=OPEN_SECONDS,
            close_timeout=1,
            ping_interval=None,
            max_queue=None,
            compression=None,
            proxy=None,
        )

    async def _read(self, socket: ClientConnection, number: int) -> None:
        with suppress(WebSocketException):
            async for text in socket:
                await self._awake.wait()
                self._heard_at = self.world.history.now
                self._take(json.loads(text), number)
        self.note("closed", conn=number, code=socket.close_code)
        if self._socket is socket:
            self._socket = None
        self._news.set()

    def _take(self, frame: Data, number: int) -> None:
        self.note("received", conn=number, frame=frame)
        if not self.mirror.take(frame):
            self.start(self.send("resync", {"last_seq": self.mirror.last_seq}))
        match frame["type"]:
            case "error":
                self.refused = frame
            case "goodbye":
                self.come_back_after = frame["data"]["reconnect_after_ms"] / 1000
            case "heartbeat_ping":
                self.start(self.send("heartbeat_pong", {"nonce": frame["data"]["nonce"]}))
            case "ping":
                self._answer("pong", {"nonce": frame["data"]["nonce"]}, self.persona.ignores_ping)
            case "match_found":
                self._answer("ack", {"id": frame["id"]}, self.persona.loses_ack)
        self._news.set()

    def _answer(self, kind: str, data: Data, ignoring: float) -> None:
        """Answer a ping or a ``match_found`` as the persona does."""
        clocks, persona, rng = self.world.clocks, self.persona, self.rng
        if rng.random() < persona.leaves_when_found:
            self.start(self.send("leave_queue"))
        if rng.random() < ignoring:
            self.note("ignored", answer=kind)
            return
        is_late = rng.random() < persona.answers_late
        self.start(self.send(kind, data, after=clocks.health_check * rng.uniform(0.6, 2) if is_late else 0))

    async def send(self, kind: str, data: Data | None = None, *, after: float = 0, ref: str = "") -> None:
        """Send a frame, unless the socket is gone by then."""
        if after:
            await asyncio.sleep(after)
        await self._awake.wait()
        if self._socket is None:
            return
        frame: Data = {"type": kind} | ({"ref": ref} if ref else {}) | ({"data": data} if data else {})
        self.note("sent", conn=self._number, frame=frame)
        with suppress(WebSocketException):
            await self._socket.send(json.dumps(frame))

    def abort(self) -> None:
        """Break the connection without a word."""
        if self._socket is not None:
            self.note("dropped", conn=self._number)
            self._socket.transport.abort()
            self._socket = None

    async def close(self) -> None:
        """Close the connection as a browser does that goes to another page."""
        if self._socket is not None:
            socket, self._socket = self._socket, None
            self.note("closing", conn=self._number)
            await socket.close()

    def freeze(self) -> None:
        """Do nothing from now on: nothing is read, nothing is answered, not even by the network library."""
        self.note("froze", conn=self._number)
        self._awake.clear()
        if self._socket is not None:
            self._socket.transport.pause_reading()

    def thaw(self) -> None:
        """Go on as if nothing had been."""
        self.note("thawed", conn=self._number)
        self._heard_at = self.world.history.now
        if self._socket is not None:
            self._socket.transport.resume_reading()
        self._awake.set()

    # --- REST, and waiting

    async def request(self, method: str, path: str, body: Data | None = None) -> tuple[int, Any]:
        """Ask over REST; return status and body."""
        seen = self.note("request", method=method, path=path, body=body)
        url = f"http://127.0.0.1:{self.link.ports[self.web]}/v1{path}"
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = await self.world.http.request(method, url, json=body, headers=headers)
        except UNREACHABLE as error:
            self.note("no_response", of=seen.at, method=method, path=path, error=repr(error)[:200])
            raise
        content = answer.json() if answer.content else None
        self.note("response", of=seen.at, method=method, path=path, status=answer.status_code, body=content)
        return answer.status_code, content

    async def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait until something is so, which a frame may bring about; return whether it is."""
        deadline = self.world.history.now + seconds
        while not condition():
            left = deadline - self.world.history.now
            if left <= 0:
                return False
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        return True

    async def pause(self, seconds: float) -> None:
        """Sleep, but not into the calm."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.world.calm.wait(), seconds)

    # --- bookkeeping

    def note(self, kind: str, **data: Any) -> Any:
        """Write down what this client sees or does."""
        return self.world.history.record(self.name, kind, **data)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Go away for good."""
        self._awake.set()
        self.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.link.close()


Deed = Callable[[Client], Coroutine[Any, Any, None]]
"""Something that a player does now and then."""
