"""What beat calls each second."""

from celery import shared_task

from challenges.services import ending
from realtime.transport.database import database_now


@shared_task(name="challenges.tasks.expire")
def expire() -> None:
    """End the challenges that nobody has answered in time."""
    ending.expire(now=database_now())
