"""Call the matching loop at once, not at the next beat. A hint: whatever is lost, the beat finds."""

import math
import time

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from realtime.transport import store

log = structlog.get_logger(__name__)

ADVANCE_TASK = "matchmaking.tasks.advance"
_TURN = "advance"
_TURN_SECONDS = 1
_SLOTS_PER_SECOND = 5


def wake() -> None:
    """Let the loop run now, once for all who ask before it begins."""
    try:
        if store.take_turn(_TURN, seconds=_TURN_SECONDS):
            current_app.send_task(ADVANCE_TASK, expires=_TURN_SECONDS * 5)
    except (RedisError, OperationalError, OSError) as error:
        log.warning("wake_failed", error=str(error))


def wake_after_commit() -> None:
    """Let the loop run once the present transaction is committed."""
    transaction.on_commit(wake, robust=True)


def wake_in(seconds: float) -> None:
    """Let the loop run when a deadline comes due: once for all deadlines of the same fifth of a second."""
    now = time.time()
    slot = math.ceil((now + seconds) * _SLOTS_PER_SECOND)
    countdown = slot / _SLOTS_PER_SECOND - now
    try:
        if store.take_turn(f"{_TURN}-at:{slot}", seconds=countdown + _TURN_SECONDS):
            current_app.send_task(ADVANCE_TASK, countdown=countdown, expires=countdown + _TURN_SECONDS * 5)
    except (RedisError, OperationalError, OSError) as error:
        log.warning("wake_failed", error=str(error))


def woken() -> None:
    """Note that the loop begins: what is committed from now on needs a new call."""
    store.end_turn(_TURN)
