"""The quiz as a pure state machine: its phases, what an answer is worth, and who stands where.

::

    lobby ──▶ question ──▶ leaderboard ──▶ finished
                 ▲              │
                 └──────────────┘ while there are questions left

A phase with an ``ends_at`` ends by itself; one without waits for somebody to say so. Nothing here reads a
clock: whoever looks, after whatever has died, finds by the stored times what is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FULL_POINTS = 1000
"""For the fastest right answer."""


class Phase(StrEnum):
    """Where a game session is."""

    LOBBY = "lobby"
    QUESTION = "question"
    LEADERBOARD = "leaderboard"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with the index of its right choice; it is open for ``seconds``."""

    id: str
    text: str
    choices: tuple[str, ...]
    answer: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiz:
    """Where a quiz is; ``number`` is that of the question that is or was open, 0 before the first one."""

    phase: Phase = Phase.LOBBY
    number: int = 0
    began_at: datetime | None = None
    ends_at: datetime | None = None


def is_due(quiz: Quiz, *, now: datetime) -> bool:
    """Return whether the phase has run out."""
    return quiz.phase != Phase.FINISHED and quiz.ends_at is not None and quiz.ends_at <= now


def gathered(quiz: Quiz, *, are_all_here: bool, lobby_seconds: float, now: datetime) -> Quiz:
    """Return the lobby as it is now that somebody came or went: it ends soon after all are there."""
    if quiz.phase != Phase.LOBBY or are_all_here == (quiz.ends_at is not None):
        return quiz
    ends_at = now + timedelta(seconds=lobby_seconds) if are_all_here else None
    return Quiz(phase=Phase.LOBBY, began_at=quiz.began_at, ends_at=ends_at)


def following(
    quiz: Quiz, questions: Sequence[Question], *, leaderboard_seconds: float | None, now: datetime
) -> Quiz:
    """Return the phase after this one, begun ``now``; without ``leaderboard_seconds`` somebody says go on."""
    if quiz.phase == Phase.QUESTION:
        pause = None if leaderboard_seconds is None else timedelta(seconds=leaderboard_seconds)
        ends_at = None if pause is None else now + pause
        return Quiz(phase=Phase.LEADERBOARD, number=quiz.number, began_at=now, ends_at=ends_at)
    if quiz.phase == Phase.FINISHED or quiz.number >= len(questions):
        return Quiz(phase=Phase.FINISHED, number=quiz.number, began_at=now)
    seconds = questions[quiz.number].seconds
    return Quiz(
        phase=Phase.QUESTION,
        number=quiz.number + 1,
        began_at=now,
        ends_at=now + timedelta(seconds=seconds),
    )


def points_for(*, seconds: float, of_seconds: float) -> int:
    """Return what a right answer is worth that took so long: all at once, half of it at the last moment.

    The scale is Kahoot's, ``1000 * (1 - t / T / 2)``, as its help page "How points work" gives it.
    """
    share = min(max(seconds / of_seconds, 0), 1)
    return round(FULL_POINTS * (1 - share / 2))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an answer; ``is_new`` ones are written down, with their ``points``."""

    is_accepted: bool
    is_new: bool = False
    is_correct: bool = False
    points: int = 0


def judge(
    quiz: Quiz,
    questions: Sequence[Question],
    *,
    question_id: str,
    choice: int,
    earlier: int | None,
    now: datetime,
) -> Verdict:
    """Judge an answer; ``earlier`` is what the same player has answered this question with before.

    The same answer counts once, and another one after it is refused, like one to a question that is not open.
    """
    if earlier is not None:
        return Verdict(is_accepted=choice == earlier)
    question = open_question(quiz, questions, now=now)
    if question is None or question.id != question_id or choice >= len(question.choices):
        return Verdict(is_accepted=False)
    is_correct = choice == question.answer
    seconds = (now - quiz.began_at).total_seconds() if quiz.began_at else 0
    points = points_for(seconds=seconds, of_seconds=question.seconds) if is_correct else 0
    return Verdict(is_accepted=True, is_new=True, is_correct=is_correct, points=points)


def open_question(quiz: Quiz, questions: Sequence[Question], *, now: datetime) -> Question | None:
    """Return the question that may be answered now."""
    if quiz.phase != Phase.QUESTION or is_due(quiz, now=now):
        return None
    return questions[quiz.number - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A participant as the standing sees it; ``is_last``: behind all others, whatever the score."""

    id: str
    name: str
    score: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A player's place; equal scores share a rank, one more than there are players above."""

    rank: int
    player: Player


def standing(players: Sequence[Player]) -> list[Place]:
    """Return who stands where, the best first; equals by name, then id, so that it is always the same."""

    def merit(player: Player) -> tuple[bool, int]:
        return player.is_last, -player.score

    ordered = sorted(players, key=lambda player: (*merit(player), player.name, player.id))
    ranks: dict[tuple[bool, int], int] = {}
    for position, player in enumerate(ordered, 1):
        ranks.setdefault(merit(player), position)
    return [Place(ranks[merit(player)], player) for player in ordered]
