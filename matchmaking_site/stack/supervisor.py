"""Starts the parts in order, keeps them alive, and stops them in order."""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Iterable

from matchmaking_site.stack.children import Child, Children
from matchmaking_site.stack.console import Console
from matchmaking_site.stack.environment import Options, parts_environment
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.page import answers
from matchmaking_site.stack.parts import Part
from matchmaking_site.stack.postgres import Postgres
from matchmaking_site.stack.programs import programs, setup
from matchmaking_site.stack.valkey import Valkey

# The web first, so that it can say goodbye; the data last, when nobody writes any more.
_STOP_ORDER = (("setup", "web"), ("beat", "worker", "flower"), ("valkey",), ("postgres",))
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 15.0
_STABLE_SECONDS = 30.0
_SERVICE_SECONDS = 60.0
_PAGE_SECONDS = 120.0
_FAILED_STARTS = 3
# Settings and commands say in one line with this beginning why they stop.
_LAST_WORD = "matchmaking: "


class Supervisor:
    """One run of the stack. ``lock`` is the descriptor that every part inherits."""

    def __init__(self, options: Options, console: Console, *, lock: int) -> None:
        self._options = options
        self._console = console
        self._lock = lock
        self._started = time.monotonic()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failure: StackError | None = None
        self._failed_web_starts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._services: list[Postgres | Valkey] = []

    async def run(self) -> None:
        """Run until somebody asks for the end; raise what made the start fail."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                loop.add_signal_handler(number, self._ask_to_stop)
        self._children = Children(self._write, (self._lock,))
        self._in_background(self._start())
        await self._stopping.wait()
        await self._stop()
        if self._failure:
            raise self._failure

    async def _start(self) -> None:
        addresses = await asyncio.gather(*self._embedded())
        if addresses:
            self._say_phase("services are up")
        environment = parts_environment(self._options, os.environ, dict(addresses))
        parts = programs(self._options, environment)
        self._keep_all(part for part in parts if not part.needs_tables)
        await self._finish(setup(environment))
        self._say_phase("database is up to date")
        self._keep_all(part for part in parts if part.needs_tables)
        await self._wait_for_page()
        self._say_addresses(environment)

    def _keep_all(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._in_background(self._keep(self._children.start(part)))

    def _embedded(self) -> list[Coroutine[None, None, tuple[str, str]]]:
        starts = []
        if self._options.embeds_postgres:
            starts.append(self._start_postgres())
        if self._options.embeds_valkey:
            starts.append(self._start_valkey())
        return starts

    async def _start_postgres(self) -> tuple[str, str]:
        postgres = Postgres(self._options.data_dir / "postgres")
        self._services.append(postgres)
        if postgres.note:
            self._console.say(f"PostgreSQL {postgres.note}")
        if postgres.is_new:
            self._console.say(f"making a database in {postgres.home}")
            for step in postgres.making():
                await self._finish(step)
            postgres.made()
        await self._serve(postgres.server())
        return "DATABASE_URL", postgres.url

    async def _start_valkey(self) -> tuple[str, str]:
        valkey = Valkey(self._options.data_dir / "valkey")
        self._services.append(valkey)
        await self._serve(valkey.server())
        return "REDIS_URL", valkey.url

    async def _finish(self, step: Part) -> None:
        """Run a step that has an end, and take a failure of it as the end of everything."""
        child = self._children.start(step)
        status = await child.end()
        if status != 0 and not self._stopping.is_set():
            if child.last_line.startswith(_LAST_WORD):
                raise StackError(child.last_line.removeprefix(_LAST_WORD))
            if step.quiet:
                self._console.lines(step.name, child.tail)
            raise StackError(f"{step.name} {_how_it_ended(status)}: {child.last_line}")

    async def _serve(self, part: Part) -> None:
        """Start a service and wait until it is ready; from then on it is kept alive."""
        child = self._children.start(part)
        deadline = time.monotonic() + _SERVICE_SECONDS
        while part.is_ready and not part.is_ready(child.pid):
            if child.status is not None:
                raise StackError(f"{part.name} {_how_it_ended(child.status)}: {child.last_line}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{part.name} was not ready within {_SERVICE_SECONDS:g} s: {child.last_line}"
                )
            await asyncio.sleep(0.01)
        self._in_background(self._keep(child))

    async def _keep(self, child: Child) -> None:
        """Start a part again whenever it has ended, later and later while it ends soon."""
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            status = await child.end()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STABLE_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            name = child.part.name
            self._failed_web_starts += name == "web"
            self._console.say(f"{name} {_how_it_ended(status)}: it starts again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
            child = self._children.start(child.part)

    async def _wait_for_page(self) -> None:
        deadline = time.monotonic() + _PAGE_SECONDS
        while not await answers(self._options.local_host, self._options.port):
            if self._failed_web_starts >= _FAILED_STARTS:
                raise StackError(f"the web server ended {_FAILED_STARTS} times before it answered")
            if time.monotonic() > deadline:
                raise StackError(f"the web server did not answer within {_PAGE_SECONDS:g} s")
            await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        """Stop everything in order. No part is started from here on."""
        for task in self._tasks:
            task.cancel()
        started = time.monotonic()
        self._console.say("stopping")
        for names in _STOP_ORDER:
            await asyncio.gather(*(child.stop(self._hurry) for child in self._children.running(*names)))
        for service in self._services:
            service.remove_short_directory()
        self._console.say(f"stopped in {time.monotonic() - started:.1f} s")

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._notice_failure)

    def _notice_failure(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, StackError):
            raise error
        self._failure = self._failure or error
        self._stopping.set()

    def _ask_to_stop(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def _write(self, part: str, lines: Iterable[str]) -> None:
        # A last word about a wrong setting becomes the stack's own, once and without a prefix.
        self._console.lines(part, (line for line in lines if not line.startswith(_LAST_WORD)))
        if self._console.is_gone:
            self._stopping.set()

    def _say_phase(self, what: str) -> None:
        self._console.say(f"{what} ({time.monotonic() - self._started:.1f} s)")

    def _say_addresses(self, environment: dict[str, str]) -> None:
        page = environment.get("PUBLIC_URL", self._options.local_url).rstrip("/")
        self._say_phase("ready")
        self._console.say(f"page    {page}/")
        admin = (
            f"user admin, password {environment['ADMIN_PASSWORD']}" if "ADMIN_PASSWORD" in environment else ""
        )
        self._console.say(f"admin   {page}/admin/  {admin}".rstrip())
        self._console.say(f"Flower  {self._options.flower_url}/")
        self._console.say("Ctrl-C stops everything")


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with code {status}"
    return f"was ended by {signal.Signals(-status).name}"
