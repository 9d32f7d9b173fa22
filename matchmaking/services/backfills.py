"""Backfill: a running match asks for somebody in the place of a player who is gone.

Whoever is found goes through all stages of a match, in one of its own that ``fills`` the place: verified,
told, acknowledged; then the seat is moved into the running match, in the transaction that confirms. Locks:
the game, the running match, then what a match of the queue locks.
"""

import math
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from matchmaking.domain import backfill as rule
from matchmaking.domain.backfill import Candidate, Vacancy
from matchmaking.domain.errors import CannotBackfill, MatchNotFound
from matchmaking.models import Backfill, Block, Match, MatchPlayer, Pool, Ticket
from matchmaking.services import tickets
from matchmaking.wakeup import wake_after_commit
from realtime.transport.database import violated_constraint

log = structlog.get_logger(__name__)

ONE_OPEN = "one_open_backfill_per_place"
OPEN = (Backfill.Status.SEARCHING, Backfill.Status.RESERVED)
Lobby = tuple[tuple[UUID, ...], ...]


def request(tenant_id: str, match_id: UUID | None, user_id: str, *, now: datetime) -> Backfill:
    """Ask for somebody in the place of a player; asked again, it is the same request.

    Raises `MatchNotFound`, and `CannotBackfill` where the match is not running, has no pool, or that player
    has no place in it.
    """
    with transaction.atomic():
        match = _locked_running(tenant_id, match_id)
        if match.pool is None or not match.players.filter(user_id=user_id, is_live=True).exists():
            raise CannotBackfill
        opened, is_new = Backfill.objects.get_or_create(
            match=match,
            user_id=user_id,
            status__in=OPEN,
            defaults={
                "pool": match.pool,
                "created_at": now,
                "age_from": now - timedelta(seconds=rule.HEAD_START_SECONDS),
            },
        )
        wake_after_commit()
    if is_new:
        log.info("backfill_asked", tenant=tenant_id, match=str(match.id), user=user_id)
    return opened


def _locked_running(tenant_id: str, match_id: UUID | None) -> Match:
    found = Match.objects.select_for_update(of=("self",)).select_related("pool")
    match = found.filter(tenant_id=tenant_id, id=match_id).first() if match_id else None
    if match is None:
        raise MatchNotFound
    if match.status != Match.Status.CONFIRMED:
        raise CannotBackfill
    return match


# --- who comes


def find(
    pool: Pool, lobbies: Sequence[Lobby], *, now: datetime
) -> tuple[list[tuple[UUID, UUID]], list[Lobby]]:
    """Return who could take which place, as (backfill, ticket), and the matches that are to be made still."""
    vacancies = _vacancies(pool, now=now)
    if not vacancies:
        return [], list(lobbies)
    candidates = _candidates(pool, lobbies, now=now)
    found = rule.filled(vacancies, candidates, rule=pool.rules.window.rule)
    taken = {candidate.ticket_id for candidate in found.values()}
    kept = [lobby for lobby in lobbies if taken.isdisjoint(ticket for team in lobby for ticket in team)]
    return [(backfill_id, candidate.ticket_id) for backfill_id, candidate in found.items()], kept


def _vacancies(pool: Pool, *, now: datetime) -> list[Vacancy]:
    """Return the places that are open, the oldest first; without one this costs a look at an index."""
    opened = Backfill.objects.filter(pool=pool, status=Backfill.Status.SEARCHING)
    window = pool.rules.window
    vacancies = []
    for backfill in opened.order_by("age_from", "id").prefetch_related("match__players"):
        seats = {player.user_id: player for player in backfill.match.players.all()}
        if seats[backfill.user_id].is_live:
            waited = (now - backfill.created_at).total_seconds()
            vacancies.append(
                Vacancy(
                    id=backfill.id,
                    age_from=backfill.age_from,
                    rating=seats[backfill.user_id].rating,
                    window=window.window(waited),
                    players=frozenset(seats),
                )
            )
    return vacancies


def _candidates(pool: Pool, lobbies: Sequence[Lobby], *, now: datetime) -> list[Candidate]:
    may_sit_out = Q(not_before=None) | Q(not_before__lte=now)
    waiting = Ticket.objects.filter(may_sit_out, pool=pool, status=Ticket.Status.SEARCHING, is_compared=True)
    rows = list(waiting.filter(unreachable_since=None).order_by("age_from", "id"))
    ages = {ticket.id: ticket.age_from for ticket in rows}
    oldest = {
        ticket_id: min(ages.get(each, now) for each in everybody)
        for lobby in lobbies
        for everybody in [[ticket for team in lobby for ticket in team]]
        for ticket_id in everybody
    }
    foes = _foes(pool.tenant_id, [ticket.user_id for ticket in rows])
    window = pool.rules.window
    return [
        Candidate(
            ticket_id=ticket.id,
            user_id=ticket.user_id,
            age_from=ticket.age_from,
            rating=ticket.rating,
            window=window.window((now - ticket.queued_at).total_seconds()),
            max_gap=math.inf if ticket.max_gap is None else ticket.max_gap,
            foes=frozenset(foes.get(ticket.user_id, ())),
            would_meet=oldest.get(ticket.id),
        )
        for ticket in rows
        if ticket.party_id is None  # a party stays together
    ]


def _foes(tenant_id: str, user_ids: Collection[str]) -> dict[str, set[str]]:
    """Return whom each user never meets, by the wish of either."""
    either = Q(user_id__in=user_ids) | Q(blocked_id__in=user_ids)
    foes: dict[str, set[str]] = {}
    for one, other in Block.objects.filter(either, tenant_id=tenant_id).values_list("user_id", "blocked_id"):
        foes.setdefault(one, set()).add(other)
        foes.setdefault(other, set()).add(one)
    return foes


def reserve(backfill_id: UUID, ticket_id: UUID, *, now: datetime) -> UUID | None:
    """Reserve a player for a place, in a match of its own; None where either is not free any more."""
    try:
        with transaction.atomic():
            match = _reserve(backfill_id, ticket_id, now=now)
    except IntegrityError as error:
        log.warning("backfill_dropped", backfill=str(backfill_id), constraint=violated_constraint(error))
        return None
    if match is not None:
        log.info("backfill_reserved", match=str(match.id), backfill=str(backfill_id))
    return match.id if match else None


def _reserve(backfill_id: UUID, ticket_id: UUID, *, now: datetime) -> Match | None:
    backfill = _locked_with_match(backfill_id)
    if backfill is None or backfill.status != Backfill.Status.SEARCHING:
        return None
    seat = _seat_of(backfill)
    ticket = tickets.reserve([ticket_id]).get(ticket_id)
    if seat is None or ticket is None:
        return None
    match = _new_match(backfill, now=now)
    match.save(force_insert=True)
    _new_seat(match, ticket, seat).save(force_insert=True)
    tickets.set_reserved({ticket.id: match.id})
    backfill.status = Backfill.Status.RESERVED
    backfill.save(update_fields=["status"])
    return match


def _locked_with_match(backfill_id: UUID) -> Backfill | None:
    """Lock the running match and its request; None where it does not run any more."""
    running = Match.objects.select_for_update(of=("self",)).filter(status=Match.Status.CONFIRMED)
    if not running.filter(backfills=backfill_id).exists():
        return None
    backfill = Backfill.objects.select_for_update(of=("self",)).select_related("pool", "match")
    return backfill.get(id=backfill_id)


def _seat_of(backfill: Backfill) -> MatchPlayer | None:
    seats = MatchPlayer.objects.filter(match_id=backfill.match_id, user_id=backfill.user_id, is_live=True)
    return seats.first()


def _new_match(backfill: Backfill, *, now: datetime) -> Match:
    running, lease_until = backfill.match, now + timedelta(seconds=settings.LEASE_SECONDS)
    return Match(
        tenant_id=running.tenant_id,
        pool=backfill.pool,
        mode=running.mode,
        time_control=running.time_control,
        rated=running.rated,
        accept_seconds=backfill.pool.accept_seconds,
        fills=backfill,
        deadline=lease_until,
        lease_until=lease_until,
        retry_at=now,
        created_at=now,
    )


def _new_seat(match: Match, ticket: Ticket, seat: MatchPlayer) -> MatchPlayer:
    return MatchPlayer(
        match=match,
        tenant_id=ticket.tenant_id,
        user_id=ticket.user_id,
        display_name=ticket.display_name,
        rating=ticket.rating,
        color=seat.color,
        team=seat.team,
        ticket_id=ticket.id,
        nonce=secrets.token_urlsafe(16),
    )


# --- what becomes of it


def running_matches(match_ids: Iterable[UUID]) -> list[UUID]:
    """Return the matches into which some of these bring a player."""
    filling = Match.objects.filter(id__in=list(match_ids), fills__isnull=False)
    return list(filling.order_by("fills__match_id").values_list("fills__match_id", flat=True))


def those_there(match: Match) -> list[MatchPlayer]:
    """Return whom the player of a match that fills a place will find there."""
    if match.fills_id is None:
        return []
    there = MatchPlayer.objects.filter(match__backfills=match.fills_id, is_live=True)
    return list(there.exclude(user_id=match.fills.user_id if match.fills else "").order_by("id"))


def is_open(match: Match) -> bool:
    """Lock the place that a match fills, if it fills any; return whether it is still to be had."""
    if match.fills_id is None:
        return True
    backfill = _locked_with_match(match.fills_id)
    return backfill is not None and backfill.status in OPEN and _seat_of(backfill) is not None


def seat(match: Match, *, now: datetime) -> Backfill:
    """Move the player of a confirmed match into the place that it fills, after `is_open`; return that.

    The match itself has ended with it.
    """
    backfill = Backfill.objects.get(attempts=match)
    (comes,) = match.players.all()
    MatchPlayer.objects.filter(id=comes.id).update(is_live=False)
    MatchPlayer.objects.filter(match_id=backfill.match_id, user_id=backfill.user_id).update(
        is_live=False, outcome=MatchPlayer.Outcome.REPLACED
    )
    moved = MatchPlayer.objects.get(id=comes.id)
    moved.pk, moved.match_id, moved.is_live = None, backfill.match_id, True
    moved.save(force_insert=True)
    Match.objects.filter(id=match.id).update(status=Match.Status.FINISHED, finished_at=now, retry_at=None)
    backfill.status, backfill.replaced_by, backfill.ended_at = Backfill.Status.FILLED, comes.user_id, now
    backfill.save(update_fields=["status", "replaced_by", "ended_at"])
    log.info("backfill_filled", match=str(backfill.match_id), user=comes.user_id, gone=backfill.user_id)
    return backfill


def note_rolled_back(matches: Sequence[Match]) -> None:
    """Let those places search on whose matches are being taken back."""
    ids = [match.fills_id for match in matches if match.fills_id]
    if ids:
        held = Backfill.objects.filter(id__in=ids, status=Backfill.Status.RESERVED)
        held.update(status=Backfill.Status.SEARCHING)


def note_ended(matches: Sequence[Match], *, now: datetime) -> None:
    """Close the open requests of matches that end."""
    ids = [match.id for match in matches]
    Backfill.objects.filter(match__in=ids, status__in=OPEN).update(
        status=Backfill.Status.CANCELLED, ended_at=now
    )


def places(match_ids: Collection[UUID]) -> Mapping[UUID, Backfill]:
    """Return the place that each of these matches fills; one that fills none is absent."""
    filling = Match.objects.filter(id__in=match_ids, fills__isnull=False).select_related("fills__match")
    return {match.id: match.fills for match in filling if match.fills is not None}
