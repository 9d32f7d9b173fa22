"""Simulations that somebody asked for: rows that a worker takes up, and what came out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.models import Pool, Simulation
from matchmaking.simulation.arrivals import Arrivals
from matchmaking.simulation.engine import simulate
from matchmaking.simulation.recorded import recorded
from matchmaking.simulation.report import Trial, page
from realtime.transport import store
from realtime.transport.database import OUTAGES, database_now

log = structlog.get_logger(__name__)

TASK = "matchmaking.simulation.tasks.run"
MAX_DAYS = 90
LEASE_SECONDS = 300
"""A run that has told no progress for so long is taken for dead, and may be taken up again."""
LEASE = "simulation"
AGAIN_SECONDS = 15
PRESENT, TRIED = "present", "tried"

_Status = Simulation.Status
_UNFINISHED = (_Status.WAITING, _Status.RUNNING, _Status.FAILED)


class NothingRecordedError(ValueError):
    """The pool has no tickets of that time."""


def ask(pool: Pool, rules: PoolRules, *, days: float, asked_by: str, now: datetime) -> Simulation:
    """Make the row of a simulation that a worker is to run."""
    return Simulation.objects.create(
        pool=pool, rules=rules.as_dict(), days=days, asked_by=asked_by, created_at=now
    )


def send(simulation_id: UUID) -> bool:
    """Let a worker run a simulation; return False while Redis does not answer."""
    try:
        current_app.send_task(TASK, [str(simulation_id)])
    except (RedisError, OperationalError, OSError) as error:
        log.warning("simulation_not_sent", simulation=str(simulation_id), error=str(error))
        return False
    return True


def run(simulation_id: UUID) -> bool:
    """Run a simulation that is not done; return False while another runs, or where there is none to run.

    One at a time, of all: each takes a thread that the matching loop may need, and more than its share of the
    interpreter. Whatever fails is told in the row, but for an outage: it leaves the row for another run.
    """
    if not store.take_turn(LEASE, seconds=LEASE_SECONDS):
        return False
    try:
        return _run_leased(simulation_id)
    finally:
        store.end_turn(LEASE)


def send_again(simulation_id: UUID) -> None:
    """Let a simulation that still waits be tried again in a while."""
    if Simulation.objects.filter(id=simulation_id, status=_Status.WAITING).exists():
        current_app.send_task(TASK, [str(simulation_id)], countdown=AGAIN_SECONDS)


def _run_leased(simulation_id: UUID) -> bool:
    of_row = Simulation.objects.filter(id=simulation_id)
    if not of_row.filter(status__in=_UNFINISHED).update(
        status=_Status.RUNNING, progress=0, error="", finished_at=None
    ):
        return False

    def note(share: float) -> None:
        store.put_off_turn(LEASE, seconds=LEASE_SECONDS)
        of_row.filter(status=_Status.RUNNING).update(progress=share)

    try:
        _compare(of_row.select_related("pool").get(), note)
    except OUTAGES:
        raise
    except Exception as error:
        if not isinstance(error, ValueError):
            log.exception("simulation_failed", simulation=str(simulation_id))
        text = str(error) if isinstance(error, ValueError) else "internal error: the worker's log has more"
        of_row.filter(status=_Status.RUNNING).update(
            status=_Status.FAILED, error=text, finished_at=database_now()
        )
    return True


def _compare(row: Simulation, note: Callable[[float], None]) -> None:
    """Run the pool's present rules and the tried ones on its last days, and write down what came out."""
    named = {PRESENT: row.pool.rules, TRIED: PoolRules.from_dict(row.rules)}
    arrivals = last_days(row.pool, days=row.days, until=row.created_at, rules=list(named.values()))
    trials = run_all(arrivals, named, progress=note)
    until = f"{row.created_at:%Y-%m-%d %H:%M} UTC"
    told = f"{row.pool}, the {row.days:g} days up to {until}, {len(arrivals):,} tickets"
    Simulation.objects.filter(id=row.id, status=_Status.RUNNING).update(
        status=_Status.DONE,
        progress=1,
        table=[trial.figures().as_dict() for trial in trials],
        report=page("What other rules would have meant", told, trials),
        finished_at=database_now(),
    )


def refuse_teams(pool: Pool) -> None:
    """Raise ValueError for a pool whose matches are no pairs: these alone are simulated."""
    if not pool.is_for_pairs:
        raise ValueError(f"{pool} plays in teams; only pools of pairs can be simulated")


def last_days(pool: Pool, *, days: float, until: datetime, rules: list[PoolRules]) -> Arrivals:
    """Return a pool's arrivals of the days before ``until``; raise NothingRecordedError where nobody came."""
    refuse_teams(pool)
    if not 0 < days <= MAX_DAYS:
        raise ValueError(f"days must be more than 0 and at most {MAX_DAYS}, not {days:g}")
    remember = max(each.avoidance.remember_seconds for each in rules)
    found = recorded(pool, since=until - timedelta(days=days), until=until, remember_seconds=remember)
    if not len(found.arrivals):
        raise NothingRecordedError(f"no tickets of {pool} are recorded in the last {days:g} days")
    return found.arrivals


def run_all(
    arrivals: Arrivals,
    named: dict[str, PoolRules],
    *,
    progress: Callable[[float], None],
    max_queue_seconds: float | None = None,
    tick_seconds: float | None = None,
) -> list[Trial]:
    """Run all rules on the same arrivals, by default with this service's own time-out and tick."""
    trials = []
    for done, (name, rules) in enumerate(named.items()):

        def note(share: float, done: int = done) -> None:
            progress((done + share) / len(named))

        outcome = simulate(
            arrivals,
            rules,
            max_queue_seconds=max_queue_seconds or settings.MAX_QUEUE_SECONDS,
            tick_seconds=tick_seconds or settings.TICK_SECONDS,
            progress=note,
        )
        trials.append(Trial(name, outcome))
    progress(1.0)
    return trials
