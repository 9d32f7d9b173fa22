"""Who plays which colour: as the challenger wishes; without a wish as in the queue, balanced by history."""

from enum import StrEnum

from matchmaking.domain.colors import BLACK, WHITE, draw


class Preference(StrEnum):
    """The colour that the challenger wants."""

    WHITE = "WHITE"
    BLACK = "BLACK"
    RANDOM = "RANDOM"


def seated(preference: Preference, challenger: int, opponent: int, *, coin: bool) -> tuple[str, str]:
    """Return the colours of challenger and opponent; the numbers are their balances, see `draw`."""
    wished = {Preference.WHITE: (WHITE, BLACK), Preference.BLACK: (BLACK, WHITE)}
    return wished.get(preference) or draw(challenger, opponent, coin=coin)


def swapped(color: str | None) -> Preference:
    """Return what somebody who has just had ``color`` is to have next."""
    return {WHITE: Preference.BLACK, BLACK: Preference.WHITE}.get(color or "", Preference.RANDOM)
