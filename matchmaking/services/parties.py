"""Who is in a party: made, invited, joined, left, sent away.

Whoever changes a party holds its row first, before anything that a queue or a match locks; these never wait
for it. What a party is doing follows from its members' tickets and matches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction

from matchmaking import party_selectors, selectors
from matchmaking.domain.errors import (
    AlreadyInParty,
    CannotInvite,
    NotPartyLeader,
    PartyFull,
    PartyInQueue,
    PartyNotFound,
)
from matchmaking.domain.parties import MAX_INVITATIONS, MAX_MEMBERS, Status, leader_after
from matchmaking.models import Match, Party
from matchmaking.services import leaving, party_events
from realtime.protocol import parts
from realtime.transport.auth import Caller
from realtime.transport.database import violated_constraint
from realtime.transport.events import emit

log = structlog.get_logger(__name__)

ONE_PARTY = "one_party_per_player"


def create(caller: Caller, *, now: datetime) -> parts.Party:
    """Make a party of the caller alone, who leads it. Raises `AlreadyInParty`."""
    party = Party(tenant_id=caller.tenant_id, leader_id=caller.user_id, created_at=now)
    with _in_one_party(caller):
        party.save(force_insert=True)
        _add(party, caller, now=now)
        emit(party_events.changed([party.id]), now=now)
    _note("party_made", party, user=caller.user_id)
    return party_selectors.party_part(party.id)


@transaction.atomic
def invite(caller: Caller, party_id: str, user_id: str, *, now: datetime) -> parts.Party:
    """Let somebody join; any member may invite. The same once more changes nothing.

    Raises `PartyNotFound`, and `CannotInvite` for a member, somebody who has blocked the caller or is blocked
    by it, and with 20 invitations open.
    """
    party = _locked(caller, party_id)
    if not party_selectors.is_member(party, caller.user_id):
        raise PartyNotFound
    if party_selectors.is_invited(party, user_id):
        return party_selectors.party_part(party.id)
    if party_selectors.is_member(party, user_id):
        raise CannotInvite("This player is in the party already")
    if selectors.are_blocked(caller.tenant_id, caller.user_id, user_id):
        raise CannotInvite
    if party.invitations.count() >= MAX_INVITATIONS:
        raise CannotInvite(f"{MAX_INVITATIONS} players are invited and have not joined")
    party.invitations.create(
        tenant_id=party.tenant_id, user_id=user_id, invited_by=caller.user_id, created_at=now
    )
    emit([party_events.invited(party, user_id)], now=now)
    _note("party_invited", party, user=user_id, by=caller.user_id)
    return party_selectors.party_part(party.id)


def join(caller: Caller, party_id: str, *, now: datetime) -> parts.Party:
    """Let the caller, who is invited, into a party.

    Raises `PartyNotFound`, `AlreadyInParty`, `PartyInQueue` and `PartyFull`.
    """
    with _in_one_party(caller):
        party = _locked(caller, party_id)
        if party_selectors.party_of(caller.tenant_id, caller.user_id) is not None:
            raise _already_in_party(caller)
        if party_selectors.status_of(party) != Status.IDLE:
            raise PartyInQueue
        if party.members.count() >= MAX_MEMBERS:
            raise PartyFull
        _add(party, caller, now=now)
        party.invitations.filter(user_id=caller.user_id).delete()
        emit(party_events.changed([party.id]), now=now)
    _note("party_joined", party, user=caller.user_id)
    return party_selectors.party_part(party.id)


@transaction.atomic
def leave(caller: Caller, party_id: str, *, now: datetime) -> parts.Party:
    """Let the caller leave; who is only invited declines. Raises `PartyNotFound`.

    A party that queues leaves the queue; that of the last member is disbanded.
    """
    party = _locked(caller, party_id)
    if not _withdraw(party, caller.user_id):
        _remove(party, caller.user_id, why="left", now=now)
    return party_selectors.party_part(party.id)


@transaction.atomic
def kick(caller: Caller, party_id: str, user_id: str, *, now: datetime) -> parts.Party:
    """Send a member away, or take back an invitation; the leader alone may.

    Raises `NotPartyLeader`, and `PartyNotFound` for somebody who is neither in the party nor invited.
    """
    party = _locked(caller, party_id)
    if party.leader_id != caller.user_id:
        raise NotPartyLeader
    if not _withdraw(party, user_id):
        if not party_selectors.is_member(party, user_id):
            raise PartyNotFound("There is no such player in the party")
        _remove(party, user_id, why="kicked", now=now)
    return party_selectors.party_part(party.id)


@contextmanager
def _in_one_party(caller: Caller) -> Iterator[None]:
    """Refuse a second party, which the database itself does under any race."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if violated_constraint(error) != ONE_PARTY:
            raise
        raise _already_in_party(caller) from None


def _already_in_party(caller: Caller) -> AlreadyInParty:
    party = party_selectors.party_of(caller.tenant_id, caller.user_id)
    return AlreadyInParty(party_id=str(party.id)) if party else AlreadyInParty()


def _locked(caller: Caller, party_id: str) -> Party:
    seen = party_selectors.party_for(caller, party_id)
    Party.objects.select_for_update(no_key=True).get(id=seen.id)
    return party_selectors.party_for(caller, party_id)  # as it is now that nobody else changes it


def _add(party: Party, caller: Caller, *, now: datetime) -> None:
    party.members.create(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        display_name=caller.display_name,
        priority_seconds=caller.priority_seconds,
        joined_at=now,
    )
    _await_match(caller)


def _await_match(caller: Caller) -> None:
    """Let a match of the caller that ends right now end first, or later, and see the new member.

    What changes a match tells the parties of its players: those that it sees. One that is not committed yet
    would be told of the match as it was, and never again.
    """
    own = Match.objects.filter(
        players__tenant_id=caller.tenant_id, players__user_id=caller.user_id, players__is_live=True
    )
    list(own.select_for_update(of=("self",), no_key=True).values_list("id"))


def _withdraw(party: Party, user_id: str) -> bool:
    return bool(party.invitations.filter(user_id=user_id).delete()[0])


def _remove(party: Party, user_id: str, *, why: str, now: datetime) -> None:
    leaving.leave_as_party(party, user_id, now=now)
    party.members.filter(user_id=user_id).delete()
    staying = list(party.members.values_list("user_id", flat=True))
    party.leader_id = leader_after(party.leader_id, staying)
    if not staying:
        party.disbanded_at = now
        party.invitations.all().delete()
    party.save(update_fields=["leader_id", "disbanded_at"])
    emit(party_events.changed_by_leaving(party, user_id), now=now)
    _note("party_left", party, user=user_id, why=why, leader=party.leader_id, members=len(staying))


def _note(event: str, party: Party, **values: object) -> None:
    log.info(event, tenant=party.tenant_id, party=str(party.id), **values)
