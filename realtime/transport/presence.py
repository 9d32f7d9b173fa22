"""Who is there, read from Redis: what PostgreSQL's decisions are taken from.

All of it is a hint that may be lost: what follows from it is decided, and kept, in PostgreSQL. Redis's own
clock stamps what web processes write, and a reader turns it into ages, so that no two hosts' clocks are
compared.

::

    mm:process:<id>               exists while that web process lives; it is refreshed every second
    mm:connections:<address>      hash, connection id → process id
    mm:pulse:<address>            hash, connection id → last ping and last pong in ms, misses in a row
    mm:heard                      sorted set, address → when it was last heard from, in ms
    mm:epoch:<run>                since when this run of Redis has kept what it was told
    mm:stall                      when Redis answered last after it had stood still
    mm:absent:<owner>:<conn.>     exists since a connection was first found to be in no living process
    mm:answer:<address>:<token>   when that user answered a ping or acknowledged an event, in ms

A connection's id is its generation: an id is never used twice, and whoever removes a connection removes that
id alone, so the late end of an old socket does not throw out a player who is back already.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from realtime.transport.store import client

LEASE_SECONDS = 5
STALL_SECONDS = 0.5
"""A Redis that takes so long to answer has stood still; the lag of an event loop is judged by as much."""
STALL_TTL_SECONDS = 60
TICK_WELL_SECONDS = 10
DEAD_TTL_SECONDS = 3600

HEARD = "mm:heard"
PROCESSES = "mm:processes"
WHOLE = "mm:whole"
_STALL = "mm:stall"
_ABSENT_TTL_SECONDS = 6
_CHUNK = 5000


def process_key(process_id: str) -> str:
    """Return where a web process's lease is."""
    return f"mm:process:{process_id}"


def dead_key(process_id: str) -> str:
    """Return where the death of a web process is noted."""
    return f"mm:dead:{process_id}"


def connections_key(address: str) -> str:
    """Return where a user's connections are."""
    return f"mm:connections:{address}"


def pulse_key(address: str) -> str:
    """Return where the heartbeats of a user's connections are."""
    return f"mm:pulse:{address}"


def answer_key(address: str, token: str) -> str:
    """Return where a user's answer is."""
    return f"mm:answer:{address}:{token}"


def milliseconds(redis_time: tuple[int, int]) -> int:
    """Turn the answer of Redis's TIME, seconds and microseconds, into milliseconds."""
    return redis_time[0] * 1000 + redis_time[1] // 1000


def at_redis_time(redis_time: tuple[int, int], stamp: str | float, now: datetime) -> datetime:
    """Turn a stamp of Redis's clock into a time of the clock that ``now`` is of."""
    return now - timedelta(milliseconds=milliseconds(redis_time) - int(stamp))


# --- answers


def answered_at(keys: Collection[tuple[str, str]], *, now: datetime) -> dict[tuple[str, str], datetime]:
    """Return when each ``(address, token)`` was answered, by the clock of ``now``; absent: not yet."""
    if not keys:
        return {}
    asked_at = time.monotonic()
    pipeline = client().pipeline(transaction=False)
    pipeline.time()
    pipeline.mget([answer_key(address, token) for address, token in keys])
    redis_time, values = pipeline.execute()
    if time.monotonic() - asked_at > STALL_SECONDS:
        client().set(_STALL, milliseconds(redis_time), ex=STALL_TTL_SECONDS)
    return {
        key: at_redis_time(redis_time, value, now)
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def remembers_since(*, now: datetime) -> datetime:
    """Return since when Redis has kept what it was told, by the clock of ``now``.

    A flush begins it anew, and so does a restart, which may have lost its last second.
    """
    return _since(_epoch_key(), now=now)


def answers_kept_since(*, now: datetime) -> datetime:
    """Return since when answers were taken and kept: `remembers_since`, and since Redis last stood still.

    Behind a stall answers wait to be written, and whoever reads first would take that for silence.
    """
    return _since(_epoch_key(), _STALL, now=now)


def _epoch_key() -> str:
    return f"mm:epoch:{client().info('server')['run_id']}"


def _since(epoch_key: str, *others: str, now: datetime) -> datetime:
    redis_time = client().time()
    pipeline = client().pipeline(transaction=False)
    pipeline.set(epoch_key, milliseconds(redis_time), nx=True)
    pipeline.mget(epoch_key, *others)
    _, stamps = pipeline.execute()
    return max(at_redis_time(redis_time, stamp, now) for stamp in stamps if stamp is not None)


# --- who was heard from


def heard_at(addresses: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Return when each address was last heard from, by the clock that ``now`` is of; absent: not lately."""
    heard: dict[str, datetime] = {}
    for start in range(0, len(addresses), _CHUNK):
        chunk = addresses[start : start + _CHUNK]
        pipeline = client().pipeline(transaction=False)
        pipeline.time()
        pipeline.zmscore(HEARD, list(chunk))
        redis_time, scores = pipeline.execute()
        heard |= {
            address: at_redis_time(redis_time, score, now)
            for address, score in zip(chunk, scores, strict=True)
            if score is not None
        }
    return heard


# --- connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection of a user, as its web process last told it."""

    connection_id: str
    is_alive: bool
    last_ping_at: datetime | None
    last_pong_at: datetime | None
    missed: int

    @property
    def is_stale(self) -> bool:
        """Whether it has missed so many heartbeats in a row that it counts for nothing."""
        return self.missed >= settings.MISSED_HEARTBEATS


def connections_of(addresses: Sequence[str], *, now: datetime) -> dict[str, list[Connection]]:
    """Return the connections of each address, the oldest first; ``is_alive``: its web process is."""
    pipeline = client().pipeline(transaction=False)
    pipeline.time()
    for address in addresses:
        pipeline.hgetall(connections_key(address))
        pipeline.hgetall(pulse_key(address))
    redis_time, *found = pipeline.execute()
    pairs = dict(zip(addresses, zip(found[::2], found[1::2], strict=True), strict=True))
    living = _living({process for held, _ in pairs.values() for process in held.values()})
    return {
        address: [
            _connection(connection_id, held[connection_id] in living, pulses, redis_time, now)
            for connection_id in sorted(held)
        ]
        for address, (held, pulses) in pairs.items()
    }


def _connection(
    connection_id: str,
    is_alive: bool,  # noqa: FBT001 - named by its one caller's line
    pulses: Mapping[str, str],
    redis_time: tuple[int, int],
    now: datetime,
) -> Connection:
    ping, pong, missed = (pulses.get(connection_id) or "0 0 0").split()
    return Connection(
        connection_id=connection_id,
        is_alive=is_alive,
        last_ping_at=at_redis_time(redis_time, ping, now) if ping != "0" else None,
        last_pong_at=at_redis_time(redis_time, pong, now) if pong != "0" else None,
        missed=int(missed),
    )


def gone(connections: Sequence[tuple[str, str]], *, seconds: float) -> list[tuple[str, str]]:
    """Return those ``(owner, connection id)`` that no living process has held for so long.

    Not at once: after Redis has lost everything, web processes take a moment to tell it again.
    """
    there = connected([owner for owner, _ in connections])
    absent = [each for each in connections if each[0] not in there]
    pipeline = client().pipeline(transaction=False)
    for owner, connection_id in absent:
        pipeline.set(f"mm:absent:{owner}:{connection_id}", "", ex=_ABSENT_TTL_SECONDS, nx=True)
        pipeline.ttl(f"mm:absent:{owner}:{connection_id}")
    left = pipeline.execute()[1::2]
    return [each for each, ttl in zip(absent, left, strict=True) if _ABSENT_TTL_SECONDS - ttl >= seconds]


def is_connected(address: str) -> bool:
    """Return whether a living web process holds a connection of ``address``."""
    return address in connected([address])


def connected(owners: Sequence[str]) -> set[str]:
    """Return those owners of whom a living web process holds a connection."""
    of_each = processes_of(owners)
    living = _living(set().union(*of_each.values()))
    return {owner for owner, of_owner in of_each.items() if of_owner & living}


def processes_of(addresses: Sequence[str]) -> dict[str, set[str]]:
    """Return the web processes that hold, or held when they died, the connections of each address."""
    pipeline = client().pipeline(transaction=False)
    for address in addresses:
        pipeline.hvals(connections_key(address))
    return {address: set(values) for address, values in zip(addresses, pipeline.execute(), strict=True)}


def _living(processes: Iterable[str]) -> set[str]:
    ordered: list[Any] = sorted(processes)
    pipeline = client().pipeline(transaction=False)
    for process in ordered:
        pipeline.exists(process_key(process))
    return {process for process, exists in zip(ordered, pipeline.execute(), strict=True) if exists}


# --- the loop's own sign of life


def note_tick() -> None:
    """Note that the matching loop has run to its end."""
    client().set("mm:tick", 1, px=int(max(settings.TICK_SECONDS * 10, TICK_WELL_SECONDS) * 1000))


def loop_is_well() -> bool:
    """Return whether the matching loop has run lately; raises redis.RedisError when nobody can say."""
    return bool(client().exists("mm:tick"))
