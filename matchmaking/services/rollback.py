"""Take matches in flight back, whatever stage they are in, as if they had never been, and record why.

What was seen of the players is gathered before the transaction: it explains the failure, and decides nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from matchmaking import selectors
from matchmaking.domain.health import HealthResult, check_results, latency_ms
from matchmaking.domain.matches import Cause, Fate, Stage, fate_of, may_have_game
from matchmaking.models import Absence, Match, MatchPlayer, Ticket
from matchmaking.services import absences, arranged, backfills, party_events, tickets
from matchmaking.services.tickets import Standing
from matchmaking.wakeup import wake_after_commit
from realtime.protocol.messages import MatchCancelled
from realtime.transport import answers, faults, presence
from realtime.transport.auth import player_address
from realtime.transport.database import update_each
from realtime.transport.events import NO_ORIGIN, Origin, Outgoing, emit

log = structlog.get_logger(__name__)

IN_FLIGHT = (Match.Status.PROPOSED, Match.Status.AWAITING_ACCEPTANCE)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a match is rolled back, the users who are the cause, and the stage in which that was seen.

    A match that has gone on since then is not rolled back for it; without a stage, any is.
    """

    cause: Cause
    causers: frozenset[str] = frozenset()
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What Redis tells of players: answers by (address, token), signs of life and open connections.

    ``whole_since``: since when no fault of ours has kept an address from answering; absent: nobody can say.
    """

    answers: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    heard: Mapping[str, datetime] = field(default_factory=dict)
    connections: Mapping[str, int] = field(default_factory=dict)
    whole_since: Mapping[str, datetime] = field(default_factory=dict)


def roll_back(match_id: UUID, failure: Failure, *, now: datetime, origin: Origin = NO_ORIGIN) -> bool:
    """Take a match in flight back; return False where it is so no more.

    ``origin`` is the command of a player who left.
    """
    return bool(roll_back_all({match_id: failure}, now=now, origin=origin))


def roll_back_all(
    failures: Mapping[UUID, Failure], *, now: datetime, origin: Origin = NO_ORIGIN
) -> list[UUID]:
    """Take matches in flight back in one transaction; return those that were.

    Healthy players search again at their exact place: ``queued_at`` never changes.
    """
    evidence = _evidence(failures, now=now)
    with transaction.atomic():
        matches = [match for match in lock_in_flight(failures) if _holds(failures[match.id], match)]
        for match in matches:
            _close(match, failures[match.id], now=now)
        update_each(matches, _CLOSED)
        backfills.note_rolled_back(matches)
        told = _release(matches, failures, evidence, now=now, origin=origin)
        emit([*told, *arranged.tell_rolled_back(matches, now=now)], now=now)
        wake_after_commit()
    for match in matches:
        _log_failure(match, failures[match.id], now=now)
    return [match.id for match in matches]


def _holds(failure: Failure, match: Match) -> bool:
    """Return whether what was seen of a match is still so, now that it is locked.

    An accept that was answered in time may have been written since: then its player is not to blame.
    """
    if failure.stage is None:
        return True
    accepted = {player.user_id for player in match.players.all() if player.accepted_at is not None}
    return failure.stage == match.stage and not failure.causers & accepted


_CLOSED = (
    "stage",
    "status",
    "cancel_reason",
    "failed_stage",
    "game_cancel_due",
    "finished_at",
    "retry_at",
)


def _close(match: Match, failure: Failure, *, now: datetime) -> None:
    match.game_cancel_due = may_have_game(Stage(match.stage))
    match.failed_stage, match.stage, match.status = match.stage, Stage.DONE, Match.Status.CANCELLED
    match.cancel_reason, match.finished_at, match.retry_at = failure.cause, now, None


def _release(
    matches: Sequence[Match],
    failures: Mapping[UUID, Failure],
    evidence: _Evidence,
    *,
    now: datetime,
    origin: Origin,
) -> list[Outgoing]:
    """Give the matches' tickets free, write down what was seen; return what each player is told."""
    held = {t.id: t for of_match in tickets.held_by([m.id for m in matches]).values() for t in of_match}
    kept: list[tuple[Ticket, Standing]] = []
    left: dict[Ticket.End, list[Ticket]] = {Ticket.End.USER_REQUEST: [], Ticket.End.DECLINED: []}
    fates = {match.id: _fates(match, failures[match.id], held) for match in matches}
    players = [player for match in matches for player in match.players.all()]
    for match in matches:
        is_anybodys_fault = any(fate.is_flagged for fate in fates[match.id].values())
        for player in match.players.all():
            ticket = held.get(player.ticket_id) if player.ticket_id else None
            fate = fates[match.id][player.user_id]
            _write_down(player, fate, evidence, is_cause=player.user_id in failures[match.id].causers)
            if ticket is not None and fate.keeps_place:
                kept.append((ticket, _standing(player, failures[match.id], fate, is_anybodys_fault)))
            elif ticket is not None:
                left[_END_OF.get(failures[match.id].cause, Ticket.End.USER_REQUEST)].append(ticket)
    update_each(players, _WRITTEN_DOWN)
    for match in matches:
        _note_absent(match, failures[match.id], evidence, now=now)
    tickets.put_back(kept, now=now)
    for how, ended in left.items():
        tickets.end(ended, how, now=now)
    positions = selectors.positions([ticket.id for ticket, _ in kept])
    told = [event for match in matches for event in _cancelled_events(match, fates[match.id], positions)]
    gone = [ticket for ended in left.values() for ticket in ended]
    told += [tickets.cancelled_event(ticket, origin=_own(origin, ticket, failures)) for ticket in gone]
    unreachable = [ticket for ticket, standing in kept if standing is Standing.FLAGGED]
    return told + party_events.of_tickets([*gone, *unreachable])


_END_OF = {Cause.DECLINED: Ticket.End.DECLINED}


def _note_absent(match: Match, failure: Failure, evidence: _Evidence, *, now: datetime) -> None:
    """Record who was there and let the time of a ready check run out; who declines may do so."""
    if failure.cause is Cause.DECLINED and failure.stage is Stage.ACCEPTING:
        silent = [p for p in match.players.all() if p.is_cause and _could_answer(p, match, evidence)]
        kinds = {player.user_id: Absence.Kind.NOT_ACCEPTED for player in silent}
        absences.record(match.id, kinds, now=now)


def _could_answer(player: MatchPlayer, match: Match, evidence: _Evidence) -> bool:
    """Return whether a player was connected, and no fault of ours stood in its way since it was told."""
    whole_since = evidence.whole_since.get(player_address(player.tenant_id, player.user_id))
    is_whole = whole_since is not None and match.told_at is not None and whole_since <= match.told_at
    return is_whole and bool(player.connections)


def _own(origin: Origin, ticket: Ticket, failures: Mapping[UUID, Failure]) -> Origin:
    """Return the command that ended a ticket, where it is its own player's."""
    is_own = any(ticket.user_id in failure.causers for failure in failures.values())
    return origin if is_own else NO_ORIGIN


def _fates(match: Match, failure: Failure, held: Mapping[UUID, Ticket]) -> dict[str, Fate]:
    """Return what becomes of each player; who leaves the queue takes its party along."""
    players = list(match.players.all())
    fates = {p.user_id: fate_of(p.user_id, cause=failure.cause, causers=failure.causers) for p in players}
    party_of = {p.user_id: held[p.ticket_id].party_id for p in players if p.ticket_id and p.ticket_id in held}
    leaving = {
        party_of[user_id]
        for user_id, fate in fates.items()
        if not fate.keeps_place and party_of.get(user_id) is not None
    }
    return {
        user_id: _taken_along(fate) if fate.keeps_place and party_of.get(user_id) in leaving else fate
        for user_id, fate in fates.items()
    }


def _taken_along(fate: Fate) -> Fate:
    """Return what becomes of somebody whose party leaves the queue; of a leave its ticket's end tells."""
    is_told = fate.reason == "opponent_declined"
    return Fate(keeps_place=False, is_flagged=False, reason=fate.reason if is_told else "")


def _standing(
    player: MatchPlayer,
    failure: Failure,
    fate: Fate,
    is_anybodys_fault: bool,  # noqa: FBT001 - one caller
) -> Standing:
    if fate.is_flagged:
        return Standing.FLAGGED
    if failure.cause is Cause.GAME_SERVICE_UNAVAILABLE:
        return Standing.PAUSED
    has_answered = player.answered_at is not None
    return Standing.PROVEN if is_anybodys_fault and has_answered else Standing.UNCHANGED


def _cancelled_events(
    match: Match, fates: Mapping[str, Fate], positions: Mapping[UUID, int]
) -> list[Outgoing]:
    return [
        Outgoing(
            address=player_address(player.tenant_id, player.user_id),
            message=MatchCancelled(
                match_id=str(match.id),
                reason=fates[player.user_id].reason,  # type: ignore[arg-type]  # the domain's words are its
                requeued=player.ticket_id in positions,
                queue_entry_id=str(player.ticket_id) if player.ticket_id else None,
                position=positions.get(player.ticket_id) if player.ticket_id else None,
            ),
        )
        for player in match.players.all()
        if fates[player.user_id].reason
    ]


# --- the record


_WRITTEN_DOWN = (
    "is_live",
    "answered_at",
    "acknowledged_at",
    "heard_at",
    "connections",
    "is_cause",
    "outcome",
)


def _evidence(match_ids: Iterable[UUID], *, now: datetime) -> _Evidence:
    players = list(MatchPlayer.objects.filter(match_id__in=list(match_ids)))
    addresses = [player_address(p.tenant_id, p.user_id) for p in players]
    tokens = [key for p in players for key in _tokens(p)]
    try:
        whole = faults.whole_since(now=now)
        bereft = faults.bereft_at(addresses, now=now)
        return _Evidence(
            answers=answers.answered_at(tokens, now=now),
            heard=presence.heard_at(addresses, now=now),
            connections={
                address: sum(c.is_alive for c in connections)
                for address, connections in presence.connections_of(addresses, now=now).items()
            },
            whole_since={address: max(whole, bereft.get(address, whole)) for address in addresses},
        )
    except RedisError as error:
        log.warning("evidence_not_read", error=str(error))
        return _Evidence()


def _tokens(player: MatchPlayer) -> list[tuple[str, str]]:
    address = player_address(player.tenant_id, player.user_id)
    tokens = [player.nonce, str(player.found_event_id or "")]
    return [(address, token) for token in tokens if token]


def _write_down(player: MatchPlayer, fate: Fate, evidence: _Evidence, *, is_cause: bool) -> None:
    address = player_address(player.tenant_id, player.user_id)
    player.is_live = False
    player.answered_at = player.answered_at or evidence.answers.get((address, player.nonce))
    acknowledged_at = evidence.answers.get((address, str(player.found_event_id or "")))
    player.acknowledged_at = player.acknowledged_at or acknowledged_at
    player.heard_at = evidence.heard.get(address)
    player.connections = evidence.connections.get(address)
    player.is_cause = is_cause
    if player.ticket_id is None:
        player.outcome = ""
    elif not fate.keeps_place:
        has_declined = is_cause and bool(fate.reason)
        player.outcome = MatchPlayer.Outcome.DECLINED if has_declined else MatchPlayer.Outcome.LEFT
    elif fate.is_flagged:
        player.outcome = MatchPlayer.Outcome.REQUEUED_FLAGGED
    else:
        player.outcome = MatchPlayer.Outcome.REQUEUED


def _log_failure(match: Match, failure: Failure, *, now: datetime) -> None:
    log_match(
        "match_rolled_back",
        match,
        cause=failure.cause.value,
        causers=sorted(failure.causers),
        stage=match.failed_stage,
        game_cancel_due=match.game_cancel_due,
        health=[_told_health(result) for result in health_results(match, now=now)],
        players=[
            {
                "user": player.user_id,
                "connections": player.connections,
                "heard_at": player.heard_at.isoformat() if player.heard_at else None,
                "ack_ms": latency_ms(match.told_at, player.acknowledged_at),
                "outcome": str(player.outcome),
            }
            for player in match.players.all()
        ],
    )


def health_results(match: Match, *, now: datetime) -> list[HealthResult]:
    """Return what the health check found of each player of a match that was rolled back."""
    if match.pinged_at is None:
        return []
    players = list(match.players.all())
    return check_results(
        [(player.user_id, player.answered_at) for player in players],
        pinged_at=match.pinged_at,
        deadline=match.pinged_at + timedelta(seconds=settings.HEALTH_CHECK_SECONDS),
        connections={player.user_id: player.connections for player in players},
        now=now,
    )


def _told_health(result: HealthResult) -> dict[str, object]:
    reason = result.reason.value if result.reason else None
    return {**asdict(result), "reason": reason, "checked_at": result.checked_at.isoformat()}


def lock_in_flight(match_ids: Iterable[UUID], *, stage: Stage | None = None) -> list[Match]:
    """Lock and return those matches that are in flight, and at ``stage`` where one is given."""
    found = (
        Match.objects.select_for_update(of=("self",))
        .filter(id__in=list(match_ids), status__in=IN_FLIGHT)
        .select_related("pool")
        .prefetch_related("players")
        .order_by("id")
    )
    return list(found.filter(stage=stage) if stage else found)


def log_match(event: str, match: Match, **values: object) -> None:
    """Log an event of a match, with the ids that it is found by."""
    log.info(event, tenant=match.tenant_id, pool=str(match.pool_id or ""), match=str(match.id), **values)
