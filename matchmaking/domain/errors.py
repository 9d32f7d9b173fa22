"""Why the queue says no.

::

    DomainError
      NotFound    PoolNotFound, QueueEntryNotFound, MatchNotFound
      Conflict    AlreadyInQueue, ActiveGameExists, CannotCancel
"""

from realtime.protocol.errors import Conflict, NotFound


class PoolNotFound(NotFound):
    """No active pool of this tenant has that key."""

    code = "pool_not_found"
    title = "There is no such pool"


class QueueEntryNotFound(NotFound):
    """The caller has no such ticket."""

    code = "queue_entry_not_found"
    title = "There is no such queue entry"


class MatchNotFound(NotFound):
    """The caller was in no such match."""

    code = "not_found"
    title = "There is no such match"


class AlreadyInQueue(Conflict):
    """The caller has a live ticket; ``queue_entry_id`` names it."""

    code = "already_in_queue"
    title = "You are in a queue already"


class ActiveGameExists(Conflict):
    """The caller is in a match that has not ended."""

    code = "active_game_exists"
    title = "You are in a game that has not ended"


class CannotCancel(Conflict):
    """The ticket is matched, or has ended."""

    code = "cannot_cancel"
    title = "This queue entry is matched or has ended"
