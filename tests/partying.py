"""Parties, for tests beside a real database: made, joined, queued."""

from typing import Any

from matchmaking.models import Party, Pool, Ticket
from matchmaking.services import queueing
from realtime.protocol.messages import JoinQueueData
from realtime.transport.database import database_now
from realtime.transport.events import Origin
from tests.factories import Answer, Rest, caller, connect

PARTIES = "/matchmaking/parties"


def send(change: str, by: str, party_id: str, whom: str | None = None, **claims: Any) -> Answer:
    """Let a player join or leave a party, or invite somebody or send one away."""
    body = None if whom is None else {"user_id": whom}
    return Rest(by, **claims).post(f"{PARTIES}/{party_id}/{change}", body)


def party(leader: str, *members: str, **claims: Any) -> str:
    """Make a party of these players, who are all here; return its id."""
    made = Rest(leader, **claims).post(PARTIES)
    assert made.status == 201, made
    party_id: str = made.body["party_id"]
    for name in (leader, *members):
        connect(name, claims.get("tenant_id", "demo"))
    for name in members:
        assert send("invite", leader, party_id, name, **claims).status == 200
        assert send("join", name, party_id, **claims).status == 200
    return party_id


def row(party_id: str) -> Party:
    return Party.objects.get(id=party_id)


def members_of(answer: Answer) -> list[str]:
    return [member["user_id"] for member in answer.body["members"]]


def queue(leader: str, party_id: str, pool: Pool, **wanted: Any) -> list[Ticket]:
    """Queue a party in a pool; return its tickets, in the order of joining the party."""
    queueing.join(
        caller(leader, tenant_id=pool.tenant_id),
        JoinQueueData(pool_key=pool.key, party_id=party_id, **wanted),
        origin=Origin(f"socket-of-{leader}"),
        now=database_now(),
    )
    return tickets_of(party_id)


def tickets_of(party_id: str) -> list[Ticket]:
    return list(Ticket.objects.filter(party_id=party_id).order_by("id"))


def queued_party(pool: Pool, leader: str, *members: str, **wanted: Any) -> str:
    """Make a party and queue it; return its id."""
    party_id = party(leader, *members)
    queue(leader, party_id, pool, **wanted)
    return party_id


def statuses(party_id: str) -> set[str]:
    return {ticket.status for ticket in tickets_of(party_id)}
