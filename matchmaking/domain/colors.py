"""Who plays which colour: by chance, balanced by each player's history.

A player's balance is how many times more often than black they had white in their latest games. Whoever has
the smaller balance plays white; between equals chance decides. So nobody plays one colour many times in a
row, and a first game is an even draw.
"""

WHITE = "white"
BLACK = "black"
REMEMBERED_GAMES = 21
"""Odd, so that two who play each other again and again are never taken for equals after an odd game."""


def draw(balance_a: int, balance_b: int, *, coin: bool) -> tuple[str, str]:
    """Return the colours of two players; ``coin`` is a fair draw: where it decides, True is white for a."""
    is_white = coin if balance_a == balance_b else balance_a < balance_b
    return (WHITE, BLACK) if is_white else (BLACK, WHITE)
