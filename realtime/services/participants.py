"""Changes of participants: come, drop, come back, take another name, leave, and be found to have gone."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from realtime.domain.errors import NameTaken, SessionFinished
from realtime.domain.joining import name_key
from realtime.domain.participants import ConnectionState, grace_is_over
from realtime.domain.quiz import gathered
from realtime.models import GameSession, Participant
from realtime.protocol.errors import CloseCode, Forbidden, InvalidRequest
from realtime.protocol.messages import (
    ParticipantJoined,
    ParticipantLeft,
    ParticipantReconnected,
    ParticipantRenamed,
    ParticipantTemporarilyDisconnected,
    ServerMessage,
)
from realtime.services import departures, rooms
from realtime.transport import presence
from realtime.transport.auth import clean_name
from realtime.transport.database import update_each
from realtime.transport.events import NO_ORIGIN, Origin
from realtime.transport.push import Push, publish

log = structlog.get_logger(__name__)

UNHELD_SECONDS = 2

LeftReason = Literal["left", "grace_expired"]


def arrive(session_id: UUID, user_id: str, *, connection_id: str, now: datetime) -> bool:
    """Note that a participant's socket is open; return False where the participant has left for good."""
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        participant = rooms.locked_participant(session, user_id) if session else None
        if session is None or participant is None:
            return True
        if participant.left_at is not None:
            return False
        told = come(participant, connection_id=connection_id, now=now)
        if told:
            rooms.tell(session, [*told, *_look_around(session, now=now)], now=now)
    return True


def come(participant: Participant, *, connection_id: str, now: datetime) -> list[ServerMessage]:
    """Note that a participant, whose row is locked, is there; return what that tells."""
    was_connected = participant.connection_state == ConnectionState.CONNECTED
    message = _arrival_message(participant)
    participant.connection_state = ConnectionState.CONNECTED
    participant.connection_id = connection_id
    participant.came_at = participant.came_at or now
    participant.last_heartbeat = now
    participant.dropped_at = participant.left_at = None
    participant.left_reason = ""
    participant.save()
    return [] if was_connected else [message]


def _arrival_message(participant: Participant) -> ServerMessage:
    if participant.came_at is not None and participant.left_at is None:
        return ParticipantReconnected(participant_id=str(participant.id))
    return ParticipantJoined(participant_id=str(participant.id), display_name=participant.display_name)


def _look_around(session: GameSession, *, now: datetime, has_walked_out: bool = False) -> list[ServerMessage]:
    """Return what follows for a duel from who is here now: it may begin soon, or not yet, or be over."""
    if session.kind != GameSession.Kind.DUEL:
        return []
    if rooms.is_decided(session, has_walked_out=has_walked_out):
        return rooms.finish(session, now=now)
    before = rooms.quiz_of(session)
    here = rooms.are_all_here(session)
    quiz = gathered(before, are_all_here=here, lobby_seconds=settings.QUIZ_LOBBY_SECONDS, now=now)
    return [] if quiz == before else rooms.go_on(session, quiz, now=now)


def drop(session_id: UUID, user_id: str, *, connection_id: str, is_last: bool, now: datetime) -> None:
    """Note that a participant's socket is gone; where it has no other one, the grace period begins.

    A socket that was opened meanwhile has put its own id in place of this one's, and nothing happens.
    """
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        participant = rooms.locked_participant(session, user_id) if session else None
        if session is None or participant is None:
            return
        if participant.connection_id not in {connection_id, ""}:
            return
        if not is_last:
            participant.connection_id = ""
            participant.save(update_fields=["connection_id"])
        else:
            _let_drop(session, [participant], now=now)


def _let_drop(session: GameSession, gone: Sequence[Participant], *, now: datetime) -> int:
    """Let the grace period begin for those who are not in it yet; return for how many."""
    dropped = [each for each in gone if each.connection_state == ConnectionState.CONNECTED]
    for participant in dropped:
        participant.connection_state = ConnectionState.TEMPORARILY_DISCONNECTED
        participant.dropped_at = participant.last_heartbeat = now
    update_each(dropped, ["connection_state", "dropped_at", "last_heartbeat"])
    told: list[ServerMessage] = [
        ParticipantTemporarilyDisconnected(
            participant_id=str(participant.id), grace_seconds=settings.GRACE_SECONDS
        )
        for participant in dropped
    ]
    if dropped:
        rooms.tell(session, [*told, *_look_around(session, now=now)], now=now)
    return len(dropped)


def rename(
    session_id: UUID, user_id: str, display_name: str, *, origin: Origin = NO_ORIGIN, now: datetime
) -> Participant:
    """Give a participant another name, which everyone hears of; in an event nobody else may have it."""
    name = valid_name(display_name)
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        participant = rooms.locked_participant(session, user_id) if session else None
        if session is None:
            raise SessionFinished
        if participant is None or participant.left_at is not None:
            raise Forbidden("Who is not in the session has no name there")
        participant.display_name = name
        if session.kind == GameSession.Kind.EVENT:
            participant.name_key = free_name_key(session, name, but=participant.id)
        participant.save(update_fields=["display_name", "name_key"])
        renamed = ParticipantRenamed(participant_id=str(participant.id), display_name=name)
        rooms.tell(session, [renamed], now=now, origin=origin)
    return participant


def valid_name(text: str) -> str:
    """Return a display name cleaned; raise `InvalidRequest` where nothing of it can be seen."""
    name = clean_name(text)
    if not name:
        raise InvalidRequest("A name needs at least one visible character", field="display_name")
    return name


def free_name_key(session: GameSession, name: str, *, but: UUID | None = None) -> str:
    """Return the key of a name that nobody else has in a session whose row is locked."""
    key = name_key(name)
    taken_by = session.participants.filter(name_key=key).values_list("id", flat=True).first()
    if taken_by not in {None, but}:
        raise NameTaken
    return key


# --- leaving


def leave(session_id: UUID, user_id: str, *, now: datetime) -> None:
    """Leave for good; a duel is lost then. Leaving twice is leaving once."""
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        participant = rooms.locked_participant(session, user_id) if session else None
        if session is not None and participant is not None and participant.left_at is None:
            _let_leave(session, [participant], reason="left", now=now)


def _let_leave(
    session: GameSession,
    gone: Sequence[Participant],
    *,
    reason: LeftReason,
    excused: frozenset[UUID] = frozenset(),
    now: datetime,
) -> None:
    for participant in gone:
        participant.connection_state = ConnectionState.DISCONNECTED
        participant.left_at = now
        participant.left_reason = reason
    update_each(gone, ["connection_state", "left_at", "left_reason"])
    departures.tell_match(session, gone, excused=excused, now=now)
    left: list[ServerMessage] = [ParticipantLeft(participant_id=str(p.id), reason=reason) for p in gone]
    follows = _look_around(session, now=now, has_walked_out=reason == "left")
    rooms.tell(session, [*left, *follows], now=now)
    closing = [
        Push(
            address=rooms.session_address(session.id),
            origin=rooms.participant_owner(session.id, participant.user_id),
            close=CloseCode.LEFT,
        )
        for participant in gone
    ]
    transaction.on_commit(lambda: publish(closing), robust=True)
    log.info("participants_left", session=str(session.id), reason=reason, participants=len(gone))


def expire_grace(*, now: datetime) -> int:
    """Let those whose grace period is over leave for good; return how many."""
    due = Participant.objects.filter(
        connection_state=ConnectionState.TEMPORARILY_DISCONNECTED,
        dropped_at__lte=now - timedelta(seconds=settings.GRACE_SECONDS),
        session__finished_at=None,
    )
    away = list(due.order_by().select_related("session").only(*departures.COLUMNS))
    excused = departures.excused(away, now=now)
    ids = dict.fromkeys(participant.session_id for participant in away)
    return rooms.in_each(ids, partial(_expire_in, excused=excused, now=now))


def _expire_in(session_id: UUID, *, excused: frozenset[UUID], now: datetime) -> int:
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        if session is None:
            return 0
        gone = [
            participant
            for participant in session.participants.select_for_update()
            if participant.connection_state == ConnectionState.TEMPORARILY_DISCONNECTED
            and participant.dropped_at is not None
            and grace_is_over(
                dropped_at=participant.dropped_at, now=now, grace_seconds=settings.GRACE_SECONDS
            )
        ]
        if gone:
            _let_leave(session, gone, reason="grace_expired", excused=excused, now=now)
        return len(gone)


# --- what web processes know


def drop_unheld(*, now: datetime) -> int:
    """Let those drop whose connection no living web process holds, though nobody said so; return how many.

    A killed process says nothing, and one that could not reach the database was not heard. Who has just
    joined by REST has a heartbeat's time to open the socket.
    """
    since = now - timedelta(seconds=settings.HEARTBEAT_SECONDS)
    is_joining = Q(session__kind=GameSession.Kind.EVENT, connection_id="", last_heartbeat__gt=since)
    connected = _connected().exclude(is_joining)
    held = {(rooms.participant_owner(p.session_id, p.user_id), p.connection_id): p for p in connected}
    unheld = [held[key] for key in presence.gone(list(held), seconds=UNHELD_SECONDS)]
    of_session: dict[UUID, dict[UUID, Participant]] = {}
    for participant in unheld:
        of_session.setdefault(participant.session_id, {})[participant.id] = participant
    return rooms.in_each(
        of_session, lambda session_id: _drop_all(session_id, of_session[session_id], now=now)
    )


def _drop_all(session_id: UUID, seen: Mapping[UUID, Participant], *, now: datetime) -> int:
    """Let those of a session drop who are still as they were seen, and have not come back meanwhile."""
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        if session is None:
            return 0
        rows = session.participants.select_for_update().filter(id__in=list(seen))
        gone = [row for row in rows if _sign_of_life(row) == _sign_of_life(seen[row.id])]
        return _let_drop(session, gone, now=now)


def _sign_of_life(participant: Participant) -> tuple[str, datetime | None]:
    return participant.connection_id, participant.last_heartbeat


def note_heartbeats(*, now: datetime) -> int:
    """Write down, in one statement, when each connected participant was last heard from; count them.

    Rows that somebody is just changing are left out: that change writes it as well.
    """
    connected = {rooms.participant_owner(p.session_id, p.user_id): p.id for p in _connected()}
    heard = presence.heard_at(list(connected), now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH free AS (SELECT id FROM realtime_participant WHERE id = ANY(%(ids)s::uuid[])"
            " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"
            " UPDATE realtime_participant AS p SET last_heartbeat = heard.at"
            " FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS heard (id, at) JOIN free USING (id)"
            # What Redis says of the same moment differs by some milliseconds from one look to the next.
            " WHERE p.id = heard.id"
            " AND (p.last_heartbeat IS NULL OR p.last_heartbeat < heard.at - interval '100 milliseconds')",
            {"ids": [connected[owner] for owner in heard], "times": list(heard.values())},
        )
        return int(cursor.rowcount)


def heard_live(of: Sequence[Participant], *, now: datetime) -> dict[str, datetime]:
    """Return, by participant's id, when each was last heard from; absent: not lately."""
    owners = {rooms.participant_owner(p.session_id, p.user_id): str(p.id) for p in of}
    return {owners[owner]: at for owner, at in presence.heard_at(list(owners), now=now).items()}


def _connected() -> QuerySet[Participant]:
    return Participant.objects.filter(
        connection_state=ConnectionState.CONNECTED, session__finished_at=None
    ).only("session_id", "user_id", "connection_id", "last_heartbeat")
