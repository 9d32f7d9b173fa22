"""Bodies, processes and services that misbehave, against the real processes."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable

import httpx
import pytest
from websockets.exceptions import InvalidMessage

from tests.acceptance.stacks import Stack
from tests.players import Player
from tests.realtime.test_matchmaking_socket import asked
from tests.realtime.test_session_socket import duel

MakePlayer = Callable[..., Player]
MIB = b"x" * 1024 * 1024


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
async def test_a_body_of_1_mib_is_413_whatever_it_says_it_is(stack: Stack, content_type: str) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url) as client:
        answer = await client.post(
            "/v1/matchmaking/queue", content=MIB, headers={"content-type": content_type}
        )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"


def test_a_declared_giant_is_refused_before_it_is_sent(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as client:
        client.sendall(
            b"POST /v1/auth/guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert client.recv(1024).startswith(b"HTTP/1.1 413 ")


def pour(client: socket.socket) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(400):
        client.sendall(chunk)
        time.sleep(0.01)


def test_a_chunked_giant_is_cut_off(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as client:
        client.sendall(
            b"POST /v1/auth/guest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with pytest.raises(OSError, match=r"reset|Broken|pipe"):
            pour(client)


async def test_a_form_made_to_be_slow_delays_nobody(stack: Stack) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="k"\r\n\r\nv\r\n'
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=5) as client:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        refused = await client.post("/v1/auth/guest", content=part * 1200, headers=headers)
        assert refused.status_code == 400
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_a_health_check_is_not_posted_to(stack: Stack, path: str) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url) as client:
        assert (await client.post(path)).status_code == 405


def test_a_handshake_that_is_no_text_is_refused_without_a_word_of_the_inside(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as client:
        client.sendall(
            b"GET /ws/matchmaking/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: \xff\xfe\r\n\r\n"
        )
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"codec" not in answer


async def test_a_flood_of_protocol_pings_closes_with_4029(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.next("state_restored")
        for _ in range(200):
            await ann._socket.ping()
        assert await ann.closed() == 4029


async def test_resync_is_answered_once_a_second_however_often_it_is_asked_for(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.next("state_restored")
        for _ in range(30):
            await ann.send("resync", {"last_seq": 0})
        await asyncio.sleep(2.5)
        assert 2 <= len(ann.of("state_restored")) <= 5
        assert ann.close_code is None


async def test_a_killed_web_process_leaves_nobody_in_the_game_for_ever(
    player: MakePlayer, stack: Stack
) -> None:
    async with duel(player) as (ann_queue, _, ann, bob):
        os.kill(stack.pid_of("web"), signal.SIGKILL)
        await asyncio.gather(ann.closed(), bob.closed())
        for _ in range(300):
            try:
                if (await asked(stack, "matchmaking/active", ann_queue))["match"] is None:
                    break
            except OSError:
                pass  # it is not up again yet
            await asyncio.sleep(0.1)
        assert (await asked(stack, "matchmaking/active", ann_queue))["match"] is None


@pytest.mark.parametrize("part", ["valkey", "postgres", "beat"])
async def test_after_a_part_was_killed_matching_goes_on(player: MakePlayer, stack: Stack, part: str) -> None:
    ann, bob = player("ann"), player("bob")
    async with ann, bob:
        await ann.join("casual")
        os.kill(stack.pid_of(part), signal.SIGKILL if part != "postgres" else signal.SIGQUIT)
        await asyncio.sleep(1)
        for _ in range(100):
            seen = len(bob.frames)
            await bob.send("join_queue", {"pool_key": "casual"})
            answer = await bob.next("queue_joined", "error", since=seen, within=20)
            if answer["type"] == "queue_joined" or answer["data"]["code"] == "already_in_queue":
                break
            await asyncio.sleep(0.2)
        await asyncio.gather(ann.next("match_ready", within=30), bob.next("match_ready", within=30))


async def test_a_client_of_a_stopping_server_is_told_or_turned_away(stack: Stack, player: MakePlayer) -> None:
    os.kill(stack.pid_of("web"), signal.SIGTERM)
    for _ in range(300):
        late = player("late")
        try:
            await late.connect()
        except (OSError, InvalidMessage):
            await asyncio.sleep(0.1)
            continue
        frame = await late.next("state_restored", "goodbye")
        await late.disconnect()
        if frame["type"] == "state_restored":
            break
    assert frame["type"] == "state_restored"
