"""A connection's heartbeat: when to ping, and when silence has lasted too long.

A ping that is not answered for ``pong_seconds`` is a miss; any sign of life ends a row of misses. The time is
the caller's, in seconds of a steady clock.
"""

import math


class Pulse:
    """Counts the misses of one connection."""

    __slots__ = (
        "_is_forgiven",
        "_is_new",
        "_missed",
        "_period_seconds",
        "_ping_at",
        "_pinged_at",
        "_pong_seconds",
        "last_ping_at",
        "last_pong_at",
    )

    def __init__(self, *, period_seconds: float, pong_seconds: float) -> None:
        self._period_seconds = period_seconds
        self._pong_seconds = pong_seconds
        self._ping_at = math.inf
        self._pinged_at: float | None = None
        self._missed = 0
        self._is_forgiven = False
        self._is_new = False
        self.last_ping_at: float | None = None
        self.last_pong_at: float | None = None

    def start(self, first_ping_at: float) -> None:
        """Begin to ping; before, nothing is due."""
        self._ping_at = first_ping_at

    def take_due(self, now: float) -> bool:
        """Return whether a ping is due, once for each."""
        if now < self._ping_at:
            return False
        self._ping_at = now + self._period_seconds
        return True

    def pinged(self, now: float) -> None:
        """Note that a ping went out."""
        self._pinged_at = self.last_ping_at = now
        self._is_new = True

    def hear(self, now: float) -> None:
        """Note a sign of life."""
        self._missed = 0
        self._pinged_at = None
        self._is_forgiven = False
        self.last_pong_at = now
        self._is_new = True

    def forgive(self, now: float) -> None:
        """Begin anew to count, and to wait for the present ping: the server was away, not the player."""
        self._missed = 0
        self._is_forgiven = True
        if self._pinged_at is not None:
            self._pinged_at = now

    def missed(self, now: float) -> int:
        """Return how many pings in a row were not answered in time."""
        if self._pinged_at is not None and now - self._pinged_at >= self._pong_seconds:
            self._pinged_at = None
            self._missed += 1
            self._is_new = True
        return self._missed

    @property
    def is_silent(self) -> bool:
        """Whether its last ping was missed, which has not been forgiven since its last sign of life."""
        return self._missed > 0 and not self._is_forgiven

    def take_news(self) -> bool:
        """Return whether anything has changed since this was last asked."""
        is_new, self._is_new = self._is_new, False
        return is_new
