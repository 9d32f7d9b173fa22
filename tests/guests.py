"""The cast of an event: a host over REST, and guests who join by its code and then open its socket."""

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

RIGHT, WRONG = 1, 2


class Answer(NamedTuple):
    """What a route answered."""

    status: int
    body: Any


def questions(count: int, *, seconds: float | None = None) -> list[dict[str, Any]]:
    """Return questions whose choice ``RIGHT`` is the right one."""
    asked = [
        {"text": f"How much is {n} + {n}?", "choices": ["0", f"{n + n}", f"{n}"], "answer": RIGHT}
        for n in range(3, count + 3)
    ]
    return [{**each, **({"seconds": seconds} if seconds else {})} for each in asked]


async def ask(base_url: str, method: str, path: str, *, token: str = "", body: Any = None) -> Answer:
    """Ask a route, whatever it answers."""
    return await asyncio.to_thread(_ask, base_url, method, path, token, body)


def _ask(base_url: str, method: str, path: str, token: str, body: Any) -> Answer:
    request = urllib.request.Request(
        f"{base_url}/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as error:
        return Answer(error.code, json.load(error))


@dataclass
class Guest:
    """Somebody's place in an event; ``socket`` is to be opened."""

    name: str
    device_id: str
    participant_id: str
    token: str
    socket: Player


class Event:
    """An event, through its host's eyes."""

    def __init__(self, stack: Stack, host_token: str, made: dict[str, Any]) -> None:
        self.id: str = made["session_id"]
        self.code: str = made["join_code"]
        self.path = f"/ws/sessions/{self.id}/"
        self.host_token = host_token
        self._stack = stack

    @classmethod
    async def made(cls, stack: Stack, *, count: int = 3, seconds: float | None = None) -> "Event":
        """Make an event with some questions."""
        token = token_for(f"host-{secrets.token_hex(4)}", key=stack.jwt_signing_key)
        body = {"title": "Sums", "questions": questions(count, seconds=seconds)}
        answer = await ask(stack.base_url, "POST", "sessions", token=token, body=body)
        assert answer.status == 201, answer
        return cls(stack, token, answer.body)

    async def host(self, route: str, **body: Any) -> dict[str, Any]:
        """Do what the host alone may: next, finish, lock, unlock; return the state."""
        answer = await self.rest("POST", f"sessions/{self.id}/{route}", token=self.host_token, body=body)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def state(self, token: str = "") -> dict[str, Any]:
        """Return the state as the host sees it, or whose ``token`` it is."""
        answer = await self.rest("GET", f"sessions/{self.id}", token=token or self.host_token)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def rest(self, method: str, path: str, *, token: str = "", body: Any = None) -> Answer:
        """Ask any route."""
        return await ask(self._stack.base_url, method, path, token=token, body=body)

    async def ask_to_join(self, name: str, *, device_id: str = "", attempt: str | None = None) -> Answer:
        """Ask for a place, which may be refused."""
        body = {"join_code": self.code, "display_name": name, "device_id": device_id or secrets.token_hex(16)}
        return await self.rest("POST", "sessions/join", body=body | ({"attempt": attempt} if attempt else {}))

    async def join(self, name: str, *, device_id: str = "") -> Guest:
        """Let a guest take its place, without a socket yet."""
        device_id = device_id or secrets.token_hex(16)
        answer = await self.ask_to_join(name, device_id=device_id)
        assert answer.status in {200, 201}, answer
        token = answer.body["token"]
        return Guest(name, device_id, answer.body["participant_id"], token, self.socket(token))

    async def leave(self, guest: Guest) -> None:
        """Let a guest leave for good."""
        left = await self.rest("POST", f"sessions/{self.id}/leave", token=guest.token)
        assert left.status == 200, left

    def socket(self, token: str, *, path: str = "", silent: bool = False) -> Player:
        """Return a socket to be opened; the host's token makes an observer."""
        return Player(self._stack.ws_url, token, path=path or self.path, silent=silent)
