"""What beat calls each second, and what joins, answers and deadlines call at once."""

import structlog
from celery import shared_task
from redis.exceptions import RedisError

from matchmaking.services import loop
from matchmaking.services.conflicts import forget_ended
from matchmaking.services.sweep import sweep as sweep_stale
from matchmaking.simulation import tasks as simulation_tasks  # noqa: F401 - Celery looks for tasks here alone
from matchmaking.wakeup import woken
from realtime.transport.database import database_now

log = structlog.get_logger(__name__)


@shared_task(name="matchmaking.tasks.tick")
def tick() -> None:
    """Do all that is due."""
    loop.tick()


@shared_task(name="matchmaking.tasks.advance")
def advance() -> None:
    """Move every match that can move, and pair who is searching."""
    woken()
    loop.advance()


@shared_task(name="matchmaking.tasks.sweep")
def sweep() -> None:
    """End the tickets of players who have been silent for too long."""
    try:
        sweep_stale(now=database_now())
        forget_ended()
    except RedisError as error:
        log.warning("sweep_not_possible", error=str(error))
