"""Join the queue: alone, or as a party, whose tickets come, wait, meet and end together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from redis.exceptions import RedisError

from matchmaking import party_selectors, ratings
from matchmaking.domain.errors import ActiveGameExists, AlreadyInQueue, NotPartyLeader, PartyNotFound
from matchmaking.models import Party, PartyMember, Pool, Ticket
from matchmaking.services import tickets
from realtime.protocol.errors import InvalidRequest
from realtime.protocol.messages import JoinQueueData
from realtime.protocol.parts import Ticket as TicketMessage
from realtime.transport import presence
from realtime.transport.auth import Caller, player_address
from realtime.transport.database import violated_constraint
from realtime.transport.events import Origin

_TRIES = 3


def join(caller: Caller, request: JoinQueueData, *, origin: Origin, now: datetime) -> TicketMessage:
    """Queue the caller in a pool, with its party where the request names one; return the caller's ticket.

    Raises what `tickets.join` does, of any member; `PartyNotFound`, `NotPartyLeader`, and `InvalidRequest`
    for a party that is larger than a team.
    """
    if request.party_id is None:
        return tickets.join(caller, request, origin=origin, now=now)
    pool = tickets.wanted_pool(caller, request)
    # Its members' are asked about as they wait: one after the other, that could take long.
    ratings.refresh(pool, caller.user_id, now=now)
    for _ in range(_TRIES):
        party, members = _led_by(caller, request.party_id)
        _refuse_misfit(members, pool)
        _refuse_who_play(caller, members)
        there = _there(members, caller if origin.connection_id else None)
        try:
            with transaction.atomic():
                if _is_still(party, members):
                    new = _new_tickets(caller, party, members, pool, request, there=there, now=now)
                    return tickets.insert(new, origin=origin, now=now)
        except IntegrityError as error:
            if violated_constraint(error) != tickets.ONE_LIVE_TICKET:
                raise
        _refuse_second(caller, members)
        # The party has changed, or the ticket in the way has ended, since the look before.
    raise AlreadyInQueue


def _led_by(caller: Caller, party_id: str) -> tuple[Party, list[PartyMember]]:
    """Return a party that the caller leads, with its members, the caller first."""
    party = party_selectors.party_for(caller, party_id)
    members = list(party.members.all())
    if caller.user_id not in {member.user_id for member in members}:
        raise PartyNotFound
    if party.leader_id != caller.user_id:
        raise NotPartyLeader
    return party, sorted(members, key=lambda member: member.user_id != caller.user_id)


def _refuse_misfit(members: Sequence[PartyMember], pool: Pool) -> None:
    if len(members) > pool.team_size:
        text = f"A party of {len(members)} does not fit into this pool's teams of {pool.team_size}"
        raise InvalidRequest(text, field="party_id")


def _refuse_who_play(caller: Caller, members: Sequence[PartyMember]) -> None:
    """Refuse those who are in a game at the host."""
    for member in members:
        if tickets.plays_elsewhere(member.tenant_id, member.user_id):
            # A match in flight is a game at the host already; the ticket says more.
            _refuse_second(caller, members)
            raise ActiveGameExists if member.user_id == caller.user_id else tickets.mate_plays(member)


def _refuse_second(caller: Caller, members: Sequence[PartyMember]) -> None:
    user_ids = [member.user_id for member in members]
    live = Ticket.objects.filter(
        tenant_id=caller.tenant_id, user_id__in=user_ids, status__in=Ticket.LIVE
    ).order_by("id")
    in_the_way = {ticket.user_id: ticket for ticket in live}
    if own := in_the_way.get(caller.user_id):
        raise AlreadyInQueue(queue_entry_id=str(own.id))
    for ticket in in_the_way.values():
        raise AlreadyInQueue(f"{ticket.display_name} is in a queue already", user_id=ticket.user_id)


def _there(members: Sequence[PartyMember], asking: Caller | None) -> set[str]:
    """Return who of the members has a connection; ``asking`` asks over its own."""
    own = {asking.user_id} if asking else set()
    addresses = {m.user_id: player_address(m.tenant_id, m.user_id) for m in members}
    try:
        connected = presence.connected(list(addresses.values()))
    except RedisError:
        return own  # the loop asks again, as long as the tickets wait
    return own | {user_id for user_id, address in addresses.items() if address in connected}


def _is_still(party: Party, members: Sequence[PartyMember]) -> bool:
    """Lock a party, so that nobody comes or goes while it joins; return whether it is as it was seen."""
    now = Party.objects.select_for_update(no_key=True).get(id=party.id)
    present = set(now.members.values_list("user_id", flat=True))
    return now.leader_id == party.leader_id and present == {member.user_id for member in members}


def _new_tickets(
    caller: Caller,
    party: Party,
    members: Sequence[PartyMember],
    pool: Pool,
    request: JoinQueueData,
    *,
    there: set[str],
    now: datetime,
) -> list[Ticket]:
    """Return the tickets of a party, the caller's first: one wait, one place, and each player's own rating.

    The head start is the smallest of all: nobody buys one by its company.
    """
    priority = min([caller.priority_seconds, *(m.priority_seconds for m in members[1:])])
    leader = replace(caller, priority_seconds=priority)
    own = tickets.new_ticket(leader, pool, request, is_there=caller.user_id in there, now=now)
    own.party = party
    skills = ratings.ratings_of(pool, [member.user_id for member in members])
    return [own, *(_beside(own, m, skills[m.user_id].value, there, now=now) for m in members[1:])]


def _beside(own: Ticket, member: PartyMember, rating: float, there: set[str], *, now: datetime) -> Ticket:
    """Return a member's ticket, which wants what its leader's does."""
    return Ticket(
        tenant_id=own.tenant_id,
        user_id=member.user_id,
        display_name=member.display_name,
        pool=own.pool,
        party=own.party,
        queued_at=own.queued_at,
        priority_seconds=own.priority_seconds,
        age_from=own.age_from,
        rating=rating,
        regions=own.regions,
        latencies=own.latencies,
        modes=own.modes,
        max_gap=own.max_gap,
        estimated_wait=own.estimated_wait,
        unreachable_since=None if member.user_id in there else now,
    )
