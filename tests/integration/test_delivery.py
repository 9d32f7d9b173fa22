"""What goes to a socket, and what comes from it, where something is not well."""

import asyncio

from pytest_django import Settings

from realtime.transport import presence
from realtime.transport.database import in_database
from realtime.transport.delivery import Delivery
from realtime.transport.hub import Hub
from realtime.transport.presence_writer import PresenceWriter
from realtime.transport.push import Push
from tests.integration.test_presence import NOW

ANN = "player:demo:ann"


async def test_a_socket_that_was_not_greeted_yet_is_sent_nothing() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    delivery = Delivery(send, connection_id="socket-of-ann", spawn=lambda _: None)
    delivery.address = ANN
    await delivery.catch_up(7)
    await delivery.take(Push(address=ANN, frame="ping", token="nonce"))
    assert sent == []
    async with delivery.holding():
        await send("state_restored")
        await delivery.restored(7, [])
    assert sent == ["state_restored", "ping"]


async def test_an_answer_that_could_not_be_written_is_tried_again_before_long(
    settings: Settings, unused_tcp_port: int
) -> None:
    hub, called = Hub(), asyncio.Event()
    loop = asyncio.get_running_loop()
    valkey, settings.REDIS_URL = settings.REDIS_URL, f"redis://127.0.0.1:{unused_tcp_port}"
    hub._presence = PresenceWriter("web-1")

    def wake() -> None:
        loop.call_soon_threadsafe(called.set)

    hub.answered(ANN, "nonce", wake)
    await asyncio.sleep(0.05)
    assert not called.is_set()
    settings.REDIS_URL = valkey
    hub._presence = PresenceWriter("web-1")
    async with asyncio.timeout(5):
        await called.wait()
    assert await in_database(presence.answered_at, [(ANN, "nonce")], now=NOW)
    await hub.stop()
