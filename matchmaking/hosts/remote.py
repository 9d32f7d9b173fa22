"""A live-game service over HTTP. docs/game-server.md is its contract.

Calls run on an event loop of their own, many at a time, outside every transaction and lock. Each has a time
for everything, retries included, and may be repeated: by the contract that is safe. Creating alone is what
the circuit breaker counts: cancelling and asking may work where creating does not.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from matchmaking.hosts.port import Created, Game, GameRequest, Place, Playing, Question, Seat
from matchmaking.remote.breaker import Breaker
from matchmaking.remote.calls import Failed, call, decoded, in_thread, run
from realtime.transport import store

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.005
"""Answers that come within this time are written down together."""
LARGEST_SHARE_OF_LEASE = 0.8
ASK_AT_JOIN_SECONDS = 0.5
ASKS_AT_JOIN = 2
"""A join beside so many that ask is let pass: each keeps a thread that sockets need."""
SLOW_SECONDS = 0.3
ASK_AGAIN_SECONDS = 5.0
"""After a failure, or so slow an answer, joins are let pass for so long without asking."""
CREATES_AT_ONCE = 100
OTHERS_AT_ONCE = 50
REFUSALS = frozenset({400, 409, 413, 422})
"""What speaks of this match alone: the service is well, and the breaker is not told."""


class _Created(msgspec.Struct):
    game_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+\Z")]
    join_url: Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[^\x00-\x1f]*\Z")] | None = None


class _Active(msgspec.Struct):
    game_id: str | None


class _Refused(Exception):
    """The service does not want this match: it was cancelled before, or is not to its liking."""


class RemoteHost:
    """A live-game service."""

    is_asked_who_plays = True

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = f"{base_url}/internal"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._breaker = Breaker("game-host")
        self._create_slots = asyncio.Semaphore(CREATES_AT_ONCE)
        self._other_slots = asyncio.Semaphore(OTHERS_AT_ONCE)
        self._join_slots = threading.Semaphore(ASKS_AT_JOIN)

    # --- the port

    def create(self, requests: Sequence[GameRequest], then: Created, *, now: datetime) -> None:
        """Ask for a game for each match; ``then`` is told of them as the answers come."""
        run(self._create_all(requests, then))

    def start(self, match_ids: Iterable[UUID], *, now: datetime) -> None:
        """Do nothing: a game is open from when it was made."""

    def hold(self, match_ids: Sequence[UUID]) -> None:
        """Do nothing: there are no rows of it here."""

    def replace(self, gone: Place, comes: Seat, *, now: datetime) -> None:
        """Do nothing: the host was told whose place it is when it was asked."""

    def cancel(self, tenant_id: str, match_id: UUID, then: Callable[[], None], *, now: datetime) -> None:
        """Ask for the end of a match's game."""
        run(self._cancel(match_id, then))

    def ask_playing(self, questions: Sequence[Question], then: Playing) -> None:
        """Ask which games are still on."""
        run(self._ask_all(questions, then))

    def active_game(self, tenant_id: str, user_id: str) -> str | None:
        """Return the game that a user is in; None also where that cannot be asked in a moment."""
        try:
            if store.client().exists(_UNASKED):
                return None
            return self._ask_in_a_moment(tenant_id, user_id)
        except RedisError as error:
            log.warning("active_game_not_asked", user=user_id, tenant=tenant_id, error=repr(error))
            return None

    def _ask_in_a_moment(self, tenant_id: str, user_id: str) -> str | None:
        if not self._join_slots.acquire(blocking=False):
            return None
        asked_at, answer = time.monotonic(), run(self._active_game(tenant_id, user_id))
        try:
            return answer.result(ASK_AT_JOIN_SECONDS)
        except Exception as error:
            # Whatever it is: a question that is asked at best is no reason to refuse a join.
            log.warning("active_game_not_asked", user=user_id, tenant=tenant_id, error=repr(error))
            return None
        finally:
            self._join_slots.release()
            answer.cancel()
            if answer.cancelled() or answer.exception() or time.monotonic() - asked_at > SLOW_SECONDS:
                store.client().set(_UNASKED, 1, px=int(ASK_AGAIN_SECONDS * 1000))

    def allowance(self) -> int | None:
        """Return how many matches may be reserved now."""
        return self._breaker.allowance()

    def probe(self, then: Callable[[], None]) -> None:
        """Ask something harmless every few seconds while the breaker is open."""
        if self._breaker.takes_probe():
            run(self._probe(then))

    # --- each call

    async def _create_all(self, requests: Sequence[GameRequest], then: Created) -> None:
        asked = {asyncio.ensure_future(self._create(request)): request.match_id for request in requests}
        pending = set(asked)
        while pending:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(GATHER_SECONDS)
            done = {task for task in pending if task.done()}
            pending -= done
            await self._hand_on(then, {asked[task]: task.result() for task in done})

    @staticmethod
    async def _hand_on(then: Created, games: Mapping[UUID, Game | None]) -> None:
        try:
            await in_thread(then, games)
        except Exception:
            # These matches run into their lease; those whose answers are yet to come do not.
            log.exception("games_not_noted", matches=[str(match_id) for match_id in games])

    async def _create(self, request: GameRequest) -> Game | None:
        """Return the game, or None; an exception here would be one for all matches of the batch."""
        try:
            async with asyncio.timeout(_longest_seconds()), self._create_slots:
                return await self._create_now(request)
        except TimeoutError:
            log.warning("game_not_asked_for", match=str(request.match_id), why="too many at once")
        except Exception:
            log.exception("game_service_failed", match=str(request.match_id))
            await in_thread(self._count, self._breaker.failed)
        return None

    async def _create_now(self, request: GameRequest) -> Game | None:
        key = {"Idempotency-Key": str(request.match_id)}
        try:
            response = await self._call("POST", "/games", json=_body_of(request), headers=key)
            game = _read_created(response)
        except _Refused as refusal:
            log.warning("game_refused", match=str(request.match_id), error=str(refusal))
            return None
        except Failed as error:
            log.error("game_service_failed", match=str(request.match_id), error=str(error))  # noqa: TRY400 - no bug
            await in_thread(self._count, self._breaker.failed)
            return None
        await in_thread(self._count, self._breaker.succeeded)
        return game

    @staticmethod
    def _count(count: Callable[[], None]) -> None:
        try:
            count()
        except RedisError as error:
            log.warning("breaker_not_told", error=str(error))

    async def _cancel(self, match_id: UUID, then: Callable[[], None]) -> None:
        try:
            async with self._other_slots:
                response = await self._call("DELETE", f"/games/by-match/{match_id}")
        except Failed as error:
            log.warning("game_not_cancelled", match=str(match_id), error=str(error))
            return
        if response.status_code not in {200, 204, 404}:
            log.warning("game_not_cancelled", match=str(match_id), status=response.status_code)
            return
        await in_thread(then)

    async def _ask_all(self, questions: Sequence[Question], then: Playing) -> None:
        answers = await asyncio.gather(*(self._is_playing(question) for question in questions))
        known = {q.match_id: is_on for q, is_on in zip(questions, answers, strict=True) if is_on is not None}
        await in_thread(then, known)

    async def _is_playing(self, question: Question) -> bool | None:
        """Return whether any of the players is in the game; None where the service did not say."""
        try:
            async with self._other_slots:
                for user_id in question.user_ids:
                    if await self._active_game(question.tenant_id, user_id) == question.game_id:
                        return True
        except Failed as error:
            log.warning("playing_not_asked", match=str(question.match_id), error=str(error))
            return None
        return False

    async def _active_game(self, tenant_id: str, user_id: str) -> str | None:
        response = await self._call("GET", f"/users/{_segment(tenant_id)}/{_segment(user_id)}/active-game")
        if response.status_code != httpx.codes.OK:
            raise Failed(f"status {response.status_code}")
        return decoded(response, _Active).game_id

    async def _probe(self, then: Callable[[], None]) -> None:
        try:
            response = await self._call("GET", "/users/probe/probe/active-game")
        except Failed as error:
            log.info("game_service_still_down", error=str(error))
            return
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            log.info("game_service_still_down", status=response.status_code)
            return
        await in_thread(self._count, self._breaker.answered_probe)
        await in_thread(then)

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Make a call; raise `Failed` where no answer came in time."""
        headers = self._headers | request.pop("headers", {})
        url = self._base_url + path
        return await call(method, url, seconds=_call_seconds(), headers=headers, **request)


_UNASKED = "mm:game-host:unasked"


def _call_seconds() -> float:
    """Return how long a call may take: never so long that the match's lease could run out first."""
    return min(settings.GAME_HOST_TIMEOUT_SECONDS, _longest_seconds())


def _longest_seconds() -> float:
    longest: float = settings.LEASE_SECONDS * LARGEST_SHARE_OF_LEASE
    return longest


def _segment(text: str) -> str:
    """Return a segment of a path that says ``text``; a user may be called "..", which is no way up."""
    return quote(text, safe="").replace(".", "%2E")


def _body_of(request: GameRequest) -> dict[str, Any]:
    return {
        "match_id": str(request.match_id),
        "tenant_id": request.tenant_id,
        "pool_key": request.pool_key,
        "mode": request.mode,
        "time_control": request.time_control,
        "rated": request.rated,
        "players": [
            {"user_id": p.user_id, "color": p.color, "team": p.team, "rating": p.rating}
            for p in request.players
        ],
        "metadata": dict(request.metadata),
        **_place_in(request),
    }


def _place_in(request: GameRequest) -> dict[str, Any]:
    if request.fills is None:
        return {}
    return {"backfill": {"match_id": str(request.fills.match_id), "user_id": request.fills.user_id}}


def _read_created(response: httpx.Response) -> Game:
    if response.status_code in REFUSALS:
        raise _Refused(f"status {response.status_code}")
    if response.status_code not in {httpx.codes.OK, httpx.codes.CREATED}:
        raise Failed(f"status {response.status_code}")
    created = decoded(response, _Created)
    return Game(created.game_id, join_url=created.join_url or "")


def states() -> Mapping[str, str]:
    """Return the state of the breaker by name, of none for the built-in host; raises redis.RedisError."""
    return {} if settings.GAME_HOST == "builtin" else {"game_service": Breaker("game-host").state()}
