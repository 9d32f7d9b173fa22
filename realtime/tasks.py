"""What beat calls: the end of grace periods, games that go on, heartbeats to keep, the end of old events."""

import structlog
from celery import shared_task
from redis.exceptions import RedisError

from realtime.services import participants, play
from realtime.transport import events
from realtime.transport.database import database_now

log = structlog.get_logger(__name__)


@shared_task(name="realtime.tasks.expire_grace")
def expire_grace() -> None:
    """Let participants of dead web processes drop, and those whose grace period is over leave for good."""
    now = database_now()
    try:
        participants.drop_unheld(now=now)
    except RedisError as error:
        log.warning("presence_not_read", error=str(error))
    participants.expire_grace(now=now)


@shared_task(name="realtime.tasks.run_games")
def run_games() -> None:
    """Let every game go on that is due."""
    play.run_due(now=database_now())


@shared_task(name="realtime.tasks.note_heartbeats")
def note_heartbeats() -> None:
    """Keep when participants were last heard from."""
    try:
        participants.note_heartbeats(now=database_now())
    except RedisError as error:
        log.warning("presence_not_read", error=str(error))


@shared_task(name="realtime.tasks.purge_events")
def purge_events() -> None:
    """Delete durable events past their retention."""
    events.purge(now=database_now())
