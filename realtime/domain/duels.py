"""How a duel ends when somebody leaves for good, and what its standing means for the match."""

from collections.abc import Sequence

from realtime.domain.participants import ConnectionState
from realtime.domain.quiz import Place


def is_decided(states: Sequence[ConnectionState], *, has_walked_out: bool) -> bool:
    """Return whether a duel is over because too few are left in it.

    Who ``has_walked_out`` has given up, and that is that. But where somebody's grace period has run out while
    the other one is away as well, that one may come back and win, or stay away: then nobody has won.
    """
    remaining = [state for state in states if state != ConnectionState.DISCONNECTED]
    if len(remaining) >= min(len(states), 2):
        return False
    return has_walked_out or not remaining or remaining[0] == ConnectionState.CONNECTED


def shares_won(places: Sequence[Place]) -> dict[str, float]:
    """Return, by player, the share of opponents beaten, a draw being half: 1, ½ and 0 where there are two."""
    ranks = [place.rank for place in places]
    opponents = max(len(ranks) - 1, 1)
    return {
        place.player.id: (
            sum(rank > place.rank for rank in ranks) + (sum(rank == place.rank for rank in ranks) - 1) / 2
        )
        / opponents
        for place in places
    }
