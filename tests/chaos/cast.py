"""Who takes part: players through the storm, and in the calm those who prove that all works again."""

import asyncio
import random
from contextlib import suppress

from tests.chaos.clients import UNREACHABLE, Client, World
from tests.chaos.cluster import Cluster
from tests.chaos.history import HARNESS
from tests.chaos.life import compare, join, live, settle
from tests.chaos.personas import CALM, STEADY, Persona, cast
from tests.chaos.proxy import Link
from tests.chaos.tolerances import LOADED_SECONDS, SWEPT_SECONDS
from tests.players import token_for

POOLS = ["duel", "blitz"]
PROBE_POOL = "casual"
"""Nobody else is in it: a probe that is not matched was failed by the system, not by an opponent."""

PROBE_PAIRS = 5
PROBE_GIVES_UP_SECONDS = 15
WAYS_TO_GO = ("drop", "freeze", "hold", "rest")


class Cast:
    """The clients of a run."""

    def __init__(self, cluster: Cluster, world: World, *, seed: int) -> None:
        self._everybody: list[Client] = []
        self._cluster = cluster
        self._world = world
        self._seed = seed
        self._lives: list[asyncio.Task[None]] = []

    async def enter_players(self, count: int) -> None:
        """Let players of all kinds in, and let them live."""
        for number, persona in enumerate(cast(count), start=1):
            self._lives.append(asyncio.create_task(self._live(f"{persona.name}-{number}", persona)))

    async def calm_down(self) -> None:
        """See that newcomers meet and that quitters are put out, while everybody else comes to rest."""
        await self._probe()
        self._world.calm.set()
        await asyncio.gather(*self._lives)
        quitting = asyncio.gather(*(self._quit(way) for way in WAYS_TO_GO))
        await asyncio.gather(*(settle(client) for client in self._world.players))
        await quitting
        await asyncio.gather(*(compare(client) for client in self._world.players))

    async def end(self) -> None:
        """Let everybody go."""
        for task in self._lives:
            task.cancel()
        await asyncio.gather(*(client.end() for client in self._everybody))

    async def _live(self, name: str, persona: Persona) -> None:
        """Live one life, or one after the other where a player can play only once."""
        life = 0
        while not self._world.calm.is_set():
            life += 1
            client = await self._enter(f"{name}.{life}" if life > 1 else name, persona)
            self._world.players.append(client)
            await live(client, POOLS)
            if client.has_played:
                self._world.players.remove(client)
                await client.end()

    async def _enter(self, name: str, persona: Persona) -> Client:
        link = Link(self._cluster.web_ports)
        await link.open()
        token = token_for(name, key=self._cluster.jwt_signing_key)
        rng = random.Random(f"{self._seed} {name}")
        client = Client(name, token, link, self._world, persona=persona, rng=rng)
        self._everybody.append(client)
        return client

    # --- in the calm

    async def _probe(self) -> None:
        """See, pair after pair, that two players who come now are matched."""
        for number in range(PROBE_PAIRS):
            pair = [await self._enter(f"probe-{number}{letter}", STEADY) for letter in "ab"]
            self._world.history.record(HARNESS, "probe_began", pair=number)
            await asyncio.gather(*(self._arrive(client) for client in pair))
            done = [await self._is_matched(client) for client in pair]
            self._world.history.record(HARNESS, "probe_ended", pair=number, matched=all(done))
            await asyncio.gather(*(client.end() for client in pair))

    async def _is_matched(self, client: Client) -> bool:
        return await client.until(lambda: client.mirror.is_playing, PROBE_GIVES_UP_SECONDS)

    async def _arrive(self, client: Client, **wishes: object) -> None:
        with suppress(*UNREACHABLE):
            await client.open()
            await join(client, PROBE_POOL, **wishes)

    async def _quit(self, way: str) -> None:
        """Queue where nobody else plays, go, and stay away for as long as it takes to be put out."""
        client = await self._enter(f"quitter-{way}", CALM)
        if way == "rest":
            await client.request("POST", "/matchmaking/queue", {"pool_key": PROBE_POOL, "regions": [way]})
        else:
            await self._arrive(client, regions=[way])
        match way:
            case "drop":
                client.abort()
            case "freeze":
                client.freeze()
            case "hold":
                client.note("held")  # by nobody's fault but the player's own network
                client.link.hold()
        clocks = self._world.clocks
        await asyncio.sleep(clocks.stale + clocks.sweep + SWEPT_SECONDS + LOADED_SECONDS + 0.5)
