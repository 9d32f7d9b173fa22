"""The life of a connection: greeting, frames, heartbeats, closing codes."""

import asyncio
import json
import uuid
from collections.abc import Callable

import pytest
from websockets.asyncio.client import connect

from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

MakePlayer = Callable[..., Player]


async def test_a_connection_begins_with_connected_and_the_restored_state(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.next("state_restored")
        connected, restored = ann.frames[:2]
        assert list(connected) == ["type", "timestamp", "data"]
        assert connected["type"] == "connected"
        assert set(connected["data"]) == {
            "connection_id",
            "user_id",
            "heartbeat_interval",
            "server_time",
            "seq",
        }
        assert restored["data"] == {
            "ticket": None,
            "match": None,
            "session_id": None,
            "challenges": {"incoming": [], "outgoing": []},
            "party": None,
            "seq": 0,
            "resumed": False,
            "gap": False,
            "missed": [],
        }


async def test_the_server_selects_our_subprotocol(player: MakePlayer) -> None:
    async with player("ann") as ann:
        assert ann._socket.subprotocol == "matchmaking.v1"


async def test_a_native_client_may_send_the_token_as_a_header(stack: Stack) -> None:
    token = token_for("native", key=stack.jwt_signing_key)
    async with connect(
        f"{stack.ws_url}/ws/matchmaking/",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    ) as native:
        assert json.loads(await native.recv())["data"]["user_id"] == "native"


async def test_given_both_the_subprotocol_wins(stack: Stack) -> None:
    key = stack.jwt_signing_key
    async with connect(
        f"{stack.ws_url}/ws/matchmaking/",
        additional_headers={"Authorization": f"Bearer {token_for('header', key=key)}"},
        subprotocols=["matchmaking.v1", f"bearer.{token_for('subprotocol', key=key)}"],  # type: ignore[list-item]
        proxy=None,
    ) as native:
        assert json.loads(await native.recv())["data"]["user_id"] == "subprotocol"


async def test_a_token_in_the_url_is_ignored(stack: Stack) -> None:
    token = token_for("url", key=stack.jwt_signing_key)
    async with connect(f"{stack.ws_url}/ws/matchmaking/?token={token}", proxy=None) as nobody:
        with pytest.raises(Exception, match="4501"):
            await nobody.recv()


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
async def test_without_a_valid_token_the_socket_is_accepted_and_closed_with_4501(
    stack: Stack, token: str
) -> None:
    async with Player(stack.ws_url, token) as nobody:
        assert await nobody.closed() == 4501
        assert nobody.frames == []


async def test_a_browser_of_a_foreign_origin_is_closed_with_4503(stack: Stack) -> None:
    token = token_for("ann", key=stack.jwt_signing_key)
    async with connect(
        f"{stack.ws_url}/ws/matchmaking/",
        origin="https://evil.example",  # type: ignore[arg-type]
        subprotocols=["matchmaking.v1", f"bearer.{token}"],  # type: ignore[list-item]
        proxy=None,
    ) as browser:
        with pytest.raises(Exception, match="4503"):
            await browser.recv()


async def test_a_path_without_a_socket_is_closed_with_4504(player: MakePlayer) -> None:
    for path in ("/ws/nothing/", "/ws/sessions/nonsense/", f"/ws/sessions/{uuid.uuid4()}/"):
        async with player("ann", path=path) as ann:
            assert await ann.closed() == 4504


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "not json",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type":"nonsense"}',
        '{"type":"join_queue"}',
        '{"type":"join_queue","data":{"pool_key":"duel","colour":"red"}}',
        '{"type":"heartbeat","extra":1}',
        '{"type":"ack","data":{"id":"malformed"}}',
        '{"type":"join_queue","data":{"pool_key":"duel","metadata":{"x":"\\u0000"}}}',
        '{"type":"resync","data":{"last_seq":-1}}',
        "[" * 5000,
    ],
)
async def test_a_malformed_frame_gets_an_error_and_the_socket_stays_open(
    player: MakePlayer, frame: str
) -> None:
    async with player("ann") as ann:
        await ann.next("state_restored")
        await ann.send_text(frame)
        error = await ann.next("error")
        assert error["data"]["code"] == "invalid_request"
        assert error["data"]["errors"]
        await ann.send("heartbeat", ref="still here")
        assert (await ann.next("heartbeat_ack"))["ref"] == "still here"


async def test_the_error_of_a_refused_frame_carries_its_ref(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.send_text('{"type":"nonsense","ref":"mine"}')
        assert (await ann.next("error"))["ref"] == "mine"


async def test_an_unknown_acknowledgement_and_a_stray_pong_are_ignored_in_silence(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.send("ack", {"id": str(uuid.uuid4())})
        await ann.send("pong", {"nonce": "never sent"})
        await ann.send("heartbeat", {})
        await ann.next("heartbeat_ack")
        assert ann.of("error") == []


async def test_a_frame_of_16_kib_is_taken_and_a_larger_one_closes_with_1009(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.send_text("x" * 16 * 1024)
        await ann.next("error")
        await ann.send_text("x" * (16 * 1024 + 1))
        assert await ann.closed() == 1009


async def test_a_binary_frame_closes_with_4513(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.send_text(b"{}")
        assert await ann.closed() == 4513


async def test_a_burst_of_40_frames_is_fine_and_a_flood_closes_with_4029(player: MakePlayer) -> None:
    async with player("ann") as ann:
        for number in range(40):
            await ann.send("heartbeat", ref=str(number))
        await ann.next("heartbeat_ack", where=lambda frame: frame["ref"] == "39")
        for _ in range(60):
            await ann.send("heartbeat")
        assert await ann.closed() == 4029


async def test_a_sixth_connection_closes_the_oldest_with_4509(player: MakePlayer) -> None:
    players = [player("ann") for _ in range(6)]
    for each in players:
        await each.connect()
        await each.next("state_restored")
    assert await players[0].closed() == 4509
    await players[5].send("heartbeat")
    await players[5].next("heartbeat_ack")
    assert [each.close_code for each in players[1:]] == [None] * 5
    for each in players[1:]:
        await each.disconnect()


async def test_heartbeat_pings_come_and_a_client_that_answers_stays(player: MakePlayer) -> None:
    async with player("ann") as ann:
        await ann.next("heartbeat_ping", within=3)
        seen = len(ann.frames)
        ping = await ann.next("heartbeat_ping", within=3, since=seen)
        assert set(ping["data"]) == {"nonce", "seq"}
        await asyncio.sleep(2)
        assert ann.close_code is None


async def test_a_client_that_leaves_two_heartbeats_unanswered_is_closed_with_4008(player: MakePlayer) -> None:
    async with player("ann") as ann:
        ann.answers_heartbeats = False
        assert await ann.closed(within=6) == 4008
        assert len(ann.of("heartbeat_ping")) == 2


async def test_the_clients_own_heartbeats_are_signs_of_life_too(player: MakePlayer) -> None:
    async with player("ann") as ann:
        ann.answers_heartbeats = False
        for _ in range(20):
            await ann.send("heartbeat")
            await asyncio.sleep(0.25)
        assert ann.close_code is None


async def test_a_token_about_to_expire_is_announced_and_its_end_closes_with_4001(player: MakePlayer) -> None:
    async with player("ann", lifetime=2) as ann:
        assert 0 < (await ann.next("token_expiring"))["data"]["expires_in"] <= 2
        assert await ann.closed() == 4001


async def test_a_new_token_of_the_same_user_keeps_the_connection(stack: Stack) -> None:
    key = stack.jwt_signing_key
    async with Player(stack.ws_url, token_for("renewing", key=key, lifetime=2)) as ann:
        await ann.next("token_expiring")
        await ann.send("authenticate", {"token": token_for("renewing", key=key)})
        await asyncio.sleep(2.5)
        assert ann.close_code is None


@pytest.mark.parametrize("other", ["somebody-else", None])
async def test_a_token_of_somebody_else_or_garbage_is_refused_and_the_old_one_still_counts(
    stack: Stack, other: str | None
) -> None:
    key = stack.jwt_signing_key
    async with Player(stack.ws_url, token_for("ann", key=key)) as ann:
        token = token_for(other, key=key) if other else "garbage"
        await ann.send("authenticate", {"token": token}, ref="renewal")
        error = await ann.next("error")
        assert (error["data"]["code"], error["ref"]) == ("unauthorized", "renewal")
        await ann.send("heartbeat")
        await ann.next("heartbeat_ack")


async def test_an_idle_socket_lives_and_300_handshakes_at_once_all_succeed(player: MakePlayer) -> None:
    async with player("idle") as idle:
        crowd = [player(f"crowd{number}") for number in range(300)]
        await asyncio.gather(*(each.connect() for each in crowd))
        await asyncio.gather(*(each.next("state_restored", within=30) for each in crowd))
        await asyncio.gather(*(each.disconnect() for each in crowd))
        # Longer than the five seconds after which the Redis client's default time-out would strike.
        await asyncio.sleep(7)
        await idle.join()
        await idle.send("leave_queue")
        await idle.next("queue_cancelled")
