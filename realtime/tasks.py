"""What beat calls: the end of grace periods, and the end of old events."""

import structlog
from celery import shared_task
from redis.exceptions import RedisError

from realtime import services
from realtime.transport import events
from realtime.transport.database import database_now

log = structlog.get_logger(__name__)


@shared_task(name="realtime.tasks.expire_grace")
def expire_grace() -> None:
    """Let participants of dead web processes drop, and those whose grace period is over leave for good."""
    now = database_now()
    try:
        services.drop_unheld(now=now)
    except RedisError as error:
        log.warning("presence_not_read", error=str(error))
    services.expire_grace(now=now)


@shared_task(name="realtime.tasks.purge_events")
def purge_events() -> None:
    """Delete durable events past their retention."""
    events.purge(now=database_now())
