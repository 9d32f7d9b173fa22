"""What a web process tells Redis of its users' answers: gathered within 5 ms, and until when that is all."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from realtime.transport.answers import STALL_SECONDS, TELL_SECONDS
from realtime.transport.presence_writer import PresenceWriter

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.005
AGAIN_SECONDS = 0.1
IDLE_SECONDS = 1
LATE_SECONDS = 2
"""For how long after a deadline somebody may still want to know who was silent."""

Answer = tuple[str, str, float]


class AnswerWriter:
    """Writes the answers that one web process hears, on its event loop; ``on_loss`` hears of a Redis away."""

    def __init__(
        self,
        presence: PresenceWriter,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._presence = presence
        self._spawn = spawn
        self._on_loss = on_loss
        self._answers: list[Answer] = []
        self._underway: list[list[Answer]] = []
        self._wakers: set[Callable[[], None]] = set()
        self._is_gathering = False
        self._expected = asyncio.Event()
        self._expected_until = -math.inf
        self._tell_at = math.inf

    def add(self, address: str, token: str, wake: Callable[[], None]) -> None:
        """Take an answer; ``wake`` is called once it is written."""
        self._wakers.add(wake)
        self._answers.append((address, token, time.monotonic()))
        self._write_in(GATHER_SECONDS)

    def expect(self) -> None:
        """Note that something that asks for an answer is on its way to somebody, here or elsewhere."""
        seconds = max(settings.HEALTH_CHECK_SECONDS, settings.ACK_SECONDS) + LATE_SECONDS
        self._expected_until = time.monotonic() + seconds
        self._expected.set()

    def _write_in(self, seconds: float) -> None:
        if not self._is_gathering:
            self._is_gathering = True
            asyncio.get_running_loop().call_later(seconds, lambda: self._spawn(self._write()))

    async def _write(self) -> None:
        self._is_gathering = False
        answers, self._answers = self._answers, []
        wakers, self._wakers = self._wakers, set()
        self._underway.append(answers)
        try:
            await self._presence.answer(answers)
        except (RedisError, OSError) as error:
            # Kept for the next try, with their true age.
            self._answers = answers + self._answers
            self._wakers |= wakers
            self._on_loss()
            self._write_in(AGAIN_SECONDS)
            log.warning("answers_not_written", answers=len(answers), error=str(error))
            return
        finally:
            self._underway.remove(answers)
        for wake in wakers:
            await asyncio.to_thread(wake)

    async def tell(self) -> None:
        """Say until when all answers are written, and pause; often while answers are expected."""
        now = time.monotonic()
        oldest = min((at for batch in (*self._underway, self._answers) for *_, at in batch), default=now)
        try:
            await self._presence.tell(oldest, has_stood_still=now - self._tell_at > STALL_SECONDS)
        except (RedisError, OSError):
            self._tell_at = min(self._tell_at, now)
            await asyncio.sleep(AGAIN_SECONDS)
            return
        pause = TELL_SECONDS if now < self._expected_until else IDLE_SECONDS
        self._tell_at = now + pause
        if pause == TELL_SECONDS:
            await asyncio.sleep(pause)
            return
        self._expected.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._expected.wait(), pause)
