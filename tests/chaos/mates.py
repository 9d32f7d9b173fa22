"""Players who queue in parties: they find each other, and now and then one goes, or is sent away."""

from tests.chaos.clients import Client, Deed
from tests.chaos.history import Data
from tests.chaos.mirror import member_ids

PARTIES = "/matchmaking/parties"
TEAM_POOL = "teams"
TEAM_SIZE = 2
ALONE_SHARE = 0.3
"""So often a player queues without company, for lobbies are filled by those as well."""

FOUNDS_SHARE = 0.4
"""So often one without a party makes one; else it waits to be invited."""

COMPANY_SECONDS = 3


async def gather(client: Client) -> Data | None:
    """Be in a party, or see that one comes about; return what to queue with, or None to go on waiting."""
    party = client.mirror.party
    if party is None:
        if client.rng.random() < ALONE_SHARE:
            return {}
        await _find(client)
        return None
    if party["leader"] != client.name:
        await client.until(lambda: client.mirror.ticket or client.mirror.party is None, COMPANY_SECONDS)
        return None
    if len(party["members"]) < TEAM_SIZE and not await _has_company(client, party["party_id"]):
        await go(client)
        return None
    return {"party_id": party["party_id"]}


async def go(client: Client) -> None:
    """Leave one's party, whatever it is doing."""
    if client.mirror.party is not None:
        await client.request("POST", f"{PARTIES}/{client.mirror.party['party_id']}/leave")


async def send_away(client: Client) -> None:
    """Send somebody away from the party that one leads."""
    party = client.mirror.party
    others = [name for name in member_ids(party) if name != client.name]
    if party is not None and others:
        sent = {"user_id": client.rng.choice(others)}
        await client.request("POST", f"{PARTIES}/{party['party_id']}/kick", sent)


DEEDS: dict[str, Deed] = {"go": go, "send_away": send_away}


async def _find(client: Client) -> None:
    """Go where one was invited, or make a party."""
    while client.mirror.invitations:
        party_id = client.mirror.invitations.pop()
        status, _ = await client.request("POST", f"{PARTIES}/{party_id}/join")
        if status == 200:
            break
    else:
        if client.rng.random() < FOUNDS_SHARE:
            await client.request("POST", PARTIES, {})
        else:
            await client.until(lambda: client.mirror.invitations, COMPANY_SECONDS)
    await client.until(lambda: client.mirror.party, 1)


async def _has_company(client: Client, party_id: str) -> bool:
    """Ask somebody in who is in no party, if there is one; return whether anybody came."""
    company = [p for p in client.world.players if p.persona.has_parties and p is not client]
    if lonely := [p.name for p in company if p.mirror.party is None]:
        wanted = {"user_id": client.rng.choice(lonely)}
        await client.request("POST", f"{PARTIES}/{party_id}/invite", wanted)
        await client.until(lambda: len(member_ids(client.mirror.party)) > 1, COMPANY_SECONDS)
    return len(member_ids(client.mirror.party)) > 1
