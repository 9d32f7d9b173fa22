"""What goes to a socket, and what comes from it, where something is not well."""

from realtime.transport.delivery import Delivery
from realtime.transport.push import Push

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
