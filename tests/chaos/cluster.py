"""The system under test: everything twice that may run twice, on services of its own that keep their data."""

import asyncio
import os
import random
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from matchmaking_site.stack.environment import Options, parts_environment
from matchmaking_site.stack.parts import Part
from matchmaking_site.stack.postgres import Postgres
from matchmaking_site.stack.programs import programs, setup
from matchmaking_site.stack.valkey import Valkey
from tests.acceptance.stacks import clean_environment
from tests.chaos.clocks import Clocks
from tests.chaos.history import History
from tests.chaos.members import Member, Ready, has_said, page_answers, part_is_ready

COPIES = 2
_DISCARDED = re.compile(r"Discarding revoked task: [\w.]*?(\w+)\[")
# Outgoing connections get their ports from 32768 on: one of them could take a dead server's.
PORTS = range(20000, 32000)
GAME_HOST_TOKEN = "chaos-game-host-token-0123456789abcdef"


class Cluster:
    """PostgreSQL, Valkey, two web processes, two workers, two beats; below ``directory``."""

    def __init__(
        self, directory: Path, clocks: Clocks, history: History, *, game_server: Callable[[int], Part] | None
    ) -> None:
        self.members: dict[str, Member] = {}
        self.web_ports = free_ports(COPIES)
        self._directory = directory
        self._clocks = clocks
        self._history = history
        self._game_server = game_server
        self._game_port = free_ports(1)[0]
        self._services: list[Postgres | Valkey] = []
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL is not root, and passes
        self.logs = directory / "logs"
        self.logs.mkdir()

    @property
    def jwt_signing_key(self) -> str:
        """The key that players' tokens are signed with."""
        return self._environment["JWT_SIGNING_KEY"]

    @property
    def game_url(self) -> str:
        """Where the game server is, if there is one."""
        return f"http://127.0.0.1:{self._game_port}"

    async def start(self) -> None:
        """Start everything, and return when it answers."""
        # Not the throw-away kind: it loses the last transactions when it is killed.
        postgres = Postgres(self._directory / "postgres")
        for step in postgres.making():
            await self._member(step.name, step, part_is_ready).run_to_end()
        postgres.made()
        valkey = Valkey(self._directory / "valkey")
        self._services = [postgres, valkey]
        self.database_url, self.redis_url = postgres.url, valkey.url
        await self._start({"postgres": postgres.server(), "valkey": valkey.server()})
        if self._game_server:
            await self._start({"games": self._game_server(self._game_port)})
        self._environment = self._make_environment()
        await self._member("setup", setup(self._environment), part_is_ready).run_to_end()
        await self._start(dict(self._programs()))

    async def stop(self) -> None:
        """End everything, the data last."""
        names = ("web", "beat", "worker", "games"), ("valkey",), ("postgres",)
        for prefixes in names:
            ending = [member for name, member in self.members.items() if name.startswith(prefixes)]
            await asyncio.gather(*(member.stop() for member in ending))
        for service in self._services:
            service.remove_short_directory()

    def discarded(self) -> dict[str, int]:
        """Return how many tasks of each kind the workers threw away, since they came too late."""
        texts = (self.logs / f"{member.name}.log" for member in self.named("worker"))
        found = (match for text in texts for match in _DISCARDED.findall(text.read_text(errors="replace")))
        return dict(Counter(found))

    def named(self, prefix: str) -> list[Member]:
        """Return the processes of a kind."""
        return [member for name, member in self.members.items() if name.startswith(prefix)]

    async def _start(self, parts: dict[str, Part]) -> None:
        started = {name: self._member(name, part, self._ready(name)) for name, part in parts.items()}
        self.members |= started
        await asyncio.gather(*(member.start() for member in started.values()))

    def _member(self, name: str, part: Part, ready: Ready) -> Member:
        return Member(name, part, self.logs / f"{name}.log", self._history, ready)

    def _ready(self, name: str) -> Ready:
        kind, number = name[:-1], name[-1]
        match kind:
            case "web":
                return page_answers(self.web_ports[int(number)])
            case "worker":
                return has_said(" ready.")
            case "beat":
                return has_said("beat_ready")
            case "game":
                return has_said("game server listens")
            case _:
                return part_is_ready

    def _home(self, number: str) -> Path:
        return self._directory / f"home{number}"

    def _programs(self) -> Iterator[tuple[str, Part]]:
        """Yield the product's own parts, each with a name, a port or a schedule of its own."""
        for number, port in enumerate(self.web_ports):
            home = self._home(str(number))
            home.mkdir()
            for part in programs(self._options(home, port), self._environment | {"PORT": str(port)}):
                if part.name != "flower":
                    name = f"worker{number}@%h"
                    argv = tuple(name if word == "worker@%h" else word for word in part.argv)
                    yield f"{part.name}{number}", replace(part, argv=argv)

    def _options(self, home: Path, port: int) -> Options:
        return Options(
            data_dir=home,
            host="127.0.0.1",
            port=port,
            flower_host="127.0.0.1",
            flower_port=0,
            embeds_postgres=False,
            embeds_valkey=False,
        )

    def _make_environment(self) -> dict[str, str]:
        services = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        asked = clean_environment() | self._clocks.environment()
        # Measuring coverage in processes that are killed all the time costs much and tells little.
        asked = {name: value for name, value in asked.items() if not name.startswith("COVERAGE")}
        if self._game_server:
            asked |= {"GAME_HOST": self.game_url, "GAME_HOST_TOKEN": GAME_HOST_TOKEN}
        return parts_environment(self._options(self._directory, self.web_ports[0]), asked, services)


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, out of the reach of outgoing connections."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port is free")
