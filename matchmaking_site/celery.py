"""The Celery application and its beat schedule, in code."""

import os
from typing import Any

import structlog
from celery import Celery
from celery.signals import beat_init, setup_logging, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "matchmaking_site.settings")

from django.conf import settings


def _broker_url(redis_url: str) -> str:
    """Translate ``unix:///path?db=0`` into kombu's spelling of the same."""
    return redis_url.replace("unix://", "redis+socket://", 1)


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Leave the logging as settings.py made it: without a receiver Celery replaces it."""


PERIODIC = (
    "matchmaking.tasks.tick",
    "matchmaking.tasks.sweep",
    "challenges.tasks.expire",
    "realtime.tasks.expire_grace",
    "realtime.tasks.run_games",
    "realtime.tasks.note_heartbeats",
    "realtime.tasks.purge_events",
)


@worker_shutdown.connect
def _finish_calls(**_: Any) -> None:
    """Write down what other services still answer: a stage that was begun is finished."""
    from matchmaking.hosts import finish_calls  # the registry of apps has to be ready

    longest = max(settings.GAME_HOST_TIMEOUT_SECONDS, settings.RATING_SERVICE_TIMEOUT_SECONDS)
    finish_calls(longest + 1)


@beat_init.connect
def _say_that_beat_runs(**_: Any) -> None:
    structlog.get_logger(__name__).info("beat_ready")


app = Celery("matchmaking")
# "Current" is a matter of each thread; web processes send from many.
app.set_default()
app.conf.update(
    broker_url=_broker_url(settings.REDIS_URL),
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    task_ignore_result=True,
    task_default_queue="matchmaking",
    # Of their own, the first ones: behind many calls of the loop they would come too late, and be dropped.
    # A simulation computes for minutes in one thread and competes with matching for the interpreter: in
    # production a worker of its own (`-Q simulations`) takes it.
    task_routes={
        **{name: {"queue": "periodic"} for name in PERIODIC},
        "matchmaking.simulation.tasks.run": {"queue": "simulations"},
    },
    task_send_sent_event=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    worker_pool="threads",
    worker_concurrency=4,
    # In memory: everything is due within a minute, and a file that a kill left half written holds up a start.
    beat_scheduler="celery.beat:Scheduler",
    timezone="UTC",
)
# A tick that nobody took up in time is worth nothing: the next one does its work.
app.conf.beat_schedule = {
    "tick": {
        "task": "matchmaking.tasks.tick",
        "schedule": settings.TICK_SECONDS,
        "options": {"expires": max(settings.TICK_SECONDS * 2, 2)},
    },
    "sweep": {
        "task": "matchmaking.tasks.sweep",
        "schedule": settings.STALE_SWEEP_SECONDS,
        "options": {"expires": max(settings.STALE_SWEEP_SECONDS, 2)},
    },
    "expire-challenges": {
        "task": "challenges.tasks.expire",
        "schedule": 1.0,
        "options": {"expires": 2},
    },
    "expire-grace": {
        "task": "realtime.tasks.expire_grace",
        "schedule": 1.0,
        "options": {"expires": 2},
    },
    "run-games": {
        "task": "realtime.tasks.run_games",
        "schedule": 1.0,
        "options": {"expires": 2},
    },
    "note-heartbeats": {
        "task": "realtime.tasks.note_heartbeats",
        "schedule": settings.HEARTBEAT_SECONDS,
        "options": {"expires": settings.HEARTBEAT_SECONDS},
    },
    "purge-events": {
        "task": "realtime.tasks.purge_events",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
}
app.autodiscover_tasks()
