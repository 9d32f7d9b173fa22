"""What members are told of their parties.

It is composed when their streams are locked, and not before: changes of one party come from transactions that
lock nothing in common, such as the end of a match and a member who leaves.
"""

import functools
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from redis.exceptions import RedisError

from matchmaking import party_selectors
from matchmaking.models import MatchPlayer, Party, Ticket
from realtime.protocol.messages import PartyInvited, PartyUpdated
from realtime.protocol.parts import fields_of
from realtime.transport import presence
from realtime.transport.auth import Caller, player_address
from realtime.transport.events import Outgoing, emit


def invited(party: Party, user_id: str) -> Outgoing:
    """Return what tells somebody that it may join."""
    return Outgoing(
        address=player_address(party.tenant_id, user_id),
        message=lambda: PartyInvited(**fields_of(party_selectors.party_part(party.id))),
    )


def changed(party_ids: Iterable[UUID]) -> list[Outgoing]:
    """Return what tells the members of parties how these are now."""
    found = party_selectors.addresses_of(party_ids)
    return [event for party_id, addresses in found.items() for event in _updates(party_id, addresses)]


def changed_by_leaving(party: Party, user_id: str) -> list[Outgoing]:
    """Return what tells those who stay in a party, and the one who has left it."""
    addresses = party_selectors.addresses_of([party.id]).get(party.id, [])
    return _updates(party.id, [*addresses, player_address(party.tenant_id, user_id)])


def of_tickets(tickets: Iterable[Ticket]) -> list[Outgoing]:
    """Return what tells the parties of these tickets."""
    party_ids = {ticket.party_id for ticket in tickets if ticket.party_id is not None}
    return changed(party_ids) if party_ids else []


def of_players(players: Iterable[MatchPlayer]) -> list[Outgoing]:
    """Return what tells the parties of these players of a match."""
    by_tenant: dict[str, list[str]] = {}
    for player in players:
        by_tenant.setdefault(player.tenant_id, []).append(player.user_id)
    party_ids = party_selectors.parties_of(by_tenant) if by_tenant else set()
    return changed(party_ids) if party_ids else []


def _updates(party_id: UUID, addresses: Sequence[str]) -> list[Outgoing]:
    @functools.cache
    def updated() -> PartyUpdated:
        return PartyUpdated(**fields_of(party_selectors.party_part(party_id)))

    return [Outgoing(address=address, message=updated) for address in addresses]


# --- being there


def note_connected(caller: Caller, *, was_unreachable: bool, now: datetime) -> None:
    """Tell the caller's party that it is there: with its first connection, and where it had not answered."""
    party = party_selectors.party_of(caller.tenant_id, caller.user_id)
    if party is not None and (was_unreachable or _has_come(caller, now=now)):
        _tell_others(party, caller, now=now)


def _has_come(caller: Caller, *, now: datetime) -> bool:
    try:
        connections = presence.connections_of([caller.address], now=now)[caller.address]
    except RedisError:
        return True  # nobody can say; once too often does no harm
    return sum(connection.is_alive for connection in connections) <= 1


def note_disconnected(caller: Caller, *, now: datetime) -> None:
    """Tell the caller's party that its last connection is gone."""
    party = party_selectors.party_of(caller.tenant_id, caller.user_id)
    if party is not None:
        _tell_others(party, caller, now=now)


def _tell_others(party: Party, caller: Caller, *, now: datetime) -> None:
    with transaction.atomic():
        told = changed([party.id])
        emit([event for event in told if event.address != caller.address], now=now)


def tell(party_ids: Collection[UUID], *, now: datetime) -> None:
    """Tell the members of parties how these are now."""
    if party_ids:
        with transaction.atomic():
            emit(changed(party_ids), now=now)
