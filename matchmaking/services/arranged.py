"""Matches arranged outside of the queue: what becomes of them is told to those who had them made."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from matchmaking.models import Match
from realtime.transport.events import Outgoing


class Arranged(NamedTuple):
    """A match that was arranged: its game, and its players' names by their ids."""

    match_id: UUID
    game_id: str | None
    players: dict[str, str]


Listener = Callable[[Sequence[Arranged], datetime], Sequence[Outgoing]]

confirmed_listeners: list[Listener] = []
"""Called in the transaction that confirms matches, with the rows of matches and tickets locked.

They return what is to be told, which goes out with the match's own events.
"""

rolled_back_listeners: list[Listener] = []
"""The same, in the transaction that takes them back."""


def tell_confirmed(matches: Sequence[Match], *, now: datetime) -> list[Outgoing]:
    """Tell those who had matches made that they are confirmed; return what is told for that."""
    return _tell(confirmed_listeners, matches, now)


def tell_rolled_back(matches: Sequence[Match], *, now: datetime) -> list[Outgoing]:
    """Tell those who had matches made that they were taken back; return what is told for that."""
    return _tell(rolled_back_listeners, matches, now)


def _tell(listeners: Sequence[Listener], matches: Sequence[Match], now: datetime) -> list[Outgoing]:
    arranged = [
        Arranged(match.id, match.game_id, {p.user_id: p.display_name for p in match.players.all()})
        for match in matches
        if match.is_arranged
    ]
    if not arranged:
        return []
    return [event for listener in listeners for event in listener(arranged, now)]
