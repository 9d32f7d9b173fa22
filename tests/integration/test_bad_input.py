"""Whatever comes over HTTP, the answer is a problem in one word, and never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.test import Client

from matchmaking.models import Pool, Ticket
from tests.factories import Answer, Rest, queued, token

pytestmark = pytest.mark.django_db

QUEUE = "/matchmaking/queue"
LIMIT = 64 * 1024


def sent(body: bytes, **headers: str) -> Answer:
    return Rest("ann").send("POST", QUEUE, body, **headers)


def nested(depth: int) -> bytes:
    return b'{"pool_key":"duel","metadata":{"x":' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"{",
        b'{"pool_key":"duel"}}',
        b'{"pool_key":"duel",}',
        b"{'pool_key':'duel'}",
        b"pool_key=duel",
        b"NaN",
        b'{"pool_key":"duel","metadata":{"n":NaN}}',
        b'{"pool_key":"duel","metadata":{"n":Infinity}}',
        b'{"pool_key":"duel","metadata":{"n":1e400}}',
        b'{"pool_key":"duel","metadata":{"n":' + b"9" * 5000 + b"}}",
        # jsonb would write hundreds of digits for each of these.
        b'{"pool_key":"duel","metadata":{"n":' + b"9" * 30 + b"}}",
        b'{"pool_key":"duel","metadata":{"n":1e300}}',
        b'{"pool_key":"duel","metadata":{"n":-1e-300}}',
        b'{"pool_key":"duel","latencies":{"eu":1e400}}',
        b'{"pool_key":"duel","latencies":{"eu":' + b"9" * 5000 + b"}}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b'{"pool_key":"\xff"}',
        b'{"pool_key":"\xed\xa0\x80"}',
        b'{"pool_key":"duel","metadata":{"\xc0\x80":1}}',
        b'{"pool_key":"\\ud800"}',
        b'{"pool_key":"duel","metadata":{"s":"\\udc00 \\ud800"}}',
        b'{"pool_key":"duel","metadata":{"\\ud83d":1}}',
        b'{"pool_key":"du\x00el"}',
        b'{"pool_key":"du\\u0000el"}',
        b'{"pool_key":"duel","metadata":{"s":"\\u0000"}}',
        b'{"pool_key":"duel","metadata":{"s":[{"\\u0000":1}]}}',
        b"\x00",
        b"[]",
        b'"duel"',
        b"7",
        b"null",
        b"true",
        nested(32),
        nested(1000),
        nested(30_000),
        b"[" * LIMIT,
        b'{"pool_key":"duel","metadata":' + b'{"x":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_not_what_it_should_be_is_400(duel: Pool, body: bytes) -> None:
    refusal = sent(body)
    assert refusal.refusal == (400, "invalid_request")
    assert refusal.body["errors"]
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    "metadata",
    [
        b'{"n":1e18,"m":-1e-18,"z":-0.0}',
        b'{"s":"\\ud83d\\ude00 \\ufffe \\u2028"}',
        b'{"":{"":[[],{},null,true]}}',
        b'{"a":1,"a":2}',
        b'{"s":"\'; DROP TABLE x; -- %s %% {}"}',
    ],
)
def test_odd_metadata_is_kept_and_breaks_no_later_answer(duel: Pool, metadata: bytes) -> None:
    assert sent(b'{"pool_key":"duel","metadata":' + metadata + b"}").status == 201
    assert Rest("ann").get("/matchmaking/active").status == 200
    assert Ticket.objects.get().metadata.keys() == json.loads(metadata).keys()


def test_what_a_request_calls_its_body_or_wants_as_an_answer_does_not_matter(duel: Pool) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
    assert sent(b'{"pool_key":"nonsense"}', **form).refusal == (404, "pool_not_found")
    assert Rest("ann").get("/matchmaking/active?format=xml").status == 200


@pytest.mark.parametrize("length", ["-1", "x", "1e3", " "])
def test_a_length_that_is_no_number_is_no_error_of_the_server(duel: Pool, length: str) -> None:
    assert sent(b'{"pool_key":"nonsense"}', **{"content-length": length}).status in {400, 404}


def test_a_body_of_more_than_64_kib_is_413_even_past_the_wall(duel: Pool) -> None:
    body = b'{"pool_key":"duel","metadata":{"x":"' + b"x" * LIMIT + b'"}}'
    assert sent(body).refusal == (413, "invalid_request")
    assert sent(body[:LIMIT]).refusal == (400, "invalid_request")


# --- the wall before HTTP


async def posted(content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    # Only now, for it reads the settings that the fixtures have changed.
    from matchmaking_site.asgi import application

    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        headers |= {"authorization": f"Bearer {token('ann')}"}
        return await client.post(f"/v1{QUEUE}", content=content, headers=headers)


class Chunks:
    """A body that does not say how long it is; it remembers how much of it was read."""

    def __init__(self, count: int) -> None:
        self.read = 0
        self._count = count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._count):
            self.read += 1024
            yield b"x" * 1024


async def test_a_body_of_1_mib_that_says_so_is_refused_unread() -> None:
    chunks = Chunks(1024)
    response = await posted(chunks.__aiter__(), **{"content-length": str(2**20)})
    assert (response.status_code, response.json()["code"]) == (413, "invalid_request")
    assert response.headers["content-type"] == "application/problem+json"
    assert chunks.read == 0


async def test_a_chunked_body_of_1_mib_is_refused_at_the_limit() -> None:
    chunks = Chunks(1024)
    response = await posted(chunks.__aiter__())
    assert (response.status_code, response.json()["code"]) == (413, "invalid_request")
    assert LIMIT < chunks.read <= LIMIT + 2 * 1024


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 400), (LIMIT + 1, 413)])
async def test_the_wall_stands_at_64_kib_to_the_byte(size: int, status: int) -> None:
    assert (await posted(b"x" * size)).status_code == status


# --- routes, methods, hosts


@pytest.mark.parametrize(
    "path", ["/nonsense", "/", QUEUE + "/", "/matchmaking", "/matchmaking/queue/x/y", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_route_that_does_not_exist_is_404(path: str, method: str) -> None:
    assert Rest("ann").send(method, path).refusal == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", QUEUE),
        ("PUT", QUEUE),
        ("PATCH", QUEUE + "/x"),
        ("POST", QUEUE + "/x"),
        ("POST", "/matchmaking/active"),
        ("DELETE", "/matchmaking/matches"),
        ("GET", "/auth/token"),
        ("GET", "/auth/guest"),
        ("GET", "/sessions/x/leave"),
        ("BREW", "/matchmaking/pools"),
    ],
)
def test_another_method_is_405(method: str, path: str) -> None:
    assert Rest("ann").send(method, path).refusal == (405, "invalid_request")


def test_a_host_that_is_not_ours_is_400() -> None:
    refusal = Rest("ann").send("GET", "/matchmaking/active", host="evil.example")
    assert refusal.refusal == (400, "invalid_request")
    assert "evil" not in json.dumps(refusal.body)


def test_a_bug_is_told_in_one_word(duel: Pool) -> None:
    ann = queued("ann", duel)
    Pool.objects.update(radius=-1)
    answer = Rest("ann").get(f"{QUEUE}/{ann.id}")
    assert answer.refusal == (500, "internal_error")
    assert answer.body["detail"] == answer.body["title"] == "Something went wrong on our side"


# --- other origins


def preflight(origin: str) -> httpx.Headers:
    response = Client().options(
        f"/v1{QUEUE}",
        headers={
            "origin": origin,
            "access-control-request-method": "DELETE",
            "access-control-request-headers": "authorization,content-type,idempotency-key",
        },
    )
    return httpx.Headers(dict(response.headers))


def test_a_page_of_an_allowed_origin_may_call() -> None:
    origin = settings.ALLOWED_ORIGINS[0]
    allowed = preflight(origin)
    assert allowed["access-control-allow-origin"] == origin
    assert "DELETE" in allowed["access-control-allow-methods"]
    names = set(allowed["access-control-allow-headers"].split(", "))
    assert names == {"accept", "authorization", "content-type", "idempotency-key"}
    assert "access-control-allow-credentials" not in allowed
    for answer in (Rest("ann"), Rest()):
        headers = answer.send("GET", "/matchmaking/active", origin=origin).headers
        assert headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:8000.evil.example", "http://127.0.0.1"]
)
def test_a_page_of_any_other_origin_may_not(origin: str) -> None:
    assert "access-control-allow-origin" not in preflight(origin)
    answer = Rest("ann").send("GET", "/matchmaking/active", origin=origin)
    assert "access-control-allow-origin" not in answer.headers


# --- without its services

_WITHOUT_SERVICES = """
import django
django.setup()
from django.conf import settings
from django.test import Client
settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 0.5
from tests.factories import Rest
print(*Rest("ann").join().refusal)
print(Rest(base="/health").get("/live").status)
"""


def test_without_its_database_matchmaking_is_unavailable(tmp_path: Path) -> None:
    nowhere = {
        "DATABASE_URL": f"postgresql://nobody@{str(tmp_path).replace('/', '%2F')}/nothing",
        "REDIS_URL": f"unix://{tmp_path}/nothing.sock",
        "DJANGO_SETTINGS_MODULE": "matchmaking_site.settings",
        "ALLOWED_HOSTS": "testserver",
    }
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_SERVICES],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.split() == ["503", "matchmaking_unavailable", "200"], run.stderr
