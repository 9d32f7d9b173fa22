"""Players who queue in parties: they find each other, and now and then one goes, or is sent away."""

from tests.chaos.clients import Client, Deed
from tests.chaos.history import Data
from tests.chaos.mirror import member_ids

PARTIES = "/matchmaking/parties"
TEAM_POOL = "teams"
TEAM_SIZE = 2
ALONE_SHARE = 0.15
"""So often a player queues without company, for lobbies are filled by those as well."""

PARTNER_SHARE = 0.8
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
    if len(party["members"]) < TEAM_SIZE:
        await _invite(client, party["party_id"])
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
    """Go where one was invited; else make a party, or wait for the other one of the pair to do so."""
    if client.mirror.invitations:
        party_id = client.mirror.invitations.pop()
        await client.request("POST", f"{PARTIES}/{party_id}/join")
    elif client.name < (client.world.partner_of(client) or ""):
        await client.request("POST", PARTIES, {})
    else:
        await client.until(lambda: client.mirror.invitations, COMPANY_SECONDS)
    await client.until(lambda: client.mirror.party, 1)


async def _invite(client: Client, party_id: str) -> None:
    """Ask somebody in, mostly the other one of the pair, and wait for a moment."""
    others = [p.name for p in client.world.players if p.persona.has_parties and p is not client]
    partner = client.world.partner_of(client)
    invited = partner if partner and client.rng.random() < PARTNER_SHARE else client.rng.choice(others)
    await client.request("POST", f"{PARTIES}/{party_id}/invite", {"user_id": invited})
    await client.until(lambda: len(member_ids(client.mirror.party)) > 1, COMPANY_SECONDS)
