"""A crowd of participants in a process of its own, so lean that it measures the service and not itself.

It speaks HTTP and WebSocket by hand, looks at the first bytes of each frame, and decodes nothing that it does
not have to answer. Times are those of the machine's steady clock, the same in every process.
"""

import asyncio
import base64
import json
import multiprocessing
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Self

PATIENCE_SECONDS = 120
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_SHORT, _LONG = 126, 127


@dataclass
class Times:
    """When things came to one participant, and how much came."""

    joined: float = 0
    restored: float = 0
    question: float = 0
    answered: float = 0
    frames: int = 0
    bytes: int = 0
    close_code: int = 0


class Member(asyncio.Protocol):
    """One participant's socket."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self.times = Times()
        self._crowd = crowd
        self._number = number
        self._rest = b""
        self._is_open = False
        self._transport: asyncio.Transport

    # --- joining

    async def join(self, port: int, code: str) -> None:
        """Take a place over REST, then open the socket."""
        self._port = port
        body = {"join_code": code, "display_name": f"Guest {self._number}", "device_id": os.urandom(16).hex()}
        joined = await _post(port, "/v1/sessions/join", body)
        self.times.joined = time.monotonic()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        self._transport.write(_handshake(port, joined["session_id"], joined["token"]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self._transport = transport  # type: ignore[assignment]  # of a TCP connection

    def data_received(self, data: bytes) -> None:
        """Take frames, whole ones."""
        data = self._rest + data
        at = 0
        if not self._is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at == 3:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(data[:200])
            self._is_open = True
        size = len(data)
        while size - at >= 2:
            length, head = data[at + 1], 2
            if length == _SHORT:
                head = 4
                length = struct.unpack_from("!H", data, at + 2)[0] if size - at >= head else size
            elif length == _LONG:
                head = 10
                length = struct.unpack_from("!Q", data, at + 2)[0] if size - at >= head else size
            end = at + head + length
            if end > size:
                break
            self._take(data[at] & 15, data[at + head : end])
            at = end
        self._rest = data[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _CLOSE:
            self.times.close_code = int.from_bytes(payload[:2], "big")
        else:
            self.times.frames += 1
            self.times.bytes += len(payload)
            self._read(payload)

    def _read(self, payload: bytes) -> None:
        kind = payload[9 : payload.index(b'"', 9)]
        if kind == b"game_state_update":
            if b'"phase":"question"' in payload[:400]:
                self.times.question = time.monotonic()
                self._crowd.question = self._crowd.question or payload
        elif kind == b"answer_result":
            self.times.answered = time.monotonic()
        elif kind == b"state_restored":
            self.times.restored = time.monotonic()
        elif kind == b"heartbeat_ping":
            self.send("heartbeat_pong", nonce=json.loads(payload)["data"]["nonce"])

    def send(self, kind: str, **data: Any) -> None:
        """Send a frame."""
        self._write(_TEXT, json.dumps({"type": kind, "data": data}).encode())

    def _write(self, opcode: int, payload: bytes) -> None:
        # A key of zeros masks as the standard wants it, and changes nothing.
        size = len(payload)
        length = bytes([0x80 | size]) if size < _SHORT else bytes([0x80 | _SHORT]) + struct.pack("!H", size)
        self._transport.write(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def close(self) -> None:
        """Cut the connection."""
        self._transport.abort()


def _handshake(port: int, session_id: str, token: str) -> bytes:
    lines = (
        f"GET /ws/sessions/{session_id}/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        f"Sec-WebSocket-Protocol: matchmaking.v1, bearer.{token}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _post(port: int, path: str, body: dict[str, Any]) -> Any:
    content = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = ("POST {} HTTP/1.1", "Host: 127.0.0.1", "Content-Length: {}", "Connection: close", "", "")
    writer.write("\r\n".join(head).format(path, len(content)).encode() + content)
    answer = await reader.read()
    writer.close()
    if b" 201 " not in answer[:20]:
        raise RuntimeError(answer[:500])
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@dataclass
class Crowd:
    """All participants; each method is called by name from the other process."""

    members: list[Member] = field(default_factory=list)
    question: bytes = b""

    async def join(self, port: int, code: str, count: int) -> tuple[float, list[Times]]:
        """Let all join at once; return when they began, and when each had its place and its state."""
        self.members = [Member(self, number) for number in range(count)]
        began = time.monotonic()
        await asyncio.gather(*(member.join(port, code) for member in self.members))
        await self._until(lambda times: times.restored > 0)
        return began, self._times()

    async def see_question(self, since: float) -> list[float]:
        """Return when each had a question that was opened after ``since``."""
        await self._until(lambda times: times.question > since)
        return [times.question for times in self._times()]

    async def answer(self) -> list[float]:
        """Let all answer the newest question at once; return how long each waited for what became of it."""
        state = json.loads(self.question)["data"]["state"]
        self.question = b""
        began = time.monotonic()
        for member in self.members:
            member.send("answer", question_id=state["question"]["question_id"], choice=0)
        await self._until(lambda times: times.answered > began)
        return [times.answered - began for times in self._times()]

    async def end(self) -> list[Times]:
        """Cut all connections; return what each has seen."""
        for member in self.members:
            member.close()
        return self._times()

    def _times(self) -> list[Times]:
        return [member.times for member in self.members]

    async def _until(self, condition: Callable[[Times], bool]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not all(condition(times) for times in self._times()):
            if time.monotonic() > give_up_at:
                waiting = [times for times in self._times() if not condition(times)]
                raise TimeoutError(f"{len(waiting)} wait in vain, like {waiting[0]}")
            await asyncio.sleep(0.02)


async def _serve(calls: Connection) -> None:
    crowd = Crowd()
    while (call := await asyncio.to_thread(calls.recv)) is not None:
        name, arguments = call
        calls.send(await getattr(crowd, name)(*arguments))


def _run(calls: Connection) -> None:
    asyncio.run(_serve(calls))


class RemoteCrowd:
    """The crowd, from the process that measures."""

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._calls, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.send(None)
        self._process.join(timeout=5)
        self._process.kill()

    async def __call__(self, name: str, *arguments: Any) -> Any:
        """Let the crowd do something; return what it says."""
        self._calls.send((name, arguments))
        return await asyncio.to_thread(self._calls.recv)
