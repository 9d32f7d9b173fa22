"""The game of a session: it goes on by stored times, by its host's word, and when everybody has answered.

Nothing waits in a process for a moment to come: whoever runs `run_due` next finds what is due.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Q

from realtime import selectors
from realtime.domain.errors import PhaseChanged, SessionFinished
from realtime.domain.questions import kept
from realtime.domain.quiz import Phase, following, is_due, judge
from realtime.models import Answer, GameSession, Participant
from realtime.protocol.errors import Forbidden
from realtime.protocol.messages import AnswerResult
from realtime.services import rooms

log = structlog.get_logger(__name__)

AT_ONCE = 1000


# --- going on


def run_due(*, now: datetime) -> int:
    """Let every session go on that is due; return how many.

    That is one whose phase has run out, one whose open question nobody is left to answer, and an event that
    nobody ends.
    """
    running = GameSession.objects.filter(finished_at=None)
    too_old = now - timedelta(seconds=settings.MAX_GAME_SECONDS)
    is_overlong = Q(kind=GameSession.Kind.EVENT, created_at__lte=too_old)
    is_answered = Q(phase=Phase.QUESTION.value) & ~Exists(selectors.owing())
    due = running.filter(Q(phase_ends_at__lte=now) | is_overlong | is_answered)
    ids = list(due.order_by("phase_ends_at").values_list("id", flat=True)[:AT_ONCE])
    return rooms.in_each(ids, partial(_go_on_where_due, now=now))


def _go_on_where_due(session_id: UUID, *, now: datetime) -> bool:
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        if session is None:
            return False
        if _is_overlong(session, now=now):
            rooms.tell(session, rooms.finish(session, now=now), now=now)
            return True
        quiz = rooms.quiz_of(session)
        is_answered = quiz.phase == Phase.QUESTION and selectors.has_everyone_answered(session)
        if is_due(quiz, now=now) or is_answered:
            _advance(session, now=now)
            return True
        return False


def _is_overlong(session: GameSession, *, now: datetime) -> bool:
    """Return whether an event that nobody ends has gone on for too long; a duel's match sees to it."""
    is_event = session.kind == GameSession.Kind.EVENT
    return is_event and now - session.created_at >= timedelta(seconds=settings.MAX_GAME_SECONDS)


def _advance(session: GameSession, *, now: datetime) -> None:
    is_duel = session.kind == GameSession.Kind.DUEL
    quiz = following(
        rooms.quiz_of(session),
        kept(session.questions),
        leaderboard_seconds=settings.QUIZ_LEADERBOARD_SECONDS if is_duel else None,
        now=now,
    )
    rooms.tell(session, rooms.go_on(session, quiz, now=now), now=now)


def go_on(session_id: UUID, *, seen: tuple[Phase, int] | None, now: datetime) -> None:
    """Go on as the host says; with ``seen`` only from that phase and question, which is what the host saw."""
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        if session is None:
            raise SessionFinished
        if seen is not None and seen != (Phase(session.phase), session.question_number):
            raise PhaseChanged
        _advance(session, now=now)


def end(session_id: UUID, *, now: datetime) -> None:
    """End a session as the host says."""
    with transaction.atomic():
        session = rooms.locked_session(session_id)
        if session is None:
            raise SessionFinished
        rooms.tell(session, rooms.finish(session, now=now), now=now)


# --- answers


def answer(
    session_id: UUID, user_id: str, *, question_id: str, choice: int, age_seconds: float = 0, now: datetime
) -> AnswerResult:
    """Take an answer in, and say what became of it; after the last one the question closes at once.

    It came ``age_seconds`` ago: what it is worth does not hang on how many others came with it.
    """
    given_at = now - timedelta(seconds=age_seconds)
    with transaction.atomic():
        session = _shared_session(session_id)
        if session is None:
            raise SessionFinished
        participant = session.participants.select_for_update().filter(user_id=user_id, left_at=None).first()
        if participant is None:
            raise Forbidden("Who does not play cannot answer")
        given = _judged(session, participant, question_id=question_id, choice=choice, now=given_at)
    if given.accepted and _is_last_answer(session):
        rooms.in_each([session_id], partial(_go_on_where_due, now=now))
    return given


def _shared_session(session_id: UUID) -> GameSession | None:
    """Return a running session, its row locked against going on, but not against other answers."""
    rows: Iterable[GameSession] = GameSession.objects.raw(
        "SELECT * FROM realtime_gamesession"
        " WHERE id = %s AND finished_at IS NULL AND started_at IS NOT NULL FOR SHARE",
        [session_id],
    )
    return next(iter(rows), None)


def _judged(
    session: GameSession, participant: Participant, *, question_id: str, choice: int, now: datetime
) -> AnswerResult:
    counts = participant.answers.filter(question_id=question_id).first()
    verdict = judge(
        rooms.quiz_of(session),
        kept(session.questions),
        question_id=question_id,
        choice=choice,
        earlier=counts.choice if counts else None,
        now=now,
    )
    if verdict.is_new:
        counts = Answer.objects.create(
            session=session,
            participant=participant,
            question_id=question_id,
            choice=choice,
            is_correct=verdict.is_correct,
            points=verdict.points,
            answered_at=now,
        )
        participant.score += verdict.points
        Participant.objects.filter(id=participant.id).update(score=F("score") + verdict.points)
    return AnswerResult(
        question_id=question_id,
        accepted=verdict.is_accepted,
        choice=counts.choice if counts else None,
        correct=counts.is_correct if counts else None,
        score=participant.score,
    )


def _is_last_answer(session: GameSession) -> bool:
    return session.phase == Phase.QUESTION and selectors.has_everyone_answered(session)
