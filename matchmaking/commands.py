"""The matchmaking socket: what its commands do, and what a connection is greeted with."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from matchmaking import selectors
from matchmaking.domain.matches import Stage
from matchmaking.services import acceptance, leaving, party_events, queueing, tickets
from matchmaking.services.matches import accept_by
from matchmaking.wakeup import wake
from realtime.protocol.messages import (
    AcceptMatch,
    ClientMessage,
    DeclineMatch,
    JoinQueue,
    LeaveQueue,
    MatchmakingRestored,
)
from realtime.protocol.parts import fields_of
from realtime.transport.auth import Caller
from realtime.transport.database import database_now, one_look
from realtime.transport.events import Origin, as_push, backlog, by_id
from realtime.transport.push import Push, ping
from realtime.transport.wiring import End, Snapshot, Wiring

if TYPE_CHECKING:
    from matchmaking.models import MatchPlayer


def join_queue(caller: Caller, message: JoinQueue, origin: Origin) -> None:
    """Join; the answer is the event ``queue_joined``."""
    queueing.join(caller, message.data, origin=origin, now=database_now())


def leave_queue(caller: Caller, message: LeaveQueue, origin: Origin) -> None:
    """Leave; the answer is the event ``queue_cancelled``."""
    leaving.leave(caller, message.data.queue_entry_id, origin=origin, now=database_now())


def accept_match(caller: Caller, message: AcceptMatch, _origin: Origin) -> None:
    """Accept; answered only when refused."""
    acceptance.accept(caller, message.data.match_id, now=database_now())


def decline_match(caller: Caller, message: DeclineMatch, origin: Origin) -> None:
    """Decline; what comes of it is told to all as ``match_cancelled``."""
    acceptance.decline(caller, message.data.match_id, origin=origin, now=database_now())


HANDLERS: Mapping[type[ClientMessage], Callable[[Caller, Any, Origin], None]] = {
    JoinQueue: join_queue,
    LeaveQueue: leave_queue,
    AcceptMatch: accept_match,
    DeclineMatch: decline_match,
}


def snapshot(caller: Caller, address: str, last_seq: int | None) -> Snapshot:
    """Return all that the caller is in, as of one number, and what it still owes an answer to."""
    # State and number have to be of the same instant.
    with one_look():
        now = database_now()
        missed = backlog(address, last_seq)
        seat = selectors.live_seat(caller)
        active = selectors.active_state(caller, seat, now=now)
        owed = _owed(caller, seat, now=now)
    state = MatchmakingRestored(
        **fields_of(active),
        seq=missed.seq,
        resumed=last_seq is not None and not missed.gap,
        gap=missed.gap,
        missed=missed.missed,
    )
    return Snapshot(state=state, seq=missed.seq, owed=owed)


def _owed(caller: Caller, player: "MatchPlayer | None", *, now: datetime) -> list[Push]:
    """Return the ping or the ``match_found`` that waits for the caller's answer, and who has accepted."""
    if player is None or player.match.stage == Stage.DONE:
        return []
    if player.match.stage in {Stage.RESERVED, Stage.VERIFYING}:
        return [ping(caller.address, nonce=player.nonce, now=now)]
    found = _match_found(player) if player.accepted_at is None else []
    if accept_by(player.match) is None:
        return found
    return [*found, acceptance.count_for(player, list(player.match.players.all()), now=now)]


def _match_found(player: "MatchPlayer") -> list[Push]:
    event = by_id(player.found_event_id) if player.found_event_id else None
    return [as_push(event, again=True)] if event else []


def _arrived(caller: Caller, _address: str, _connection_id: str) -> None:
    now = database_now()
    was_unreachable = tickets.note_heard(caller)
    party_events.note_connected(caller, was_unreachable=was_unreachable, now=now)


def _departed(end: End) -> None:
    if end.is_last:
        now = database_now()
        tickets.note_gone(end.caller, at=now - timedelta(seconds=end.age_seconds))
        party_events.note_disconnected(end.caller, now=now)


WIRING = Wiring(
    snapshot=snapshot,
    handlers=HANDLERS,
    arrived=_arrived,
    departed=_departed,
    answered=wake,
)
