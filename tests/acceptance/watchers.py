"""Guests by the hundred: each keeps what it is sent and answers heartbeats; the rest is looked at later."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.players import Frame

PATIENCE_SECONDS = 60
STATE_OF = {
    "participant_joined": "connected",
    "participant_reconnected": "connected",
    "participant_temporarily_disconnected": "temporarily_disconnected",
    "participant_left": "disconnected",
}

View = dict[str, tuple[str, str]]
"""Name and connection state of each participant."""


class Watcher:
    """One guest in an event."""

    def __init__(self, joined: dict[str, Any]) -> None:
        self.participant_id: str = joined["participant_id"]
        self.name: str = joined["display_name"]
        self.token: str = joined["token"]
        self.path = f"/ws/sessions/{joined['session_id']}/"
        self._texts: list[str] = []
        self._socket: ClientConnection
        self._reader: asyncio.Task[None]

    async def open(self, ws_url: str, *, last_seq: int | None = None) -> None:
        """Open the socket, to go on after a number if one is given."""
        self._socket = await connect(
            ws_url + self.path + ("" if last_seq is None else f"?last_seq={last_seq}"),
            subprotocols=["matchmaking.v1", f"bearer.{self.token}"],  # type: ignore[list-item]
            compression=None,
            max_size=None,
            open_timeout=PATIENCE_SECONDS,
            ping_interval=None,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self._socket:
                self._texts.append(str(text))
                if str(text).startswith('{"type":"heartbeat_ping"'):
                    await self.send("heartbeat_pong", nonce=json.loads(text)["data"]["nonce"])

    async def send(self, kind: str, **data: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, "data": data}))

    async def ended(self) -> None:
        """Wait for the end of the connection, whoever ends it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reader

    async def close(self) -> None:
        await self._socket.close()

    # --- what it has seen

    def of(self, kind: str) -> list[Frame]:
        """Return the frames of a kind, live or caught up with."""
        return [frame for frame in self._all() if frame["type"] == kind]

    def has(self, kind: str) -> bool:
        return any(text.startswith(f'{{"type":"{kind}"') for text in self._texts)

    def _all(self) -> Iterable[Frame]:
        for text in self._texts:
            frame = json.loads(text)
            yield frame
            if frame["type"] == "state_restored":
                yield from frame["data"]["missed"]

    def seqs(self) -> list[int]:
        """Return the numbers of all events from the first state on, in the order that they came."""
        return [frame["seq"] for frame in self._all() if "seq" in frame]

    def last_seq(self) -> int:
        states = [frame["data"]["seq"] for frame in self.of("state_restored")]
        return max([*states, *self.seqs()], default=0)

    def last_state(self) -> dict[str, Any]:
        return dict(self.of("state_restored")[-1]["data"])

    def view(self) -> View:
        """Return who is there, as a client holds it that has only listened."""
        seen: View = {}
        for text in self._texts:
            frame = json.loads(text)
            kind, data = frame["type"], frame["data"]
            if kind == "state_restored":
                seen = view_of(data)
            elif kind in STATE_OF:
                name = data.get("display_name") or seen[data["participant_id"]][0]
                seen[data["participant_id"]] = (name, STATE_OF[kind])
        return seen


def view_of(state: dict[str, Any]) -> View:
    """Return who is there by a state."""
    return {p["participant_id"]: (p["display_name"], p["connection_state"]) for p in state["participants"]}


async def until_all(
    watchers: Iterable[Watcher], condition: Callable[[Watcher], object], *, within: float = PATIENCE_SECONDS
) -> None:
    """Wait until something is true of each."""
    waiting, give_up_at = list(watchers), time.monotonic() + within
    while waiting := [watcher for watcher in waiting if not condition(watcher)]:
        assert time.monotonic() < give_up_at, f"{len(waiting)} wait in vain, like {waiting[0]._texts[-3:]}"
        await asyncio.sleep(0.1)
