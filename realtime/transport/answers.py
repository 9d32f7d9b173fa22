"""Answers to health checks and deliveries, as workers read them: who answered when, whose silence is known.

An answer is written by the web process that heard it, within milliseconds, unless Redis or that process
stands still. So nothing is taken for silence before the process that would have heard an answer has said that
it has written everything until then.

::

    mm:answer:<address>:<token>   when that user answered a ping or acknowledged an event, in ms
    mm:told:<process>             until when a web process has written all answers that it heard, in ms
    mm:stall                      when answers were written again after Redis, or a web process, stood still
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from realtime.transport import presence
from realtime.transport.presence import LEASE_SECONDS, PROCESSES, at_redis_time, milliseconds
from realtime.transport.store import client

TELL_SECONDS = 0.1
"""How often a web process says until when it has written everything, while answers are expected."""
STALL_SECONDS = 0.5
"""A pause so much longer than it should be is a stall; the lag of an event loop is judged by as much."""
BEHIND_SECONDS = TELL_SECONDS + STALL_SECONDS
"""A process so far behind the others has stopped or died: its users cannot be reached through it."""
STALL = "mm:stall"


def answer_key(address: str, token: str) -> str:
    """Return where a user's answer is."""
    return f"mm:answer:{address}:{token}"


def told_key(process_id: str) -> str:
    """Return where a web process says until when it has written all answers."""
    return f"mm:told:{process_id}"


def answered_at(keys: Collection[tuple[str, str]], *, now: datetime) -> dict[tuple[str, str], datetime]:
    """Return when each ``(address, token)`` was answered, by the clock of ``now``; absent: not yet."""
    if not keys:
        return {}
    pipeline = client().pipeline(transaction=False)
    pipeline.time()
    pipeline.mget([answer_key(address, token) for address, token in keys])
    redis_time, values = pipeline.execute()
    return {
        key: at_redis_time(redis_time, value, now)
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def known_until(addresses: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Return until when it is known of each address what it answered; absent: nothing is known.

    To be read before the answers. What processes that are far behind the others have heard is not waited for.
    """
    if not addresses:
        return {}
    told = _told()
    newest = max(told.values(), default=0)
    told = {process: at for process, at in told.items() if at > newest - BEHIND_SECONDS * 1000}
    if not told:
        return {}
    redis_time = client().time()
    return {
        address: at_redis_time(redis_time, min((told[p] for p in held if p in told), default=newest), now)
        for address, held in presence.processes_of(addresses).items()
    }


def _told() -> dict[str, int]:
    began = milliseconds(client().time()) - LEASE_SECONDS * 1000
    processes: list[Any] = client().zrangebyscore(PROCESSES, began, "+inf")
    values: list[Any] = client().mget([told_key(process) for process in processes]) if processes else []
    return {process: int(at) for process, at in zip(processes, values, strict=True) if at is not None}


def kept_since(*, now: datetime) -> datetime:
    """Return since when answers were taken and kept: since Redis remembers, and since the last stall.

    To be read after the answers: what is lost in between is not taken for silence.
    """
    since = presence.remembers_since(now=now)
    redis_time = client().time()
    stalled: Any = client().get(STALL)
    return since if stalled is None else max(since, at_redis_time(redis_time, stalled, now))
