"""What a web process writes of its connections is what the others read, and one user's sockets are one."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from realtime.transport import presence
from realtime.transport.presence import Connection
from realtime.transport.presence_writer import PulseReport
from tests.factories import (
    address,
    as_process,
    close_socket,
    fall_silent,
    open_socket,
    refresh,
    service_is_well,
)

ANN, BOB = address("ann"), address("bob")
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)  # any clock will do: Redis's is turned into ages


@pytest.fixture(autouse=True)
def _well(_clean_valkey: None) -> None:
    service_is_well("web-1")


def report(connection_id: str = "a", **members: Any) -> PulseReport:
    values = {"address": ANN, "ping_age": None, "pong_age": None, "missed": 0}
    return PulseReport(connection_id=connection_id, **(values | members))


def tell(*pulses: PulseReport, process: str = "web-1") -> None:
    as_process(process, lambda web: web.refresh({}, pulses))


def connections() -> list[Connection]:
    return presence.connections_of([ANN], now=NOW)[ANN]


def was(seconds: float, at: datetime | None) -> bool:
    """Return whether it was so long ago, as near as a slow machine lets one say."""
    assert at is not None
    return abs((NOW - at).total_seconds() - seconds) < 3


# --- heartbeats


def test_of_each_connection_the_last_ping_and_pong_and_the_misses_in_a_row_are_known() -> None:
    open_socket("ann", "a")
    open_socket("ann", "b")
    tell(report("a", ping_age=100, pong_age=200, missed=1), report("b", ping_age=300))
    first, second = connections()
    assert (first.connection_id, first.missed, first.is_alive) == ("a", 1, True)
    assert was(100, first.last_ping_at)
    assert was(200, first.last_pong_at)
    assert (second.connection_id, second.missed, second.last_pong_at) == ("b", 0, None)
    assert was(300, second.last_ping_at)


def test_a_connection_that_was_not_pinged_yet_is_there_with_nothing_to_tell() -> None:
    open_socket("ann", "a")
    (only,) = connections()
    assert only == Connection(
        connection_id="a", is_alive=True, last_ping_at=None, last_pong_at=None, missed=0
    )


@pytest.mark.parametrize(("missed", "is_stale"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_connection_is_stale_after_two_misses_in_a_row(missed: int, *, is_stale: bool) -> None:
    open_socket("ann", "a")
    tell(report("a", ping_age=6, missed=missed))
    assert [connection.is_stale for connection in connections()] == [is_stale]


def test_what_is_told_later_takes_the_place_of_what_was_told_before() -> None:
    open_socket("ann", "a")
    tell(report("a", ping_age=6, pong_age=21, missed=1))
    tell(report("a", ping_age=10, pong_age=2))
    (only,) = connections()
    assert was(2, only.last_pong_at)
    assert only.missed == 0


def test_connections_of_many_are_read_at_once_each_with_its_own() -> None:
    open_socket("ann", "a")
    open_socket("bob", "b")
    found = presence.connections_of([BOB, ANN, "nobody"], now=NOW)
    assert {who: [c.connection_id for c in theirs] for who, theirs in found.items()} == {
        BOB: ["b"],
        ANN: ["a"],
        "nobody": [],
    }


# --- several sockets are one presence


def test_the_end_of_one_of_two_connections_leaves_the_other_and_the_end_of_both_nobody() -> None:
    open_socket("ann", "a")
    open_socket("ann", "b")
    tell(report("a", ping_age=100), report("b", ping_age=200))
    assert not close_socket("ann", "a"), "not the last"
    assert presence.is_connected(ANN)
    (left,) = connections()
    assert left.connection_id == "b"
    assert was(200, left.last_ping_at)
    assert close_socket("ann", "b"), "the last"
    assert not presence.is_connected(ANN)
    assert connections() == []


def test_connections_in_several_processes_are_one_presence() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", "a", process="web-1")
    open_socket("ann", "b", process="web-2")
    assert not close_socket("ann", "a", process="web-1")
    assert presence.is_connected(ANN)


def test_the_late_end_of_an_old_connection_does_not_disturb_the_new_one() -> None:
    open_socket("ann", "old")
    tell(report("old", ping_age=30, missed=1))
    open_socket("ann", "young")
    tell(report("young", ping_age=1, pong_age=1))
    assert not close_socket("ann", "old")
    (left,) = connections()
    assert (left.connection_id, left.missed) == ("young", 0)
    assert not close_socket("ann", "old"), "and again"
    assert presence.is_connected(ANN)


def test_a_late_end_that_comes_by_another_process_disturbs_nobody_either() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", "old", process="web-1")
    open_socket("ann", "young", process="web-2")
    close_socket("ann", "old", process="web-1")
    assert [(c.connection_id, c.is_alive) for c in connections()] == [("young", True)]


def test_who_connects_is_told_its_connections_in_living_processes_the_oldest_first() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", "2", process="web-2")
    open_socket("ann", "0", process="web-dead")
    assert as_process("web-1", lambda web: web.add(ANN, "1")) == ["1", "2"]


def test_a_connection_of_a_dead_process_is_known_and_not_alive() -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", "a", process="web-2")
    fall_silent("web-2", seconds_ago=6)
    assert [c.is_alive for c in connections()] == [False]
    assert not presence.is_connected(ANN)
    open_socket("ann", "b", process="web-1")
    assert [c.is_alive for c in connections()] == [False, True]
    assert close_socket("ann", "b", process="web-1"), "the one in the dead process does not count"


# --- who was heard from


def test_a_connect_and_a_renewal_are_signs_of_life_of_their_true_age() -> None:
    open_socket("ann")
    heard = presence.heard_at([ANN, BOB], now=NOW)
    assert was(0, heard[ANN])
    assert BOB not in heard
    as_process("web-1", lambda web: web.refresh({BOB: 20.0}))
    assert was(20, presence.heard_at([BOB], now=NOW)[BOB])


def test_an_older_sign_of_life_takes_nothing_from_a_younger_one() -> None:
    service_is_well("web-1", "web-2")
    refresh("web-1", "ann")
    as_process("web-2", lambda web: web.refresh({ANN: 600.0}))
    assert was(0, presence.heard_at([ANN], now=NOW)[ANN])


def test_signs_of_life_are_read_of_any_number_of_users(valkey: redis.Redis) -> None:
    crowd = [f"user-{n}" for n in range(12_000)]
    valkey.zadd(presence.HEARD, dict.fromkeys(crowd, presence.milliseconds(valkey.time())))
    assert presence.heard_at(crowd, now=NOW).keys() == set(crowd)
    assert presence.heard_at([], now=NOW) == {}
