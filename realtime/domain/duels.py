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


LEFT_SCORE = -1.0
"""Of who has left a game of several, whatever its points: less than anybody has who has stayed."""


def scores_won(places: Sequence[Place]) -> dict[str, float]:
    """Return, by player, what counts for the match.

    Of two it is the share that each has won: 1, ½ or 0. Of more it is the points, which teams add up: shares
    added up would say little of who has more of them.
    """
    if len(places) <= 2:
        return shares_won(places)
    return {p.player.id: LEFT_SCORE if p.player.is_last else float(p.player.score) for p in places}


def shares_won(places: Sequence[Place]) -> dict[str, float]:
    """Return, by player, the share of opponents beaten: 1, ½ and 0 where there are two."""
    shares = shares_beaten([-place.rank for place in places])
    return {place.player.id: share for place, share in zip(places, shares, strict=True)}


def shares_beaten(merits: Sequence[float]) -> list[float]:
    """Return, for each merit (higher is better), the share of the others that it beats, a draw being half."""
    others = max(len(merits) - 1, 1)
    return [
        (sum(merit > other for other in merits) + (sum(merit == other for other in merits) - 1) / 2) / others
        for merit in merits
    ]
