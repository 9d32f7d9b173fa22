"""Join and leave the queue, and what a match does to the tickets that it was made of."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count
from redis.exceptions import RedisError

from matchmaking import ratings, selectors
from matchmaking.domain.errors import ActiveGameExists, AlreadyInQueue, CannotCancel
from matchmaking.domain.matches import HOST_PAUSE_SECONDS, sit_out_seconds
from matchmaking.domain.rules import age_order
from matchmaking.hosts import game_host
from matchmaking.models import PartyMember, Pool, Ticket
from matchmaking.services import absences, conflicts, party_events, players, preferences, wishes
from matchmaking.wakeup import wake_after_commit
from realtime.protocol.codec import MAX_METADATA_BYTES, encode_json
from realtime.protocol.errors import InvalidRequest
from realtime.protocol.messages import JoinQueueData, QueueCancelled, QueueJoined
from realtime.protocol.parts import Ticket as TicketMessage
from realtime.protocol.parts import fields_of
from realtime.transport import presence
from realtime.transport.auth import Caller, player_address
from realtime.transport.database import update_each, violated_constraint
from realtime.transport.events import NO_ORIGIN, Origin, Outgoing, emit

log = structlog.get_logger(__name__)

ONE_LIVE_TICKET = "one_live_ticket_per_player"
TICKETS_PER_TRANSACTION = 500
_TRIES = 3


def join(caller: Caller, request: JoinQueueData, *, origin: Origin, now: datetime) -> TicketMessage:
    """Queue the caller in a pool; return the ticket.

    Raises `PoolNotFound`, `AlreadyInQueue`, `ActiveGameExists` (here or at the game host), `Limited` for who
    has missed matches and pauses and, for metadata beyond 2 KiB, `InvalidRequest`. The database itself holds
    "one live ticket", under any race.
    """
    pool = wanted_pool(caller, request)
    if plays_elsewhere(caller.tenant_id, caller.user_id):
        # One's own match in flight is a game at the host already; the ticket says more.
        _refuse_second(caller)
        raise ActiveGameExists
    ratings.refresh(pool, caller.user_id, now=now)
    is_there = bool(origin.connection_id) or _is_connected(caller)
    for _ in range(_TRIES):
        ticket = new_ticket(caller, pool, request, is_there=is_there, now=now)
        try:
            return insert([ticket], origin=origin, now=now)
        except IntegrityError as error:
            if violated_constraint(error) != ONE_LIVE_TICKET:
                raise
        _refuse_second(caller)
        # The ticket in the way ended between the two statements: there is room now.
    raise AlreadyInQueue


def wanted_pool(caller: Caller, request: JoinQueueData) -> Pool:
    """Return the pool of a request, whose metadata is not too large."""
    if len(encode_json(request.metadata).encode()) > MAX_METADATA_BYTES:
        raise InvalidRequest(f"metadata is larger than {MAX_METADATA_BYTES} bytes", field="metadata")
    return selectors.active_pool(caller.tenant_id, request.pool_key)


def new_ticket(
    caller: Caller, pool: Pool, request: JoinQueueData, *, is_there: bool, now: datetime
) -> Ticket:
    """Return a ticket that is not in the queue yet; see `insert`."""
    liked = preferences.of_player(caller)
    regions = request.regions or (liked.regions if liked else [])
    rating = ratings.rating_of(pool, caller.user_id)
    return Ticket(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        display_name=caller.display_name,
        pool=pool,
        queued_at=now,
        priority_seconds=caller.priority_seconds,
        age_from=age_order(now, caller.priority_seconds, None)[0],
        rating=rating,
        regions=regions,
        latencies=request.latencies,
        modes=wishes.mode_bits(pool, liked.modes if liked else []),
        max_gap=request.max_gap,
        estimated_wait=selectors.usual_wait_seconds(pool.id, rating, now=now),
        metadata=request.metadata,
        unreachable_since=None if is_there else now,
    )


@transaction.atomic
def insert(new: Sequence[Ticket], *, origin: Origin, now: datetime) -> TicketMessage:
    """Put the caller's ticket into the queue, with those of its party behind it; return the caller's.

    Raises `ActiveGameExists`, and IntegrityError where one of the players has a live ticket: all or none.
    """
    own = new[0]
    conflicts.hold_blocks(own.tenant_id)
    players.hold(own.tenant_id, [ticket.user_id for ticket in new])
    # Here, so that what is refused leaves no region behind.
    row = wishes.region_row(own.pool, own.regions, own.latencies)
    for ticket in new:
        ticket.latencies_ms = row
        ticket.is_compared = not conflicts.may_have_any(ticket.pool, ticket.user_id, now=now)
        ticket.save(force_insert=True)
    # Looked at only now: had a player's former ticket been matched just before, its match is visible.
    for ticket in new:
        if selectors.is_in_match(ticket.tenant_id, ticket.user_id):
            raise ActiveGameExists if ticket is own else mate_plays(ticket)
        # After that match: what it left behind was committed with its end.
        who = "You" if ticket is own else ticket.display_name
        absences.refuse_paused(ticket.tenant_id, ticket.user_id, who=who, now=now)
    answers = [selectors.ticket_message(ticket, now=now) for ticket in new]
    wake_after_commit()
    joined = [
        _joined_event(ticket, answer, origin if ticket is own else NO_ORIGIN)
        for ticket, answer in zip(new, answers, strict=True)
    ]
    emit([*joined, *party_events.of_tickets(new)], now=now)
    for ticket, answer in zip(new, answers, strict=True):
        _log("queue_joined", ticket, position=answer.position, party=str(ticket.party_id or ""))
    return answers[0]


def mate_plays(mate: Ticket | PartyMember) -> ActiveGameExists:
    """Return what tells a leader that a member of its party is in a game."""
    return ActiveGameExists(f"{mate.display_name} is in a game that has not ended", user_id=mate.user_id)


def _joined_event(ticket: Ticket, answer: TicketMessage, origin: Origin) -> Outgoing:
    address = player_address(ticket.tenant_id, ticket.user_id)
    return Outgoing(address=address, message=QueueJoined(**fields_of(answer)), origin=origin)


def _refuse_second(caller: Caller) -> None:
    live = selectors.live_ticket(caller)
    if live is not None:
        raise AlreadyInQueue(queue_entry_id=str(live.id))


def plays_elsewhere(tenant_id: str, user_id: str) -> bool:
    """Ask the game host, whose word counts unless it speaks of a match that has ended here."""
    game_id = game_host().active_game(tenant_id, user_id)
    return game_id is not None and not selectors.has_ended(tenant_id, user_id, game_id)


def _is_connected(caller: Caller) -> bool:
    try:
        return presence.is_connected(caller.address)
    except RedisError:
        # The loop asks again, as long as the ticket waits.
        return False


def end_searching(
    ticket_ids: Collection[UUID], how: Ticket.End, *, now: datetime, origin: Origin = NO_ORIGIN
) -> list[Ticket]:
    """End those tickets that are searching, in one transaction, and those of their parties; return them.

    A reserved one stays: with it all of its party are reserved.
    """
    with transaction.atomic():
        ended = list(
            Ticket.objects.select_for_update(of=("self",), no_key=True)
            .filter(id__in=_with_mates(ticket_ids), status=Ticket.Status.SEARCHING)
            .order_by("id")
        )
        end(ended, how, now=now)
        cancelled = [
            cancelled_event(ticket, origin=origin if ticket.id in ticket_ids else NO_ORIGIN)
            for ticket in ended
        ]
        emit([*cancelled, *party_events.of_tickets(ended)], now=now)
    return ended


def _with_mates(ticket_ids: Collection[UUID]) -> list[UUID]:
    """Return tickets with the live ones of their parties, which never change one without the other."""
    # Those of a ticket that has ended may be its party's next ones.
    live = Ticket.objects.filter(id__in=list(ticket_ids), status__in=Ticket.LIVE)
    mates = Ticket.objects.filter(party__tickets__in=live, status__in=Ticket.LIVE)
    return [*ticket_ids, *mates.values_list("id", flat=True)]


def end(ended: Sequence[Ticket], how: Ticket.End, *, now: datetime) -> None:
    """End locked tickets without a match."""
    status = Ticket.Status.TIMED_OUT if how == Ticket.End.TIMED_OUT else Ticket.Status.CANCELLED
    for ticket in ended:
        ticket.status, ticket.cancel_reason, ticket.ended_at = status, how, now
        _log("queue_left", ticket, reason=str(how), waited=round((now - ticket.queued_at).total_seconds(), 3))
    update_each(ended, ["status", "cancel_reason", "ended_at"])


def pools_searching() -> list[UUID]:
    """Return the pools in which somebody searches, those in which few do first."""
    searching = Ticket.objects.filter(status=Ticket.Status.SEARCHING).order_by()
    counted = searching.values_list("pool_id").annotate(waiting=Count("id"))
    return [pool_id for pool_id, _ in counted.order_by("waiting", "pool_id")]


def time_out(pool_id: UUID, *, now: datetime) -> int:
    """End the pool's tickets that have searched for too long; return how many."""
    # The age order's index finds them: nobody's age is less than its wait.
    too_old = now - timedelta(seconds=settings.MAX_QUEUE_SECONDS)
    old = Ticket.objects.filter(
        pool_id=pool_id, status=Ticket.Status.SEARCHING, age_from__lte=too_old, queued_at__lte=too_old
    )
    ids = list(old.values_list("id", flat=True)[:TICKETS_PER_TRANSACTION])
    return len(end_searching(ids, Ticket.End.TIMED_OUT, now=now)) if ids else 0


def refuse_if_ended(ticket: Ticket) -> None:
    """Raise `CannotCancel` for a ticket that is matched or has ended."""
    if ticket.status not in Ticket.LIVE:
        raise CannotCancel


def cancelled_event(ticket: Ticket, *, origin: Origin = NO_ORIGIN) -> Outgoing:
    """Return the event that tells a player of the end of its ticket."""
    return Outgoing(
        address=player_address(ticket.tenant_id, ticket.user_id),
        message=QueueCancelled(queue_entry_id=str(ticket.id), reason=ticket.cancel_reason),  # type: ignore[arg-type]  # the choices are the message's
        origin=origin,
    )


# --- what a match does to its tickets


def reserve(ticket_ids: Collection[UUID]) -> dict[UUID, Ticket]:
    """Lock those tickets that are still searching, with their players there; return them by id.

    A player who has just changed whom it would not meet is compared first.
    """
    return {
        ticket.id: ticket
        for ticket in Ticket.objects.select_for_update(of=("self",), no_key=True)
        .filter(id__in=ticket_ids, status=Ticket.Status.SEARCHING, unreachable_since=None)
        .filter(is_compared=True)
        .order_by("id")
    }


def lock_live(tenant_id: str, user_ids: Collection[str]) -> list[Ticket]:
    """Lock and return the live tickets of these players; see `players.hold`."""
    return list(
        Ticket.objects.select_for_update(of=("self",), no_key=True)
        .filter(tenant_id=tenant_id, user_id__in=user_ids, status__in=Ticket.LIVE)
        .order_by("id")
    )


def set_reserved(match_of: dict[UUID, UUID]) -> None:
    """Put locked tickets into their matches; keys are ticket ids, values match ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE matchmaking_ticket SET status = 'RESERVED', match_id = chosen.match_id"
            " FROM unnest(%s::uuid[], %s::uuid[]) AS chosen (ticket_id, match_id)"
            " WHERE id = chosen.ticket_id AND status = 'SEARCHING'",
            [list(match_of), list(match_of.values())],
        )


def held_by(match_ids: Iterable[UUID]) -> dict[UUID, list[Ticket]]:
    """Lock and return the tickets that are reserved for each match."""
    held: dict[UUID, list[Ticket]] = {}
    locked = Ticket.objects.select_for_update(of=("self",), no_key=True).select_related("pool").order_by("id")
    for ticket in locked.filter(match_id__in=match_ids, status=Ticket.Status.RESERVED):
        held.setdefault(ticket.match_id, []).append(ticket)  # type: ignore[arg-type]  # filtered by it
    return held


def set_matched(ticket_ids: Collection[UUID], *, now: datetime) -> None:
    """End locked tickets as matched."""
    Ticket.objects.filter(id__in=ticket_ids).update(
        status=Ticket.Status.MATCHED, ended_at=now, failures=0, unreachable_since=None
    )


class Standing(Enum):
    """How a roll-back leaves a ticket that searches again.

    FLAGGED: unreachable until heard from, and sits out longer each time in a row; PROVEN: has answered, which
    ends its row; PAUSED: the host failed, and is not asked again at once; UNCHANGED: as it was.
    """

    FLAGGED = auto()
    PROVEN = auto()
    PAUSED = auto()
    UNCHANGED = auto()


def put_back(kept: Sequence[tuple[Ticket, Standing]], *, now: datetime) -> None:
    """Let locked tickets search again, where they were: ``queued_at`` never changes."""
    for ticket, standing in kept:
        ticket.status = Ticket.Status.SEARCHING
        ticket.match = None
        match standing:
            case Standing.FLAGGED:
                ticket.failures += 1
                ticket.unreachable_since = now
                ticket.not_before = now + timedelta(seconds=sit_out_seconds(ticket.failures))
            case Standing.PROVEN:
                ticket.failures = 0
            case Standing.PAUSED:
                ticket.not_before = now + timedelta(seconds=HOST_PAUSE_SECONDS)
            case Standing.UNCHANGED:
                pass
    update_each(
        [ticket for ticket, _ in kept], ["status", "match", "failures", "unreachable_since", "not_before"]
    )


# --- being there


def note_heard(caller: Caller) -> bool:
    """Let the caller's ticket be reserved again, at once: its player is back; return whether it had to be."""
    flagged = Ticket.objects.filter(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        status__in=Ticket.LIVE,
        unreachable_since__isnull=False,
    )
    was_flagged = bool(flagged.update(unreachable_since=None))
    if was_flagged:
        wake_after_commit()
    return was_flagged


def note_gone(caller: Caller, *, at: datetime) -> None:
    """Do not reserve the caller's ticket before it is heard from: its last socket was closed ``at``."""
    Ticket.objects.filter(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        status__in=Ticket.LIVE,
        queued_at__lte=at,
    ).exclude(unreachable_since__gte=at).update(unreachable_since=at)


def clear_flags(*, now: datetime) -> int:
    """Let tickets be reserved again whose players were heard from since the flag; return how many.

    With a connection: who is only excused, for a fault of ours, has time to come back, and is not there yet.
    """
    flagged = {
        ticket_id: (player_address(tenant_id, user_id), since, party_id)
        for ticket_id, tenant_id, user_id, since, party_id in Ticket.objects.filter(
            status=Ticket.Status.SEARCHING, unreachable_since__isnull=False
        ).values_list("id", "tenant_id", "user_id", "unreachable_since", "party_id")
    }
    heard = presence.heard_at([address for address, _, _ in flagged.values()], now=now)
    spoke = {
        ticket_id: address
        for ticket_id, (address, since, _) in flagged.items()
        if since is not None and address in heard and heard[address] > since
    }
    there = presence.connected(list(spoke.values()))
    back = [ticket_id for ticket_id, address in spoke.items() if address in there]
    # A flag that was set meanwhile stays.
    cleared = Ticket.objects.filter(id__in=back, unreachable_since__lte=now).update(unreachable_since=None)
    party_events.tell({party_id for i in back if (party_id := flagged[i][2]) is not None}, now=now)
    return cleared


def _log(event: str, ticket: Ticket, **values: object) -> None:
    log.info(
        event,
        tenant=ticket.tenant_id,
        user=ticket.user_id,
        pool=str(ticket.pool_id),
        ticket=str(ticket.id),
        **values,
    )
