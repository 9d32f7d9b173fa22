"""Changes of game sessions: create, let in, come, drop, come back, leave, end.

Rows are locked session first, then participants. What a session's end means for its match is told upwards, to
the listeners that the composition root registers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from realtime.domain.participants import ConnectionState, grace_is_over
from realtime.models import GameSession, Participant
from realtime.protocol.errors import CloseCode
from realtime.protocol.messages import (
    GameOver,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantReconnected,
    ParticipantTemporarilyDisconnected,
    ServerMessage,
)
from realtime.transport import presence
from realtime.transport.database import OUTAGES
from realtime.transport.events import Outgoing, emit
from realtime.transport.push import Push, publish

log = structlog.get_logger(__name__)

UNHELD_SECONDS = 2

LeftReason = Literal["left", "grace_expired"]

session_finished_listeners: list[Callable[[UUID, datetime], None]] = []
"""Called in the transaction that ends a session, with the id of its match and the time."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be made for a match, with its players as (user id, display name)."""

    tenant_id: str
    match_id: UUID
    players: Sequence[tuple[str, str]]


def session_address(session_id: UUID) -> str:
    """Return where a session's events go."""
    return f"session:{session_id}"


def participant_owner(session_id: UUID, user_id: str) -> str:
    """Return by what name a participant's presence is kept."""
    return f"{session_address(session_id)}:{user_id}"


def create_sessions(sessions: Iterable[NewSession], *, now: datetime) -> dict[UUID, UUID]:
    """Make a session for each match; return session ids by match id.

    Asked twice for a match, it is the same session; a match that was cancelled before has none.
    """
    wanted = {session.match_id: session for session in sessions}
    with transaction.atomic():
        GameSession.objects.bulk_create(
            [
                GameSession(tenant_id=s.tenant_id, match_id=s.match_id, created_at=now)
                for s in wanted.values()
            ],
            ignore_conflicts=True,
        )
        made = GameSession.objects.filter(match_id__in=wanted, finished_at=None)
        ids = {session.match_id: session.id for session in made if session.match_id is not None}
        Participant.objects.bulk_create(
            [
                Participant(session_id=session_id, user_id=user_id, display_name=display_name)
                for match_id, session_id in ids.items()
                for user_id, display_name in wanted[match_id].players
            ],
            ignore_conflicts=True,
        )
    return ids


def cancel_session(tenant_id: str, match_id: UUID, *, now: datetime) -> None:
    """See to it that there is no session for a match, and never will be: a later create finds this one."""
    with transaction.atomic():
        GameSession.objects.bulk_create(
            [GameSession(tenant_id=tenant_id, match_id=match_id, created_at=now)], ignore_conflicts=True
        )
        session = GameSession.objects.select_for_update().get(match_id=match_id)
        if session.finished_at is None:
            _finish(session, now=now)
            if session.started_at is not None:
                _tell(session.id, [GameOver(session_id=str(session.id), standing=[])], now=now)


def start_sessions(match_ids: Iterable[UUID], *, now: datetime) -> None:
    """Let the players of confirmed matches in; each has the grace period to come."""
    sessions = GameSession.objects.filter(match_id__in=match_ids, started_at=None, finished_at=None)
    ids = list(sessions.values_list("id", flat=True))
    GameSession.objects.filter(id__in=ids).update(started_at=now)
    Participant.objects.filter(session_id__in=ids).update(dropped_at=now)


def arrive(session_id: UUID, user_id: str, *, connection_id: str, now: datetime) -> None:
    """Note that a participant's socket is open."""
    with transaction.atomic():
        participant = _locked_participant(session_id, user_id)
        if participant is None or participant.connection_state == ConnectionState.DISCONNECTED:
            return
        was_connected = participant.connection_state == ConnectionState.CONNECTED
        message = _arrival_message(participant)
        participant.connection_state = ConnectionState.CONNECTED
        participant.connection_id = connection_id
        participant.came_at = participant.came_at or now
        participant.dropped_at = None
        participant.save(update_fields=["connection_state", "connection_id", "came_at", "dropped_at"])
        if not was_connected:
            _tell(session_id, [message], now=now)


def _arrival_message(participant: Participant) -> ServerMessage:
    if participant.came_at is not None:
        return ParticipantReconnected(participant_id=str(participant.id))
    return ParticipantJoined(participant_id=str(participant.id), display_name=participant.display_name)


def drop(session_id: UUID, user_id: str, *, connection_id: str, is_last: bool, now: datetime) -> None:
    """Note that a participant's socket is gone; where it has no other one, the grace period begins.

    A socket that was opened meanwhile has put its own id in place of this one's, and nothing happens.
    """
    with transaction.atomic():
        participant = _locked_participant(session_id, user_id)
        if participant is None or participant.connection_id not in {connection_id, ""}:
            return
        if not is_last:
            participant.connection_id = ""
            participant.save(update_fields=["connection_id"])
        elif participant.connection_state == ConnectionState.CONNECTED:
            participant.connection_state = ConnectionState.TEMPORARILY_DISCONNECTED
            participant.dropped_at = now
            participant.save(update_fields=["connection_state", "dropped_at"])
            message = ParticipantTemporarilyDisconnected(
                participant_id=str(participant.id), grace_seconds=settings.GRACE_SECONDS
            )
            _tell(session_id, [message], now=now)


def leave(session_id: UUID, user_id: str, *, now: datetime) -> None:
    """Leave for good; a duel is over then. Leaving twice is leaving once."""
    with transaction.atomic():
        participant = _locked_participant(session_id, user_id)
        if participant is not None and participant.connection_state != ConnectionState.DISCONNECTED:
            _end_duel(participant.session, [participant], reason="left", now=now)


def expire_grace(*, now: datetime) -> int:
    """Let those whose grace period is over leave for good; return how many."""
    due = Participant.objects.filter(
        connection_state=ConnectionState.TEMPORARILY_DISCONNECTED,
        dropped_at__lte=now - timedelta(seconds=settings.GRACE_SECONDS),
        session__finished_at=None,
    )
    left = 0
    for session_id in due.values_list("session_id", flat=True).distinct():
        try:
            left += _expire_in(session_id, now=now)
        except OUTAGES:
            raise
        except Exception:
            # This one is tried again by the next run; the others are not to wait for it.
            log.exception("session_failed", session=str(session_id))
    return left


def _expire_in(session_id: UUID, *, now: datetime) -> int:
    with transaction.atomic():
        session = GameSession.objects.select_for_update().get(id=session_id)
        gone = [
            participant
            for participant in session.participants.select_for_update()
            if participant.connection_state == ConnectionState.TEMPORARILY_DISCONNECTED
            and participant.dropped_at is not None
            and grace_is_over(
                dropped_at=participant.dropped_at, now=now, grace_seconds=settings.GRACE_SECONDS
            )
        ]
        if gone and session.finished_at is None:
            _end_duel(session, gone, reason="grace_expired", now=now)
        return len(gone)


def drop_unheld(*, now: datetime) -> int:
    """Let those drop whose connection no living web process holds, though nobody said so; return how many.

    A killed process says nothing, and one that could not reach the database was not heard.
    """
    connected = Participant.objects.filter(
        connection_state=ConnectionState.CONNECTED, session__finished_at=None
    ).only("session_id", "user_id", "connection_id")
    held = {(participant_owner(p.session_id, p.user_id), p.connection_id): p for p in connected}
    unheld = presence.gone(list(held), seconds=UNHELD_SECONDS)
    for key in unheld:
        who = held[key]
        drop(who.session_id, who.user_id, connection_id=who.connection_id, is_last=True, now=now)
    return len(unheld)


def _locked_participant(session_id: UUID, user_id: str) -> Participant | None:
    """Return the user's participant in a running session, both rows locked."""
    session = GameSession.objects.select_for_update().filter(id=session_id, finished_at=None).first()
    if session is None or session.started_at is None:
        return None
    participant = session.participants.select_for_update().filter(user_id=user_id).first()
    if participant is not None:
        participant.session = session
    return participant


def _end_duel(
    session: GameSession, gone: Sequence[Participant], *, reason: LeftReason, now: datetime
) -> None:
    """Let participants leave for good, and end the session: nobody plays a duel alone."""
    for participant in gone:
        participant.connection_state = ConnectionState.DISCONNECTED
        participant.left_at = now
        participant.left_reason = reason
        participant.save(update_fields=["connection_state", "left_at", "left_reason"])
    _finish(session, now=now)
    if session.match_id is not None:
        for listener in session_finished_listeners:
            listener(session.match_id, now)
    owners = [participant_owner(session.id, p.user_id) for p in gone]
    closing = [
        Push(address=session_address(session.id), origin=owner, close=CloseCode.LEFT) for owner in owners
    ]
    left: list[ServerMessage] = [ParticipantLeft(participant_id=str(p.id), reason=reason) for p in gone]
    _tell(session.id, [*left, GameOver(session_id=str(session.id), standing=[])], now=now)
    transaction.on_commit(lambda: publish(closing), robust=True)
    log.info("session_finished", session=str(session.id), match=str(session.match_id), reason=reason)


def _finish(session: GameSession, *, now: datetime) -> None:
    session.phase = GameSession.Phase.FINISHED
    session.finished_at = now
    session.save(update_fields=["phase", "finished_at"])


def _tell(session_id: UUID, messages: Iterable[ServerMessage], *, now: datetime) -> None:
    address = session_address(session_id)
    emit([Outgoing(address=address, message=message) for message in messages], now=now)
