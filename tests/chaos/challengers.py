"""What players ask of each other, and what they say to it: challenges, open ones, and rematches."""

import math
from collections.abc import Sequence

from tests.chaos.clients import UNREACHABLE, Client, Deed
from tests.chaos.history import Data

CHALLENGES = "/matchmaking/challenges"
TERMS: tuple[Data, ...] = ({"pool_key": "duel"}, {"pool_key": "blitz", "rated": False}, {})
EXPIRES_IN = (10, 12, 20)
"""10 s is the least that there is: some expire, and some while they are being accepted."""

BEAT_SECONDS = 1.5
"""Who does something at once with others does it on the next beat, which is the same for all."""

OPEN_SHARE = 0.4
KNOWN_SHARE = 0.6
"""So often a player asks one who challenges others as well, and so answers soon."""

BESIDE_SHARE = 0.4
"""So often a player does not wait for the answer to its accepting, and goes on."""

SHOWN = 5
ASKS_AGAIN_TIMES = 3
ASKS_AGAIN_SECONDS = 0.7
KEPT_SECONDS = 600
"""What is asked in the calm waits for longer than that lasts: there is something to compare."""


async def challenge(client: Client) -> None:
    """Ask somebody for a game, or whoever comes."""
    opponent = None if client.rng.random() < OPEN_SHARE else _somebody(client)
    await _ask(client, opponent, expires_in=client.rng.choice(EXPIRES_IN))


async def keep_one(client: Client) -> None:
    """Ask somebody for a game who will not answer before the run is over."""
    await _ask(client, _somebody(client), expires_in=KEPT_SECONDS)


async def answer(client: Client) -> None:
    """Accept or decline one of the challenges to this player."""
    if not client.mirror.incoming:
        return
    challenge_id = client.rng.choice(list(client.mirror.incoming))
    if client.rng.random() < 0.25:
        await client.request("POST", f"{CHALLENGES}/{challenge_id}/decline")
    else:
        await _accept(client, challenge_id)


async def take(client: Client) -> None:
    """Take one of the newest open challenges, together with others who want it."""
    if shown := client.world.open_challenges[-SHOWN:]:
        challenge_id = client.rng.choice(shown)
        await _beat(client)
        await _accept(client, challenge_id)


async def withdraw(client: Client) -> None:
    """Take one's own challenge back, be it that somebody accepts it this moment."""
    if client.mirror.outgoing:
        challenge_id = client.rng.choice(list(client.mirror.outgoing))
        await _beat(client)
        await client.request("POST", f"{CHALLENGES}/{challenge_id}/cancel")


async def cross(client: Client) -> None:
    """Ask the other one of a pair, which asks the same; accept when that one does."""
    other = client.world.partner_of(client)
    if other is None:
        return
    if not _asked_of(client.mirror.outgoing, "opponent", other):
        await _ask(client, other, expires_in=client.rng.choice(EXPIRES_IN))
    crossing = _asked_of(client.mirror.incoming, "challenger", other)
    if crossing:
        await _beat(client)
        await _accept(client, crossing[0])


async def rematch(client: Client, match_id: str) -> None:
    """Ask for the same game again, or say yes to the other one, as soon as the match is over."""
    for _ in range(ASKS_AGAIN_TIMES):
        status, body = await client.request("POST", f"/matchmaking/matches/{match_id}/rematch")
        if status != 409 or body["code"] != "match_not_finished":
            return
        await client.pause(ASKS_AGAIN_SECONDS)


DEEDS: dict[str, Deed] = {
    "challenge": challenge,
    "answer": answer,
    "take": take,
    "withdraw": withdraw,
    "cross": cross,
}


async def _ask(client: Client, opponent: str | None, *, expires_in: float) -> None:
    wanted = dict(client.rng.choice(TERMS)) | {"expires_in": expires_in}
    if opponent is not None:
        wanted["opponent_id"] = opponent
    status, body = await client.request("POST", CHALLENGES, wanted)
    if status == 201 and opponent is None:
        client.world.open_challenges.append(body["challenge_id"])


async def _accept(client: Client, challenge_id: str) -> None:
    if client.rng.random() < BESIDE_SHARE:
        client.start(_accept_beside(client, challenge_id))
        return
    status, _ = await client.request("POST", f"{CHALLENGES}/{challenge_id}/accept")
    if status == 200:
        await client.until(lambda: client.mirror.is_playing, 1)


async def _accept_beside(client: Client, challenge_id: str) -> None:
    try:
        await client.request("POST", f"{CHALLENGES}/{challenge_id}/accept")
    except UNREACHABLE:
        return  # the history has it


async def _beat(client: Client) -> None:
    now = client.world.history.now
    await client.pause(math.ceil(now / BEAT_SECONDS) * BEAT_SECONDS - now)


def _somebody(client: Client) -> str | None:
    others = [player for player in client.world.players if player is not client]
    known = [player for player in others if player.persona.plays_apart]
    if not others:
        return None
    return client.rng.choice(known if known and client.rng.random() < KNOWN_SHARE else others).name


def _asked_of(waiting: dict[str, Data], side: str, name: str) -> Sequence[str]:
    return [
        challenge_id
        for challenge_id, challenge in waiting.items()
        if challenge[side] is not None and challenge[side]["user_id"] == name
    ]
