"""What staff may do to tickets and matches."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from matchmaking.domain.matches import Cause
from matchmaking.models import Match, Ticket
from matchmaking.services import endings, tickets
from matchmaking.services.rollback import IN_FLIGHT, Failure, roll_back_all

_TRIES = 5


def cancel_tickets(ticket_ids: Collection[UUID], *, now: datetime) -> int:
    """End live tickets; the matches of reserved ones are rolled back first. Return how many were ended."""
    reserved = Ticket.objects.filter(id__in=ticket_ids, status=Ticket.Status.RESERVED)
    ended = 0
    for _ in range(_TRIES):
        _roll_back(reserved.values("match_id"), now=now)
        ended += len(tickets.end_searching(ticket_ids, Ticket.End.STAFF, now=now))
        # Between the two another worker may have reserved one anew.
        if not reserved.exists():
            break
    return ended


def end_matches(match_ids: Collection[UUID], *, now: datetime) -> int:
    """Roll back what is in flight, and end what is confirmed, with its game; return how many."""
    return _roll_back(match_ids, now=now) + endings.end_by_staff(match_ids, now=now)


def _roll_back(match_ids: Collection[UUID] | QuerySet[Any, Any], *, now: datetime) -> int:
    in_flight = Match.objects.filter(id__in=match_ids, status__in=IN_FLIGHT)
    ids = list(in_flight.values_list("id", flat=True))
    size = settings.MATCH_PAIRS_PER_BATCH
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    return sum(len(roll_back_all(dict.fromkeys(b, Failure(Cause.STAFF)), now=now)) for b in batches)
