"""The cast and its props, for tests beside a real database and a real Valkey.

Ann and Bob are the pair, Cat is the third, Dan and Eve are a second pair, and Mallory may not.
"""

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.test import Client

from matchmaking.domain.matches import Stage
from matchmaking.hosts import finish_calls
from matchmaking.models import Match, MatchPlayer, Pool, Rating, Ticket
from matchmaking.services import loop, tickets
from realtime.models import Event
from realtime.protocol.messages import JoinQueueData
from realtime.transport import answers, presence
from realtime.transport.auth import Caller, caller_from_token
from realtime.transport.database import database_now
from realtime.transport.events import Origin
from realtime.transport.presence_writer import PresenceWriter
from realtime.transport.store import client
from tests.players import token_for

T = TypeVar("T")

# --- callers


def token(name: str, **claims: Any) -> str:
    """Return the token of a player; ``tenant_id``, ``priority``, ``roles`` and so on are claims."""
    return token_for(name, key=settings.JWT_SIGNING_KEY, **claims)


def caller(name: str, **claims: Any) -> Caller:
    return caller_from_token(token(name, **claims))


class Answer(NamedTuple):
    """What REST answered."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The word of a refusal."""
        return str(self.body["code"])

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.code


@functools.cache
def _http() -> Client:
    return Client(raise_request_exception=False)


class Rest:
    """Somebody's REST client. It sees to it that every answer of it has the right form."""

    def __init__(self, name: str = "", *, base: str = "/v1", **claims: Any) -> None:
        self._headers = {"authorization": f"Bearer {token(name, **claims)}"} if name else {}
        self._base = base

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: object = None) -> Answer:
        return self.send("POST", path, b"" if body is None else json.dumps(body).encode())

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def join(self, pool_key: str = "duel", **data: Any) -> Answer:
        return self.post("/matchmaking/queue", {"pool_key": pool_key, **data})

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send any bytes at all; a path that is a whole URL, like a cursor's, is used as it is."""
        url = path if path.startswith("http") else self._base + path
        response = _http().generic(
            method, url, body, content_type="application/json", headers=self._headers | headers
        )
        text = response.content.decode()
        is_refusal = response.status_code >= 400
        kind = "application/problem+json" if is_refusal else "application/json"
        assert response.headers["Content-Type"] == kind, text
        answer = Answer(response.status_code, json.loads(text), dict(response.headers))
        if is_refusal:
            assert answer.body.keys() >= {"type", "title", "status", "detail", "code"}, text
            assert answer.body["status"] == answer.status
            assert not any(word in text for word in ("Traceback", 'File "', "SELECT", "psycopg")), text
        return answer


# --- pools and tickets


def pool(key: str = "duel", *, tenant_id: str = "demo", **columns: Any) -> Pool:
    """Make a pool with the classic rule, 100 points and 25 more every 10 s, and rematches at once."""
    values = {"name": key.title(), "tenant_id": tenant_id, "key": key, "avoid_recent_seconds": 0, **columns}
    return Pool.objects.create(**values)


def queued(
    name: str,
    pool: Pool,
    *,
    rating: float | None = None,
    waited: float = 0,
    is_here: bool = True,
    regions: list[str] | None = None,
    latencies: dict[str, float] | None = None,
    max_gap: float | None = None,
    metadata: dict[str, Any] | None = None,
    **claims: Any,
) -> Ticket:
    """Let a player join ``waited`` seconds ago, over a socket or, where it is not here, by REST alone."""
    player = caller(name, **({"tenant_id": pool.tenant_id} | claims))
    if rating is not None:
        Rating.objects.update_or_create(
            tenant_id=pool.tenant_id, user_id=name, pool=pool, defaults={"value": rating}
        )
    joined = tickets.join(
        player,
        JoinQueueData(
            pool_key=pool.key,
            regions=regions or [],
            latencies=latencies or {},
            max_gap=max_gap,
            metadata=metadata or {},
        ),
        origin=Origin(f"socket-of-{name}") if is_here else Origin(),
        now=database_now(),
    )
    rows = Ticket.objects.filter(id=joined.queue_entry_id)
    wait = timedelta(seconds=waited)
    rows.update(queued_at=F("queued_at") - wait, age_from=F("age_from") - wait)
    return rows.get()


# --- matches


def reserved_match(*names: str) -> Match:
    """Run the loop once and return the match of these players, pinged and not yet verified."""
    loop.advance()
    match = match_of(*names)
    assert match.stage == Stage.VERIFYING
    return match


def notified_match(*names: str) -> Match:
    """Return a match of which all players answered the ping, and none acknowledged ``match_found``."""
    match = reserved_match(*names)
    answer_ping(match, *names)
    loop.advance()
    match.refresh_from_db()
    assert match.stage == Stage.NOTIFYING
    return match


def confirmed_match(*names: str) -> Match:
    """Return a match that all players acknowledged."""
    match = notified_match(*names)
    acknowledge(match, *names)
    loop.advance()
    match.refresh_from_db()
    assert match.status == Match.Status.CONFIRMED
    return match


def match_of(*names: str) -> Match:
    """Return the newest match, which has to be that of these players."""
    match = Match.objects.latest("id")
    assert {player.user_id for player in match.players.all()} == set(names)
    return match


def let_pass(match: Match, seconds: float) -> None:
    """Move a match into the past: all its deadlines come ``seconds`` sooner."""
    sooner = timedelta(seconds=seconds)
    Match.objects.filter(id=match.id).update(
        deadline=F("deadline") - sooner,
        lease_until=F("lease_until") - sooner,
        retry_at=F("retry_at") - sooner,
        pinged_at=F("pinged_at") - sooner,
        told_at=F("told_at") - sooner,
    )


# --- what web processes write to Valkey


def answer_ping(match: Match, *names: str, seconds_ago: float = 0) -> None:
    """Answer the health check, in the name of these players."""
    _answer({seat: seat.nonce for seat in seats(match, *names)}, seconds_ago)


def acknowledge(match: Match, *names: str, seconds_ago: float = 0) -> None:
    """Acknowledge ``match_found``, in the name of these players."""
    _answer({seat: str(seat.found_event_id) for seat in seats(match, *names)}, seconds_ago)


def all_heard(match: Match) -> dict[UUID, dict[str, datetime]]:
    """Return what the loop hands on of a match whose players have all answered."""
    return {match.id: {seat.user_id: database_now() for seat in match.players.all()}}


def seats(match: Match, *names: str) -> list[MatchPlayer]:
    return list(match.players.filter(user_id__in=names))


def _answer(tokens: dict[MatchPlayer, str], seconds_ago: float) -> None:
    at = time.monotonic() - seconds_ago
    answers = [(address(seat.user_id, seat.tenant_id), token, at) for seat, token in tokens.items()]
    _as_web_process(lambda web: web.answer(answers))


def connect(name: str, tenant_id: str = "demo") -> None:
    """Let a living web process hold a socket of the player."""
    _as_web_process(lambda web: web.refresh({}))
    _as_web_process(lambda web: web.add(address(name, tenant_id), f"socket-of-{name}"))


def excuse(name: str, tenant_id: str = "demo") -> None:
    """Let a player count as heard from, for a fault that was not its own."""
    _as_web_process(lambda web: web.refresh({address(name, tenant_id): 0}))


def hear_from(name: str, tenant_id: str = "demo") -> None:
    """Let a player give a sign of life over its socket."""
    connect(name, tenant_id)
    excuse(name, tenant_id)


def address(name: str, tenant_id: str = "demo") -> str:
    return f"player:{tenant_id}:{name}"


def _as_web_process(write: Callable[[PresenceWriter], Awaitable[object]]) -> None:
    async def written() -> None:
        web = PresenceWriter("web-1")
        try:
            await write(web)
        finally:
            await web._redis.aclose()

    asyncio.run(written())


# --- the outbox


class Told(NamedTuple):
    """A durable event, as its reader gets it."""

    type: str
    data: dict[str, Any]


def told(name: str, tenant_id: str = "demo") -> list[Told]:
    """Return what a player was told, in order."""
    events = Event.objects.filter(address=address(name, tenant_id)).order_by("seq")
    return [Told(event.type, json.loads(event.data)) for event in events]


def last_told(name: str, kind: str) -> dict[str, Any]:
    """Return the last event that a player was told, which has to be of this kind."""
    last = told(name)[-1]
    assert last.type == kind, last
    return last.data


# --- game hosts


def verified_match(*names: str) -> Match:
    """Return a match of which all players answered the ping: the host has been asked for its game."""
    match = reserved_match(*names)
    answer_ping(match, *names)
    loop.advance()
    return match


def host_has_answered() -> None:
    """Wait until the calls to the game host have ended, and what they brought is written down."""
    finish_calls(20)


def confirmed_match_at_host(*names: str) -> Match:
    """Return a match that all players acknowledged, with its game at a host that answers later."""
    match = verified_match(*names)
    host_has_answered()
    acknowledge(match, *names)
    loop.advance()
    match.refresh_from_db()
    assert match.status == Match.Status.CONFIRMED
    return match


# --- time and silence


def service_is_well(*processes: str) -> None:
    """Let these web processes ("web-1" by default) live, and everything have been well for long."""
    valkey = client()
    now = presence.milliseconds(valkey.time())
    valkey.delete(presence.PROCESSES)
    for process in processes or ("web-1",):
        valkey.set(presence.process_key(process), 1, ex=3600)
        valkey.zadd(presence.PROCESSES, {process: now})
    valkey.set("mm:sweep", now)
    valkey.delete(presence.WHOLE)


def has_told_all(process: str = "web-0", *, ahead_seconds: float = 3600) -> None:
    """Let a web process be there that has written every answer, and will have for so long."""
    at = presence.milliseconds(client().time()) + round(ahead_seconds * 1000)
    client().zadd(presence.PROCESSES, {process: at})
    client().set(answers.told_key(process), at)


def refresh(process: str, *heard: str) -> bool:
    """Let a web process renew its lease, having heard from these players just now."""
    return as_process(process, lambda web: web.refresh({address(name): 0 for name in heard}))


def open_socket(name: str, connection_id: str = "", *, process: str = "web-1") -> None:
    """Let a web process take one more socket of a player."""
    as_process(process, lambda web: web.add(address(name), connection_id or f"socket-of-{name}"))


def close_socket(name: str, connection_id: str = "", *, process: str = "web-1") -> bool:
    """Let a web process see the end of a socket; return whether it was the player's last."""
    return as_process(process, lambda web: web.remove(address(name), connection_id or f"socket-of-{name}"))


def last_heard(name: str, *, seconds_ago: float) -> None:
    """Let a player have been silent for so long."""
    now = presence.milliseconds(client().time())
    client().zadd(presence.HEARD, {address(name): now - round(seconds_ago * 1000)})


def fall_silent(process: str, *, seconds_ago: float) -> None:
    """Let a web process have told nothing for so long, as one that is stopped or dead."""
    now = presence.milliseconds(client().time())
    client().zadd(presence.PROCESSES, {process: now - round(seconds_ago * 1000)})
    if seconds_ago >= presence.LEASE_SECONDS:
        client().delete(presence.process_key(process))


def as_process(process: str, write: Callable[[PresenceWriter], Awaitable[T]]) -> T:
    """Write to Valkey as a web process does."""

    async def written() -> T:
        web = PresenceWriter(process)
        try:
            return await write(web)
        finally:
            await web._redis.aclose()

    return asyncio.run(written())
