"""How much later than promised is still in time, and why."""

CLOCK_SECONDS = 0.1
"""The database reads the wall clock, the history a steady one; both round."""

OVERLAP_SECONDS = 0.5
"""A transition's time is read before its transaction, which may wait for another one's locks."""

LOADED_SECONDS = 1.0
"""Two cores run ten processes, the clients and, perhaps, other tests: whoever is due waits for its turn."""

TRANSIT_SECONDS = 0.5
"""From a client's ``send`` to the moment at which the web process reads it, on such a machine."""

PROMPT_SECONDS = 1.0
"""``match_cancelled`` is promised so soon after its cause, while everything is up."""

RECOVERY_SECONDS = 2.0
"""And so soon after the last of the servers is back."""

MATCHED_SECONDS = 5.0
"""Two players who come after the last fault are promised to each other within this."""

WEB_LEASE_SECONDS = 5.0
"""A killed web process is known to be dead only when its lease is over, whatever came back meanwhile."""

SWEPT_SECONDS = 1.0
"""What a sweep takes, beyond its period."""
