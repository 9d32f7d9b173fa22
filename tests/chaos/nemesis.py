"""What goes wrong: processes die, stop and go on, stores restart and forget, networks stop and crawl.

Everything is drawn from one seeded source, so that a seed names a schedule; what the machine makes of it is
another matter.
"""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import redis.asyncio
from redis.exceptions import RedisError

from tests.chaos.clients import Client
from tests.chaos.cluster import Cluster
from tests.chaos.history import NEMESIS, History
from tests.chaos.members import Member

STOPPED_SECONDS = (2.0, 8.0)
TWO_AT_ONCE = 0.35
MANY = 4
FLUSH_SECONDS = 2.0
"""After a flush web processes need a renewal, which comes each second, to say again who is there."""

Fault = Callable[["Nemesis"], Awaitable[None]]


class Nemesis:
    """Commits faults on a cluster and on its clients' networks, and tells the history."""

    def __init__(
        self,
        cluster: Cluster,
        clients: list[Client],
        history: History,
        *,
        faults: Mapping[str, Fault],
        seed: int,
    ) -> None:
        self.cluster = cluster
        self.clients = clients
        self.rng = random.Random(seed)
        self._faults = faults
        self._history = history
        self._number = 0

    async def rage(self, *, seconds: float, pause: tuple[float, float]) -> None:
        """Commit faults in shuffled rounds until the time is over; the last one ends before this returns."""
        until = self._history.now + seconds
        deck: list[str] = []
        while self._history.now < until:
            await asyncio.sleep(self.rng.uniform(*pause))
            count = 2 if self.rng.random() < TWO_AT_ONCE else 1
            while len(deck) < count:
                deck = shuffled(list(self._faults), self.rng) + deck
            await asyncio.gather(*(self._faults[deck.pop()](self) for _ in range(count)))

    @asynccontextmanager
    async def fault(self, name: str, targets: Sequence[str]) -> AsyncIterator[None]:
        """Tell of a fault while it lasts."""
        self._number += 1
        number = self._number
        self._history.record(NEMESIS, "fault_began", number=number, fault=name, targets=list(targets))
        struck = ", ".join(targets) if len(targets) < MANY else f"{len(targets)} clients"
        sys.stdout.write(f"{self._history.now:7.1f} s  {name}: {struck}\n")
        try:
            yield
        finally:
            self._history.record(NEMESIS, "fault_ended", number=number)

    def one(self, kind: str) -> Member:
        """Choose one process of a kind."""
        return self.rng.choice(self.cluster.named(kind))


def shuffled(names: Sequence[str], rng: random.Random) -> list[str]:
    """Return the names in an order in which every group comes before any comes again."""
    order = rng.sample(names, len(names))
    seen: dict[str, int] = {}
    rank = {}
    for name in order:
        rank[name] = seen[group_of(name)] = seen.get(group_of(name), -1) + 1
    # Taken from the end.
    return sorted(order, key=lambda name: -rank[name])


def group_of(name: str) -> str:
    """Return what kind of thing a fault strikes."""
    return name.partition("-")[0]


# --- processes


def ended_by(kind: str, number: signal.Signals) -> Fault:
    """Return the fault that ends a process, which is started again."""

    async def commit(nemesis: Nemesis) -> None:
        member = nemesis.one(kind)
        async with nemesis.fault(f"{kind}-{number.name.removeprefix('SIG').lower()}", [member.name]):
            await member.end(number)
            await member.back()

    return commit


def stopped(kind: str) -> Fault:
    """Return the fault that has a process stand still for a while."""

    async def commit(nemesis: Nemesis) -> None:
        member = nemesis.one(kind)
        async with nemesis.fault(f"{kind}-stop", [member.name]):
            pid = member.pid
            member.signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(nemesis.rng.uniform(*STOPPED_SECONDS))
            finally:
                if member.pid == pid:
                    member.signal(signal.SIGCONT)

    return commit


async def flush(nemesis: Nemesis) -> None:
    """Make Valkey forget everything, the tasks on their way included."""
    async with nemesis.fault("valkey-flush", ["valkey"]):
        async with redis.asyncio.Redis.from_url(nemesis.cluster.redis_url) as client:
            # One that stands still just now, or was killed, loses nothing by this.
            with suppress(RedisError):
                await client.flushall()
        await asyncio.sleep(FLUSH_SECONDS)


# --- networks


async def half_open(nemesis: Nemesis) -> None:
    """Forward nothing for some clients, on connections that stay open."""
    struck = nemesis.rng.sample(nemesis.clients, max(len(nemesis.clients) // 5, 1))
    clocks = struck[0].world.clocks
    async with nemesis.fault("network-hold", [client.name for client in struck]):
        for client in struck:
            client.link.hold()
        await asyncio.sleep(nemesis.rng.uniform(1, clocks.stale * 1.2))
        cut = nemesis.rng.random() < 0.5
        for client in struck:
            client.link.release(cut=cut)


async def slow(nemesis: Nemesis) -> None:
    """Give some clients a network of the nineties."""
    struck = nemesis.rng.sample(nemesis.clients, max(len(nemesis.clients) // 4, 1))
    delay, rate = nemesis.rng.choice([(0.15, 0), (0.5, 0), (0.02, 2000)])
    async with nemesis.fault("network-slow", [client.name for client in struck]):
        for client in struck:
            client.link.weather.delay, client.link.weather.rate = delay, rate
        await asyncio.sleep(nemesis.rng.uniform(2, 6))
        for client in struck:
            client.link.weather.delay = client.link.weather.rate = 0


FAULTS: dict[str, Fault] = {
    "web-kill": ended_by("web", signal.SIGKILL),
    "web-term": ended_by("web", signal.SIGTERM),
    "web-stop": stopped("web"),
    "worker-kill": ended_by("worker", signal.SIGKILL),
    "worker-term": ended_by("worker", signal.SIGTERM),
    "worker-stop": stopped("worker"),
    "beat-kill": ended_by("beat", signal.SIGKILL),
    "beat-term": ended_by("beat", signal.SIGTERM),
    "beat-stop": stopped("beat"),
    "valkey-kill": ended_by("valkey", signal.SIGKILL),
    "valkey-flush": flush,
    "valkey-stop": stopped("valkey"),
    "postgres-quit": ended_by("postgres", signal.SIGQUIT),
    "postgres-int": ended_by("postgres", signal.SIGINT),
    "network-hold": half_open,
    "network-slow": slow,
}
