"""Reads: parties, as their members see them."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.db.models import Q
from redis.exceptions import RedisError

from matchmaking.domain import parties as rules
from matchmaking.domain.errors import PartyNotFound
from matchmaking.domain.parties import Status
from matchmaking.models import Match, MatchPlayer, Party, PartyMember, Ticket
from realtime.identifiers import parse_id
from realtime.protocol import parts
from realtime.transport import presence
from realtime.transport.auth import Caller, player_address


def party_of(tenant_id: str, user_id: str) -> Party | None:
    """Return the party that a user is in, if any; the constraint allows one."""
    own = PartyMember.objects.filter(tenant_id=tenant_id, user_id=user_id).select_related("party").first()
    return own.party if own else None


def party_for(caller: Caller, party_id: str) -> Party:
    """Return a party that the caller is in, or invited to; raise `PartyNotFound` for any other id."""
    parsed = parse_id(party_id)
    party = Party.objects.filter(tenant_id=caller.tenant_id, id=parsed).first() if parsed else None
    if party is None or not (is_member(party, caller.user_id) or is_invited(party, caller.user_id)):
        raise PartyNotFound
    return party


def is_member(party: Party, user_id: str) -> bool:
    """Return whether a user is in a party."""
    return bool(party.members.filter(user_id=user_id).exists())


def is_invited(party: Party, user_id: str) -> bool:
    """Return whether a user may join a party."""
    return bool(party.invitations.filter(user_id=user_id).exists())


def status_of(party: Party) -> Status:
    """Return what a party is doing."""
    return rules.status_of(
        is_disbanded=party.disbanded_at is not None,
        is_queued=party.tickets.filter(status__in=Ticket.LIVE).exists(),
        is_playing=_is_anybody_playing(party.tenant_id, [m.user_id for m in party.members.all()]),
    )


def _is_anybody_playing(tenant_id: str, user_ids: Collection[str]) -> bool:
    live = MatchPlayer.objects.filter(tenant_id=tenant_id, user_id__in=user_ids, is_live=True)
    return live.filter(match__status=Match.Status.CONFIRMED).exists()


def party_part(party_id: UUID) -> parts.Party:
    """Return a party as it is now."""
    party = Party.objects.prefetch_related("members").get(id=party_id)
    members = list(party.members.all())
    there = _reachable(party, [member.user_id for member in members])
    return parts.Party(
        party_id=str(party.id),
        leader=party.leader_id,
        members=[
            parts.PartyMember(
                user_id=member.user_id, display_name=member.display_name, connected=member.user_id in there
            )
            for member in members
        ],
        status=status_of(party).value,
    )


def _reachable(party: Party, user_ids: Collection[str]) -> set[str]:
    """Return those with a connection, less those who did not answer a match and were not heard from since."""
    addresses = {user_id: player_address(party.tenant_id, user_id) for user_id in user_ids}
    try:
        there = presence.connected(list(addresses.values()))
    except RedisError:
        there = set()  # nobody can say; it is told anew with the next change
    flagged = party.tickets.filter(status__in=Ticket.LIVE, unreachable_since__isnull=False)
    silent = set(flagged.values_list("user_id", flat=True))
    return {user_id for user_id, address in addresses.items() if address in there and user_id not in silent}


def addresses_of(party_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Return where the members of each party hear of it; a party without any is absent."""
    found: dict[UUID, list[str]] = {}
    for member in PartyMember.objects.filter(party__in=list(party_ids)):
        found.setdefault(member.party_id, []).append(player_address(member.tenant_id, member.user_id))
    return found


def parties_of(user_ids_of: Mapping[str, Collection[str]]) -> set[UUID]:
    """Return the parties that any of these users is in, given by tenant."""
    theirs = Q(pk__in=[])
    for tenant_id, user_ids in user_ids_of.items():
        theirs |= Q(tenant_id=tenant_id, user_id__in=user_ids)
    return set(PartyMember.objects.filter(theirs).values_list("party_id", flat=True))
