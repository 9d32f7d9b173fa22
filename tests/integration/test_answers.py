"""Who answered when, and of whom it is known: what web processes tell, and what workers make of it."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from matchmaking.models import Pool
from matchmaking.services import loop
from realtime.transport import answers, presence, store
from realtime.transport.answer_writer import AnswerWriter
from realtime.transport.database import in_database
from realtime.transport.presence_writer import PresenceWriter
from tests.factories import (
    address,
    as_process,
    fall_silent,
    let_pass,
    open_socket,
    queued,
    refresh,
    reserved_match,
    service_is_well,
)
from tests.integration.test_presence import NOW

ANN, BOB = address("ann"), address("bob")


@pytest.fixture(autouse=True)
def _well(_clean_valkey: None) -> None:
    service_is_well("web-1", "web-2")


def tell(process: str, *, seconds_ago: float = 0, has_stood_still: bool = False) -> None:
    """Let a web process say that until then it has written everything."""
    since = time.monotonic() - seconds_ago
    as_process(process, lambda web: web.tell(since, has_stood_still=has_stood_still))


def told(**seconds_ago: float) -> None:
    """Let web processes have said, so long ago by one clock, that they had written everything until then."""
    now = presence.milliseconds(store.client().time())
    for process, seconds in seconds_ago.items():
        store.client().set(answers.told_key(process.replace("_", "-")), now - round(seconds * 1000))


def known_before(*users: str) -> list[float]:
    """Return how many seconds before the last user's it is that something is known of each."""
    known = answers.known_until(users, now=NOW)
    return [(known[users[-1]] - known[user]).total_seconds() for user in users]


# --- of whom something is known


def test_before_any_web_process_has_told_nothing_is_known() -> None:
    assert answers.known_until([ANN], now=NOW) == {}


def test_it_is_known_until_when_the_process_that_holds_the_user_has_written_everything() -> None:
    open_socket("ann", process="web-1")
    open_socket("bob", process="web-2")
    told(web_1=0.4, web_2=0)
    assert known_before(ANN, BOB) == [0.4, 0]


def test_of_several_processes_that_hold_a_user_the_last_to_tell_counts() -> None:
    open_socket("ann", "one", process="web-1")
    open_socket("ann", "two", process="web-2")
    open_socket("bob", process="web-1")
    told(web_1=0, web_2=0.3)
    assert known_before(ANN, BOB) == [0.3, 0]


def test_of_a_user_whom_nobody_holds_as_much_is_known_as_anybody_has_told() -> None:
    open_socket("bob", process="web-2")
    told(web_1=0.3, web_2=0.2)
    assert known_before(ANN, BOB) == [0, 0]


def test_a_process_far_behind_the_others_is_not_waited_for() -> None:
    open_socket("ann", process="web-1")
    open_socket("bob", process="web-2")
    told(web_1=answers.BEHIND_SECONDS - 0.1, web_2=0)
    assert known_before(ANN, BOB) == [0.5, 0]
    told(web_1=answers.BEHIND_SECONDS, web_2=0)
    assert known_before(ANN, BOB) == [0, 0]


def test_a_dead_process_tells_nothing() -> None:
    tell("web-1")
    tell("web-2")
    fall_silent("web-1", seconds_ago=6)
    fall_silent("web-2", seconds_ago=6)
    assert answers.known_until([ANN], now=NOW) == {}


def test_a_process_that_leaves_takes_back_what_it_told() -> None:
    tell("web-1")
    as_process("web-1", PresenceWriter.leave)
    refresh("web-1")
    assert answers.known_until([ANN], now=NOW) == {}


# --- since when answers are kept


def test_answers_are_kept_since_the_last_stall(valkey: redis.Redis) -> None:
    tell("web-1")
    assert answers.kept_since(now=NOW) < NOW - timedelta(days=1)
    tell("web-1", has_stood_still=True)
    assert abs(NOW - answers.kept_since(now=NOW)) < timedelta(seconds=3)


# --- what becomes of matches


def stalled() -> None:
    """Let nobody have told anything for long."""
    for process in ("web-1", "web-2"):
        tell(process, seconds_ago=10)


def test_while_no_word_of_the_answers_has_come_the_match_waits_for_them(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = reserved_match("ann", "bob")
    stalled()
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 0.2)
    loop.advance()
    match.refresh_from_db()
    assert match.stage == "verifying"
    tell("web-1")
    tell("web-2")
    loop.advance()
    match.refresh_from_db()
    assert match.cancel_reason == "unreachable"


def test_where_no_word_comes_at_all_it_is_our_fault(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = reserved_match("ann", "bob")
    stalled()
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1.1)
    loop.advance()
    match.refresh_from_db()
    assert match.cancel_reason == "internal_error"


def test_without_a_web_process_nobody_is_paired(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    for process in ("web-1", "web-2"):
        fall_silent(process, seconds_ago=6)
    loop.advance()
    assert not duel.matches.exists()
    refresh("web-1")
    loop.advance()
    assert duel.matches.exists()


# --- what a web process tells


class Web:
    """A web process's answers, and its place to say that all are written."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.writer = AnswerWriter(PresenceWriter("web-1"), spawn=self.spawn, on_loss=lambda: None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(asyncio.ensure_future(work))

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.writer._presence.leave()

    async def tell_for(self, seconds: float) -> None:
        # By the clock, not by a cancellation: redis can lose one on Python 3.11 (asyncio.wait_for).
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.writer.tell()

    async def seconds_untold(self) -> float:
        known = await in_database(answers.known_until, [ANN], now=NOW)
        return (NOW - known[ANN]).total_seconds()


async def test_an_answer_that_could_not_be_written_is_tried_again_and_holds_the_word_back_until_then(
    settings: Settings, unused_tcp_port: int, valkey: redis.Redis
) -> None:
    called, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(called.set)

    async with Web() as web:
        well = web.writer._presence
        settings.REDIS_URL = f"redis://127.0.0.1:{unused_tcp_port}"
        web.writer._presence = PresenceWriter("web-1")
        web.writer.expect()
        web.writer.add(ANN, "nonce", wake)
        await asyncio.sleep(0.06)
        assert not called.is_set()
        web.writer._presence = well
        await web.writer.tell()
        held_back = valkey.get(answers.told_key("web-1"))
        async with asyncio.timeout(5):
            await called.wait()
        answered = valkey.get(answers.answer_key(ANN, "nonce"))
        assert held_back is not None
        assert answered is not None
        assert abs(int(held_back) - int(answered)) <= 20, "in ms, though 60 have passed"
        await web.writer.tell()
        assert int(valkey.get(answers.told_key("web-1")) or 0) > int(answered)


async def test_a_word_comes_often_while_answers_are_expected_and_once_a_second_else() -> None:
    async with Web() as web:
        telling = asyncio.create_task(web.tell_for(1.5))
        await asyncio.sleep(0.6)
        assert await web.seconds_untold() > 0.4
        web.writer.expect()
        for _ in range(3):
            await asyncio.sleep(0.3)
            assert await web.seconds_untold() < 0.28
        await telling


@pytest.mark.parametrize(("pause", "is_noted"), [(0.2, False), (1.2, True)])
async def test_a_redis_that_stood_still_is_noted_before_anything_is_known_of_that_time(
    valkey: redis.Redis, pause: float, is_noted: bool
) -> None:
    async with Web() as web:
        web.writer.expect()
        await web.tell_for(0.25)
        valkey.client_pause(round(pause * 1000))
        await web.tell_for(pause + 0.4)
        assert await web.seconds_untold() < 0.5
        assert (answers.kept_since(now=NOW) > NOW - timedelta(seconds=9)) == is_noted
