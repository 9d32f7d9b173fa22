"""Reads of game sessions, as their participants and hosts may see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import CharField, Count, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from msgspec import UNSET, convert

from realtime.domain.participants import ConnectionState
from realtime.domain.questions import QUESTION_ID, kept
from realtime.domain.quiz import Phase, Place, Player
from realtime.domain.quiz import standing as standing_of
from realtime.models import Answer, GameSession, Participant
from realtime.protocol import parts
from realtime.transport.auth import Caller


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody in a session: its host, or a participant."""

    session: GameSession
    participant: Participant | None


def seat_of(session: GameSession, caller: Caller) -> Seat | None:
    """Return what a caller is in a session; None for strangers.

    In an event, participants come with a token of their own, and an account can only be the host's.
    """
    if session.kind == GameSession.Kind.EVENT and not caller.session_id:
        return Seat(session, None) if session.host_id == caller.user_id else None
    participant = session.participants.filter(user_id=caller.user_id).first()
    return Seat(session, participant) if participant else None


def running_session(tenant_id: str, session_id: UUID) -> GameSession | None:
    """Return a session of the tenant that its players have been let into, finished or not."""
    return GameSession.objects.filter(tenant_id=tenant_id, id=session_id, started_at__isnull=False).first()


def session_state(seat: Seat, *, now: datetime) -> parts.SessionState:
    """Return a session as somebody in it may see it."""
    session = seat.session
    ends_at = session.phase_ends_at
    is_open = session.phase == Phase.QUESTION and ends_at is not None
    left = max((ends_at - now).total_seconds(), 0) if is_open and ends_at else None
    return parts.SessionState(
        **parts.fields_of(game_state(session)),
        session=session_part(session),
        time_left_ms=None if left is None else round(left * 1000),
        **_own(seat),
        participants=_participants(session),
        locked=session.locked_at is not None,
    )


def session_part(session: GameSession) -> parts.Session:
    """Return what a session is, whoever looks."""
    code = session.join_code
    return parts.Session(
        session_id=str(session.id),
        kind="event" if session.kind == GameSession.Kind.EVENT else "duel",
        title=session.title,
        match_id=str(session.match_id) if session.match_id else None,
        join_code=code,
        join_url=join_url(code) if code else None,
        created_at=session.created_at,
        finished_at=session.finished_at,
    )


def join_url(code: str) -> str:
    """Return the link that leads to an event."""
    return f"{settings.PUBLIC_URL}/join/{code}"


def _own(seat: Seat) -> dict[str, Any]:
    """Return what the caller alone sees: a participant its score and answers, the host how many answered."""
    participant, session = seat.participant, seat.session
    if participant is None:
        asked = _question_id(session)
        is_open = session.phase == Phase.QUESTION
        return {"answered": session.answers.filter(question_id=asked).count() if is_open else UNSET}
    answers = participant.answers.values_list("question_id", "choice", "is_correct", "points")
    return {
        "participant_id": str(participant.id),
        "score": participant.score,
        "answers": [
            parts.Answer(question_id=question, choice=choice, correct=correct, points=points)
            for question, choice, correct, points in answers
        ],
    }


def _question_id(session: GameSession) -> str:
    number = session.question_number
    return str(session.questions[number - 1]["id"]) if number else ""


def _participants(session: GameSession) -> list[parts.Participant]:
    # Columns, not rows as objects: there may be 500, for 500 who look.
    columns = session.participants.values_list("id", "display_name", "connection_state")
    return [
        parts.Participant(
            participant_id=str(id_),
            display_name=name,
            connection_state=state,  # type: ignore[arg-type]  # one of the states
        )
        for id_, name, state in columns
    ]


# --- the game


def game_state(session: GameSession) -> parts.GameState:
    """Return a session's phase and what belongs to it, the same for all."""
    is_asked = session.phase in {Phase.QUESTION, Phase.LEADERBOARD}
    has_leaderboard = session.phase in {Phase.LEADERBOARD, Phase.FINISHED}
    is_revealed = session.phase == Phase.LEADERBOARD
    return parts.GameState(
        phase=Phase(session.phase).value,
        ends_at=session.phase_ends_at,
        question=_question(session) if is_asked else None,
        correct_choice=session.questions[session.question_number - 1]["answer"] if is_revealed else None,
        tally=_tally(session) if is_revealed else None,
        leaderboard=standing_parts(session) if has_leaderboard else None,
    )


def _question(session: GameSession) -> parts.Question:
    asked = kept(session.questions)[session.question_number - 1]
    return parts.Question(
        question_id=asked.id,
        number=session.question_number,
        of=len(session.questions),
        text=asked.text,
        choices=list(asked.choices),
        seconds=asked.seconds,
        deadline=_deadline(session),
    )


def _deadline(session: GameSession) -> datetime:
    """Return when the question closes, or closed."""
    at = session.phase_ends_at if session.phase == Phase.QUESTION else session.phase_began_at
    return at or session.created_at


def _tally(session: GameSession) -> list[int]:
    """Return how often each choice was taken."""
    asked = session.questions[session.question_number - 1]
    given = session.answers.filter(question_id=asked["id"]).order_by().values_list("choice")
    counts = dict(given.annotate(Count("id")))
    return [counts.get(choice, 0) for choice in range(len(asked["choices"]))]


def standing(session: GameSession) -> list[Place]:
    """Return who stands where by the present scores."""
    columns = session.participants.values_list("id", "display_name", "score", "left_at")
    is_duel = session.kind == GameSession.Kind.DUEL
    return standing_of(
        [
            Player(id=str(id_), name=name, score=score, is_last=is_duel and left_at is not None)
            for id_, name, score, left_at in columns
        ]
    )


def standing_row(place: Place, rated: parts.RatingChange | None = None) -> dict[str, Any]:
    """Return a place as it is kept and told, with what the match did to the player's rating."""
    player = place.player
    row = {
        "rank": place.rank,
        "participant_id": player.id,
        "display_name": player.name,
        "score": player.score,
    }
    return row if rated is None else {**row, "rating_change": parts.fields_of(rated)}


def standing_parts(session: GameSession) -> list[parts.Standing]:
    """Return the standing: the final one where there is one."""
    rows = session.standing
    if rows is None:
        rows = [standing_row(place) for place in standing(session)]
    return convert(rows, list[parts.Standing])


def has_everyone_answered(session: GameSession) -> bool:
    """Return whether nobody is left whose answer to the open question is still to come."""
    playing = session.participants.exclude(connection_state=ConnectionState.DISCONNECTED)
    given = Answer.objects.filter(participant=OuterRef("pk"), question_id=_question_id(session))
    return playing.exists() and not playing.exclude(Exists(given)).exists()


def owing() -> QuerySet[Participant]:
    """Return, for each session of an outer query, who has not answered the open question yet."""
    asked = Concat(Value(QUESTION_ID), Cast(OuterRef(OuterRef("question_number")), CharField()))
    given = Answer.objects.filter(participant=OuterRef("pk"), question_id=asked)
    playing = Participant.objects.filter(session=OuterRef("pk"))
    return playing.exclude(connection_state=ConnectionState.DISCONNECTED).exclude(Exists(given))
