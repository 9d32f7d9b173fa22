"""Is the process alive, and is everything that a match needs well?"""

from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from matchmaking import hosts, ratings
from realtime.transport import presence, store

log = structlog.get_logger(__name__)


@csrf_exempt
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, Redis and matching loop are well, else 503 with the failing parts named.

    A game service that fails pauses matching and nothing else: players stay connected and queued here. A
    rating service that fails stops nothing. So they are named as degraded, with 200.
    """
    failing = [name for name, is_well in _PARTS if not is_well()]
    degraded = [] if failing else _degraded()
    status = "failing" if failing else "degraded" if degraded else "ok"
    return JsonResponse(
        {"status": status, "failing": failing, "degraded": degraded}, status=503 if failing else 200
    )


def _degraded() -> list[str]:
    try:
        states = {**hosts.states(), **ratings.states()}
        return sorted(name for name, state in states.items() if state != "closed")
    except RedisError:
        return []


def _database_is_well() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("database_not_well", error=str(error))
        return False
    return True


def _redis_is_well() -> bool:
    try:
        store.check()
    except RedisError as error:
        log.warning("redis_not_well", error=str(error))
        return False
    return True


def _loop_is_well() -> bool:
    try:
        return presence.loop_is_well()
    except RedisError:
        return False


_PARTS: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("database", _database_is_well),
    ("redis", _redis_is_well),
    ("matching_loop", _loop_is_well),
)
