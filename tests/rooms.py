"""The cast in game sessions: hosts, their guests, duels, and what all of them are told."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from realtime.identifiers import new_id
from realtime.models import Event, GameSession, Participant
from realtime.protocol.messages import AnswerResult
from realtime.protocol.parts import Joined
from realtime.services import hosting, participants, play, rooms, sessions
from realtime.services.hosting import Join
from realtime.services.sessions import NewSession
from realtime.transport.database import database_now
from tests.factories import Rest, Told, as_process, caller

NOON = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)
QUESTIONS = [
    {"id": "q1", "text": "Which?", "choices": ["this", "that", "neither"], "answer": 1, "seconds": 10},
    {"id": "q2", "text": "And now?", "choices": ["this", "that"], "answer": 0, "seconds": 20},
]


def at(seconds: float) -> datetime:
    """Return noon and so many seconds."""
    return NOON + timedelta(seconds=seconds)


# --- events


def hosted_event(
    host: str = "hanna",
    *,
    title: str = "Quiz night",
    questions: Sequence[dict[str, Any]] = QUESTIONS,
    now: datetime | None = None,
    **claims: Any,
) -> GameSession:
    """Let somebody host an event of two questions."""
    return hosting.create_event(
        caller(host, **claims), title=title, questions=list(questions), now=now or database_now()
    )


def device_of(name: str) -> str:
    return f"device-of-{name}".ljust(16, "-")


def join_body(session: GameSession, name: str, **changes: Any) -> dict[str, Any]:
    """Return what somebody sends to join."""
    body = {"join_code": session.join_code, "display_name": name.title(), "device_id": device_of(name)}
    return body | changes


def joined(
    session: GameSession,
    name: str,
    *,
    now: datetime | None = None,
    display_name: str | None = None,
    device_id: str | None = None,
    attempt: str | None = None,
) -> Joined:
    """Let somebody join an event, by a device of its own."""
    wish = Join(
        code=session.join_code or "",
        display_name=display_name or name.title(),
        device_id=device_id or device_of(name),
        attempt=attempt,
    )
    return hosting.join(wish, now=now or database_now())[0]


class ParticipantRest(Rest):
    """The REST client of somebody who joined an event, with the token of that session."""

    def __init__(self, place: Joined) -> None:
        super().__init__()
        self._headers = {"authorization": f"Bearer {place.token}"}


# --- duels


def duel_session(*names: str, match_id: UUID | None = None, tenant_id: str = "demo") -> GameSession:
    """Make the session of a duel, by default of no match, with its players let in at noon."""
    match_id = match_id or new_id()
    wanted = NewSession(tenant_id, match_id, [(name, name.title()) for name in names or ("ann", "bob")])
    (session_id,) = sessions.create_sessions([wanted], now=NOON).values()
    sessions.start_sessions([match_id], now=NOON)
    return GameSession.objects.get(id=session_id)


def arrive(session: GameSession, *names: str, now: datetime, device: str = "1") -> None:
    """Let players open their sockets."""
    for name in names:
        participants.arrive(session.id, name, connection_id=f"{name}-{device}", now=now)


def drop(session: GameSession, *names: str, now: datetime, device: str = "1", is_last: bool = True) -> None:
    """Let players' sockets close."""
    for name in names:
        participants.drop(session.id, name, connection_id=f"{name}-{device}", is_last=is_last, now=now)


def leave(session: GameSession, name: str, *, now: datetime) -> None:
    participants.leave(session.id, name, now=now)


# --- playing


def answer(
    session: GameSession, user_id: str, *, now: datetime, right: bool = True, question_id: str = ""
) -> AnswerResult:
    """Answer the question that is open, right or wrong."""
    session.refresh_from_db()
    asked = session.questions[session.question_number - 1]
    choice = asked["answer"] if right else (asked["answer"] + 1) % len(asked["choices"])
    return play.answer(session.id, user_id, question_id=question_id or asked["id"], choice=choice, now=now)


def where(session: GameSession) -> tuple[str, int, float | None]:
    """Return a session's phase, question and end, the latter in seconds after noon."""
    session.refresh_from_db()
    ends_at = session.phase_ends_at
    seconds = (ends_at - NOON).total_seconds() if ends_at else None
    return session.phase, session.question_number, seconds


def participant(session: GameSession, user_id: str) -> Participant:
    return session.participants.get(user_id=user_id)


def states(session: GameSession) -> list[str]:
    return list(session.participants.values_list("connection_state", flat=True))


def session_told(session: GameSession, *kinds: str) -> list[Told]:
    """Return what all in a session were told, in order; of some kinds alone where these are given."""
    events = Event.objects.filter(address=rooms.session_address(session.id)).order_by("seq")
    return [Told(e.type, json.loads(e.data)) for e in events if not kinds or e.type in kinds]


def types_told(session: GameSession) -> list[str]:
    return [each.type for each in session_told(session)]


def clear_told(session: GameSession) -> None:
    """Forget what was told, as if it were long ago."""
    Event.objects.filter(address=rooms.session_address(session.id)).delete()


def hold_socket(session: GameSession, user_id: str, connection_id: str, *, process: str = "web-1") -> None:
    """Let a living web process hold a participant's socket."""
    owner = rooms.participant_owner(session.id, user_id)
    as_process(process, lambda web: web.refresh({}))
    as_process(process, lambda web: web.add(owner, connection_id))
