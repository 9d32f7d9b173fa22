"""Tables, with the constraints that hold "one live ticket, one live match"."""

from matchmaking.models.matches import FailedAttempt, Match, MatchPlayer, RatingChange
from matchmaking.models.players import Block, Preferences, Rating
from matchmaking.models.pools import (
    MAX_MODES,
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
    "RULE_FIELDS",
    "WINDOW_FIELDS",
    "Block",
    "Conflict",
    "FailedAttempt",
    "Match",
    "MatchPlayer",
    "Pool",
    "PoolVersion",
    "Preferences",
    "Rating",
    "RatingChange",
    "Region",
    "Simulation",
    "Ticket",
]
