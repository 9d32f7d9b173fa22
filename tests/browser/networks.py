"""A bad network between pages and the service: links that a test cuts, holds and lets flow again."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from tests.chaos.proxy import Link

ANSWER_SECONDS = 10


class Network:
    """Links in a thread of their own, since browsers are driven synchronously here."""

    def __init__(self, target_port: int, links: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._links = [Link([target_port]) for _ in range(links)]
        for link in self._links:
            self._run(link.open())

    @property
    def origins(self) -> list[str]:
        """Where pages are opened, one origin for each link."""
        return [f"http://127.0.0.1:{link.ports[0]}" for link in self._links]

    def break_off(self, number: int) -> None:
        """Break what is open without a word, and let nothing new through: both ends know at once."""
        self._run(self._break_off(self._links[number]))

    def cut(self, number: int) -> None:
        """Break what is open; whoever connects again comes through."""
        self._run(self._cut(self._links[number]))

    def restore(self, number: int) -> None:
        """Let everything through again; what hangs half-open is broken."""
        self._run(self._restore(self._links[number]))

    def delay(self, number: int, seconds: float) -> None:
        """Let each chunk take longer from now on."""
        self._links[number].weather.delay = seconds

    def close(self) -> None:
        for link in self._links:
            self._run(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _break_off(self, link: Link) -> None:
        link.hold()
        link.cut()

    async def _cut(self, link: Link) -> None:
        link.cut()

    async def _restore(self, link: Link) -> None:
        link.release(cut=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)
