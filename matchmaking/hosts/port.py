"""What a game host can be asked.

Every call may be made again: the match id is the key, creating twice gives the same game, and a host that was
asked to cancel a match refuses to create it later. What came of a call is handed to a callback, at once or
later, from any thread: a slow host holds up nobody who asks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A player as a host is told of it."""

    user_id: str
    display_name: str
    color: str | None
    team: int
    rating: float


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a player in the game of a running match."""

    match_id: UUID
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GameRequest:
    """A match as a host is told of it; with ``fills`` its player is for a game that is on."""

    match_id: UUID
    tenant_id: str
    pool_key: str | None
    mode: str
    time_control: str
    rated: bool
    players: Sequence[Seat]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    fills: Place | None = None


@dataclass(frozen=True, slots=True)
class Game:
    """A game that a host has made."""

    game_id: str
    session_id: UUID | None = None
    join_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether a match's game is still on: its id, and who would be in it."""

    match_id: UUID
    game_id: str
    tenant_id: str
    user_ids: Sequence[str]


Created = Callable[[Mapping[UUID, Game | None]], None]
"""Takes the game of each match, None where the host refused or failed; called once or more."""

Playing = Callable[[Mapping[UUID, bool]], None]
"""Takes whether each match's game is on; a match of which the host said nothing is absent."""


class GameHost(Protocol):
    """What a game host can be asked. ``is_asked_who_plays``: it does not tell us that a game is over."""

    is_asked_who_plays: bool

    def create(self, requests: Sequence[GameRequest], then: Created, *, now: datetime) -> None:
        """Make a game for each match."""

    def start(self, match_ids: Iterable[UUID], *, now: datetime) -> None:
        """Open the games of matches that are being confirmed, in the transaction that confirms them."""

    def hold(self, match_ids: Sequence[UUID]) -> None:
        """Lock the games of running matches, before the rows of matches are; until the transaction ends."""

    def replace(self, gone: Place, comes: Seat, *, now: datetime) -> None:
        """Let a player take another one's place, in the transaction that confirms it."""

    def cancel(self, tenant_id: str, match_id: UUID, then: Callable[[], None], *, now: datetime) -> None:
        """See to it that there is no game for a match, and never will be; only then call ``then``."""

    def ask_playing(self, questions: Sequence[Question], then: Playing) -> None:
        """Ask which games are still on."""

    def active_game(self, tenant_id: str, user_id: str) -> str | None:
        """Return the game that a user is in; None also where the host cannot be asked in a moment."""

    def allowance(self) -> int | None:
        """Return how many matches may be reserved now; None: any number."""

    def probe(self, then: Callable[[], None]) -> None:
        """See whether a host that has failed is back, once in a while; call ``then`` when it is."""
