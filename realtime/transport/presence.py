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
    mm:absent:<owner>:<conn.>     exists since a connection was first found to be in no living process

A connection's id is its generation: an id is never used twice, and whoever removes a connection removes that
id alone, so the late end of an old socket does not throw out a player who is back already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from realtime.transport.store import client

LEASE_SECONDS = 5
TICK_WELL_SECONDS = 10
DEAD_TTL_SECONDS = 3600

HEARD = "mm:heard"
PROCESSES = "mm:processes"
WHOLE = "mm:whole"
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


def milliseconds(redis_time: tuple[int, int]) -> int:
    """Turn the answer of Redis's TIME, seconds and microseconds, into milliseconds."""
    return redis_time[0] * 1000 + redis_time[1] // 1000


def at_redis_time(redis_time: tuple[int, int], stamp: str | float, now: datetime) -> datetime:
    """Turn a stamp of Redis's clock into a time of the clock that ``now`` is of."""
    return now - timedelta(milliseconds=milliseconds(redis_time) - int(stamp))


# --- since when Redis remembers


def remembers_since(*, now: datetime) -> datetime:
    """Return since when Redis has kept what it was told, by the clock of ``now``.

    A flush begins it anew, and so does a restart, which may have lost its last second.
    """
    epoch_key = f"mm:epoch:{client().info('server')['run_id']}"
    redis_time = client().time()
    pipeline = client().pipeline(transaction=False)
    pipeline.set(epoch_key, milliseconds(redis_time), nx=True)
    pipeline.get(epoch_key)
    return at_redis_time(redis_time, pipeline.execute()[1], now)


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
