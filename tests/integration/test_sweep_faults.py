"""Whose silence is the service's own fault is not stale, and has the whole time again after it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from matchmaking import tasks
from matchmaking.models import Pool, Ticket
from matchmaking.services.sweep import LATE_SECONDS, sweep
from realtime.transport import faults, presence, store
from realtime.transport.database import database_now
from tests.factories import (
    close_socket,
    fall_silent,
    last_heard,
    open_socket,
    queued,
    refresh,
    service_is_well,
)

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

STALE = 35
SLACK = 2  # how slow a machine may be between two lines


@pytest.fixture(autouse=True)
def _well(_clean_valkey: None) -> None:
    service_is_well("web-1", "web-2")


@pytest.fixture
def ann(duel: Pool) -> Ticket:
    """Ann's socket is in the first web process, and she has been silent for a minute."""
    ticket = queued("ann", duel, waited=500)
    open_socket("ann", process="web-1")
    last_heard("ann", seconds_ago=60)
    return ticket


@pytest.fixture
def bob(duel: Pool) -> Ticket:
    """Bob's is in the second, and he is as silent."""
    ticket = queued("bob", duel, waited=400)
    open_socket("bob", process="web-2")
    last_heard("bob", seconds_ago=60)
    return ticket


@pytest.fixture
def cat(duel: Pool) -> Ticket:
    """Cat has no socket, and was not heard from for as long."""
    ticket = queued("cat", duel, waited=300)
    last_heard("cat", seconds_ago=60)
    return ticket


def searching() -> list[str]:
    return sorted(Ticket.objects.filter(status="SEARCHING").values_list("user_id", flat=True))


def swept(*, told: tuple[str, ...] = ("web-1", "web-2")) -> list[str]:
    """Sweep, where these web processes have told all they know just now; return who still searches."""
    for process in told:
        fall_silent(process, seconds_ago=0)
    sweep(now=database_now())
    return searching()


def all_faults_end(valkey: redis.Redis, *, seconds_ago: float) -> None:
    """Let every end of a fault that was noted be so much longer ago."""
    sooner = round(seconds_ago * 1000)
    for pattern in (presence.WHOLE, "mm:epoch:*", "mm:dead:*"):
        for key in valkey.scan_iter(pattern):
            valkey.decrby(key, sooner)


def goes_in_the_end(valkey: redis.Redis, *, told: tuple[str, ...] = ("web-1", "web-2")) -> None:
    """See that silence counts again, from the end of the fault."""
    last_heard("ann", seconds_ago=600)
    all_faults_end(valkey, seconds_ago=STALE - SLACK)
    assert "ann" in swept(told=told)
    all_faults_end(valkey, seconds_ago=SLACK)
    assert "ann" not in swept(told=told)


def test_without_a_fault_the_silent_are_stale(ann: Ticket, bob: Ticket, cat: Ticket) -> None:
    assert swept() == []


# --- the sweep itself was away


def test_a_sweep_that_was_away_for_too_long_makes_nobody_stale(
    ann: Ticket, cat: Ticket, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.STALE_SWEEP_SECONDS + LATE_SECONDS
    valkey.decrby("mm:sweep", round((away + 1) * 1000))
    assert swept() == ["ann", "cat"]
    assert [r.msg["event"] for r in caplog.records if isinstance(r.msg, dict)][-1] == "sweep_was_away"
    assert swept() == ["ann", "cat"], "nor does the next one"
    goes_in_the_end(valkey)


def test_a_sweep_that_is_only_late_is_no_fault(ann: Ticket, valkey: redis.Redis) -> None:
    away = settings.STALE_SWEEP_SECONDS + LATE_SECONDS
    valkey.decrby("mm:sweep", round((away - SLACK) * 1000))
    assert swept() == []


def test_the_first_sweep_ever_is_no_fault_by_itself(ann: Ticket, valkey: redis.Redis) -> None:
    valkey.delete("mm:sweep")
    assert swept() == []


# --- Redis


def test_after_a_flush_of_redis_everybody_has_the_whole_time(
    ann: Ticket, cat: Ticket, valkey: redis.Redis
) -> None:
    valkey.flushall()
    assert swept() == ["ann", "cat"]
    assert swept() == ["ann", "cat"]
    goes_in_the_end(valkey)


def test_a_flush_that_only_the_epoch_tells_of_is_noticed(ann: Ticket, valkey: redis.Redis) -> None:
    valkey.delete(*valkey.keys("mm:epoch:*"))
    assert swept() == ["ann"]
    goes_in_the_end(valkey)


def test_after_a_restart_of_redis_everybody_has_the_whole_time(ann: Ticket, valkey: redis.Redis) -> None:
    """A restarted Redis has another run id, and all its data but, perhaps, the last second's."""
    (epoch,) = valkey.keys("mm:epoch:*")
    valkey.rename(epoch, "mm:epoch:the-run-before")
    assert swept() == ["ann"]
    goes_in_the_end(valkey)


@pytest.fixture
def unreachable(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    store.client.cache_clear()
    yield
    store.client.cache_clear()


def test_without_redis_nobody_is_stale_and_the_task_says_why(
    ann: Ticket, unreachable: None, caplog: pytest.LogCaptureFixture
) -> None:
    tasks.sweep()
    assert searching() == ["ann"]
    assert [r.msg["event"] for r in caplog.records if isinstance(r.msg, dict)] == ["sweep_not_possible"]


def test_redis_that_goes_away_in_the_middle_makes_nobody_stale(
    ann: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError

    steps = ("whole_since", "bereft_at", "told_at", "known_until", "note_dead_processes")
    for module, step in [(presence, "heard_at"), *((faults, step) for step in steps)]:
        with monkeypatch.context() as patch:
            patch.setattr(module, step, gone)
            tasks.sweep()
        assert searching() == ["ann"], step
    tasks.sweep()
    assert searching() == []


# --- web processes


def test_without_a_living_web_process_nobody_is_stale(ann: Ticket, cat: Ticket) -> None:
    for process in ("web-1", "web-2"):
        fall_silent(process, seconds_ago=3000)
    assert swept(told=()) == ["ann", "cat"]


def test_when_a_web_process_comes_where_there_was_none_everybody_has_the_whole_time(
    ann: Ticket, cat: Ticket, valkey: redis.Redis
) -> None:
    for process in ("web-1", "web-2"):
        fall_silent(process, seconds_ago=3000)
    swept(told=())
    refresh("web-3")
    assert swept(told=("web-3",)) == ["ann", "cat"]
    goes_in_the_end(valkey, told=("web-3",))


def test_a_web_process_that_comes_beside_others_excuses_nobody(ann: Ticket, cat: Ticket) -> None:
    refresh("web-3")
    assert swept() == []


def test_the_users_of_a_dead_process_have_the_whole_time_and_others_are_not_excused_by_that(
    ann: Ticket, bob: Ticket, cat: Ticket, valkey: redis.Redis
) -> None:
    fall_silent("web-1", seconds_ago=6)
    assert swept(told=("web-2",)) == ["ann"]
    assert swept(told=("web-2",)) == ["ann"]
    goes_in_the_end(valkey, told=("web-2",))


def test_who_is_back_in_a_living_process_is_judged_as_everybody_else(ann: Ticket) -> None:
    fall_silent("web-1", seconds_ago=6)
    open_socket("ann", "again", process="web-2")
    assert swept(told=("web-2",)) == ["ann"]


def test_a_connection_that_had_ended_before_the_process_died_excuses_nobody(ann: Ticket) -> None:
    close_socket("ann")
    fall_silent("web-1", seconds_ago=6)
    assert swept(told=("web-2",)) == []


@pytest.mark.parametrize("seconds", [1, 3, 4.5])
def test_while_a_process_tells_nothing_its_users_silence_does_not_grow(
    ann: Ticket, bob: Ticket, seconds: float
) -> None:
    for name in ("ann", "bob"):
        last_heard(name, seconds_ago=STALE)
    fall_silent("web-1", seconds_ago=seconds)
    assert swept(told=("web-2",)) == ["ann"]
    last_heard("ann", seconds_ago=STALE + seconds)
    fall_silent("web-1", seconds_ago=seconds)
    assert swept(told=("web-2",)) == []


def test_who_has_sockets_in_two_processes_may_have_been_heard_by_either(ann: Ticket) -> None:
    open_socket("ann", "phone", process="web-2")
    last_heard("ann", seconds_ago=STALE)
    fall_silent("web-1", seconds_ago=4)
    assert swept(told=("web-2",)) == ["ann"]


def words_of(valkey: redis.Redis, write: Callable[[], object]) -> list[str]:
    """Return what Valkey is told meanwhile: each command with its first key."""
    with valkey.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis leaves it open
        write()
        valkey.echo("the end")
        told = []
        for line in monitor.listen():
            told.append(" ".join(line["command"].split()[:2]))
            if told[-1].startswith("ECHO"):
                return told
    raise AssertionError(told)


def test_what_a_process_tells_is_there_before_it_counts_as_told(ann: Ticket, valkey: redis.Redis) -> None:
    """A sweep that runs between any two words of a renewal makes nobody stale who is heard from in it."""
    last_heard("ann", seconds_ago=STALE)
    fall_silent("web-1", seconds_ago=4)
    words = words_of(valkey, lambda: refresh("web-1", "ann"))
    assert words.index(f"ZADD {presence.HEARD}") < words.index(f"ZADD {presence.PROCESSES}")


def test_a_web_process_that_comes_alone_says_so_before_it_counts_as_living(
    ann: Ticket, valkey: redis.Redis
) -> None:
    for process in ("web-1", "web-2"):
        fall_silent(process, seconds_ago=3000)
    words = words_of(valkey, lambda: refresh("web-3"))
    assert words.index(f"SET {presence.WHOLE}") < words.index(f"ZADD {presence.PROCESSES}")
