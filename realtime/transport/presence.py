"""Who is there, in Redis: leases of web processes, connections by user, when a user was last heard from, and
the answers to health checks and deliveries.

All of it is a hint that may be lost: what follows from it is decided, and kept, in PostgreSQL. Redis's own
clock stamps what web processes write, and a reader turns it into ages, so that no two hosts' clocks are
compared.

::

    mm:process:<id>               exists while that web process lives; it is refreshed every second
    mm:connections:<address>      hash, connection id → process id
    mm:heard                      sorted set, address → when it was last heard from, in ms
    mm:epoch                      since when Redis has kept what it was told
    mm:absent:<owner>:<conn.>     exists since a connection was first found to be in no living process
    mm:answer:<address>:<token>   when that user answered a ping or acknowledged an event, in ms
"""

import functools
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import redis
from django.conf import settings
from redis import asyncio as aioredis

LEASE_SECONDS = 5
ANSWER_TTL_SECONDS = 60
TICK_WELL_SECONDS = 10
CONNECTIONS_TTL_SECONDS = 300
HEARD_TTL_SECONDS = 3600

_HEARD = "mm:heard"
_EPOCH = "mm:epoch"
_ABSENT_TTL_SECONDS = 6


def _process_key(process_id: str) -> str:
    return f"mm:process:{process_id}"


def _connections_key(address: str) -> str:
    return f"mm:connections:{address}"


def _answer_key(address: str, token: str) -> str:
    return f"mm:answer:{address}:{token}"


def _milliseconds(redis_time: tuple[int, int]) -> int:
    """Turn the answer of Redis's TIME, seconds and microseconds, into milliseconds."""
    return redis_time[0] * 1000 + redis_time[1] // 1000


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, decode_responses=True)


def check() -> None:
    """Raise redis.RedisError where Redis does not answer."""
    _client().ping()


# --- for workers: what PostgreSQL's decisions are taken from


def answered_at(keys: Collection[tuple[str, str]], *, now: datetime) -> dict[tuple[str, str], datetime]:
    """Return when each ``(address, token)`` was answered, by the clock of ``now``; absent: not yet."""
    if not keys:
        return {}
    pipeline = _client().pipeline(transaction=False)
    pipeline.time()
    pipeline.mget([_answer_key(address, token) for address, token in keys])
    redis_time, values = pipeline.execute()
    return {
        key: _at(redis_time, int(value), now)
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def heard_at(addresses: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Return when each address was last heard from, by the clock that ``now`` is of; absent: not lately."""
    if not addresses:
        return {}
    pipeline = _client().pipeline(transaction=False)
    pipeline.time()
    pipeline.zmscore(_HEARD, list(addresses))
    redis_time, scores = pipeline.execute()
    return {
        address: _at(redis_time, int(score), now)
        for address, score in zip(addresses, scores, strict=True)
        if score is not None
    }


def _at(redis_time: tuple[int, int], milliseconds: int, now: datetime) -> datetime:
    return now - timedelta(milliseconds=_milliseconds(redis_time) - milliseconds)


def remembers_since(*, now: datetime) -> datetime:
    """Return since when Redis has kept what it was told, by the clock of ``now``; a flush begins it anew."""
    pipeline = _client().pipeline(transaction=False)
    redis_time = _client().time()
    pipeline.set(_EPOCH, _milliseconds(redis_time), nx=True)
    pipeline.get(_EPOCH)
    _, since = pipeline.execute()
    return _at(redis_time, int(since), now)


def gone(connections: Sequence[tuple[str, str]], *, seconds: float) -> list[tuple[str, str]]:
    """Return those ``(owner, connection id)`` that no living process has held for so long.

    Not at once: after Redis has lost everything, web processes take a moment to tell it again.
    """
    connected = _connected([owner for owner, _ in connections])
    absent = [each for each in connections if each[0] not in connected]
    pipeline = _client().pipeline(transaction=False)
    for owner, connection_id in absent:
        pipeline.set(f"mm:absent:{owner}:{connection_id}", "", ex=_ABSENT_TTL_SECONDS, nx=True)
        pipeline.ttl(f"mm:absent:{owner}:{connection_id}")
    left = pipeline.execute()[1::2]
    return [each for each, ttl in zip(absent, left, strict=True) if _ABSENT_TTL_SECONDS - ttl >= seconds]


def is_connected(address: str) -> bool:
    """Return whether a living web process holds a connection of ``address``."""
    return address in _connected([address])


def _connected(owners: Sequence[str]) -> set[str]:
    """Return those owners of whom a living web process holds a connection."""
    pipeline = _client().pipeline(transaction=False)
    for owner in owners:
        pipeline.hvals(_connections_key(owner))
    processes_of = {owner: set(values) for owner, values in zip(owners, pipeline.execute(), strict=True)}
    processes = sorted(set().union(*processes_of.values()))
    for process in processes:
        pipeline.exists(_process_key(process))
    is_alive = dict(zip(processes, pipeline.execute(), strict=True))
    return {owner for owner, of_owner in processes_of.items() if any(is_alive[p] for p in of_owner)}


def take_turn(name: str, *, seconds: float) -> bool:
    """Return True for one caller in every ``seconds``, over all processes."""
    return bool(_client().set(f"mm:turn:{name}", 1, px=max(int(seconds * 1000), 1), nx=True))


def end_turn(name: str) -> None:
    """Let the next caller of `take_turn` have its turn at once."""
    _client().delete(f"mm:turn:{name}")


def put_off_turn(name: str, *, seconds: float) -> None:
    """Let the next turn come ``seconds`` from now."""
    _client().pexpire(f"mm:turn:{name}", max(int(seconds * 1000), 1))


def note_tick() -> None:
    """Note that the matching loop has run to its end."""
    _client().set("mm:tick", 1, px=int(max(settings.TICK_SECONDS * 10, TICK_WELL_SECONDS) * 1000))


def loop_is_well() -> bool:
    """Return whether the matching loop has run lately; raises redis.RedisError when nobody can say."""
    return bool(_client().exists("mm:tick"))


# --- for web processes: one pipeline a second, answers sooner


class PresenceWriter:
    """Writes the presence of one web process's connections, on its event loop."""

    def __init__(self, process_id: str) -> None:
        self._process_id = process_id
        self._redis = aioredis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, decode_responses=True)

    async def add(self, address: str, connection_id: str) -> list[str]:
        """Record a connection; return the user's connections in living processes, the oldest first."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            await pipeline.hset(_connections_key(address), connection_id, self._process_id)
            pipeline.expire(_connections_key(address), CONNECTIONS_TTL_SECONDS)
            pipeline.hgetall(_connections_key(address))
            redis_time, _, _, connections = await pipeline.execute()
        await self._redis.zadd(_HEARD, {address: _milliseconds(redis_time)})
        return sorted(await self._living(connections))

    async def remove(self, address: str, connection_id: str) -> bool:
        """Forget a connection; return whether it was the user's last one in a living process."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            await pipeline.hdel(_connections_key(address), connection_id)
            pipeline.hgetall(_connections_key(address))
            _, connections = await pipeline.execute()
        return not await self._living(connections)

    async def _living(self, connections: dict[str, str]) -> list[str]:
        processes = set(connections.values()) - {self._process_id}
        living = {self._process_id}
        for process in processes:
            if await self._redis.exists(_process_key(process)):
                living.add(process)
        return [connection for connection, process in connections.items() if process in living]

    async def refresh(self, heard: Mapping[str, float]) -> bool:
        """Renew the process's lease and record who was heard from, by address, how many seconds ago.

        Returns False when Redis had no lease of ours: it was restarted or flushed, or we were away too long,
        and all connections have to be added anew.
        """
        now = _milliseconds(await self._redis.time())
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(_process_key(self._process_id), 1, ex=LEASE_SECONDS, get=True)
            pipeline.zremrangebyscore(_HEARD, 0, now - HEARD_TTL_SECONDS * 1000)
            if heard:
                at = {address: now - round(age * 1000) for address, age in heard.items()}
                pipeline.zadd(_HEARD, at, gt=True)
                for address in heard:
                    pipeline.expire(_connections_key(address), CONNECTIONS_TTL_SECONDS)
            had_lease, *_ = await pipeline.execute()
        return had_lease is not None

    async def answer(self, answers: Iterable[tuple[str, str, float]]) -> None:
        """Record answers as ``(address, token, time.monotonic() of the answer)``; the first one counts."""
        now = _milliseconds(await self._redis.time())
        read_at = time.monotonic()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for address, token, answered_at in answers:
                at = now - round((read_at - answered_at) * 1000)
                pipeline.set(_answer_key(address, token), at, ex=ANSWER_TTL_SECONDS, nx=True)
                pipeline.zadd(_HEARD, {address: at}, gt=True)
            await pipeline.execute()

    async def restore(self, connections: Iterable[tuple[str, str]]) -> None:
        """Record connections, as ``(address, connection id)``, after Redis has lost them.

        Their users count as heard from now: the fault was not theirs.
        """
        now = _milliseconds(await self._redis.time())
        async with self._redis.pipeline(transaction=False) as pipeline:
            for address, connection_id in connections:
                await pipeline.hset(_connections_key(address), connection_id, self._process_id)
                pipeline.expire(_connections_key(address), CONNECTIONS_TTL_SECONDS)
                pipeline.zadd(_HEARD, {address: now})
            await pipeline.execute()

    async def leave(self) -> None:
        """Give the process's lease back."""
        await self._redis.delete(_process_key(self._process_id))
        await self._redis.aclose()
