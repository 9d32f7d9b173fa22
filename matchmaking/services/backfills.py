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
from django.db.models import Exists, OuterRef, Q

from matchmaking.domain import backfill as rule
from matchmaking.domain.backfill import Candidate, Vacancy
from matchmaking.domain.errors import CannotBackfill, MatchNotFound
from matchmaking.domain.matches import Stage
from matchmaking.models import Backfill, Block, Match, MatchPlayer, Pool, Ticket
from matchmaking.services import tickets
from matchmaking.services.wishes import mode_bits
from matchmaking.wakeup import wake_after_commit
from realtime.transport.database import violated_constraint

log = structlog.get_logger(__name__)

WIDEST_GAP = 1000
"""Nobody further away is looked at, however wide the windows have grown."""
MOST_CANDIDATES = 1000
"""So many of those who wait longest are looked at for a place."""
JUST_COME_SECONDS = 1
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
    candidates = _candidates(pool, vacancies, lobbies, now=now)
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
                    mode=mode_bits(pool, [backfill.match.mode]),
                    players=frozenset(seats),
                )
            )
    return vacancies


def _candidates(
    pool: Pool, vacancies: Sequence[Vacancy], lobbies: Sequence[Lobby], *, now: datetime
) -> list[Candidate]:
    """Return who waits alone and is about as strong as somebody who is gone, the oldest first.

    Who has just come is looked at for a match first.
    """
    near = Q()
    for vacancy in vacancies:
        near |= Q(rating__range=(vacancy.rating - WIDEST_GAP, vacancy.rating + WIDEST_GAP))
    may_sit_out = Q(not_before=None) | Q(not_before__lte=now)
    seat = MatchPlayer.objects.filter(
        tenant_id=OuterRef("tenant_id"), user_id=OuterRef("user_id"), is_live=True
    )
    waiting = Ticket.objects.filter(
        near,
        may_sit_out,
        ~Exists(seat),
        pool=pool,
        status=Ticket.Status.SEARCHING,
        is_compared=True,
        unreachable_since=None,
        party=None,  # a party stays together
        queued_at__lte=now - timedelta(seconds=JUST_COME_SECONDS),
    )
    columns = ("id", "user_id", "age_from", "queued_at", "rating", "max_gap", "modes")
    rows = list(waiting.order_by("age_from", "id").values_list(*columns)[:MOST_CANDIDATES])
    oldest = _oldest_in(lobbies)
    foes = _foes(pool.tenant_id, {user_id for vacancy in vacancies for user_id in vacancy.players})
    window = pool.rules.window
    return [
        Candidate(
            ticket_id=ticket_id,
            user_id=user_id,
            age_from=age_from,
            rating=rating,
            window=window.window((now - queued_at).total_seconds()),
            max_gap=math.inf if max_gap is None else max_gap,
            modes=modes,
            foes=frozenset(foes.get(user_id, ())),
            would_meet=oldest.get(ticket_id),
        )
        for ticket_id, user_id, age_from, queued_at, rating, max_gap, modes in rows
    ]


def _oldest_in(lobbies: Sequence[Lobby]) -> dict[UUID, datetime]:
    """Return, by ticket, the age of the oldest in the match that it was chosen for."""
    of_lobby = [[ticket_id for team in lobby for ticket_id in team] for lobby in lobbies]
    chosen = [ticket_id for everybody in of_lobby for ticket_id in everybody]
    ages = dict(Ticket.objects.filter(id__in=chosen).values_list("id", "age_from"))
    return {
        ticket_id: min(ages[each] for each in everybody if each in ages)
        for everybody in of_lobby
        for ticket_id in everybody
        if ticket_id in ages
    }


def _foes(tenant_id: str, user_ids: Collection[str]) -> dict[str, set[str]]:
    """Return who never meets one of these users, and which, by the wish of either."""
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
    if seat is None or ticket is None or _is_foe(ticket, backfill):
        return None
    match = _new_match(backfill, now=now)
    match.metadata = {ticket.user_id: ticket.metadata} if ticket.metadata else {}
    match.save(force_insert=True)
    _new_seat(match, ticket, seat).save(force_insert=True)
    tickets.set_reserved({ticket.id: match.id})
    backfill.status = Backfill.Status.RESERVED
    backfill.save(update_fields=["status"])
    return match


def _is_foe(ticket: Ticket, backfill: Backfill) -> bool:
    """Return whether somebody there has blocked the player, or it them, since it was chosen."""
    there = MatchPlayer.objects.filter(match_id=backfill.match_id).values_list("user_id", flat=True)
    return not _foes(ticket.tenant_id, [ticket.user_id]).get(ticket.user_id, set()).isdisjoint(there)


def _locked_with_match(backfill_id: UUID) -> Backfill | None:
    """Lock the running match and its request; None where it does not run any more."""
    running = Match.objects.select_for_update(of=("self",)).filter(status=Match.Status.CONFIRMED)
    if running.filter(backfills=backfill_id).first() is None:
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


def hold(match_ids: Collection[UUID]) -> None:
    """Lock running matches, in the order of their ids, before matches on the way to them."""
    if match_ids:
        list(Match.objects.select_for_update(of=("self",)).filter(id__in=match_ids).order_by("id"))


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


def note_ended(matches: Sequence[Match], *, now: datetime) -> list[UUID]:
    """Close the open requests of matches that end; return the matches that were on the way to them."""
    opened = Backfill.objects.filter(match__in=[match.id for match in matches], status__in=OPEN)
    on_the_way = Match.objects.filter(fills__in=opened).exclude(stage=Stage.DONE)
    ids = list(on_the_way.values_list("id", flat=True))
    opened.update(status=Backfill.Status.CANCELLED, ended_at=now)
    return ids


def places(match_ids: Collection[UUID]) -> Mapping[UUID, Backfill]:
    """Return the place that each of these matches fills; one that fills none is absent."""
    filling = Match.objects.filter(id__in=match_ids, fills__isnull=False).select_related("fills__match")
    return {match.id: match.fills for match in filling if match.fills is not None}
