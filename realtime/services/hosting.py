"""Hosted events: made by a host, joined by a code, locked, and left to nobody."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.dateparse import parse_datetime

from realtime.domain import joining
from realtime.domain.errors import SessionFinished, SessionFull, SessionLocked, SessionNotFound
from realtime.domain.participants import ConnectionState
from realtime.models import GameSession, Participant
from realtime.protocol.messages import LockChanged
from realtime.protocol.parts import Joined, JoinPage
from realtime.services import rooms
from realtime.services.participants import come, free_name_key, valid_name
from realtime.transport.auth import Caller, participant_token

_ATTEMPT_SALT = "realtime.attempt"
_CODE_TRIES = 20


def create_event(host: Caller, *, title: str, questions: list[dict[str, Any]], now: datetime) -> GameSession:
    """Make an event that people can join by its code from now on."""
    for _ in range(_CODE_TRIES):
        code = joining.new_code(secrets.choice)
        try:
            with transaction.atomic():
                return GameSession.objects.create(
                    tenant_id=host.tenant_id,
                    kind=GameSession.Kind.EVENT,
                    host_id=host.user_id,
                    title=title,
                    join_code=code,
                    questions=questions,
                    created_at=now,
                    started_at=now,
                )
        except IntegrityError:
            continue
    raise RuntimeError("no free join code was found")


# --- the join page


def join_page(code: str, *, now: datetime) -> JoinPage:
    """Return what the join page shows, with a stamp of when it did."""
    shown = GameSession.objects.only("title", "phase", "locked_at")
    session = shown.filter(join_code=joining.clean_code(code)).first()
    if session is None:
        raise SessionNotFound
    return JoinPage(
        session_id=str(session.id),
        title=session.title,
        phase=session.phase,  # type: ignore[arg-type]  # one of the phases
        locked=session.locked_at is not None,
        attempt=signing.dumps([str(session.id), now.isoformat()], salt=_ATTEMPT_SALT),
    )


def _begun_at(session: GameSession, attempt: str | None) -> datetime | None:
    """Return when a join was begun, as the stamp says; None without one that is ours and of this session."""
    if not attempt:
        return None
    try:
        session_id, begun_at = signing.loads(attempt, salt=_ATTEMPT_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return parse_datetime(begun_at) if session_id == str(session.id) else None


# --- joining


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Somebody's wish to join; ``device_id`` is a secret of the device, by which it is known again."""

    code: str
    display_name: str
    device_id: str
    attempt: str | None


def join(wish: Join, *, now: datetime) -> tuple[Joined, bool]:
    """Give a device a place in an event, the one that it had if it had one; return whether it is new.

    Joins of one event run one after the other: its row is locked.
    """
    name = valid_name(wish.display_name)
    device_hash = sha256(wish.device_id.encode()).hexdigest()
    with transaction.atomic():
        session = _locked_by_code(wish.code)
        participant = session.participants.select_for_update().filter(device_hash=device_hash).first()
        is_new = participant is None
        if participant is None:
            _see_that_it_may_join(session, wish.attempt, now=now)
            participant = _new_participant(session, name, device_hash)
        told = come(participant, connection_id=_open_connection(participant), now=now)
        rooms.tell(session, told, now=now)
    return _joined(session, participant, now=now), is_new


def _open_connection(participant: Participant) -> str:
    """Return the connection that a participant has; one that dropped is not taken for the one to come."""
    is_open = participant.connection_state == ConnectionState.CONNECTED
    return participant.connection_id if is_open else ""


def _locked_by_code(code: str) -> GameSession:
    session = GameSession.objects.select_for_update().filter(join_code=joining.clean_code(code)).first()
    if session is None:
        raise SessionNotFound
    if session.finished_at is not None:
        raise SessionFinished
    return session


def _see_that_it_may_join(session: GameSession, attempt: str | None, *, now: datetime) -> None:
    begun_at = _begun_at(session, attempt)
    locked_at = session.locked_at
    if locked_at and not joining.counts_despite_lock(begun_at=begun_at, locked_at=locked_at, now=now):
        raise SessionLocked
    if session.participants.count() >= joining.MAX_PARTICIPANTS:
        raise SessionFull


def _new_participant(session: GameSession, name: str, device_hash: str) -> Participant:
    participant = Participant(
        session=session,
        device_hash=device_hash,
        display_name=name,
        name_key=free_name_key(session, name),
    )
    # Nobody needs an account here: a participant is known by its own id.
    participant.user_id = str(participant.id)
    return participant


def _joined(session: GameSession, participant: Participant, *, now: datetime) -> Joined:
    return Joined(
        participant_id=str(participant.id),
        session_id=str(session.id),
        display_name=participant.display_name,
        token=participant_token(
            tenant_id=session.tenant_id,
            session_id=str(session.id),
            participant_id=str(participant.id),
            expires_at=now + timedelta(seconds=settings.MAX_GAME_SECONDS),
        ),
    )


# --- the lock


def set_locked(session: GameSession, *, is_locked: bool, now: datetime) -> None:
    """Lock joining or open it again, which everyone hears of; doing it twice is doing it once."""
    with transaction.atomic():
        locked = rooms.locked_session(session.id)
        if locked is None:
            raise SessionFinished
        if (locked.locked_at is not None) == is_locked:
            return
        locked.locked_at = now if is_locked else None
        locked.save(update_fields=["locked_at"])
        rooms.tell(locked, [LockChanged(locked=is_locked)], now=now)
