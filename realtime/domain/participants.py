"""A participant's connection state.

::

    connected ──drop──▶ temporarily_disconnected ──grace──▶ disconnected (final)
        ▲                        │
        └──────reconnect─────────┘

Leaving goes to ``disconnected`` from both. A participant begins temporarily disconnected: it was given a
place and has the grace period to take it.
"""

from datetime import datetime, timedelta
from enum import StrEnum


class ConnectionState(StrEnum):
    """Where a participant's connection is."""

    CONNECTED = "connected"
    TEMPORARILY_DISCONNECTED = "temporarily_disconnected"
    DISCONNECTED = "disconnected"


def grace_is_over(*, dropped_at: datetime, now: datetime, grace_seconds: float) -> bool:
    """Return whether a participant that dropped at ``dropped_at`` has left for good by ``now``."""
    return now - dropped_at >= timedelta(seconds=grace_seconds)


def is_device_id(text: str) -> bool:
    """Return whether ``text`` is long enough for a secret of a device, and not too long to keep."""
    return 16 <= len(text) <= 64
