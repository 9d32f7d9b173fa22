"""The circuit breaker: a service that is down pauses matching, loses nobody, and all goes on by itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from matchmaking.hosts import Question, game_host, states
from matchmaking.models import Match, Pool, Ticket
from matchmaking.remote.breaker import Breaker, State
from matchmaking.services import loop
from realtime.identifiers import new_id
from realtime.transport import presence
from realtime.transport.database import database_now
from tests import factories
from tests.factories import (
    Rest,
    answer_ping,
    has_told_all,
    hear_from,
    host_has_answered,
    queued,
    verified_match,
)
from tests.game_servers import GameServer

pytestmark = pytest.mark.django_db(
    transaction=True,
    available_apps=["matchmaking", "realtime", "django.contrib.auth", "django.contrib.contenttypes"],
)

FAILURES = 3


@pytest.fixture
def server(settings: Settings) -> Iterator[GameServer]:
    """The example's game server, a process of its own, as the game host."""
    settings.BREAKER_FAILURES = FAILURES
    with GameServer() as server:
        settings.GAME_HOST, settings.GAME_HOST_TOKEN = server.url, server.token
        yield server
        host_has_answered()


def state() -> str:
    return states()["game_service"]


def health() -> tuple[int, Any]:
    response = Client().get("/health/ready")
    return response.status_code, response.json()


def let_seconds_pass(valkey: redis.Redis) -> None:
    """Let it be the turn again of what has one every few seconds."""
    for key in (store_key("probe"), store_key("trial")):
        valkey.delete(key)


def store_key(turn: str) -> str:
    return f"mm:turn:{turn}:game-host"


def rested() -> None:
    """Let it be long ago that the service failed the players who wait."""
    Ticket.objects.update(not_before=None)


def try_a_match() -> Match:
    """Let Ann and Bob be reserved and answer, and the service say what it will."""
    for name in ("ann", "bob"):
        if not Ticket.objects.filter(user_id=name, status="SEARCHING").exists():
            queued(name, Pool.objects.get())
    rested()
    match = verified_match("ann", "bob")
    host_has_answered()
    match.refresh_from_db()
    return match


def fail(server: GameServer, times: int) -> None:
    server.put_faults(fail_status=500, calls=["create"])
    for _ in range(times):
        assert try_a_match().cancel_reason == "game_service_unavailable"
    server.heal()


def opened(server: GameServer) -> None:
    fail(server, FAILURES)
    assert state() == State.OPEN


def half_opened(server: GameServer, valkey: redis.Redis) -> None:
    opened(server)
    let_seconds_pass(valkey)
    loop.tick()
    host_has_answered()
    assert state() == State.HALF_OPEN
    rested()


# --- when it opens


def test_so_many_failures_in_a_row_open_it(server: GameServer, duel: Pool) -> None:
    fail(server, FAILURES - 1)
    assert state() == State.CLOSED
    fail(server, 1)
    assert state() == State.OPEN


def test_a_success_in_between_begins_the_row_anew(server: GameServer, duel: Pool) -> None:
    fail(server, FAILURES - 1)
    match = try_a_match()
    assert match.game_id
    factories.acknowledge(match, "ann", "bob")
    loop.advance()
    assert state() == State.CLOSED
    Match.objects.update(status="FINISHED")
    match.players.update(is_live=False)
    server.finish(match.game_id)
    fail(server, FAILURES - 1)
    assert state() == State.CLOSED
    fail(server, 1)
    assert state() == State.OPEN


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_refused_match_says_nothing_of_the_service(server: GameServer, duel: Pool, status: int) -> None:
    server.put_faults(fail_status=status, calls=["create"])
    for _ in range(FAILURES + 1):
        assert try_a_match().cancel_reason == "game_service_unavailable"
    assert state() == State.CLOSED


def test_cancels_and_questions_that_fail_say_nothing_of_it(
    server: GameServer, duel: Pool, valkey: redis.Redis
) -> None:
    server.put_faults(fail_status=500, calls=["cancel", "active"])
    host, now, match_id = game_host(), database_now(), new_id()
    said: list[object] = []
    for _ in range(FAILURES + 1):
        host.cancel("demo", match_id, lambda: said.append("cancelled"), now=now)
        host.ask_playing(
            [Question(match_id=match_id, game_id="g1", tenant_id="demo", user_ids=["ann"])], said.append
        )
        valkey.delete("mm:game-host:unasked")
        assert host.active_game("demo", "ann") is None
        host_has_answered()
    assert server.calls()["calls"] == {"create": 0, "cancel": FAILURES + 1, "active": 2 * (FAILURES + 1)}
    assert said == [{}] * (FAILURES + 1), "nothing is known"
    assert state() == State.CLOSED


# --- while it is open


def test_while_it_is_open_nobody_is_reserved_and_the_queue_fills(server: GameServer, duel: Pool) -> None:
    opened(server)
    server.put_faults(fail_status=500)
    rested()
    matches = Match.objects.count()
    for name in ("cat", "dan"):
        assert Rest(name).join().status == 201
        hear_from(name)
    for _ in range(3):
        loop.tick()
        host_has_answered()
    assert Match.objects.count() == matches
    assert set(Ticket.objects.values_list("user_id", "status")) == {
        (name, "SEARCHING") for name in ("ann", "bob", "cat", "dan")
    }


def test_what_was_under_way_when_it_opened_is_brought_to_its_end(server: GameServer, duel: Pool) -> None:
    for name in ("cat", "dan"):
        queued(name, duel, rating=9000)
    loop.advance()
    under_way = Match.objects.get()
    opened(server)
    answer_ping(under_way, "cat", "dan")
    loop.advance()
    host_has_answered()
    under_way.refresh_from_db()
    assert under_way.game_id
    assert state() == State.CLOSED, "the service works"


def test_it_probes_once_in_a_few_seconds(server: GameServer, duel: Pool, valkey: redis.Redis) -> None:
    opened(server)
    server.put_faults(fail_status=503)
    before = server.calls()["calls"]["active"]
    let_seconds_pass(valkey)
    for _ in range(3):
        loop.tick()
    host_has_answered()
    assert server.calls()["calls"]["active"] == before + 3, "one probe, which is made three times"
    assert 0 < valkey.pttl(store_key("probe")) <= 5000
    assert state() == State.OPEN
    server.stop()
    let_seconds_pass(valkey)
    loop.tick()
    host_has_answered()
    server.start()
    assert state() == State.OPEN


# --- on trial


def test_an_answered_probe_lets_one_match_through_on_trial(
    server: GameServer, duel: Pool, valkey: redis.Redis
) -> None:
    half_opened(server, valkey)
    for name in ("cat", "dan"):
        queued(name, duel)
    before = Match.objects.count()
    for _ in range(3):
        loop.advance()
    assert Match.objects.count() == before + 1
    assert 0 < valkey.pttl(store_key("trial")) <= 5000
    let_seconds_pass(valkey)
    loop.advance()
    assert Match.objects.count() == before + 2, "players who do not answer are no reason to wait for ever"


def test_a_pool_in_which_nobody_fits_does_not_take_the_trial_of_another(
    server: GameServer, duel: Pool, valkey: redis.Redis
) -> None:
    half_opened(server, valkey)
    # The loop goes by the pools' ids, of which the older is the smaller: these two come last.
    Ticket.objects.filter(user_id="bob").delete()
    other = factories.pool("other")
    for name in ("cat", "dan"):
        queued(name, other)
    loop.advance()
    assert Match.objects.filter(pool=other).exists()


def test_a_trial_that_fails_opens_it_again(server: GameServer, duel: Pool, valkey: redis.Redis) -> None:
    half_opened(server, valkey)
    fail(server, 1)
    assert state() == State.OPEN
    rested()
    matches = Match.objects.count()
    loop.advance()
    assert Match.objects.count() == matches


def test_a_trial_that_succeeds_lets_all_go_on_by_themselves(
    server: GameServer, duel: Pool, valkey: redis.Redis
) -> None:
    half_opened(server, valkey)
    assert try_a_match().game_id
    assert state() == State.CLOSED
    for name in ("cat", "dan", "eve", "fay"):
        queued(name, duel)
    loop.tick()
    assert set(Ticket.objects.values_list("status", flat=True)) == {"RESERVED"}
    server.put_faults(fail_status=500, calls=["create"])
    assert state() == State.CLOSED
    Breaker("game-host").failed()
    assert state() == State.CLOSED, "the row of failures begins anew"


# --- who knows of it


def test_all_processes_share_it(server: GameServer, duel: Pool) -> None:
    opened(server)
    code = "import django; django.setup(); from matchmaking.hosts import states; print(*states().values())"
    another = subprocess.run(
        (sys.executable, "-c", code),
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "matchmaking_site.settings", "GAME_HOST": server.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert another.stdout.split() == ["open"]


def test_when_valkey_forgets_it_is_closed(server: GameServer, duel: Pool, valkey: redis.Redis) -> None:
    opened(server)
    valkey.flushall()
    has_told_all()
    assert state() == State.CLOSED
    fail(server, FAILURES - 1)
    assert state() == State.CLOSED
    fail(server, 1)
    assert state() == State.OPEN


def test_health_names_the_service_as_degraded_and_stays_ready(
    server: GameServer, duel: Pool, valkey: redis.Redis
) -> None:
    loop.tick()
    well = {"status": "ok", "failing": [], "degraded": []}
    assert health() == (200, well)
    opened(server)
    degraded = well | {"status": "degraded", "degraded": ["game_service"]}
    assert health() == (200, degraded)
    let_seconds_pass(valkey)
    loop.tick()
    host_has_answered()
    assert state() == State.HALF_OPEN
    assert health() == (200, degraded)
    valkey.delete("mm:tick")
    assert health() == (503, {"status": "failing", "failing": ["matching_loop"], "degraded": []})
    presence.note_tick()
    try_a_match()
    assert health() == (200, well)


def test_what_is_left_of_a_service_that_is_no_longer_used_degrades_nothing(
    server: GameServer, duel: Pool, settings: Settings
) -> None:
    opened(server)
    settings.GAME_HOST = "builtin"
    loop.tick()
    assert health() == (200, {"status": "ok", "failing": [], "degraded": []})
