"""Reads: tickets with their place, matches, pools, and all that a player is in."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Count, Q

from matchmaking import party_selectors
from matchmaking.domain import estimates
from matchmaking.domain.colors import REMEMBERED_GAMES
from matchmaking.domain.errors import MatchNotFound, PoolNotFound, QueueEntryNotFound
from matchmaking.domain.matches import Stage
from matchmaking.models import Block, Match, MatchPlayer, Pool, Rating, RatingChange, Ticket
from realtime.identifiers import parse_id
from realtime.protocol import parts
from realtime.transport.auth import Caller

RECENT_TICKETS = 200
RECENT_SECONDS = 3600

challenge_sources: list[Callable[[Caller, datetime], parts.Challenges]] = []
"""Who knows of a caller's challenges; the composition root names one, at most."""


def _tickets() -> Any:
    return Ticket.objects.select_related("pool", "match")


def live_ticket(caller: Caller) -> Ticket | None:
    """Return the caller's live ticket, if any."""
    found: Ticket | None = (
        _tickets().filter(tenant_id=caller.tenant_id, user_id=caller.user_id, status__in=Ticket.LIVE).first()
    )
    return found


def own_ticket(caller: Caller, queue_entry_id: str) -> Ticket:
    """Return a ticket of the caller; raise `QueueEntryNotFound` for any other id, malformed ones too."""
    ticket: Ticket | None = (
        _tickets()
        .filter(id=parse_id(queue_entry_id), tenant_id=caller.tenant_id, user_id=caller.user_id)
        .first()
    )
    if ticket is None:
        raise QueueEntryNotFound
    return ticket


def any_ticket(ticket_id: str) -> Ticket:
    """Return a ticket of anybody; raise `QueueEntryNotFound` for any other id."""
    ticket: Ticket | None = _tickets().filter(id=parse_id(ticket_id)).first()
    if ticket is None:
        raise QueueEntryNotFound
    return ticket


def position(ticket: Ticket) -> int | None:
    """Return the ticket's rank by age among the pool's live ones, from 1; None once it has ended."""
    return positions([ticket.id]).get(ticket.id)


def positions(ticket_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return `position` of many; one that has ended is absent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT own.id, (SELECT count(*) + 1 FROM matchmaking_ticket AS other"
            " WHERE other.pool_id = own.pool_id AND other.status IN ('SEARCHING', 'RESERVED')"
            " AND (other.age_from, other.id) < (own.age_from, own.id))"
            " FROM matchmaking_ticket AS own"
            " WHERE own.id = ANY(%s) AND own.status IN ('SEARCHING', 'RESERVED')",
            [list(ticket_ids)],
        )
        return dict(cursor.fetchall())


def usual_wait_seconds(pool_id: UUID, rating: float, *, now: datetime) -> float | None:
    """Return what a ticket of that rating usually waits: `usual_waits`."""
    return usual_waits(pool_id, [rating], now=now)[0]


def usual_waits(pool_id: UUID, ratings: Sequence[float], *, now: datetime) -> list[float | None]:
    """Return what tickets of these ratings usually wait, from the last of those matched within the hour.

    See `estimates.usual_waits`; None where nobody was matched.
    """
    recent = Ticket.objects.filter(
        pool_id=pool_id, status=Ticket.Status.MATCHED, ended_at__gte=now - timedelta(seconds=RECENT_SECONDS)
    ).order_by("-ended_at")[:RECENT_TICKETS]
    rows = recent.values_list("rating", "queued_at", "ended_at")
    waits = [(rating, (ended - queued).total_seconds()) for rating, queued, ended in rows if ended]
    return estimates.usual_waits(waits, ratings)


def remaining_wait_seconds(usual: float | None, waited: float) -> float | None:
    """Return what is left of the usual wait, 0 at least; None where nothing is known."""
    return None if usual is None else round(max(usual - waited, 0.0), 1)


def waited_seconds(ticket: Ticket, *, now: datetime) -> float:
    """Return how long the ticket has been in the queue, up to its end."""
    return max(((ticket.ended_at or now) - ticket.queued_at).total_seconds(), 0.0)


def ticket_message(ticket: Ticket, *, now: datetime) -> parts.Ticket:
    """Return a ticket as its player sees it."""
    waited = waited_seconds(ticket, now=now)
    is_live = ticket.status in Ticket.LIVE
    usual = usual_wait_seconds(ticket.pool_id, ticket.rating, now=now) if is_live else None
    shows_match = ticket.match is not None and ticket.status in {"RESERVED", "MATCHED"}
    shows_game = ticket.match is not None and ticket.status == "MATCHED"
    return parts.Ticket(
        queue_entry_id=str(ticket.id),
        pool_key=ticket.pool.key,
        status=ticket.status,  # type: ignore[arg-type]  # the choices are the message's
        queued_at=ticket.queued_at,
        waited_seconds=round(waited, 3),
        rating=ticket.rating,
        rating_window=ticket.pool.rules.window.window(waited),
        position=position(ticket),
        estimated_wait_seconds=remaining_wait_seconds(usual, waited),
        match_id=str(ticket.match_id) if shows_match else None,
        game_id=ticket.match.game_id if ticket.match and shows_game else None,
        cancel_reason=ticket.cancel_reason,  # type: ignore[arg-type]  # as above
    )


def match_message(match: Match) -> parts.Match:
    """Return a match as its players see it; it stays complete when tickets are purged."""
    players = [p for p in match.players.all() if p.outcome != MatchPlayer.Outcome.REPLACED]
    return parts.Match(
        match_id=str(match.id),
        game_id=match.game_id,
        pool_key=match.pool.key if match.pool else None,
        mode=match.mode,
        time_control=match.time_control,
        rated=match.rated,
        status=match.status,  # type: ignore[arg-type]  # the choices are the message's
        queue_entry_ids=[str(player.ticket_id) for player in players if player.ticket_id],
        metadata=match.metadata,
        players=[
            parts.MatchPlayer(
                user_id=player.user_id,
                display_name=player.display_name,
                rating=player.rating,
                color=player.color,
                team=player.team,
            )
            for player in players
        ],
        quality=match.quality,
        created_at=match.created_at,
        confirmed_at=match.confirmed_at,
        result=match.result,
    )


def _matches_of(tenant_id: str, user_id: str) -> Any:
    return (
        Match.objects.filter(tenant_id=tenant_id, players__user_id=user_id)
        .select_related("pool")
        .prefetch_related("players")
    )


def own_match(caller: Caller, match_id: str) -> Match:
    """Return a match of the caller; raise `MatchNotFound` for any other id."""
    match: Match | None = _matches_of(caller.tenant_id, caller.user_id).filter(id=parse_id(match_id)).first()
    if match is None:
        raise MatchNotFound
    return match


def own_matches(caller: Caller, *, before: UUID | None, limit: int) -> list[Match]:
    """Return the caller's matches, newest first, those older than ``before``.

    Those that only brought a player into a running match are left out: that one is there.
    """
    found = _matches_of(caller.tenant_id, caller.user_id).exclude(fills__isnull=False, status="FINISHED")
    found = found.order_by("-id")
    return list(found.filter(id__lt=before)[:limit] if before else found[:limit])


def live_seat(caller: Caller) -> MatchPlayer | None:
    """Return the caller's seat in the match that it is in, if any; the constraint allows one."""
    return (
        MatchPlayer.objects.filter(tenant_id=caller.tenant_id, user_id=caller.user_id, is_live=True)
        .select_related("match__pool")
        .first()
    )


def active_state(caller: Caller, seat: MatchPlayer | None, *, now: datetime) -> parts.ActiveState:
    """Return all that the caller is in right now; a match, from when its player was told of it."""
    ticket = live_ticket(caller)
    is_told = seat is not None and seat.match.stage in {Stage.NOTIFYING, Stage.ACCEPTING, Stage.DONE}
    is_on = seat is not None and seat.match.status == Match.Status.CONFIRMED
    return parts.ActiveState(
        ticket=ticket_message(ticket, now=now) if ticket else None,
        match=match_message(seat.match) if seat and is_told else None,
        session_id=str(seat.match.session_id) if seat and is_on and seat.match.session_id else None,
        challenges=_challenges(caller, now=now),
        party=_party(caller),
    )


def _party(caller: Caller) -> parts.Party | None:
    party = party_selectors.party_of(caller.tenant_id, caller.user_id)
    return party_selectors.party_part(party.id) if party else None


def _challenges(caller: Caller, *, now: datetime) -> parts.Challenges:
    for source in challenge_sources:
        return source(caller, now)
    return parts.Challenges()


def has_ended(tenant_id: str, user_id: str, game_id: str) -> bool:
    """Return whether a game is that of a match of the user which has ended, or was rolled back.

    One that was rolled back before the host had told its game may have any, until that is cancelled.
    """
    is_over = Q(game_id=game_id, status__in=(Match.Status.FINISHED, Match.Status.CANCELLED))
    is_left_behind = Q(game_id=None, game_cancel_due=True)
    matches: bool = _matches_of(tenant_id, user_id).filter(is_over | is_left_behind).exists()
    return matches


def color_balances(tenant_id: str, user_ids: Sequence[str]) -> dict[str, int]:
    """Return how many times more often than black each user had white in its latest confirmed games."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.user_id, sum(CASE latest.color WHEN 'white' THEN 1 WHEN 'black' THEN -1 END)"
            " FROM unnest(%s::text[]) AS wanted (user_id) CROSS JOIN LATERAL ("
            "  SELECT seat.color FROM matchmaking_matchplayer AS seat"
            "  WHERE seat.tenant_id = %s AND seat.user_id = wanted.user_id AND seat.outcome = 'confirmed'"
            "  ORDER BY seat.match_id DESC LIMIT %s) AS latest"
            " WHERE latest.color IS NOT NULL GROUP BY wanted.user_id",
            [list(user_ids), tenant_id, REMEMBERED_GAMES],
        )
        return {user_id: int(balance) for user_id, balance in cursor.fetchall()}


def is_in_match(tenant_id: str, user_id: str) -> bool:
    """Return whether the user is in a match that has not ended."""
    return MatchPlayer.objects.filter(tenant_id=tenant_id, user_id=user_id, is_live=True).exists()


def live_tickets(pool_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many wait in each pool; a pool without any is absent. The pools' past costs nothing here."""
    live = Ticket.objects.filter(pool__in=pool_ids, status__in=Ticket.LIVE).order_by()
    return dict(live.values_list("pool").annotate(Count("id")))


# --- for matches outside of the queue


class Outcome(NamedTuple):
    """How far a match is; ``cause`` is why it was rolled back."""

    status: str
    cause: str
    causers: frozenset[str]

    @property
    def is_confirmed(self) -> bool:
        """Whether it came about; it may be over by now."""
        return self.status in {Match.Status.CONFIRMED, Match.Status.FINISHED}

    @property
    def is_known(self) -> bool:
        """Whether it is decided if it comes about."""
        return self.is_confirmed or self.status == Match.Status.CANCELLED


def outcome(match_id: UUID) -> Outcome:
    """Return how far a match is, whoever asks."""
    status, cause = Match.objects.values_list("status", "cancel_reason").get(id=match_id)
    causers = MatchPlayer.objects.filter(match_id=match_id, is_cause=True).values_list("user_id", flat=True)
    return Outcome(status, cause, frozenset(causers) if cause else frozenset())


def active_pool(tenant_id: str, key: str) -> Pool:
    """Return a pool that is open; raise `PoolNotFound` for any other key."""
    pool = Pool.objects.filter(tenant_id=tenant_id, key=key, is_active=True).first()
    if pool is None:
        raise PoolNotFound
    return pool


def are_blocked(tenant_id: str, one: str, other: str) -> bool:
    """Return whether one of two users never wants to meet the other."""
    either = Q(user_id=one, blocked_id=other) | Q(user_id=other, blocked_id=one)
    return Block.objects.filter(either, tenant_id=tenant_id).exists()


def known_name(tenant_id: str, user_id: str) -> str:
    """Return the name under which a user played last; its id where it never has."""
    seats = MatchPlayer.objects.filter(tenant_id=tenant_id, user_id=user_id).order_by("-match")
    return seats.values_list("display_name", flat=True).first() or user_id


class PoolMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as a client shows it."""

    pool_key: str
    name: str
    mode: str
    time_control: str
    rated: bool
    teams: int
    team_size: int
    rules: dict[str, Any]
    accept_seconds: float | None
    waiting: int


def pool_messages(tenant_id: str) -> list[PoolMessage]:
    """Return the tenant's active pools, in the order that staff gave them."""
    pools = list(Pool.objects.filter(tenant_id=tenant_id, is_active=True).order_by("ordering", "key"))
    waiting = live_tickets([pool.id for pool in pools])
    return [
        PoolMessage(
            pool_key=pool.key,
            name=pool.name,
            mode=pool.mode,
            time_control=pool.time_control,
            rated=pool.rated,
            teams=pool.teams,
            team_size=pool.team_size,
            rules=pool.rules.as_dict(),
            accept_seconds=pool.accept_seconds,
            waiting=waiting.get(pool.id, 0),
        )
        for pool in pools
    ]


# --- ratings


def own_ratings(caller: Caller) -> list[parts.Rating]:
    """Return the caller's rating in each active pool of the tenant."""
    own = Rating.objects.filter(tenant_id=caller.tenant_id, user_id=caller.user_id)
    rows = {row.pool_id: row for row in own}
    pools = Pool.objects.filter(tenant_id=caller.tenant_id, is_active=True)
    return [_rating_part(pool, rows.get(pool.rating_pool_id, Rating())) for pool in pools]


def _rating_part(pool: Pool, rating: Rating) -> parts.Rating:
    return parts.Rating(
        pool_key=pool.key,
        rating=rating.value,
        deviation=rating.deviation,
        provisional=rating.skill.is_provisional,
        games=rating.games,
    )


def rating_history(caller: Caller, pool_key: str, *, before: int | None, limit: int) -> list[RatingChange]:
    """Return what matches did to the caller's rating in a pool, newest first; raise `PoolNotFound`."""
    pool = Pool.objects.filter(tenant_id=caller.tenant_id, key=pool_key).first()
    if pool is None:
        raise PoolNotFound
    changes = RatingChange.objects.filter(
        tenant_id=caller.tenant_id, user_id=caller.user_id, pool_id=pool.rating_pool_id
    )
    return list((changes.filter(id__lt=before) if before is not None else changes)[:limit])


def rating_point(change: RatingChange) -> parts.RatingPoint:
    """Return a change as the history shows it."""
    return parts.RatingPoint(
        match_id=str(change.match_id),
        at=change.at,
        before=change.value_before,
        after=change.value_after,
        expected=change.expected,
        score=change.score,
    )
