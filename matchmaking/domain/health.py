"""What a match's health check found out about each player.

A player is healthy who answered the ping before the deadline. Whether a connection was there at all only
explains a failure: what counts is the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Failing(StrEnum):
    """Why a player is not healthy."""

    NO_CONNECTION = "no_connection"
    NO_ANSWER = "no_answer"
    LATE_ANSWER = "late_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    """Who, healthy or not, how fast in milliseconds, why not, and when that was found."""

    user_id: str
    is_healthy: bool
    latency_ms: float | None
    reason: Failing | None
    checked_at: datetime


def check_results(
    answers: Sequence[tuple[str, datetime | None]],
    *,
    pinged_at: datetime,
    deadline: datetime,
    connections: Mapping[str, int | None],
    now: datetime,
) -> list[HealthResult]:
    """Return a result for each ``(user id, when the ping was answered)``.

    ``connections`` holds how many a user had, None or absent where nobody could say.
    """
    return [
        HealthResult(
            user_id=user_id,
            is_healthy=(reason := _failing(answered_at, deadline, connections.get(user_id))) is None,
            latency_ms=latency_ms(pinged_at, answered_at),
            reason=reason,
            checked_at=now,
        )
        for user_id, answered_at in answers
    ]


def _failing(answered_at: datetime | None, deadline: datetime, connections: int | None) -> Failing | None:
    if answered_at is None:
        return Failing.NO_CONNECTION if connections == 0 else Failing.NO_ANSWER
    return Failing.LATE_ANSWER if answered_at > deadline else None


def latency_ms(asked_at: datetime | None, answered_at: datetime | None) -> float | None:
    """Return how long an answer took, in milliseconds, not less than 0: two clocks meet in it."""
    if asked_at is None or answered_at is None:
        return None
    return round(max((answered_at - asked_at).total_seconds(), 0.0) * 1000, 1)
