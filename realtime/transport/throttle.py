"""How many frames a connection may send."""


class TokenBucket:
    """Allows ``rate`` a second sustained and ``burst`` at once; the time is the caller's."""

    __slots__ = ("_burst", "_filled_at", "_level", "_rate")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take one; return whether there was one. ``now`` is in seconds of any steady clock."""
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
