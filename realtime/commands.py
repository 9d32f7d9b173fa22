"""The session socket: who may come in, and what a connection is greeted with."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from realtime import selectors, services
from realtime.identifiers import parse_id
from realtime.protocol.errors import CloseCode
from realtime.protocol.messages import SessionRestored
from realtime.protocol.parts import fields_of
from realtime.transport.auth import Caller
from realtime.transport.database import database_now, one_look
from realtime.transport.events import backlog
from realtime.transport.wiring import End, Refused, Snapshot, Wiring


def _place(caller: Caller, parameters: Mapping[str, str]) -> str:
    session_id = parse_id(parameters["session_id"])
    session = selectors.running_session(caller.tenant_id, session_id) if session_id else None
    if session is None:
        raise Refused(CloseCode.NO_SUCH_SESSION)
    participant = selectors.participant_of(session, caller.user_id)
    if participant is None:
        raise Refused(CloseCode.NOT_ALLOWED)
    if participant.left_at is not None:
        raise Refused(CloseCode.LEFT)
    return services.session_address(session.id)


def _session_id(address: str) -> UUID:
    return UUID(address.partition(":")[2])


def snapshot(caller: Caller, address: str, last_seq: int | None) -> Snapshot:
    """Return the session as the caller may see it, as of one number."""
    # State and number have to be of the same instant.
    with one_look():
        missed = backlog(address, last_seq)
        session = selectors.running_session(caller.tenant_id, _session_id(address))
        if session is None:
            raise Refused(CloseCode.NO_SUCH_SESSION)
        seen = selectors.session_state(session, user_id=caller.user_id)
    state = SessionRestored(
        **fields_of(seen),
        seq=missed.seq,
        resumed=last_seq is not None and not missed.gap,
        gap=missed.gap,
        missed=missed.missed,
    )
    return Snapshot(state=state, seq=missed.seq)


def _arrived(caller: Caller, address: str, connection_id: str) -> None:
    services.arrive(_session_id(address), caller.user_id, connection_id=connection_id, now=database_now())


def _departed(end: End) -> None:
    services.drop(
        _session_id(end.address),
        end.caller.user_id,
        connection_id=end.connection_id,
        is_last=end.is_last,
        now=database_now() - timedelta(seconds=end.age_seconds),
    )


def _answered() -> None:
    """Nothing in a session waits for answers."""


WIRING = Wiring(
    place=_place, snapshot=snapshot, handlers={}, arrived=_arrived, departed=_departed, answered=_answered
)
