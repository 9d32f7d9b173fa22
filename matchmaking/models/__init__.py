"""Tables, with the constraints that hold "one live ticket, one live match"."""

from matchmaking.models.absences import Absence
from matchmaking.models.matches import Backfill, FailedAttempt, Match, MatchPlayer, RatingChange
from matchmaking.models.parties import Party, PartyInvitation, PartyMember
from matchmaking.models.players import Block, Preferences, Rating
from matchmaking.models.pools import (
    MAX_MODES,
    MAX_PLAYERS,
    RULE_FIELDS,
    WINDOW_FIELDS,
    Pool,
    PoolVersion,
    Region,
    Simulation,
)
from matchmaking.models.tickets import Conflict, Ticket

__all__ = [
    "MAX_MODES",
    "MAX_PLAYERS",
    "RULE_FIELDS",
    "WINDOW_FIELDS",
    "Absence",
    "Backfill",
    "Block",
    "Conflict",
    "FailedAttempt",
    "Match",
    "MatchPlayer",
    "Party",
    "PartyInvitation",
    "PartyMember",
    "Pool",
    "PoolVersion",
    "Preferences",
    "Rating",
    "RatingChange",
    "Region",
    "Simulation",
    "Ticket",
]
