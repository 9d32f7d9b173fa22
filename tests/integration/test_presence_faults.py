"""Which web processes live, since when the service is whole, and what is left after a loss."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from pytest_django import Settings

from realtime.transport import faults, presence, store
from realtime.transport.presence_writer import PresenceWriter
from tests.factories import (
    address,
    as_process,
    close_socket,
    fall_silent,
    last_heard,
    open_socket,
    refresh,
    service_is_well,
)

ANN, BOB = address("ann"), address("bob")
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)  # any clock will do: Redis's is turned into ages


@pytest.fixture(autouse=True)
def _well(_clean_valkey: None) -> None:
    service_is_well("web-1")


def was(seconds: float, at: datetime | None) -> bool:
    """Return whether it was so long ago, as near as a slow machine lets one say."""
    assert at is not None
    return abs((NOW - at).total_seconds() - seconds) < 3


# --- leases, and whose fault it was


def test_a_renewal_says_whether_the_lease_was_still_there(valkey: redis.Redis) -> None:
    assert refresh("web-1")
    valkey.flushall()
    assert not refresh("web-1")
    assert refresh("web-1")
    fall_silent("web-1", seconds_ago=6)
    assert not refresh("web-1")


def test_the_service_is_whole_since_a_web_process_came_where_there_had_been_none() -> None:
    fall_silent("web-1", seconds_ago=6)
    assert faults.whole_since(now=NOW) == NOW, "without any the fault goes on"
    refresh("web-2")
    whole = faults.whole_since(now=NOW)
    assert was(0, whole)
    service_is_well("web-1", "web-2")
    assert NOW - faults.whole_since(now=NOW) > timedelta(days=1)
    refresh("web-3")
    assert NOW - faults.whole_since(now=NOW) > timedelta(days=1), "beside others it changes nothing"


def test_the_service_is_whole_since_redis_remembers(valkey: redis.Redis) -> None:
    valkey.flushall()
    valkey.zadd(presence.PROCESSES, {"web-1": presence.milliseconds(valkey.time())})
    assert was(0, faults.whole_since(now=NOW))


def test_a_noted_fault_has_ended_when_it_is_noted() -> None:
    assert NOW - faults.whole_since(now=NOW) > timedelta(days=1)
    faults.note_fault()
    assert was(0, faults.whole_since(now=NOW))


def test_users_of_a_dead_process_are_bereft_from_when_it_was_found_dead_and_nobody_else() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", process="web-2")
    open_socket("bob", process="web-1")
    faults.note_dead_processes()
    assert faults.bereft_at([ANN, BOB], now=NOW) == {}
    fall_silent("web-2", seconds_ago=6)
    faults.note_dead_processes()
    bereft = faults.bereft_at([ANN, BOB, "nobody"], now=NOW)
    assert bereft.keys() == {ANN}
    assert was(0, bereft[ANN])
    assert faults.bereft_at([], now=NOW) == {}


def test_a_death_is_noted_once_however_often_it_is_looked_at(valkey: redis.Redis) -> None:
    fall_silent("web-2", seconds_ago=60)
    open_socket("ann", process="web-2")
    faults.note_dead_processes()
    valkey.decrby(presence.dead_key("web-2"), 20_000)
    faults.note_dead_processes()
    assert was(20, faults.bereft_at([ANN], now=NOW)[ANN])


def test_a_process_is_dead_only_beside_a_living_one() -> None:
    open_socket("ann")
    fall_silent("web-1", seconds_ago=60)
    faults.note_dead_processes()
    assert faults.bereft_at([ANN], now=NOW) == {}
    refresh("web-2")
    faults.note_dead_processes()
    assert faults.bereft_at([ANN], now=NOW).keys() == {ANN}


def test_a_process_that_was_only_away_is_dead_no_more() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", process="web-2")
    fall_silent("web-2", seconds_ago=60)
    faults.note_dead_processes()
    assert not refresh("web-2")
    assert faults.bereft_at([ANN], now=NOW) == {}


def test_the_dead_are_forgotten_after_an_hour(valkey: redis.Redis) -> None:
    fall_silent("web-2", seconds_ago=3601)
    faults.note_dead_processes()
    assert valkey.zscore(presence.PROCESSES, "web-2") is None
    assert 0 < valkey.ttl(presence.dead_key("web-2")) <= 3600


def test_a_process_that_leaves_gives_its_lease_back_and_is_not_dead() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", process="web-2")
    asyncio.run(PresenceWriter("web-2").leave())
    assert faults.told_at(now=NOW).keys() == {"web-1"}
    faults.note_dead_processes()
    assert not presence.is_connected(ANN)
    assert faults.bereft_at([ANN], now=NOW) == {}


def test_of_each_user_it_is_known_until_when_its_processes_have_told() -> None:
    service_is_well("web-1", "web-2", "web-3")
    open_socket("ann", "a", process="web-1")
    open_socket("ann", "b", process="web-2")
    open_socket("bob", process="web-3")
    fall_silent("web-2", seconds_ago=4)
    fall_silent("web-3", seconds_ago=600)
    faults.note_dead_processes()
    told = faults.told_at(now=NOW)
    assert told.keys() == {"web-1", "web-2"}, "the dead will tell no more"
    known = faults.known_until([ANN, BOB, "nobody"], told)
    assert known.keys() == {ANN}
    assert was(4, known[ANN])
    assert was(0, told["web-1"])


# --- after a loss


def test_what_redis_has_lost_is_told_again_and_its_users_count_as_heard_from(valkey: redis.Redis) -> None:
    open_socket("ann", "a")
    last_heard("ann", seconds_ago=600)
    valkey.flushall()
    assert not refresh("web-1")
    assert not presence.is_connected(ANN)
    as_process("web-1", lambda web: web.restore([(ANN, "a")]))
    assert presence.is_connected(ANN)
    assert was(0, presence.heard_at([ANN], now=NOW)[ANN])


def test_gone_is_who_was_in_no_living_process_for_so_long(valkey: redis.Redis) -> None:
    open_socket("ann", "a")
    drops = [(ANN, "a"), (BOB, "b")]
    assert presence.gone(drops, seconds=0) == [(BOB, "b")]
    assert presence.gone(drops, seconds=2) == []
    valkey.expire(f"mm:absent:{BOB}:b", 4)
    assert presence.gone(drops, seconds=2) == [(BOB, "b")]
    assert presence.gone([], seconds=0) == []


def test_who_is_back_under_another_connection_is_not_gone() -> None:
    open_socket("ann", "old")
    open_socket("ann", "young")
    close_socket("ann", "old")
    assert presence.gone([(ANN, "old")], seconds=0) == []


# --- Redis away


@pytest.fixture
def unreachable(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    store.client.cache_clear()
    yield
    store.client.cache_clear()


@pytest.mark.usefixtures("unreachable")
def test_without_redis_nobody_says_anything() -> None:
    for ask in (
        lambda: presence.heard_at([ANN], now=NOW),
        lambda: faults.whole_since(now=NOW),
        lambda: faults.told_at(now=NOW),
        lambda: faults.bereft_at([ANN], now=NOW),
        lambda: presence.connections_of([ANN], now=NOW),
        faults.note_sweep,
        store.check,
    ):
        with pytest.raises(redis.RedisError):
            ask()
