"""The session socket: who may come in, what its commands do, and what a connection is greeted with."""

import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from realtime import selectors
from realtime.domain.participants import is_device_id
from realtime.identifiers import parse_id
from realtime.protocol.errors import CloseCode, Unauthorized
from realtime.protocol.messages import AnswerResult, GiveAnswer, Rename, SessionRestored
from realtime.protocol.parts import fields_of
from realtime.selectors import Seat
from realtime.services import participants, play, rooms
from realtime.transport.auth import Caller, session_caller_from_token
from realtime.transport.database import database_now, one_look
from realtime.transport.events import Origin, backlog
from realtime.transport.wiring import End, Place, Refused, Snapshot, Wiring


def _place(caller: Caller, parameters: Mapping[str, str]) -> Place:
    session_id = parse_id(parameters["session_id"])
    if caller.session_id and caller.session_id != str(session_id):
        raise Unauthorized("This token is for another session")
    seat = _seat(caller, session_id)
    if seat.participant is not None and seat.participant.left_at is not None:
        raise Refused(CloseCode.LEFT)
    device = parameters.get("device_id", "")
    # A participant's token is one device's.
    own = "participant" if caller.session_id else device if is_device_id(device) else ""
    return Place(address=rooms.session_address(seat.session.id), device=own)


def _seat(caller: Caller, session_id: UUID | None) -> Seat:
    session = selectors.running_session(caller.tenant_id, session_id) if session_id else None
    if session is None:
        raise Refused(CloseCode.NO_SUCH_SESSION)
    seat = selectors.seat_of(session, caller)
    if seat is None:
        raise Refused(CloseCode.NOT_ALLOWED)
    return seat


def _session_id(address: str) -> UUID:
    return UUID(address.partition(":")[2])


def snapshot(caller: Caller, address: str, last_seq: int | None) -> Snapshot:
    """Return the session as the caller may see it, as of one number."""
    # State and number have to be of the same instant.
    with one_look():
        missed = backlog(address, last_seq)
        seen = selectors.session_state(_seat(caller, _session_id(address)), now=database_now())
    state = SessionRestored(
        **fields_of(seen),
        seq=missed.seq,
        resumed=last_seq is not None and not missed.gap,
        gap=missed.gap,
        missed=missed.missed,
    )
    return Snapshot(state=state, seq=missed.seq)


def answer(caller: Caller, message: GiveAnswer, origin: Origin) -> AnswerResult:
    """Answer the question that is open."""
    return play.answer(
        _session_id(origin.address),
        caller.user_id,
        question_id=message.data.question_id,
        choice=message.data.choice,
        age_seconds=time.monotonic() - origin.received_at,
        now=database_now(),
    )


def rename(caller: Caller, message: Rename, origin: Origin) -> None:
    """Take another name; the answer is the event ``participant_renamed``."""
    session_id = _session_id(origin.address)
    participants.rename(
        session_id, caller.user_id, message.data.display_name, origin=origin, now=database_now()
    )


def _arrived(caller: Caller, address: str, connection_id: str) -> None:
    session_id, now = _session_id(address), database_now()
    # Its time may have run out between the look at its place and this one.
    if not participants.arrive(session_id, caller.user_id, connection_id=connection_id, now=now):
        raise Refused(CloseCode.LEFT)


def _departed(end: End) -> None:
    participants.drop(
        _session_id(end.address),
        end.caller.user_id,
        connection_id=end.connection_id,
        is_last=end.is_last,
        now=database_now() - timedelta(seconds=end.age_seconds),
    )


def _answered() -> None:
    """Nothing in a session waits for answers."""


WIRING = Wiring(
    identify=session_caller_from_token,
    place=_place,
    snapshot=snapshot,
    handlers={GiveAnswer: answer, Rename: rename},
    arrived=_arrived,
    departed=_departed,
    answered=_answered,
)
