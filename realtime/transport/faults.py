"""Faults of the service, in Redis: what players' silence is not blamed on them for.

::

    mm:processes                  sorted set, web process → when it last refreshed, in ms
    mm:dead:<id>                  when a web process was found dead beside a living one, in ms
    mm:whole                      since when the service is without a fault that players would pay for
    mm:sweep                      when the last sweep began, in ms
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from realtime.transport.presence import (
    DEAD_TTL_SECONDS,
    LEASE_SECONDS,
    PROCESSES,
    WHOLE,
    at_redis_time,
    dead_key,
    milliseconds,
    processes_of,
    remembers_since,
)
from realtime.transport.store import client


def whole_since(*, now: datetime) -> datetime:
    """Return since when the service has had no fault that players would pay for with their silence.

    That is since Redis has kept what it was told, since there was a web process again after there had been
    none, and since `note_fault`. Without a web process the fault goes on.
    """
    # In this order: a process notes the end of the fault, and is there only then.
    if not has_web_process():
        return now
    redis_time = client().time()
    noted: Any = client().get(WHOLE)
    since = remembers_since(now=now)
    return max(since, at_redis_time(redis_time, noted, now)) if noted else since


def has_web_process() -> bool:
    """Return whether a web process is there, so that anybody could be reached."""
    began = milliseconds(client().time()) - LEASE_SECONDS * 1000
    return client().zcount(PROCESSES, began, "+inf") > 0


def note_fault() -> None:
    """Note that a fault of the whole service has just ended: everybody's silence counts from now on."""
    client().set(WHOLE, milliseconds(client().time()))


def note_dead_processes() -> None:
    """Note which web processes have died, once another is there for their players to come back to."""
    now = milliseconds(client().time())
    lease_began = now - LEASE_SECONDS * 1000
    dead: list[Any] = client().zrangebyscore(PROCESSES, 0, lease_began)
    if not dead or not client().zcount(PROCESSES, lease_began, "+inf"):
        return
    pipeline = client().pipeline(transaction=False)
    for process in dead:
        pipeline.set(dead_key(process), now, nx=True, ex=DEAD_TTL_SECONDS)
    pipeline.zremrangebyscore(PROCESSES, 0, now - DEAD_TTL_SECONDS * 1000)
    pipeline.execute()


def bereft_at(addresses: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Return when each address lost a connection by the death of its web process; absent: not lately."""
    if not addresses:
        return {}
    of_each = processes_of(addresses)
    processes = sorted(set().union(*of_each.values()))
    pipeline = client().pipeline(transaction=False)
    pipeline.time()
    for process in processes:
        pipeline.get(dead_key(process))
    redis_time, *values = pipeline.execute()
    died = {
        p: at_redis_time(redis_time, at, now)
        for p, at in zip(processes, values, strict=True)
        if at is not None
    }
    return {
        address: max(died[p] for p in of_address if p in died)
        for address, of_address in of_each.items()
        if any(p in died for p in of_address)
    }


def told_at(*, now: datetime) -> dict[str, datetime]:
    """Return when each web process last told whom it has heard; absent: those that are known to have died.

    To be read before what they told: beyond that time nobody knows of a silence.
    """
    pipeline = client().pipeline(transaction=False)
    pipeline.time()
    pipeline.zrange(PROCESSES, 0, -1, withscores=True)
    redis_time, told = pipeline.execute()
    deaths: list[Any] = client().mget([dead_key(process) for process, _ in told]) if told else []
    return {
        process: at_redis_time(redis_time, at, now)
        for (process, at), death in zip(told, deaths, strict=True)
        if death is None
    }


def known_until(addresses: Sequence[str], told: Mapping[str, datetime]) -> dict[str, datetime]:
    """Return until when it is known of each address whether it was heard from; absent: until now."""
    of_address = {
        address: [told[process] for process in processes if process in told]
        for address, processes in processes_of(addresses).items()
    }
    return {address: min(times) for address, times in of_address.items() if times}


def note_sweep() -> float | None:
    """Note that the stale sweep runs; return how many seconds ago the one before began, if known."""
    now = milliseconds(client().time())
    before = client().set("mm:sweep", now, get=True)
    return None if before is None else (now - int(before)) / 1000
