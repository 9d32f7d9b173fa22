"""When a ticket's time in the queue is over without a match.

Rule, in words: a heartbeat ping that is not answered in time is a miss, and so many misses in a row are
*stale*. Pings come every ``period``; the last answered one is followed by ``misses`` unanswered ones, and the
last of these has its own time to be answered. Any sign of life begins the count anew; so do joining, and the
end of a fault of the service, which is not the player's.
"""

from datetime import datetime, timedelta


def stale_seconds(*, period_seconds: float, pong_seconds: float, misses: int) -> float:
    """Return how long after its last answered ping a player is stale: 35 s by default (2 * 15 + 5)."""
    return period_seconds * misses + pong_seconds


def last_sign(*, queued_at: datetime, whole_since: datetime, signs: list[datetime | None]) -> datetime:
    """Return from when on a player's silence counts.

    ``signs`` are signs of life, and ends of faults that befell this player; ``whole_since`` is when the
    service as a whole was last found to be without a fault.
    """
    return max(queued_at, whole_since, *(sign for sign in signs if sign is not None))


def is_stale(last_sign_at: datetime, *, now: datetime, after_seconds: float) -> bool:
    """Return whether a player has been silent for too long."""
    return now - last_sign_at >= timedelta(seconds=after_seconds)
