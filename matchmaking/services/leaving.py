"""Leave the queue, in whatever state the ticket is."""

from datetime import datetime

from matchmaking import selectors
from matchmaking.domain.errors import CannotCancel, QueueEntryNotFound
from matchmaking.domain.matches import Cause
from matchmaking.models import Party, Ticket
from matchmaking.services import tickets
from matchmaking.services.rollback import Failure, roll_back
from realtime.protocol.parts import Ticket as TicketMessage
from realtime.transport.auth import Caller
from realtime.transport.events import NO_ORIGIN, Origin

_TRIES = 5


def leave(caller: Caller, queue_entry_id: str | None, *, origin: Origin, now: datetime) -> TicketMessage:
    """End the caller's ticket; without an id, the live one. A match that it is reserved for is rolled back.

    Raises `QueueEntryNotFound`, and `CannotCancel` for a ticket that is matched or has ended.
    """
    for _ in range(_TRIES):
        ticket = _own(caller, queue_entry_id)
        tickets.refuse_if_ended(ticket)
        if _end(ticket, origin=origin, now=now):
            return selectors.ticket_message(_own(caller, str(ticket.id)), now=now)
        # It was reserved, or put back, between the two looks: look again.
    raise CannotCancel


def leave_as_party(party: Party, user_id: str, *, now: datetime) -> None:
    """End the tickets of a party, if there are any: ``user_id`` goes; a match in flight is rolled back.

    To be called with the party's row locked, so that it cannot queue again. Raises `CannotCancel` where it is
    reserved again each time.
    """
    queued = Ticket.objects.filter(party=party, user_id=user_id, status__in=Ticket.LIVE)
    for _ in range(_TRIES):
        ticket = queued.first()
        if ticket is None or _end(ticket, origin=NO_ORIGIN, now=now):
            return
    raise CannotCancel


def _own(caller: Caller, queue_entry_id: str | None) -> Ticket:
    if queue_entry_id is not None:
        return selectors.own_ticket(caller, queue_entry_id)
    ticket = selectors.live_ticket(caller)
    if ticket is None:
        raise QueueEntryNotFound
    return ticket


def _end(ticket: Ticket, *, origin: Origin, now: datetime) -> bool:
    if ticket.status == Ticket.Status.SEARCHING or ticket.match_id is None:
        return bool(tickets.end_searching([ticket.id], Ticket.End.USER_REQUEST, now=now, origin=origin))
    failure = Failure(Cause.LEFT, frozenset({ticket.user_id}))
    return roll_back(ticket.match_id, failure, now=now, origin=origin)
