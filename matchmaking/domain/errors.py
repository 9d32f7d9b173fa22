"""Why the queue says no.

::

    DomainError
      NotFound    PoolNotFound, QueueEntryNotFound, MatchNotFound
                  PartyNotFound
      Conflict    AlreadyInQueue, ActiveGameExists, CannotCancel, NotAwaitingAcceptance, CannotBackfill
                  AlreadyInParty, NotPartyLeader, PartyFull, PartyInQueue, CannotInvite
        CannotArrange   PlayerBusy, PlayerUnreachable, PlayersBlocked
"""

from collections.abc import Collection

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


class ResultConflict(Conflict):
    """The match has another result, or none can be reported for it."""

    code = "result_conflict"
    title = "This match has another result already"


class MatchNotConfirmed(Conflict):
    """The match was cancelled, or is not confirmed yet."""

    code = "match_not_confirmed"
    title = "This match is not confirmed"


class NotAwaitingAcceptance(Conflict):
    """The match has no ready check, is confirmed already, or is off."""

    code = "not_awaiting_acceptance"
    title = "This match does not wait for you to accept it"


class CannotBackfill(Conflict):
    """The match is not running, has no pool, or that player is not in it."""

    code = "cannot_backfill"
    title = "Nobody can be replaced in this match"


class PartyNotFound(NotFound):
    """The caller is neither in such a party nor invited to it."""

    code = "party_not_found"
    title = "There is no such party"


class AlreadyInParty(Conflict):
    """The caller is in a party; ``party_id`` names it."""

    code = "already_in_party"
    title = "You are in a party already"


class NotPartyLeader(Conflict):
    """Only the leader may do this."""

    code = "not_party_leader"
    title = "Only the leader of the party may do this"


class PartyFull(Conflict):
    """The party has as many members as it can have."""

    code = "party_full"
    title = "The party is full"


class PartyInQueue(Conflict):
    """While the party queues or plays, nobody comes into it."""

    code = "party_in_queue"
    title = "The party is queueing or playing"


class CannotInvite(Conflict):
    """One of the two never wants to meet the other, or too many are invited."""

    code = "cannot_invite"
    title = "This player cannot be invited"


class CannotArrange(Conflict):
    """A match cannot be arranged, because of ``user_ids``; whoever asked for it says so in its own words."""

    code = "cannot_arrange"
    title = "This match is not possible right now"

    def __init__(self, user_ids: Collection[str] = ()) -> None:
        self.user_ids = frozenset(user_ids)
        super().__init__()


class PlayerBusy(CannotArrange):
    """Somebody is in a match that has not ended, or is about to be."""

    title = "A player is in a game, or about to be"


class PlayerUnreachable(CannotArrange):
    """Somebody has no connection."""

    title = "A player is not there"


class PlayersBlocked(CannotArrange):
    """One of the players never wants to meet the other."""
