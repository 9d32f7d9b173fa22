"""What beat calls each second, and what joins, answers and deadlines call at once."""

from celery import shared_task

from matchmaking.services import loop
from matchmaking.wakeup import woken


@shared_task(name="matchmaking.tasks.tick")
def tick() -> None:
    """Do all that is due."""
    loop.tick()


@shared_task(name="matchmaking.tasks.advance")
def advance() -> None:
    """Move every match that can move, and pair who is searching."""
    woken()
    loop.advance()
