"""Take a match in flight back, whatever stage it is in, as if it had never been."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from matchmaking import selectors
from matchmaking.domain import matches as rules
from matchmaking.domain.matches import Cause, Stage
from matchmaking.models import Match, MatchPlayer, Ticket
from matchmaking.services import tickets
from matchmaking.wakeup import wake_after_commit
from realtime.protocol.messages import MatchCancelled
from realtime.transport.auth import player_address
from realtime.transport.events import NO_ORIGIN, Origin, Outgoing, emit

log = structlog.get_logger(__name__)

_IN_FLIGHT = (Match.Status.PROPOSED, Match.Status.AWAITING_ACCEPTANCE)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a match is rolled back, the users who are the cause, and the stage in which that was seen.

    A match that has gone on since then is not rolled back for it; without a stage, any is.
    """

    cause: Cause
    causers: frozenset[str] = frozenset()
    stage: Stage | None = None


def roll_back(match_id: UUID, failure: Failure, *, now: datetime, origin: Origin = NO_ORIGIN) -> bool:
    """Take a match in flight back as if it had never been; return False where it is so no more.

    Healthy players search again at their exact place. ``origin`` is the command of a player who left.
    """
    with transaction.atomic():
        locked = lock_in_flight([match_id], stage=failure.stage)
        if not locked:
            return False
        match = locked[0]
        may_have_game = match.stage in {Stage.CREATING, Stage.NOTIFYING}
        stage, match.stage, match.status = match.stage, Stage.DONE, Match.Status.CANCELLED
        match.cancel_reason, match.game_cancel_due, match.finished_at = failure.cause, may_have_game, now
        match.save(update_fields=["stage", "status", "cancel_reason", "game_cancel_due", "finished_at"])
        match.players.update(is_live=False)
        emit(_release(match, failure, now=now, origin=origin), now=now)
        wake_after_commit()
    log_match(
        "match_rolled_back",
        match,
        cause=failure.cause.value,
        causers=sorted(failure.causers),
        stage=str(stage),
    )
    return True


def _release(match: Match, failure: Failure, *, now: datetime, origin: Origin) -> list[Outgoing]:
    """Give the match's tickets free; return what each player is told."""
    held = tickets.held_by([match.id]).get(match.id, [])
    kept = [t for t in held if _keeps_place(t.user_id, failure)]
    left = [t for t in held if not _keeps_place(t.user_id, failure)]
    flagged = {t.user_id for t in kept if _is_flagged(t.user_id, failure)}
    proven = {t.user_id for t in kept} - flagged if flagged else set()
    tickets.put_back(kept, flagged=flagged, proven=proven, now=now)
    tickets.end_by_user(left, now=now)
    by_user = {t.user_id: t for t in kept}
    told = [
        _cancelled_event(match, player, by_user.get(player.user_id), failure)
        for player in match.players.all()
        if player.user_id not in {t.user_id for t in left}
    ]
    return told + [tickets.cancelled_event(t, origin=origin) for t in left]


def _keeps_place(user_id: str, failure: Failure) -> bool:
    return rules.keeps_place(user_id, cause=failure.cause, causers=failure.causers)


def _is_flagged(user_id: str, failure: Failure) -> bool:
    return rules.is_flagged(user_id, cause=failure.cause, causers=failure.causers)


def _cancelled_event(
    match: Match, player: MatchPlayer, requeued: Ticket | None, failure: Failure
) -> Outgoing:
    reason = rules.reason_for(player.user_id, cause=failure.cause, causers=failure.causers)
    return Outgoing(
        address=player_address(player.tenant_id, player.user_id),
        message=MatchCancelled(
            match_id=str(match.id),
            reason=reason,  # type: ignore[arg-type]  # the domain's words are the message's
            requeued=requeued is not None,
            queue_entry_id=str(player.ticket_id) if player.ticket_id else None,
            position=selectors.position(requeued) if requeued else None,
        ),
    )


def lock_in_flight(match_ids: Iterable[UUID], *, stage: Stage | None = None) -> list[Match]:
    """Lock and return those matches that are in flight, and at ``stage`` where one is given."""
    found = (
        Match.objects.select_for_update(of=("self",))
        .filter(id__in=list(match_ids), status__in=_IN_FLIGHT)
        .select_related("pool")
        .prefetch_related("players")
        .order_by("id")
    )
    return list(found.filter(stage=stage) if stage else found)


def log_match(event: str, match: Match, **values: object) -> None:
    """Log an event of a match, with the ids that it is found by."""
    log.info(event, tenant=match.tenant_id, pool=str(match.pool_id or ""), match=str(match.id), **values)
