"""Reads of game sessions."""

from uuid import UUID

from realtime.domain.participants import ConnectionState
from realtime.models import GameSession, Participant
from realtime.protocol import parts


def session_state(session: GameSession, *, user_id: str) -> parts.SessionState:
    """Return a session as one of its participants may see it."""
    participants = list(session.participants.all())
    own = next((participant for participant in participants if participant.user_id == user_id), None)
    return parts.SessionState(
        session=parts.Session(
            session_id=str(session.id),
            kind="duel",
            match_id=str(session.match_id) if session.match_id else None,
            created_at=session.created_at,
            finished_at=session.finished_at,
        ),
        phase="finished" if session.phase == GameSession.Phase.FINISHED else "lobby",
        question=None,
        time_left_ms=None,
        participant_id=str(own.id) if own else None,
        score=0 if own else None,
        answers=[] if own else None,
        participants=[
            parts.Participant(
                participant_id=str(participant.id),
                display_name=participant.display_name,
                connection_state=ConnectionState(participant.connection_state).value,
            )
            for participant in participants
        ],
        locked=False,
    )


def running_session(tenant_id: str, session_id: UUID) -> GameSession | None:
    """Return a session of the tenant that its players have been let into, finished or not."""
    return (
        GameSession.objects.filter(tenant_id=tenant_id, id=session_id, started_at__isnull=False)
        .prefetch_related("participants")
        .first()
    )


def participant_of(session: GameSession, user_id: str) -> Participant | None:
    """Return the user's participant in a session."""
    return next((p for p in session.participants.all() if p.user_id == user_id), None)
