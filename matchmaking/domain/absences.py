"""How long a player pauses before it may queue again, having not come to matches.

Whoever misses a match costs its opponent that match's wait and half a minute of an empty room. Anybody may
lose a connection once, so the first time costs nothing. From the second on the pause doubles from 30 s: about
what the opponent has lost, so that an honest player hardly notices and a client that queues by itself, with
nobody there, meets ever fewer opponents. Ten minutes are the most, for it is a brake and not a punishment;
what is a day old is forgotten.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

REMEMBERED = timedelta(hours=24)
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0
_DOUBLINGS_TO_LONGEST = 5


def pause_seconds(missed: int) -> float:
    """Return how long a player pauses after having missed so many matches: 0, 0, 30, 60 … 600 s."""
    if missed < 2:
        return 0
    doublings = min(missed - 2, _DOUBLINGS_TO_LONGEST)
    return min(FIRST_PAUSE_SECONDS * 2.0**doublings, LONGEST_PAUSE_SECONDS)


def recent(missed_at: Collection[datetime], *, now: datetime) -> list[datetime]:
    """Return which of the times when matches were missed still count."""
    return [at for at in missed_at if now - at < REMEMBERED]


def paused_until(missed_at: Collection[datetime], *, now: datetime) -> datetime | None:
    """Return until when a player pauses who missed matches at these times; None: it may queue."""
    counted = recent(missed_at, now=now)
    if not counted:
        return None
    until = max(counted) + timedelta(seconds=pause_seconds(len(counted)))
    return until if until > now else None
