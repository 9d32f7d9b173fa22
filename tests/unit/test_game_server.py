"""The example's game server: its rules by cases, and its promises over HTTP from a process of its own."""

import json
import signal
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from examples.game_server.bodies import BadInput, read_new_game
from examples.game_server.faults import CALLS, NO_FAULTS, Faults, read_faults
from examples.game_server.games import REMEMBER_SECONDS, Games, MatchCancelled, NewGame, State
from examples.game_server.service import Request, Service
from tests.game_servers import GameServer

PLAYERS: list[dict[str, Any]] = [
    {"user_id": "ann", "color": "white", "team": 1, "rating": 1500},
    {"user_id": "bob", "color": None, "team": 2, "rating": 1612.5},
]


def order(match_id: str = "m1", **fields: Any) -> dict[str, Any]:
    """Return the body of a create as the service sends it."""
    return {
        "match_id": match_id,
        "tenant_id": "demo",
        "pool_key": "duel",
        "mode": "duel",
        "time_control": "",
        "rated": True,
        "players": PLAYERS,
        "metadata": {"map": "desert"},
    } | fields


def wanted(match_id: str, *user_ids: str, tenant_id: str = "demo") -> NewGame:
    return NewGame(match_id, tenant_id, user_ids)


# --- the rules


def test_a_match_has_one_game_however_often_it_is_asked_for() -> None:
    games = Games()
    first, first_is_new = games.create(wanted("m1", "ann", "bob"), game_id="g1", now=0)
    again, again_is_new = games.create(wanted("m1", "ann", "bob"), game_id="g2", now=1)
    assert again is first
    assert (first.game_id, first_is_new, again_is_new) == ("g1", True, False)
    assert games.all() == [first]


def test_a_cancelled_match_has_no_game_and_gets_none() -> None:
    games = Games()
    game, _ = games.create(wanted("m1", "ann"), game_id="g1", now=0)
    assert games.cancel("m1", now=1) is True
    assert game.state is State.CANCELLED
    with pytest.raises(MatchCancelled):
        games.create(wanted("m1", "ann"), game_id="g2", now=2)


def test_a_match_that_had_a_game_is_refused_even_when_its_cancelling_is_forgotten() -> None:
    games = Games()
    games.create(wanted("m1", "ann"), game_id="g1", now=0)
    games.cancel("m1", now=0)
    with pytest.raises(MatchCancelled):
        games.create(wanted("m1", "ann"), game_id="g2", now=REMEMBER_SECONDS * 2)


def test_a_cancel_before_the_create_is_remembered_for_an_hour() -> None:
    games = Games()
    assert games.cancel("m1", now=100) is False
    with pytest.raises(MatchCancelled):
        games.create(wanted("m1", "ann"), game_id="g1", now=100 + 3599)
    assert games.cancelled_matches(now=100 + 3599) == ["m1"]
    assert games.cancelled_matches(now=100 + 3600) == []
    _, is_new = games.create(wanted("m1", "ann"), game_id="g1", now=100 + 3600)
    assert is_new


def test_a_cancel_that_is_asked_again_is_remembered_from_then_on() -> None:
    games = Games()
    games.cancel("m1", now=0)
    games.cancel("m2", now=10)
    games.cancel("m1", now=20)
    assert games.cancelled_matches(now=REMEMBER_SECONDS + 10) == ["m1"]


def test_only_the_first_cancel_ends_a_game() -> None:
    games = Games()
    games.create(wanted("m1", "ann"), game_id="g1", now=0)
    assert [games.cancel("m1", now=1), games.cancel("m1", now=2)] == [True, False]


def test_a_finished_game_stays_finished_and_its_match_can_still_be_cancelled() -> None:
    games = Games()
    game, _ = games.create(wanted("m1", "ann"), game_id="g1", now=0)
    assert games.finish("g1") is game
    assert games.cancel("m1", now=1) is False
    assert game.state is State.FINISHED
    with pytest.raises(MatchCancelled):
        games.create(wanted("m1", "ann"), game_id="g2", now=2)


def test_a_cancelled_game_stays_cancelled() -> None:
    games = Games()
    game, _ = games.create(wanted("m1", "ann"), game_id="g1", now=0)
    games.cancel("m1", now=1)
    games.finish("g1")
    assert game.state is State.CANCELLED
    assert games.finish("unknown") is None


def test_a_user_plays_the_newest_game_that_is_not_over() -> None:
    games = Games()
    played = {name: games.create(wanted(f"m{name}", "ann", "bob"), game_id=name, now=0)[0] for name in "abcd"}
    assert games.active("demo", "ann") is played["d"]
    games.finish("d")
    assert games.active("demo", "ann") is played["c"]
    games.finish("a")
    games.cancel("mc", now=1)
    assert games.active("demo", "bob") is played["b"]
    games.cancel("mb", now=1)
    assert games.active("demo", "ann") is None


def test_tenants_share_no_users() -> None:
    games = Games()
    games.create(wanted("m1", "ann", tenant_id="demo"), game_id="g1", now=0)
    assert games.active("other", "ann") is None
    assert games.active("demo", "cat") is None


# --- what may be sent


def test_a_create_is_read_as_the_contract_has_it() -> None:
    body = json.dumps(order(pool_key=None, something_new=[1])).encode()
    assert read_new_game(body) == NewGame("m1", "demo", ("ann", "bob"))


@pytest.mark.parametrize(
    "fields",
    [
        {"match_id": ""},
        {"match_id": 7},
        {"match_id": "m" * 201},
        {"tenant_id": None},
        {"pool_key": 1},
        {"mode": None},
        {"time_control": 5},
        {"rated": "yes"},
        {"rated": 1},
        {"metadata": []},
        {"players": []},
        {"players": None},
        {"players": ["ann"]},
        {"players": [PLAYERS[0], PLAYERS[0]]},
        {"players": [PLAYERS[0] | {"user_id": ""}]},
        {"players": [PLAYERS[0] | {"team": True}]},
        {"players": [PLAYERS[0] | {"rating": "high"}]},
        {"players": [PLAYERS[0] | {"rating": float("nan")}]},
        {"players": [{"user_id": "ann", "team": 1, "rating": None}]},
    ],
    ids=str,
)
def test_a_malformed_create_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_new_game(json.dumps(order() | fields).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 60_000, b"1" * 5000], ids=len)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_new_game(body)


def test_faults_are_replaced_as_a_whole_and_all_optional() -> None:
    assert read_faults({}) == NO_FAULTS
    fields = {"delay_seconds": 1, "fail_status": 503, "share": 0.5, "calls": ["create"], "drop": True}
    assert read_faults(fields) == Faults(1.0, 503, 0.5, ("create",), drop=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"delay_seconds": -1},
        {"delay_seconds": True},
        {"delay_seconds": float("inf")},
        {"fail_status": 199},
        {"fail_status": 600},
        {"fail_status": "500"},
        {"share": 1.1},
        {"calls": "create"},
        {"calls": ["destroy"]},
        {"calls": [["create"]]},
        {"drop": 1},
        {"dealy_seconds": 1},
    ],
    ids=str,
)
def test_malformed_faults_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_faults(fields)


@pytest.mark.parametrize(("share", "chance", "hit"), [(1, 0.999, True), (0, 0, False), (0.5, 0.5, False)])
def test_a_fault_befalls_its_share(share: float, chance: float, hit: bool) -> None:
    faults = Faults(drop=True, share=share)
    assert [faults.for_call(call, chance=chance) is faults for call in CALLS] == [hit] * 3


def test_a_fault_befalls_the_calls_that_it_names() -> None:
    faults = Faults(drop=True, calls=("cancel",))
    assert [faults.for_call(call, chance=0).drop for call in CALLS] == [False, True, False]


# --- the process


@pytest.fixture(scope="module")
def process() -> Iterator[GameServer]:
    with GameServer() as server:
        yield server


@pytest.fixture
def server(process: GameServer) -> Iterator[GameServer]:
    yield process
    process.heal()


@pytest.fixture
def http(server: GameServer) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=server.url, headers=server.headers, trust_env=False, limits=httpx.Limits()
    ) as client:
        yield client


@pytest.fixture
def match_id(request: pytest.FixtureRequest) -> str:
    """Return an id that no other test has; all of them share one server."""
    return f"match-{request.node.name}"


def create(http: httpx.Client, match_id: str, **options: Any) -> httpx.Response:
    headers = {"Idempotency-Key": match_id}
    # A user of its own for each match, so that the games of other tests are in nobody's way.
    players = [player | {"user_id": f"{player['user_id']}-{match_id}"} for player in PLAYERS]
    return http.post("/internal/games", json=order(match_id, players=players), headers=headers, **options)


def active_game(http: httpx.Client, match_id: str, name: str = "ann") -> Any:
    answer = http.get(f"/internal/users/demo/{name}-{match_id}/active-game")
    assert answer.status_code == 200
    assert list(answer.json()) == ["game_id"]
    return answer.json()["game_id"]


def state(server: GameServer, match_id: str) -> list[str]:
    return [game["state"] for game in server.games()["games"] if game["match_id"] == match_id]


def test_a_game_is_created_asked_for_and_cancelled(
    server: GameServer, http: httpx.Client, match_id: str
) -> None:
    first, again = create(http, match_id), create(http, match_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    game_id = first.json()["game_id"]
    assert active_game(http, match_id) == active_game(http, match_id, "bob") == game_id
    assert state(server, match_id) == ["playing"]

    cancelled = [http.delete(f"/internal/games/by-match/{match_id}") for _ in range(2)]
    assert [answer.status_code for answer in cancelled] == [204, 404]
    assert active_game(http, match_id) is None
    assert state(server, match_id) == ["cancelled"]
    assert match_id in server.games()["cancelled_match_ids"]
    assert create(http, match_id).status_code == 409


def test_a_cancel_that_overtakes_its_create_wins(
    server: GameServer, http: httpx.Client, match_id: str
) -> None:
    assert http.delete(f"/internal/games/by-match/{match_id}").status_code == 404
    assert create(http, match_id).status_code == 409
    assert state(server, match_id) == []


def test_a_finished_game_is_nobodys_active_game(
    server: GameServer, http: httpx.Client, match_id: str
) -> None:
    server.finish(create(http, match_id).json()["game_id"])
    assert active_game(http, match_id) is None
    assert state(server, match_id) == ["finished"]
    assert http.post("/games/unknown/finish").status_code == 404


def test_the_link_to_join_leads_players_to_the_game_without_a_token(
    http: httpx.Client, match_id: str
) -> None:
    game = create(http, match_id).json()
    answer = httpx.get(game["join_url"], trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"game_id": game["game_id"], "state": "playing"})


def test_a_hundred_creates_at_once_make_one_game(
    server: GameServer, http: httpx.Client, match_id: str
) -> None:
    line = threading.Barrier(100, timeout=30)

    def ask(_: int) -> httpx.Response:
        line.wait()
        return create(http, match_id, timeout=30)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 99}
    assert len({answer.json()["game_id"] for answer in answers}) == 1
    assert state(server, match_id) == ["playing"]
    assert server.calls()["creates_by_match"][match_id] == 100


def test_threads_that_ask_at_once_make_one_game_each_time() -> None:
    # In this very process, for here threads can be made to take turns as often as they can.
    service, rounds, asking = Service(), 500, 8
    line = threading.Barrier(asking, timeout=30)

    def ask(_: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        for number in range(rounds):
            body = json.dumps(order(str(number))).encode()
            line.wait()
            seen[service.create(Request({}, body, idempotency_key=str(number))).status] += 1
        return seen

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(asking) as pool:
            seen = sum(pool.map(ask, range(asking)), Counter[int]())
    finally:
        sys.setswitchinterval(usual)
    assert seen == {201: rounds, 200: rounds * (asking - 1)}


def test_answers_are_not_held_back_by_nagle(http: httpx.Client) -> None:
    seconds = []
    for _ in range(40):
        started = time.monotonic()
        http.get("/calls")
        seconds.append(time.monotonic() - started)
    assert statistics.median(seconds) < 0.03  # Linux delays an acknowledgement by 40 ms.


def test_parts_of_a_path_are_percent_decoded(http: httpx.Client, match_id: str) -> None:
    players = [PLAYERS[0] | {"user_id": f"a/b ü%2F-{match_id}"}]
    headers = {"Idempotency-Key": match_id}
    game = http.post("/internal/games", json=order(match_id, players=players), headers=headers).json()
    path = f"/internal/users/demo/a%2Fb%20%C3%BC%252F-{match_id}/active-game"
    assert http.get(path).json() == {"game_id": game["game_id"]}


def test_calls_are_counted_also_when_they_fail(server: GameServer, http: httpx.Client, match_id: str) -> None:
    before = Counter(server.calls()["calls"])
    server.put_faults(fail_status=500, calls=["create"])
    create(http, match_id)
    active_game(http, match_id)
    active_game(http, match_id)
    http.delete(f"/internal/games/by-match/{match_id}")
    assert Counter(server.calls()["calls"]) - before == {"create": 1, "active": 2, "cancel": 1}


def test_a_late_answer_has_had_its_effect(server: GameServer, http: httpx.Client, match_id: str) -> None:
    server.put_faults(delay_seconds=1, calls=["create"])
    with pytest.raises(httpx.ReadTimeout):
        create(http, match_id, timeout=0.3)
    assert state(server, match_id) == ["playing"]  # before the answer would have come
    started = time.monotonic()
    assert create(http, match_id).status_code == 200
    assert time.monotonic() - started >= 1


def test_a_delayed_call_holds_up_no_other(server: GameServer, http: httpx.Client, match_id: str) -> None:
    server.put_faults(delay_seconds=2, calls=["create"])
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(create, http, match_id)
        time.sleep(0.2)
        started = time.monotonic()
        assert active_game(http, match_id) is not None
        assert time.monotonic() - started < 1
    assert late.result().status_code == 201


def test_a_dropped_call_has_had_its_effect(server: GameServer, http: httpx.Client, match_id: str) -> None:
    server.put_faults(drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        create(http, match_id)
    assert state(server, match_id) == ["playing"]
    server.heal()
    assert create(http, match_id).status_code == 200


def test_a_failed_call_has_no_effect(server: GameServer, http: httpx.Client, match_id: str) -> None:
    server.put_faults(fail_status=503)
    assert create(http, match_id).status_code == 503
    assert http.delete(f"/internal/games/by-match/{match_id}").status_code == 503
    server.heal()
    assert match_id not in server.games()["cancelled_match_ids"]
    assert create(http, match_id).status_code == 201


def test_a_share_of_the_calls_fails(server: GameServer, http: httpx.Client, match_id: str) -> None:
    server.put_faults(fail_status=500, share=0.5)
    path = f"/internal/users/demo/{match_id}/active-game"
    seen = Counter(http.get(path).status_code for _ in range(200))
    assert set(seen) == {200, 500}
    assert 60 <= seen[500] <= 140  # more than five standard deviations to each side


def test_a_failing_status_without_a_body_keeps_the_connection_in_step(
    server: GameServer, http: httpx.Client, match_id: str
) -> None:
    server.put_faults(fail_status=204, calls=["create"])
    assert create(http, match_id).status_code == 204
    assert active_game(http, match_id) is None


# --- bad input


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic {}", "{}", "Bearer {}x", "Bearer ü"])
@pytest.mark.parametrize("path", ["/internal/users/demo/ann/active-game", "/games", "/nowhere"])
def test_without_the_token_nothing_is_told(server: GameServer, path: str, token: str) -> None:
    headers = {b"Authorization": token.format(server.token).encode()}
    answer = httpx.get(server.url + path, headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/internal/games", b"{", 400),
        ("POST", "/internal/games", b"[" * 60_000, 400),
        ("POST", "/internal/games", json.dumps(order("another")).encode(), 400),
        ("POST", "/internal/games", json.dumps(order("\ud800")).encode(), 400),
        ("PUT", "/faults", b'{"share": 2}', 400),
        ("PUT", "/faults", b"", 400),
        ("GET", "/internal/users/demo/%FF/active-game", b"", 400),
        ("GET", "/", b"", 404),
        ("GET", "/internal/users/demo//active-game", b"", 404),
        ("GET", "/play/unknown", b"", 404),
        ("GET", "/internal/games", b"", 405),
        ("PATCH", "/faults", b"{}", 405),
        ("BREW", "/faults", b"{}", 405),
        ("POST", "/internal/games", b" " * 65_537, 413),
        ("POST", "/internal/games", b" " * 900_000, 413),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bad_input_is_answered_in_json(
    http: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    answer = http.request(method, path, content=body, headers={"Idempotency-Key": "one"})
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_a_body_of_just_the_limit_is_read(http: httpx.Client, match_id: str) -> None:
    body = json.dumps(order(match_id)).encode()
    headers = {"Idempotency-Key": match_id}
    answer = http.post("/internal/games", content=body + b" " * (65_536 - len(body)), headers=headers)
    assert answer.status_code == 201


def exchange(server: GameServer, *sent: bytes) -> tuple[int, bytes]:
    """Send bytes piece by piece, read until the server closes, and return the answer's status and body."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0), timeout=5) as connection:
        for piece in sent:
            connection.sendall(piece)
            time.sleep(0.1)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("NONSENSE", 400),
        ("GET /calls HTTP/9.9", 505),
        ("GET /calls HTTP/1.1\r\nContent-Length: -1", 400),
        ("GET /calls HTTP/1.1\r\nContent-Length: 1_0", 400),
        ("POST /internal/games HTTP/1.1\r\nTransfer-Encoding: chunked", 400),
    ],
)
def test_broken_http_is_answered_in_json_and_the_connection_closed(
    server: GameServer, head: str, status: int
) -> None:
    answered, body = exchange(server, f"{head}\r\n\r\n".encode())
    assert answered == status
    assert list(json.loads(body)) == ["error"]


def test_a_caller_who_is_still_sending_gets_the_refusal_too(server: GameServer) -> None:
    head = b"POST /internal/games HTTP/1.1\r\nContent-Length: 900000\r\n\r\n"
    status, body = exchange(server, head, b" " * 50_000, b" " * 50_000)
    assert status == 413
    assert list(json.loads(body)) == ["error"]


def test_head_is_answered_without_a_body(server: GameServer) -> None:
    assert exchange(server, b"HEAD /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n") == (401, b"")


def test_a_connection_serves_on_after_refusals(server: GameServer) -> None:
    url = httpx.URL(server.url)
    connection = HTTPConnection(url.host, url.port, timeout=5)
    bodies = [("POST", "/nowhere"), ("HEAD", "/calls"), ("PUT", "/faults"), ("GET", "/calls")]
    seen = []
    for method, path in bodies:
        connection.request(method, path, body=b"[1]", headers=server.headers)
        answer = connection.getresponse()
        answer.read()
        seen.append(answer.status)
        connection.auto_open = 0  # From here on the same connection, or none.
    connection.close()
    assert seen == [404, 405, 400, 200]


# --- beginning and end


def test_it_ends_while_a_call_is_being_delayed_and_comes_back_at_its_address() -> None:
    server = GameServer()
    with server, httpx.Client(base_url=server.url, headers=server.headers, trust_env=False) as http:
        server.put_faults(delay_seconds=60)
        with pytest.raises(httpx.ReadTimeout):
            create(http, "m1", timeout=0.3)
        url = server.url
        server.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
        server.start()
        assert server.url == url
        assert server.games()["games"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with GameServer() as server:
        server.process.send_signal(number)
        assert server.process.wait(timeout=5) == 0


def test_a_port_that_is_taken_is_said_in_one_line(server: GameServer) -> None:
    second = GameServer()
    second.url = server.url
    with pytest.raises(AssertionError, match="cannot listen on") as failure:
        second.start()
    assert "Traceback" not in str(failure.value)
