"""A live-game service as the host: what it is asked, and that its failures cost nobody a place."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from celery.signals import worker_shutdown
from django.db.models import F
from pytest_django import Settings

from matchmaking.domain.matches import Stage
from matchmaking.hosts import game_host
from matchmaking.models import Match, Pool, Ticket
from matchmaking.services import leaving, loop, matches
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.acceptance.stacks import eventually
from tests.factories import (
    answer_ping,
    caller,
    confirmed_match_at_host,
    host_has_answered,
    last_told,
    let_pass,
    queued,
    reserved_match,
    told,
    verified_match,
)
from tests.game_servers import GameServer

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])


@pytest.fixture
def server(settings: Settings) -> Iterator[GameServer]:
    """The example's game server, a process of its own, as the game host."""
    with GameServer() as server:
        settings.GAME_HOST, settings.GAME_HOST_TOKEN = server.url, server.token
        yield server
        host_has_answered()


@pytest.fixture
def pair(duel: Pool) -> list[Ticket]:
    return [queued("ann", duel, waited=9), queued("bob", duel, waited=6)]


def is_at(match: Match, stage: Stage) -> bool:
    return Match.objects.filter(id=match.id, stage=stage).exists()


def is_cancel_due(match: Match) -> bool:
    return Match.objects.filter(id=match.id, game_cancel_due=True).exists()


def assert_taken_back(match: Match, pair: list[Ticket], reason: str = "game_service_unavailable") -> None:
    match.refresh_from_db()
    assert (match.status, match.cancel_reason, match.failed_stage) == ("CANCELLED", reason, "creating")
    for place, before in enumerate(pair, start=1):
        after = Ticket.objects.get(id=before.id)
        assert (after.status, after.queued_at, after.match_id) == ("SEARCHING", before.queued_at, None)
        assert (after.unreachable_since, after.failures) == (None, 0), "it is nobody's fault"
        assert last_told(before.user_id, "match_cancelled") == {
            "match_id": str(match.id),
            "reason": reason,
            "requeued": True,
            "queue_entry_id": str(before.id),
            "position": place,
        }


def cancel_what_is_due() -> None:
    loop.tick()
    host_has_answered()


def creates_of(server: GameServer, match: Match) -> int:
    return int(server.calls()["creates_by_match"].get(str(match.id), 0))


def state_at(server: GameServer, match: Match) -> list[str]:
    return [game["state"] for game in server.games()["games"] if game["match_id"] == str(match.id)]


# --- a server of a few lines, for answers that the example does not give


class Scripted(ThreadingHTTPServer):
    """Answers a create as a test says, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Any], tuple[int, bytes]]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), Script)


class Script(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, content = self.server.answer(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def scripted(answer: Callable[[Any], tuple[int, bytes]]) -> Iterator[Scripted]:
    with Scripted(answer) as script:
        threading.Thread(target=script.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield script
        finally:
            host_has_answered()
            script.shutdown()


def use(script: Scripted, settings: Settings) -> None:
    settings.GAME_HOST, settings.GAME_HOST_TOKEN = f"http://127.0.0.1:{script.server_port}", "a-token"


# --- a game from the service


def test_the_players_get_the_game_that_the_service_made(server: GameServer, pair: list[Ticket]) -> None:
    match = confirmed_match_at_host("ann", "bob")
    (game,) = server.games()["games"]
    assert (game["match_id"], game["tenant_id"], game["state"]) == (str(match.id), "demo", "playing")
    assert game["user_ids"] == ["ann", "bob"]
    assert creates_of(server, match) == 1
    for name in ("ann", "bob"):
        found, ready = told(name)[-2:]
        assert (found.type, found.data["game_id"]) == ("match_found", game["game_id"])
        link = f"{server.url}/play/{game['game_id']}"
        ids = {"match_id": str(match.id), "game_id": game["game_id"]}
        assert (ready.type, ready.data) == ("match_ready", {**ids, "join_url": link})


def test_the_service_is_told_all_that_the_contract_says(duel: Pool, settings: Settings) -> None:
    Pool.objects.filter(id=duel.id).update(mode="blitz", time_control="5+3", rated=False)
    queued("ann", duel, rating=1512.5, waited=9, metadata={"deck": ["ä", 1, None]})
    queued("bob", duel)
    with scripted(lambda _: (201, b'{"game_id": "g1"}')) as script:
        use(script, settings)
        match = confirmed_match_at_host("ann", "bob")
    ((path, headers, body),) = script.asked
    assert path == "/internal/games"
    assert headers["idempotency-key"] == str(match.id)
    assert headers["authorization"] == "Bearer a-token"
    colors = {seat.user_id: seat.color for seat in match.players.all()}
    assert set(colors.values()) == {"white", "black"}
    assert body == {
        "match_id": str(match.id),
        "tenant_id": "demo",
        "pool_key": "duel",
        "mode": "blitz",
        "time_control": "5+3",
        "rated": False,
        "players": [
            {"user_id": "ann", "color": colors["ann"], "team": 1, "rating": 1512.5},
            {"user_id": "bob", "color": colors["bob"], "team": 2, "rating": 1500.0},
        ],
        "metadata": {"ann": {"deck": ["ä", 1, None]}},
    }
    assert "join_url" not in last_told("ann", "match_ready")


@pytest.mark.parametrize("status", [200, 201])
def test_the_longest_answers_are_taken_and_what_is_unknown_is_passed_over(
    pair: list[Ticket], settings: Settings, status: int
) -> None:
    url = "https://example.org/" + "x" * 480
    answer = {"game_id": "ä" * 128, "join_url": url, "more": [1]}
    with scripted(lambda _: (status, json.dumps(answer).encode())) as script:
        use(script, settings)
        match = confirmed_match_at_host("ann", "bob")
    assert (match.game_id, match.join_url) == ("ä" * 128, url)


# --- no game


@pytest.mark.parametrize(
    ("faults", "creates"),
    [
        pytest.param({"fail_status": 500}, 1, id="500"),
        pytest.param({"fail_status": 400}, 1, id="400"),
        pytest.param({"fail_status": 503}, 3, id="503, which is tried again"),
        pytest.param({"drop": True}, 3, id="dropped, which is tried again"),
    ],
)
def test_a_create_that_fails_takes_the_match_back_and_no_game_is_left(
    server: GameServer, pair: list[Ticket], faults: dict[str, Any], creates: int
) -> None:
    server.put_faults(calls=["create"], **faults)
    match = verified_match("ann", "bob")
    host_has_answered()
    assert_taken_back(match, pair)
    assert creates_of(server, match) == creates
    cancel_what_is_due()
    assert state_at(server, match) == (["cancelled"] if "drop" in faults else [])
    assert server.games()["cancelled_match_ids"] == [str(match.id)]
    assert not is_cancel_due(match)


def test_a_wrong_token_makes_no_game(server: GameServer, pair: list[Ticket], settings: Settings) -> None:
    settings.GAME_HOST_TOKEN = "wrong"
    match = verified_match("ann", "bob")
    host_has_answered()
    assert_taken_back(match, pair)
    assert server.games()["games"] == []


def test_a_service_that_refuses_the_match_is_believed(server: GameServer, pair: list[Ticket]) -> None:
    match = reserved_match("ann", "bob")
    url = f"{server.url}/internal/games/by-match/{match.id}"
    assert httpx.delete(url, headers=server.headers).status_code == 404
    answer_ping(match, "ann", "bob")
    loop.advance()
    host_has_answered()
    assert_taken_back(match, pair)
    assert creates_of(server, match) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>all is well</html>",
        b"\xff\xfe",
        b'{"game_id": "\xff"}',
        b'{"game_id": "g1", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'["g1"]',
        b"{}",
        b'{"game_id": null}',
        b'{"game_id": 7}',
        b'{"game_id": ""}',
        json.dumps({"game_id": "x" * 129}).encode(),
        b'{"game_id": "g\\u00001"}',
        b'{"game_id": "g\\u001b[2J"}',
        b'{"game_id": "g1\\n"}',
        json.dumps({"game_id": "g1", "join_url": "x" * 501}).encode(),
        b'{"game_id": "g1", "join_url": "https://example.org/\\r\\n"}',
        b'{"game_id": "g1", "join_url": "https://example.org/\\n"}',
    ],
)
def test_an_answer_that_makes_no_sense_is_no_game(
    pair: list[Ticket], settings: Settings, content: bytes
) -> None:
    with scripted(lambda _: (201, content)) as script:
        use(script, settings)
        match = verified_match("ann", "bob")
    assert_taken_back(match, pair)
    assert len(script.asked) == 1


@pytest.mark.parametrize("status", [202, 302, 307])
def test_a_game_counts_with_200_or_201_alone_and_redirects_are_not_followed(
    pair: list[Ticket], settings: Settings, status: int
) -> None:
    with scripted(lambda _: (status, b'{"game_id": "g1"}')) as script:
        use(script, settings)
        match = verified_match("ann", "bob")
    assert_taken_back(match, pair)
    assert len(script.asked) == 1


def test_while_the_service_is_down_both_are_told_in_a_second_and_the_time_out(
    server: GameServer, pair: list[Ticket], settings: Settings
) -> None:
    settings.GAME_HOST_TIMEOUT_SECONDS = 1
    server.stop()
    match = verified_match("ann", "bob")
    host_has_answered()
    server.start()
    assert_taken_back(match, pair)
    assert match.finished_at is not None
    assert match.asked_at is not None
    assert match.finished_at - match.asked_at < timedelta(seconds=2)


# --- a service that is late


def test_a_game_that_comes_too_late_is_cancelled_and_never_made_again(
    server: GameServer, pair: list[Ticket], settings: Settings
) -> None:
    settings.GAME_HOST_TIMEOUT_SECONDS = 0.3
    server.put_faults(delay_seconds=1, calls=["create"])
    match = verified_match("ann", "bob")
    host_has_answered()
    assert_taken_back(match, pair)
    assert state_at(server, match) == ["playing"]
    assert is_cancel_due(match)
    server.heal()
    cancel_what_is_due()
    assert state_at(server, match) == ["cancelled"]
    assert not is_cancel_due(match)
    answers: list[Any] = []
    game_host().create([matches._request(match, None)], answers.append, now=database_now())
    host_has_answered()
    assert answers == [{match.id: None}], "the service remembers"


def test_a_call_whose_answer_was_lost_is_made_again_and_gets_the_same_game(
    server: GameServer, pair: list[Ticket]
) -> None:
    # The first call has its effect, and is dropped a while later; by then all is well again.
    server.put_faults(delay_seconds=1.5, drop=True, calls=["create"])
    match = verified_match("ann", "bob")
    assert eventually(lambda: creates_of(server, match) == 1, 10)
    server.heal()
    host_has_answered()
    match.refresh_from_db()
    (game,) = server.games()["games"]
    assert (match.stage, match.game_id, creates_of(server, match)) == (Stage.NOTIFYING, game["game_id"], 2)


def test_a_slow_game_holds_up_no_other_of_its_batch(duel: Pool, settings: Settings) -> None:
    settings.GAME_HOST_TIMEOUT_SECONDS = 30
    may_answer = threading.Event()

    def answer(body: Any) -> tuple[int, bytes]:
        first = body["players"][0]["user_id"]
        if first == "ann":
            may_answer.wait(30)
        return 201, json.dumps({"game_id": f"game-of-{first}"}).encode()

    for name, rating in (("ann", 1500), ("bob", 1500), ("cat", 3000), ("dan", 3000)):
        queued(name, duel, rating=rating)
    with scripted(answer) as script:
        use(script, settings)
        loop.advance()
        slow, quick = (Match.objects.get(players__user_id=name) for name in ("ann", "cat"))
        answer_ping(slow, "ann", "bob")
        answer_ping(quick, "cat", "dan")
        loop.advance()
        try:
            assert eventually(lambda: is_at(quick, Stage.NOTIFYING), 10)
            assert is_at(slow, Stage.CREATING)
        finally:
            may_answer.set()
    assert is_at(slow, Stage.NOTIFYING)


def test_the_loop_does_not_wait_for_the_service(server: GameServer, pair: list[Ticket]) -> None:
    server.put_faults(delay_seconds=4)
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann", "bob")
    began = time.monotonic()
    loop.tick()
    assert time.monotonic() - began < 3
    assert is_at(match, Stage.CREATING)
    host_has_answered()
    assert is_at(match, Stage.NOTIFYING)


def test_a_worker_that_stops_writes_down_what_the_service_still_answers(
    server: GameServer, pair: list[Ticket]
) -> None:
    server.put_faults(delay_seconds=1, calls=["create"])
    match = verified_match("ann", "bob")
    worker_shutdown.send(sender=None)
    assert is_at(match, Stage.NOTIFYING)


def test_who_leaves_while_the_game_is_being_made_is_free_and_the_game_is_cancelled(
    server: GameServer, pair: list[Ticket]
) -> None:
    server.put_faults(delay_seconds=2, calls=["create"])
    match = verified_match("ann", "bob")
    assert eventually(lambda: creates_of(server, match) == 1, 10)
    leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
    host_has_answered()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason, match.game_id) == ("CANCELLED", "left", None)
    last_told("ann", "queue_cancelled")
    told_bob = last_told("bob", "match_cancelled")
    assert (told_bob["reason"], told_bob["requeued"]) == ("opponent_cancelled", True)
    assert state_at(server, match) == ["playing"]
    cancel_what_is_due()
    assert state_at(server, match) == ["cancelled"]


def test_after_a_failure_of_the_service_its_players_are_left_alone_for_two_seconds(
    server: GameServer, pair: list[Ticket]
) -> None:
    server.put_faults(fail_status=500, calls=["create"])
    match = verified_match("ann", "bob")
    host_has_answered()
    match.refresh_from_db()
    assert match.finished_at is not None
    two_seconds_later = match.finished_at + timedelta(seconds=2)
    assert set(Ticket.objects.values_list("not_before", flat=True)) == {two_seconds_later}
    Ticket.objects.update(not_before=F("not_before") + timedelta(seconds=60))
    loop.tick()
    assert Match.objects.count() == 1
    Ticket.objects.update(not_before=F("not_before") - timedelta(seconds=62))
    loop.tick()
    assert Match.objects.count() == 2


def test_no_call_takes_so_long_that_the_lease_of_its_match_runs_out(
    server: GameServer, pair: list[Ticket], settings: Settings
) -> None:
    settings.LEASE_SECONDS, settings.GAME_HOST_TIMEOUT_SECONDS = 3, 10
    server.put_faults(delay_seconds=4, calls=["create"])
    match = verified_match("ann", "bob")
    host_has_answered()
    loop.advance()
    assert_taken_back(match, pair)


# --- cancelling


def test_a_cancel_is_asked_for_again_until_the_service_says_so(
    server: GameServer, pair: list[Ticket]
) -> None:
    match = verified_match("ann", "bob")
    host_has_answered()
    leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
    server.put_faults(fail_status=500, calls=["cancel"])
    cancel_what_is_due()
    match.refresh_from_db()
    assert is_cancel_due(match)
    assert match.retry_at is not None
    assert 5 < (match.retry_at - database_now()).total_seconds() <= 10
    server.stop()
    let_pass(match, 10)
    cancel_what_is_due()
    server.start()
    cancel_what_is_due()
    assert server.calls()["calls"]["cancel"] == 0, "not before the ten seconds are over"
    let_pass(match, 10)
    cancel_what_is_due()
    assert not is_cancel_due(match)
    assert server.games()["cancelled_match_ids"] == [str(match.id)]
    cancel_what_is_due()
    assert server.calls()["calls"]["cancel"] == 1
