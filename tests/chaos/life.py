"""What players do all day: queue, get into trouble while they wait, play for a moment, and queue again."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from tests.chaos import challengers, mates
from tests.chaos.clients import ANSWER_SECONDS, UNREACHABLE, Client
from tests.chaos.games import Games
from tests.chaos.mirror import gist_of
from tests.chaos.personas import CALM

BETWEEN_GAMES_SECONDS = (0.3, 5)
"""Sixty players who queue so often keep two cores half busy; the faults are to be seen, not the load."""

LOOKS = 5
ANSWERS_FIRST = 0.4
"""So often a player between two games looks first at who has challenged it."""

DEEDS = challengers.DEEDS | mates.DEEDS
SETTLE_SECONDS = 15
"""In the calm, whoever is in a game ends it, and whoever waits may still be matched, or sit out a while."""


async def live(client: Client, pools: list[str]) -> None:
    """Live on until the calm, or until the one game of those who play elsewhere is over."""
    while not (client.world.calm.is_set() or client.has_played):
        try:
            await _turn(client, pools)
        except UNREACHABLE:
            await client.pause(client.rng.uniform(0.1, 0.6))


async def _turn(client: Client, pools: list[str]) -> None:
    if not client.is_open:
        await come_back(client)
    elif client.mirror.is_playing:
        await play(client)
    elif client.mirror.ticket is None:
        await client.pause(client.rng.uniform(*BETWEEN_GAMES_SECONDS))
        await _begin(client, pools)
    else:
        await client.pause(client.rng.uniform(0.1, 1.5))
        await _do(client, client.persona.deed(client.rng))


async def _begin(client: Client, pools: list[str]) -> None:
    """Queue, alone or with one's party, or look for a game without a queue."""
    if client.mirror.incoming and client.rng.random() < ANSWERS_FIRST:
        await challengers.answer(client)
    elif client.rng.random() < client.persona.plays_apart:
        await _do(client, client.persona.deed(client.rng))
    elif not client.persona.has_parties:
        await join(client, client.rng.choice(pools))
    elif (wishes := await mates.gather(client)) is not None:
        await join(client, mates.TEAM_POOL, **wishes)


async def come_back(client: Client) -> None:
    """Connect again, when the server asked for it, to either web process."""
    pause, client.come_back_after = client.come_back_after or client.rng.uniform(0, 0.3), 0
    await client.pause(pause)
    client.web = client.rng.randrange(2)
    await client.open()


async def join(client: Client, pool_key: str, **wishes: Any) -> None:
    """Queue over the socket or over REST; whatever was lost of the answer, the state will tell."""
    client.refused, refused = None, False
    wanted = {"pool_key": pool_key, **wishes}
    if client.rng.random() < client.persona.joins_by_rest:
        status, _ = await client.request("POST", "/matchmaking/queue", wanted)
        refused = status != 201
    else:
        await client.send("join_queue", wanted, ref="join")
        await client.until(
            lambda: client.mirror.ticket or client.refused or not client.is_open, ANSWER_SECONDS
        )
    if refused or client.refused:
        await client.send("resync", {"last_seq": client.mirror.last_seq})
        await client.pause(1)
    await client.until(lambda: client.mirror.ticket or client.mirror.match, 1)


async def _do(client: Client, deed: str) -> None:
    if deed in DEEDS:
        await DEEDS[deed](client)
    else:
        await _do_alone(client, deed)


async def _do_alone(client: Client, deed: str) -> None:
    match deed:
        case "leave":
            await _leave(client)
        case "drop":
            client.abort()
            await client.pause(client.rng.choice([0.05, 0.5, 2]))
        case "move":
            await client.close()
        case "freeze":
            await freeze(client, client.rng.uniform(0.3, client.world.clocks.stale * 0.7))
        case "vanish":
            await _vanish(client)
        case "look" if client.mirror.ticket:
            await client.request("GET", f"/matchmaking/queue/{client.mirror.ticket['queue_entry_id']}")
        case "resync":
            await client.send("resync", {"last_seq": client.mirror.last_seq})


async def _leave(client: Client) -> None:
    """Leave the queue over the socket or over REST."""
    if client.rng.random() < 0.5 and client.mirror.ticket:
        await client.request("DELETE", f"/matchmaking/queue/{client.mirror.ticket['queue_entry_id']}")
    else:
        await client.send("leave_queue", ref="leave")
    await client.until(lambda: client.mirror.ticket is None, ANSWER_SECONDS)


async def freeze(client: Client, seconds: float) -> None:
    """Be a program that the operating system does not run."""
    client.freeze()
    try:
        await client.pause(seconds)
    finally:
        client.thaw()


async def _vanish(client: Client) -> None:
    """Stay away for longer than the queue keeps a place."""
    clocks = client.world.clocks
    seconds = (clocks.stale + clocks.sweep) * client.rng.uniform(1.1, 1.8)
    if client.rng.random() < 0.5:
        await freeze(client, seconds)
    else:
        client.abort()
        await client.pause(seconds)


# --- the game


async def play(client: Client) -> None:
    """Be in the room for a moment, or not at all, and leave it."""
    if client.world.games is not None:
        await _play_elsewhere(client, client.world.games)
        return
    session_id, match = client.mirror.session_id, client.mirror.match
    if session_id is None or match is None:
        await client.send("resync", {"last_seq": client.mirror.last_seq})
        await client.pause(1)
        return
    if client.rng.random() < client.persona.stays_out_of_room:
        await _wait_for_the_end(client)
        return
    if client.rng.random() < 0.5:
        await _visit(client, session_id, client.rng.uniform(0.2, 1.5))
    status, _ = await client.request("POST", f"/sessions/{session_id}/leave")
    if status == 200:
        client.mirror.forget_match()
        if client.rng.random() < client.persona.asks_again:
            await challengers.rematch(client, match["match_id"])


async def _play_elsewhere(client: Client, games: Games) -> None:
    """Play at the live-game service, whose word that it is over is heard a minute later: too late here."""
    await client.pause(client.rng.uniform(0.2, 1.5))
    if client.mirror.match is not None and client.mirror.match.get("game_id"):
        await games.finish(client.mirror.match["game_id"])
    client.has_played = True


async def _wait_for_the_end(client: Client) -> None:
    """Let the others, or the grace period, end the game."""
    await client.pause(client.world.clocks.grace + 1)
    _, active = await client.request("GET", "/matchmaking/active")
    if active is not None and active.get("match", active) is None:
        client.mirror.forget_match()
    else:
        await client.pause(0.5)


async def _visit(client: Client, session_id: str, seconds: float) -> None:
    socket = await client.dial(f"/ws/sessions/{session_id}/")
    client.note("room_opened", session=session_id)
    reading = asyncio.create_task(_read_room(client, socket))
    await asyncio.wait([reading], timeout=seconds)
    if client.rng.random() < 0.3:
        socket.transport.abort()
    else:
        await socket.close()
    await reading
    client.note("room_closed", session=session_id, code=socket.close_code)


async def _read_room(client: Client, socket: ClientConnection) -> None:
    with suppress(WebSocketException):
        async for text in socket:
            frame = json.loads(text)
            client.note("room", frame=frame)
            if frame["type"] == "heartbeat_ping":
                await socket.send(
                    json.dumps({"type": "heartbeat_pong", "data": {"nonce": frame["data"]["nonce"]}})
                )


# --- the calm


async def settle(client: Client) -> None:
    """Behave, end what is running, and see at last whether one's own state is the server's."""
    if client.persona.plays_apart:
        with suppress(*UNREACHABLE):
            await challengers.keep_one(client)
    client.persona = CALM
    deadline = client.world.history.now + SETTLE_SECONDS
    while client.world.history.now < deadline:
        try:
            if not client.is_open:
                client.web = client.rng.randrange(2)
                await client.open()
            elif client.mirror.is_playing and client.mirror.session_id and client.world.games is None:
                await client.request("POST", f"/sessions/{client.mirror.session_id}/leave")
                client.mirror.forget_match()
        except UNREACHABLE:
            pass
        await asyncio.sleep(0.3)


async def compare(client: Client) -> None:
    """Hold the mirror against the server's own answer, which an event may be about to overtake."""
    held, served = client.mirror.gist(), None
    for _ in range(LOOKS):
        with suppress(*UNREACHABLE):
            status, active = await client.request("GET", "/matchmaking/active")
            held, served = client.mirror.gist(), gist_of(active) if status == 200 else None
            if held == served:
                break
        await asyncio.sleep(0.5)
    client.note("compared", is_open=client.is_open, held=held, served=served)
