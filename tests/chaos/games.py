"""The live-game service of a run: the example's game server, and what is asked of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from matchmaking_site.stack.parts import Part
from tests.acceptance.stacks import ROOT, clean_environment
from tests.chaos.cluster import GAME_HOST_TOKEN
from tests.chaos.nemesis import Fault, Nemesis
from tests.chaos.rows import GameRow

FAILURES: tuple[dict[str, Any], ...] = (
    {"fail_status": 500},
    {"fail_status": 503, "share": 0.5},
    {"drop": True, "share": 0.5},
)
LATE_SECONDS = (0.5, 1.5, 4.0)
"""A little late, later than players like, later than is waited for."""
FAILING_SECONDS = (2.0, 5.0)


def game_server(port: int) -> Part:
    """Return the example's game server as a part of the cluster."""
    options = ("--host", "127.0.0.1", "--port", str(port), "--token", GAME_HOST_TOKEN)
    return Part(
        name="games",
        argv=(sys.executable, "-m", "examples.game_server", *options),
        environment={"PATH": os.defpath, **clean_environment()},
        directory=ROOT,
        stop_signal=signal.SIGTERM,
    )


class Games:
    """The game server as a test reaches it, past the network of any player."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http
        self._headers = {"Authorization": f"Bearer {GAME_HOST_TOKEN}"}

    async def finish(self, game_id: str) -> None:
        """End a game as its players do."""
        await self._ask("POST", f"/games/{game_id}/finish")

    async def all(self) -> list[GameRow]:
        """Return every game that was ever made."""
        games = (await self._ask("GET", "/games"))["games"]
        return [GameRow(match_id=game["match_id"], state=game["state"]) for game in games]

    @asynccontextmanager
    async def failing(self, **faults: Any) -> AsyncIterator[None]:
        """Let the server misbehave for a while."""
        await self._ask("PUT", "/faults", faults)
        try:
            yield
        finally:
            await self._ask("DELETE", "/faults")

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._http.request(method, self._url + path, json=body, headers=self._headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None


# --- what may befall it


def failing(games: Games) -> Fault:
    """Return the fault that calls are answered with an error, or their answers are lost."""

    async def commit(nemesis: Nemesis) -> None:
        async with nemesis.fault("game-fail", ["games"]), games.failing(**nemesis.rng.choice(FAILURES)):
            await asyncio.sleep(nemesis.rng.uniform(*FAILING_SECONDS))

    return commit


def late(games: Games) -> Fault:
    """Return the fault that calls have their effect, and are answered late."""

    async def commit(nemesis: Nemesis) -> None:
        seconds = nemesis.rng.choice(LATE_SECONDS)
        async with nemesis.fault("game-late", ["games"]), games.failing(delay_seconds=seconds):
            await asyncio.sleep(nemesis.rng.uniform(*FAILING_SECONDS))

    return commit
