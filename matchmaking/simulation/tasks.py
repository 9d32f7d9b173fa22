"""The run of a simulation in a worker.

It computes for seconds to minutes in one thread, and shares the interpreter with whatever else its process
does: its queue is its own, so that in production a worker of its own can take it, see docs/tuning.md.
"""

from uuid import UUID

import structlog
from celery import shared_task

from matchmaking.simulation import runs

log = structlog.get_logger(__name__)


@shared_task(name=runs.TASK)
def run(simulation_id: str) -> None:
    """Run a simulation, or let it wait while another runs; one that is done is left as it is."""
    if not runs.run(UUID(simulation_id)):
        log.info("simulation_not_run", simulation=simulation_id)
        runs.send_again(UUID(simulation_id))
