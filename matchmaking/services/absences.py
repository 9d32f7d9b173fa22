"""Players who do not come to their matches: recorded, made to pause before the next queue, and forgiven.

Recorded is only what the server can show: the player acknowledged `match_found`, and it was no fault of the
service that nothing followed. What happens in games at a host of somebody else's is not known here.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from matchmaking.domain import absences as rule
from matchmaking.models import Absence, Match, MatchPlayer
from realtime.protocol.errors import Limited
from realtime.services.departures import Departure

log = structlog.get_logger(__name__)


def record(match_id: UUID, kinds: Mapping[str, Absence.Kind], *, now: datetime) -> list[Absence]:
    """Record, by user id, who was not there for a match and in what way; return what is new.

    To be called in the transition's own transaction, after the acknowledgements of `match_found` have been
    written to the match's players: who has none, has an absence in this match, or was replaced, is left out.
    """
    recorded = Absence.objects.filter(match_id=match_id).values("user_id")
    seats = MatchPlayer.objects.filter(
        match_id=match_id, user_id__in=list(kinds), acknowledged_at__isnull=False
    ).exclude(Q(user_id__in=recorded) | Q(outcome=MatchPlayer.Outcome.REPLACED))
    new = [
        Absence(
            tenant_id=seat.tenant_id,
            user_id=seat.user_id,
            match_id=match_id,
            kind=kinds[seat.user_id],
            at=now,
        )
        for seat in seats
    ]
    Absence.objects.bulk_create(new, ignore_conflicts=True)
    for absence in new:
        _log("absence_recorded", absence)
    return new


def note_departures(match_id: UUID, departures: Sequence[Departure], now: datetime) -> None:
    """Record who has left a match's session for good; called in the transaction in which they leave.

    The session of a match that has ended already, by staff or for its age, goes on for a moment.
    """
    if not Match.objects.filter(id=match_id, status=Match.Status.CONFIRMED).exists():
        return
    kinds = {
        departure.user_id: Absence.Kind.ABANDONED if departure.has_come else Absence.Kind.NO_SHOW
        for departure in departures
        if not departure.is_excused
    }
    record(match_id, kinds, now=now)


def pause_until(tenant_id: str, user_id: str, now: datetime) -> datetime | None:
    """Return until when a player pauses before it may queue again; None: it may at once."""
    return rule.paused_until(_missed_at(tenant_id, user_id, now=now), now=now)


def refuse_paused(tenant_id: str, user_id: str, *, who: str = "You", now: datetime) -> None:
    """Raise `Limited` for a player who pauses, with the seconds that are left; ``who`` names it."""
    missed_at = _missed_at(tenant_id, user_id, now=now)
    until = rule.paused_until(missed_at, now=now)
    if until is None:
        return
    seconds = math.ceil((until - now).total_seconds())
    times = len(rule.recent(missed_at, now=now))
    raise Limited(
        f"{who} did not come to {times} matches lately; the pause ends in {seconds} s.",
        retry_after_seconds=seconds,
    )


def _missed_at(tenant_id: str, user_id: str, *, now: datetime) -> list[datetime]:
    counted = Absence.objects.filter(
        tenant_id=tenant_id,
        user_id=user_id,
        kind__in=Absence.PAUSING,
        lifted_at=None,
        at__gt=now - rule.REMEMBERED,
    )
    return list(counted.order_by().values_list("at", flat=True))


def lift(ids: Collection[UUID], *, by: str, now: datetime) -> int:
    """Let absences count no longer, on the word of ``by``; return how many did until now."""
    with transaction.atomic():
        lifted = list(
            Absence.objects.select_for_update().filter(id__in=list(ids), lifted_at=None).order_by("id")
        )
        Absence.objects.filter(id__in=[each.id for each in lifted]).update(lifted_at=now, lifted_by=by)
    for absence in lifted:
        _log("absence_lifted", absence, by=by)
    return len(lifted)


def _log(event: str, absence: Absence, **values: object) -> None:
    log.info(
        event,
        tenant=absence.tenant_id,
        user=absence.user_id,
        match=str(absence.match_id),
        kind=str(absence.kind),
        **values,
    )
