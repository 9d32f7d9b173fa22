"""A rating service over HTTP. docs/ratings.md is its contract.

Calls run on an event loop of their own, outside every transaction and lock. Reading has a circuit breaker,
and so has telling results: one may work where the other does not.
"""

import asyncio
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import httpx
import msgspec
import structlog
from django.conf import settings
from msgspec import UNSET, UnsetType
from redis.exceptions import RedisError

from matchmaking.domain.skill import FIRST_DEVIATION, Skill
from matchmaking.remote.breaker import Breaker
from matchmaking.remote.calls import Failed, call, decoded, in_thread

log = structlog.get_logger(__name__)

READS_AT_ONCE = 50
REPORTS_AT_ONCE = 20
FAR = 100_000
"""No rating is further from 0: beyond it is no rating on anybody's scale, but a mistake."""

reading_breaker = Breaker("rating-service")
reporting_breaker = Breaker("rating-results")

Points = Annotated[float, msgspec.Meta(ge=-FAR, le=FAR)]
Ratings = Mapping[str, Skill]


class _Rating(msgspec.Struct):
    rating: Points
    deviation: Annotated[float, msgspec.Meta(ge=0, le=FAR)] = FIRST_DEVIATION


class _Read(msgspec.Struct):
    ratings: dict[str, _Rating]


class _Taken(msgspec.Struct):
    ratings: dict[str, _Rating] | UnsetType = UNSET


class RatingService:
    """The service that the settings name."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._read_slots = asyncio.Semaphore(READS_AT_ONCE)
        self._report_slots = asyncio.Semaphore(REPORTS_AT_ONCE)

    async def read(self, tenant_id: str, pool_key: str, user_ids: Sequence[str]) -> Ratings:
        """Return ratings by user; whom the service does not name it does not know. Raises `Failed`."""
        try:
            found = await self._read(tenant_id, pool_key, user_ids)
        except (Failed, TimeoutError) as error:
            await in_thread(_count, reading_breaker.failed)
            raise Failed(repr(error)) from error
        await in_thread(_count, reading_breaker.succeeded)
        return found

    async def _read(self, tenant_id: str, pool_key: str, user_ids: Sequence[str]) -> Ratings:
        body = {"tenant_id": tenant_id, "pool_key": pool_key, "user_ids": list(user_ids)}
        async with asyncio.timeout(settings.RATING_SERVICE_TIMEOUT_SECONDS), self._read_slots:
            response = await self._post("/ratings", body)
        _see_status(response, {httpx.codes.OK})
        return _skills(decoded(response, _Read).ratings)

    async def report(self, match_id: UUID, body: Mapping[str, Any]) -> Ratings:
        """Tell a result; return the new ratings by user, as far as the service says them.

        Raises `Failed` where it has not taken the result in.
        """
        try:
            async with self._report_slots:
                response = await self._post("/results", body, {"Idempotency-Key": str(match_id)})
            _see_status(response, TAKEN)
        except Failed:
            await in_thread(_count, reporting_breaker.failed)
            raise
        await in_thread(_count, reporting_breaker.succeeded)
        return _new_ratings(match_id, response)

    async def _post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        seconds: float = settings.RATING_SERVICE_TIMEOUT_SECONDS
        all_headers = {**self._headers, **(headers or {})}
        return await call("POST", self._base_url + path, seconds=seconds, headers=all_headers, json=body)


TAKEN = frozenset({200, 201, 204, 409})
"""The result is in; 409 says that it was before."""


def _see_status(response: httpx.Response, good: Collection[int]) -> None:
    if response.status_code not in good:
        raise Failed(f"status {response.status_code}")


def _new_ratings(match_id: UUID, response: httpx.Response) -> Ratings:
    """Return what an answer says of new ratings; one that cannot be read says nothing, but it is one."""
    if response.status_code == httpx.codes.CONFLICT or not response.content:
        return {}
    try:
        taken = decoded(response, _Taken)
    except Failed as error:
        log.warning("new_ratings_not_read", match=str(match_id), error=str(error))
        return {}
    return {} if taken.ratings is UNSET else _skills(taken.ratings)


def _skills(ratings: Mapping[str, _Rating]) -> Ratings:
    return {user_id: Skill(found.rating, found.deviation) for user_id, found in ratings.items()}


def _count(count: Callable[[], None]) -> None:
    try:
        count()
    except RedisError as error:
        log.warning("breaker_not_told", error=str(error))


def rating_service() -> RatingService:
    """Return the service that the settings name."""
    return _service(settings.RATING_SERVICE, settings.RATING_SERVICE_TOKEN)


@functools.cache
def _service(base_url: str, token: str) -> RatingService:
    return RatingService(base_url, token)


def states() -> Mapping[str, str]:
    """Return the states of the breakers by name, of none for built-in ratings; raises redis.RedisError."""
    if settings.RATING_SERVICE == "builtin":
        return {}
    return {
        "rating_service": reading_breaker.state(),
        "rating_results": reporting_breaker.state(),
    }
