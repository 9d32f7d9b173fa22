"""HTTP requests wait for their turn, and messages become frames."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from realtime.transport.bodies import InTurn
from realtime.transport.server import text_frame

KNOWN = [(b"authorization", b"Bearer ...")]


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.answers = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], _receive: object, _send: object) -> None:
        self.begun.append(scope["path"])
        await self.answers.wait()


async def _nothing(_message: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {}


async def test_strangers_wait_for_one_another_and_neither_who_is_known_nor_machines_for_them() -> None:
    slow = Slow()
    door = InTurn(slow, at_once=4)

    def request(path: str, headers: list[tuple[bytes, bytes]]) -> asyncio.Task[None]:
        scope = {"path": path, "headers": headers}
        return asyncio.ensure_future(door(scope, _nothing, _nothing))  # type: ignore[arg-type]  # sends nothing

    requests = [request(f"/join/{number}", []) for number in range(4)]
    requests += [request(f"/host/{number}", KNOWN) for number in range(5)]
    requests += [request("/health/live", [])]
    await asyncio.sleep(0)
    assert slow.begun == ["/join/0", "/join/1", "/host/0", "/host/1", "/host/2", "/host/3", "/health/live"]
    slow.answers.set()
    await asyncio.gather(*requests)
    assert slow.begun[7:] == ["/join/2", "/join/3", "/host/4"]


async def test_who_goes_away_while_it_waits_takes_nobodys_turn() -> None:
    slow = Slow()
    door = InTurn(slow, at_once=2)
    scope: dict[str, Any] = {"path": "/join", "headers": []}
    first, gone, last = (
        asyncio.ensure_future(door(scope, _nothing, _nothing))  # type: ignore[arg-type]  # sends nothing
        for _ in range(3)
    )
    await asyncio.sleep(0)
    gone.cancel()
    slow.answers.set()
    await asyncio.gather(first, last)
    assert len(slow.begun) == 2


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_message_of_any_size_is_one_frame_of_text(size: int) -> None:
    client = Protocol(CLIENT, max_size=None)
    client.receive_data(text_frame(b"x" * size))
    (frame,) = client.events_received()
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, b"x" * size)  # type: ignore[union-attr]


async def test_who_shows_a_token_where_nobody_looks_at_it_waits_with_the_strangers() -> None:
    slow = Slow()
    door = InTurn(slow, at_once=4)
    paths = [
        "/v1/sessions/scan",
        "/api/v1/sessions/join",
        "/v1/auth/guest",
        "/v1/sessions/by-code/X",
        "/v1/sessions/1",
    ]
    requests = [
        asyncio.ensure_future(door({"path": path, "headers": KNOWN}, _nothing, _nothing))  # type: ignore[arg-type]
        for path in paths
    ]
    await asyncio.sleep(0)
    assert slow.begun == [paths[0], paths[1], paths[4]]
    slow.answers.set()
    await asyncio.gather(*requests)
