"""What beat calls: the end of grace periods, and the end of old events."""

from celery import shared_task

from realtime import services
from realtime.transport import events
from realtime.transport.database import database_now


@shared_task(name="realtime.tasks.expire_grace")
def expire_grace() -> None:
    """Let participants whose grace period is over leave for good."""
    services.expire_grace(now=database_now())


@shared_task(name="realtime.tasks.purge_events")
def purge_events() -> None:
    """Delete durable events past their retention."""
    events.purge(now=database_now())
