"""A circuit breaker that all workers share, in Redis.

::

    closed ──so many failures in a row──▶ open ──a probe is answered──▶ half-open ──a success──▶ closed
                                           ▲                                │
                                           └─────────── a failure ──────────┘

What is lost with Redis closes it; a host that is still down opens it again.
"""

from enum import StrEnum

import structlog
from django.conf import settings

from realtime.transport import store

log = structlog.get_logger(__name__)

PROBE_SECONDS = 3
"""How often an open breaker probes, and a half-open one tries."""


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """One breaker, named for what it guards."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._state_key = f"mm:breaker:{name}"
        self._failures_key = f"mm:breaker:{name}:failures"

    def state(self) -> State:
        """Return the state; raises redis.RedisError when nobody can say."""
        return State(str(store.client().get(self._state_key) or State.CLOSED))

    def failed(self) -> None:
        """Count a failure; enough of them in a row, or one on trial, open the breaker."""
        failures = int(store.client().incr(self._failures_key))
        if failures < settings.BREAKER_FAILURES:
            return
        before = store.client().set(self._state_key, State.OPEN, get=True)
        if before != State.OPEN:
            log.error("breaker_opened", of=self._name, failures=failures)

    def succeeded(self) -> None:
        """Close the breaker and begin to count anew."""
        pipeline = store.client().pipeline()
        pipeline.getdel(self._state_key)
        pipeline.delete(self._failures_key)
        before, _ = pipeline.execute()
        if before is not None:
            log.info("breaker_closed", of=self._name)

    def answered_probe(self) -> None:
        """Let an open breaker try again."""
        if self.state() is State.OPEN:
            store.client().set(self._state_key, State.HALF_OPEN, xx=True)
            log.info("breaker_half_open", of=self._name)

    def takes_probe(self) -> bool:
        """Return True for one caller every few seconds while the breaker is open."""
        return self.state() is State.OPEN and store.take_turn(f"probe:{self._name}", seconds=PROBE_SECONDS)

    def takes_trial(self) -> bool:
        """Return whether a call may be made that does no harm and so is its own probe.

        Any while the breaker is closed, else one every few seconds.
        """
        return self.state() is State.CLOSED or store.take_turn(f"trial:{self._name}", seconds=PROBE_SECONDS)

    def allowance(self) -> int | None:
        """Return how much may go through now: None is anything; half-open, one every few seconds."""
        match self.state():
            case State.CLOSED:
                return None
            case State.OPEN:
                return 0
            case State.HALF_OPEN:
                return int(store.take_turn(f"trial:{self._name}", seconds=PROBE_SECONDS))
