"""When a result is reported again that the rating service has not taken in."""

FIRST_PAUSE_SECONDS = 10.0
"""Longer than all the calls of one tick may take, so that none is made twice at once."""
LONGEST_PAUSE_SECONDS = 600.0
_DOUBLINGS_TO_LONGEST = 6


def report_pause_seconds(tries: int) -> float:
    """Return after how long the next try is due, ``tries`` having been made before: 10, 20, 40 … 600 s."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(tries, _DOUBLINGS_TO_LONGEST), LONGEST_PAUSE_SECONDS)
