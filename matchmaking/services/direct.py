"""Matches of players who have agreed on them; all stages after the reservation are those of the queue.

Locks: players, tickets, then whatever the caller's ``claim`` locks. A confirmation and a roll-back take match
and tickets first and what the claim locks last, too.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from matchmaking import ratings, selectors
from matchmaking.domain.errors import PlayerBusy, PlayersBlocked, PlayerUnreachable
from matchmaking.domain.quality import evenness
from matchmaking.domain.skill import Skill
from matchmaking.hosts import game_host
from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.services import conflicts, players, tickets
from matchmaking.services.rollback import log_match
from matchmaking.wakeup import wake_after_commit
from realtime.protocol.errors import Unavailable
from realtime.transport import presence
from realtime.transport.auth import player_address
from realtime.transport.database import violated_constraint

ONE_LIVE_MATCH = "one_live_match_per_player"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is played; without a pool nobody's rating counts."""

    pool_key: str | None
    mode: str
    time_control: str
    rated: bool
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invited:
    """A player of a match that is arranged, with the colour that it will have."""

    user_id: str
    display_name: str
    color: str | None


def arrange(
    tenant_id: str,
    one: Invited,
    other: Invited,
    *,
    terms: Terms,
    claim: Callable[[UUID], None],
    now: datetime,
) -> UUID:
    """Reserve a match for two players; return it. The loop leads it on as it does those of the queue.

    ``claim`` gets its id, as the last thing in the transaction: what it raises undoes the match. Raises
    `PlayerUnreachable` where somebody has no connection, `PlayerBusy` for who is in a match or about to be,
    `PlayersBlocked`, `PoolNotFound`, and `Unavailable` while the game host is down.
    """
    invited = (one, other)
    _refuse_absent(tenant_id, invited)
    # Asked last: a turn to try a host that has failed is for a match that can come about.
    if game_host().allowance() == 0:
        raise Unavailable
    try:
        with transaction.atomic():
            match = _reserve(tenant_id, invited, terms, now=now)
            claim(match.id)
            wake_after_commit()
    except IntegrityError as error:
        if violated_constraint(error) != ONE_LIVE_MATCH:
            raise
        raise PlayerBusy from None
    log_match("match_arranged", match, users=[player.user_id for player in invited])
    return match.id


def _refuse_absent(tenant_id: str, invited: Sequence[Invited]) -> None:
    addresses = {player.user_id: player_address(tenant_id, player.user_id) for player in invited}
    there = presence.connected(list(addresses.values()))
    if absent := {user_id for user_id, address in addresses.items() if address not in there}:
        raise PlayerUnreachable(absent)
    if busy := {user_id for user_id in addresses if _is_in_match(tenant_id, user_id)}:
        raise PlayerBusy(busy)


def _is_in_match(tenant_id: str, user_id: str) -> bool:
    return selectors.is_in_match(tenant_id, user_id) or tickets.plays_elsewhere(tenant_id, user_id)


def _reserve(tenant_id: str, invited: Sequence[Invited], terms: Terms, *, now: datetime) -> Match:
    user_ids = [player.user_id for player in invited]
    conflicts.hold_blocks(tenant_id)
    players.hold(tenant_id, user_ids)
    if selectors.are_blocked(tenant_id, *user_ids):
        raise PlayersBlocked
    held = {ticket.user_id: ticket for ticket in tickets.lock_live(tenant_id, user_ids)}
    # The tickets of a party do everything together: it leaves the queue before one of them plays elsewhere.
    if busy := {t.user_id for t in held.values() if t.status != Ticket.Status.SEARCHING or t.party_id}:
        raise PlayerBusy(busy)
    pool = selectors.active_pool(tenant_id, terms.pool_key) if terms.pool_key is not None else None
    skills = ratings.ratings_of(pool, user_ids) if pool else dict.fromkeys(user_ids, Skill())
    match = _new_match(tenant_id, pool, terms, [skills[user_id].value for user_id in user_ids], now=now)
    match.save(force_insert=True)
    seats = [
        _new_seat(match, player, team, rating=skills[player.user_id].value, ticket=held.get(player.user_id))
        for team, player in enumerate(invited, start=1)
    ]
    MatchPlayer.objects.bulk_create(seats)
    tickets.set_reserved({ticket.id: match.id for ticket in held.values()})
    return match


def _new_match(
    tenant_id: str, pool: Pool | None, terms: Terms, skills: Sequence[float], *, now: datetime
) -> Match:
    lease_until = now + timedelta(seconds=settings.LEASE_SECONDS)
    return Match(
        tenant_id=tenant_id,
        pool=pool,
        mode=terms.mode,
        time_control=terms.time_control,
        rated=terms.rated,
        is_arranged=True,
        metadata=terms.metadata,
        quality=evenness(*skills) if pool else None,
        deadline=lease_until,
        lease_until=lease_until,
        retry_at=now,  # The loop pings: nobody has yet.
        created_at=now,
    )


def _new_seat(
    match: Match, player: Invited, team: int, *, rating: float, ticket: Ticket | None
) -> MatchPlayer:
    return MatchPlayer(
        match=match,
        tenant_id=match.tenant_id,
        user_id=player.user_id,
        display_name=player.display_name,
        rating=rating,
        color=player.color,
        team=team,
        ticket_id=ticket.id if ticket else None,
        nonce=secrets.token_urlsafe(16),
    )
