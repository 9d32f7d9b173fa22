"""What every change of a game session is made of: its address, its locks, its events, its end.

Rows are locked session first, then participants, then streams of events. What a session's end means for its
match is told upwards, to the listeners that the composition root registers.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID

import structlog

from realtime import selectors
from realtime.domain import duels
from realtime.domain.participants import ConnectionState
from realtime.domain.quiz import Phase, Place, Quiz
from realtime.models import GameSession, Participant
from realtime.protocol.messages import GameOver, GameStateUpdate, ServerMessage
from realtime.protocol.parts import RatingChange
from realtime.transport.database import OUTAGES
from realtime.transport.events import NO_ORIGIN, Origin, Outgoing, emit

log = structlog.get_logger(__name__)

Listener = Callable[[UUID, Mapping[str, float] | None, datetime], Mapping[str, RatingChange]]

session_finished_listeners: list[Listener] = []
"""Called in the transaction that ends a session, with the id of its match, the outcome and the time.

The outcome is by user, as `duels.scores_won` says; None where nobody has won or lost.
They return what it has done to ratings, by user.
"""


def session_address(session_id: UUID) -> str:
    """Return where a session's events go."""
    return f"session:{session_id}"


def participant_owner(session_id: UUID, user_id: str) -> str:
    """Return by what name a participant's presence is kept."""
    return f"{session_address(session_id)}:{user_id}"


def locked_session(session_id: UUID) -> GameSession | None:
    """Return a session that is on, its row locked."""
    return (
        GameSession.objects.select_for_update()
        .filter(id=session_id, finished_at=None, started_at__isnull=False)
        .first()
    )


def tell(
    session: GameSession, messages: Iterable[ServerMessage], *, now: datetime, origin: Origin = NO_ORIGIN
) -> None:
    """Write events for all in a session, as the last thing in a transaction."""
    address = session_address(session.id)
    emit([Outgoing(address=address, message=message, origin=origin) for message in messages], now=now)


def in_each(session_ids: Iterable[UUID], work: Callable[[UUID], int]) -> int:
    """Do some work in each session, and return the sum; one that fails is tried again by the next run.

    The others do not wait for it. Where the database or Redis is gone, that is for all of them.
    """
    done = 0
    for session_id in session_ids:
        try:
            done += work(session_id)
        except OUTAGES:
            raise
        except Exception:
            log.exception("session_failed", session=str(session_id))
    return done


# --- the game


def quiz_of(session: GameSession) -> Quiz:
    """Return where a session's quiz is."""
    return Quiz(
        phase=Phase(session.phase),
        number=session.question_number,
        began_at=session.phase_began_at,
        ends_at=session.phase_ends_at,
    )


def go_on(session: GameSession, quiz: Quiz, *, now: datetime) -> list[ServerMessage]:
    """Write down where a quiz is now; return what that tells."""
    if quiz.phase == Phase.FINISHED:
        return finish(session, now=now)
    session.phase, session.question_number = quiz.phase.value, quiz.number
    session.phase_began_at, session.phase_ends_at = quiz.began_at, quiz.ends_at
    session.save(update_fields=["phase", "question_number", "phase_began_at", "phase_ends_at"])
    return [_state_update(session, now=now)]


def _state_update(session: GameSession, *, now: datetime) -> GameStateUpdate:
    return GameStateUpdate(session_id=str(session.id), state=selectors.game_state(session), timestamp=now)


def finish(session: GameSession, *, now: datetime) -> list[ServerMessage]:
    """End a session, and tell its match; return what that tells."""
    places = selectors.standing(session)
    rated = _tell_match(session, places, now=now)
    session.standing = [selectors.standing_row(place, rated.get(place.player.id)) for place in places]
    session.phase, session.finished_at = Phase.FINISHED.value, now
    session.phase_began_at, session.phase_ends_at = now, None
    session.save(update_fields=["phase", "phase_began_at", "phase_ends_at", "finished_at", "standing"])
    log.info(
        "session_finished", session=str(session.id), kind=session.kind, match=str(session.match_id or "")
    )
    game_over = GameOver(session_id=str(session.id), standing=selectors.standing_parts(session))
    return [_state_update(session, now=now), game_over]


def _tell_match(session: GameSession, places: list[Place], *, now: datetime) -> dict[str, RatingChange]:
    """Tell the match, if there is one, how it ended; return what that did to ratings, by participant."""
    if session.match_id is None:
        return {}
    outcome = _outcome(session, places)
    rated: dict[str, RatingChange] = {}
    for listener in session_finished_listeners:
        rated |= listener(session.match_id, outcome, now)
    ids = {participant.user_id: str(participant.id) for participant in session.participants.all()}
    return {ids[user_id]: change for user_id, change in rated.items()}


def _outcome(session: GameSession, places: list[Place]) -> dict[str, float] | None:
    """Return who has won by how much; None where nobody is left, or nobody has ever been there."""
    players = {str(participant.id): participant for participant in session.participants.all()}
    if all(p.left_at is not None or p.came_at is None for p in players.values()):
        return None
    scores = duels.scores_won(places)
    return {players[participant_id].user_id: score for participant_id, score in scores.items()}


def is_decided(session: GameSession, *, has_walked_out: bool) -> bool:
    """Return whether a duel is over because too few are left in it."""
    return duels.is_decided(_states(session), has_walked_out=has_walked_out)


def _states(session: GameSession) -> list[ConnectionState]:
    return [
        ConnectionState(state) for state in session.participants.values_list("connection_state", flat=True)
    ]


def are_all_here(session: GameSession) -> bool:
    """Return whether everybody's connection is open who has not left for good."""
    left = ConnectionState.DISCONNECTED
    return all(state == ConnectionState.CONNECTED for state in _states(session) if state != left)


def locked_participant(session: GameSession, user_id: str) -> Participant | None:
    """Return a participant of a session whose row is locked, locked as well."""
    participant = session.participants.select_for_update().filter(user_id=user_id).first()
    if participant is not None:
        participant.session = session
    return participant
