"""One run from the empty directory to the rows in the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos import starvation
from tests.chaos.cast import Cast
from tests.chaos.clients import World
from tests.chaos.clocks import Clocks
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import Evidence
from tests.chaos.games import Games, failing, game_server, late
from tests.chaos.history import HARNESS, History
from tests.chaos.nemesis import FAULTS, Fault, Nemesis, stopped
from tests.chaos.rows import GameRow, read_rows

REST_SECONDS = 10
GAME_FAULTS = ("game-stop", "game-fail", "game-late")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to be; without ``faults``, all that there are."""

    seed: int
    seconds: float
    clients: int
    clocks: Clocks
    pause: tuple[float, float]
    faults: Sequence[str] = ()
    has_game_server: bool = False


async def run(plan: Plan, directory: Path) -> Evidence:
    """Start everything, let it rage, let it calm down, and look."""
    history = History(directory / "history.jsonl")
    server = game_server if plan.has_game_server else None
    cluster = Cluster(directory, plan.clocks, history, game_server=server)
    try:
        await cluster.start()
        games = await _live_and_rage(plan, cluster, history)
        rows = read_rows(cluster.database_url, began_at=history.began_at, games=games)
    finally:
        await cluster.stop()
        history.close()
    return Evidence(observations=history.observations, rows=rows, clocks=plan.clocks)


async def _live_and_rage(plan: Plan, cluster: Cluster, history: History) -> list[GameRow]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    watch = asyncio.create_task(starvation.watch(history, cluster.members.values()))
    async with httpx.AsyncClient(timeout=REST_SECONDS, limits=limits, trust_env=False) as http:
        games = Games(cluster.game_url, http) if plan.has_game_server else None
        world = World(history, plan.clocks, http, games)
        cast = Cast(cluster, world, seed=plan.seed)
        nemesis = Nemesis(cluster, world.players, history, faults=_faults(plan, games), seed=plan.seed)
        try:
            await cast.enter_players(plan.clients)
            await nemesis.rage(seconds=plan.seconds, pause=plan.pause)
            history.record(HARNESS, "calm_began")
            await cast.calm_down()
            history.record(HARNESS, "discarded", **cluster.discarded())
            history.record(HARNESS, "ended")
            return await games.all() if games else []
        finally:
            await cast.end()
            watch.cancel()


def _faults(plan: Plan, games: Games | None) -> dict[str, Fault]:
    """Return the faults that are asked for, of those that this cluster can have."""
    possible = dict(FAULTS)
    if games is not None:
        possible |= dict(zip(GAME_FAULTS, (stopped("game"), failing(games), late(games)), strict=True))
    return {name: possible[name] for name in plan.faults or possible}
