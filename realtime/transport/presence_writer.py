"""What a web process tells Redis of its connections: one pipeline a second, answers sooner."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis import asyncio as aioredis

from realtime.transport.answers import STALL, answer_key, told_key
from realtime.transport.presence import (
    HEARD,
    LEASE_SECONDS,
    PROCESSES,
    WHOLE,
    connections_key,
    dead_key,
    milliseconds,
    process_key,
    pulse_key,
)

REDIS_SECONDS = 5
MAX_REDIS_CONNECTIONS = 50
ANSWER_TTL_SECONDS = 60
STALL_TTL_SECONDS = 60
CONNECTIONS_TTL_SECONDS = 300
HEARD_TTL_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseReport:
    """The heartbeat of one connection: seconds since its last ping and its last pong, misses in a row."""

    address: str
    connection_id: str
    ping_age: float | None
    pong_age: float | None
    missed: int


class PresenceWriter:
    """Writes the presence of one web process's connections, on its event loop."""

    def __init__(self, process_id: str) -> None:
        self._process_id = process_id
        # Waits for a connection, where the plain pool would refuse a burst of handshakes.
        pool = aioredis.BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            max_connections=MAX_REDIS_CONNECTIONS,
            timeout=REDIS_SECONDS,
            socket_timeout=REDIS_SECONDS,
            decode_responses=True,
        )
        self._redis = aioredis.Redis.from_pool(pool)

    async def add(self, address: str, connection_id: str) -> list[str]:
        """Record a connection; return the user's connections in living processes, the oldest first."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            await pipeline.hset(connections_key(address), connection_id, self._process_id)
            pipeline.expire(connections_key(address), CONNECTIONS_TTL_SECONDS)
            pipeline.hgetall(connections_key(address))
            redis_time, _, _, connections = await pipeline.execute()
        await self._redis.zadd(HEARD, {address: milliseconds(redis_time)})
        return sorted(await self._living(connections))

    async def remove(self, address: str, connection_id: str) -> bool:
        """Forget a connection; return whether it was the user's last one in a living process."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            await pipeline.hdel(connections_key(address), connection_id)
            await pipeline.hdel(pulse_key(address), connection_id)
            pipeline.hgetall(connections_key(address))
            _, _, connections = await pipeline.execute()
        return not await self._living(connections)

    async def _living(self, connections: dict[str, str]) -> list[str]:
        processes = set(connections.values()) - {self._process_id}
        living = {self._process_id}
        for process in processes:
            if await self._redis.exists(process_key(process)):
                living.add(process)
        return [connection for connection, process in connections.items() if process in living]

    async def refresh(self, heard: Mapping[str, float], pulses: Iterable[PulseReport] = ()) -> bool:
        """Renew the process's lease and record who was heard from, by address, how many seconds ago.

        Returns False when Redis had no lease of ours: it was restarted or flushed, or we were away too long,
        and all connections have to be added anew.
        """
        async with self._redis.pipeline(transaction=False) as asking:
            asking.time()
            asking.exists(process_key(self._process_id))
            asking.zrange(PROCESSES, -1, -1, withscores=True)
            redis_time, has_lease, newest = await asking.execute()
        now = milliseconds(redis_time)
        async with self._redis.pipeline(transaction=False) as pipeline:
            if not has_lease:
                pipeline.delete(dead_key(self._process_id))
                if not newest or newest[0][1] < now - LEASE_SECONDS * 1000:
                    # Until now nobody could connect.
                    pipeline.set(WHOLE, now)
            pipeline.zremrangebyscore(HEARD, 0, now - HEARD_TTL_SECONDS * 1000)
            if heard:
                pipeline.zadd(HEARD, {at: now - round(age * 1000) for at, age in heard.items()}, gt=True)
                for address in heard:
                    pipeline.expire(connections_key(address), CONNECTIONS_TTL_SECONDS)
            for pulse in pulses:
                _write_pulse(pipeline, pulse, now)
            pipeline.set(process_key(self._process_id), 1, ex=LEASE_SECONDS)
            # Last: who reads that we have told something can read what.
            pipeline.zadd(PROCESSES, {self._process_id: now})
            await pipeline.execute()
        return bool(has_lease)

    async def answer(self, answers: Iterable[tuple[str, str, float]]) -> None:
        """Record answers as ``(address, token, time.monotonic() of the answer)``; the first one counts."""
        now = milliseconds(await self._redis.time())
        read_at = time.monotonic()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for address, token, answered_at in answers:
                at = now - round((read_at - answered_at) * 1000)
                pipeline.set(answer_key(address, token), at, ex=ANSWER_TTL_SECONDS, nx=True)
                pipeline.zadd(HEARD, {address: at}, gt=True)
            await pipeline.execute()

    async def tell(self, since: float, *, has_stood_still: bool) -> None:
        """Record that all answers given before ``since``, of time.monotonic(), are written.

        Where answers had to wait longer than they should, that is noted as well, before.
        """
        now = milliseconds(await self._redis.time())
        until = now - round((time.monotonic() - since) * 1000)
        async with self._redis.pipeline(transaction=False) as pipeline:
            if has_stood_still:
                pipeline.set(STALL, now, ex=STALL_TTL_SECONDS)
            pipeline.set(told_key(self._process_id), until, ex=LEASE_SECONDS)
            await pipeline.execute()

    async def restore(self, connections: Iterable[tuple[str, str]]) -> None:
        """Record connections, as ``(address, connection id)``, after Redis has lost them.

        Their users count as heard from now: the fault was not theirs.
        """
        now = milliseconds(await self._redis.time())
        async with self._redis.pipeline(transaction=False) as pipeline:
            for address, connection_id in connections:
                await pipeline.hset(connections_key(address), connection_id, self._process_id)
                pipeline.expire(connections_key(address), CONNECTIONS_TTL_SECONDS)
                pipeline.zadd(HEARD, {address: now})
            await pipeline.execute()

    async def leave(self) -> None:
        """Give the process's lease back."""
        await self._redis.zrem(PROCESSES, self._process_id)
        await self._redis.delete(process_key(self._process_id), told_key(self._process_id))
        await self._redis.aclose()


def _write_pulse(pipeline: Any, pulse: PulseReport, now: int) -> None:
    def stamp(age: float | None) -> int:
        return 0 if age is None else now - round(age * 1000)

    value = f"{stamp(pulse.ping_age)} {stamp(pulse.pong_age)} {pulse.missed}"
    pipeline.hset(pulse_key(pulse.address), pulse.connection_id, value)
    pipeline.expire(pulse_key(pulse.address), CONNECTIONS_TTL_SECONDS)
