"""Many connections that fall silent together: the fault is on our side of the wire, not on theirs.

A connection falls silent when it misses a ping, or when it breaks without a word. Where so many do so within
one heartbeat period, and so large a share of a process's connections, none of their users is to blame. The
time is the caller's, in seconds of a steady clock.
"""

FEWEST = 20
SHARE = 0.8


class Silence:
    """The connections of one process that fell silent lately."""

    def __init__(self, *, within_seconds: float) -> None:
        self._within_seconds = within_seconds
        self._fell: dict[str, tuple[str, float]] = {}
        self._until = 0.0

    def fell_silent(self, connection_id: str, owner: str, now: float) -> None:
        """Note that a connection of ``owner`` missed a ping or broke."""
        self._fell.setdefault(connection_id, (owner, now))

    def spoke(self, connection_id: str) -> None:
        """Note that a connection was silent no longer."""
        self._fell.pop(connection_id, None)

    def blameless(self, connections: set[str], now: float) -> set[str]:
        """Return the owners who fell silent together, each silence once; ``connections`` are open.

        Once many have, whoever follows within the same time is blameless, too.
        """
        since = now - self._within_seconds
        self._fell = {each: (owner, at) for each, (owner, at) in self._fell.items() if at > since}
        everybody = len(connections | self._fell.keys())
        if len(self._fell) >= FEWEST and len(self._fell) > SHARE * everybody:
            self._until = now + self._within_seconds
        if now >= self._until:
            return set()
        owners = {owner for owner, _ in self._fell.values()}
        self._fell.clear()
        return owners
