"""A connection's heartbeat: when to ping, and when silence has lasted too long.

A ping that is not answered for ``pong_seconds`` is a miss; any sign of life ends a row of misses. The time is
the caller's, in seconds of a steady clock.
"""

import math


class Pulse:
    """Counts the misses of one connection."""

    __slots__ = ("_missed", "_period_seconds", "_ping_at", "_pinged_at", "_pong_seconds")

    def __init__(self, *, period_seconds: float, pong_seconds: float) -> None:
        self._period_seconds = period_seconds
        self._pong_seconds = pong_seconds
        self._ping_at = math.inf
        self._pinged_at: float | None = None
        self._missed = 0

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
        self._pinged_at = now

    def hear(self) -> None:
        """Note a sign of life."""
        self._missed = 0
        self._pinged_at = None

    def forgive(self, now: float) -> None:
        """Let the present ping's time begin anew: the server was away, not the player."""
        if self._pinged_at is not None:
            self._pinged_at = now

    def missed(self, now: float) -> int:
        """Return how many pings in a row were not answered in time."""
        if self._pinged_at is not None and now - self._pinged_at >= self._pong_seconds:
            self._pinged_at = None
            self._missed += 1
        return self._missed
