"""Where ratings come from: built in, or a rating service over HTTP, whose word is kept as it was last heard.

One per player and pool; several pools may share theirs. Whoever makes a match reads what is kept, so that no
transaction waits for another server.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

from matchmaking.domain.skill import Skill
from matchmaking.models import Match, Pool, Rating, RatingChange
from matchmaking.ratings import builtin, reading, reports
from matchmaking.ratings.service import states

__all__ = ["rating_of", "ratings_of", "record", "refresh", "refresh_waiting", "send_reports", "states"]


def is_builtin() -> bool:
    """Return whether ratings are made here."""
    return bool(settings.RATING_SERVICE == "builtin")


def ratings_of(pool: Pool, user_ids: Sequence[str]) -> dict[str, Skill]:
    """Return the players' ratings in a pool, on the familiar 1500 scale."""
    rows = Rating.objects.filter(pool_id=pool.rating_pool_id, user_id__in=user_ids)
    return dict.fromkeys(user_ids, Skill()) | {row.user_id: row.skill for row in rows}


def rating_of(pool: Pool, user_id: str) -> float:
    """Return a player's rating in a pool."""
    return ratings_of(pool, [user_id])[user_id].value


def refresh(pool: Pool, user_id: str, *, now: datetime) -> None:
    """Ask the rating service, if there is one, for what `rating_of` says of a player who is about to join.

    It takes `RATING_SERVICE_TIMEOUT_SECONDS` at most and never fails: what was known last goes on counting.
    To be called outside of transactions.
    """
    if not is_builtin():
        reading.refresh(pool, user_id, now=now)


def record(match: Match, scores: Mapping[str, float], *, now: datetime) -> list[RatingChange]:
    """Change the ratings of a finished match's players, once; ``scores`` are by user, higher is better.

    To be called in the transaction that ends the match, with its row locked. A match that is not rated, that
    has no pool, or whose ratings were changed before changes none. With a rating service nothing is changed
    yet: that the service is to be told is written down, and what it says will count.
    """
    if not match.rated or match.pool is None or match.rating_changes.exists():
        return []
    if is_builtin():
        return builtin.record(match, match.pool, scores, now=now)
    reports.note_due(match, now=now)
    return []


def refresh_waiting(*, now: datetime) -> None:
    """Begin to ask the rating service about who waits and was not asked about lately; do not wait for it."""
    if not is_builtin():
        reading.refresh_waiting(now=now)


def send_reports(*, now: datetime) -> None:
    """Begin to tell the rating service the results that are due; do not wait for it."""
    if not is_builtin():
        reports.send(now=now)
