"""Where games run: the port to the game host, and the built-in one.

Every call may be made again: the match id is the key, creating twice gives the same game, and a host that was
asked to cancel a match refuses to create it later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from realtime import services as sessions
from realtime.services import NewSession


@dataclass(frozen=True, slots=True)
class GameRequest:
    """What a host is told of a match; players are (user id, display name)."""

    match_id: UUID
    tenant_id: str
    players: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Game:
    """A game that a host has made."""

    game_id: str
    session_id: UUID | None = None
    join_url: str = ""


class GameHost(Protocol):
    """What a game host can be asked."""

    def create(self, requests: Sequence[GameRequest], *, now: datetime) -> dict[UUID, Game]:
        """Make a game for each match; a match that is absent from the answer was refused or failed."""

    def start(self, match_ids: Iterable[UUID], *, now: datetime) -> None:
        """Open the games of matches that are being confirmed, in the transaction that confirms them."""

    def cancel(self, tenant_id: str, match_id: UUID, *, now: datetime) -> None:
        """See to it that there is no game for a match, and never will be."""


class BuiltinHost:
    """Games are sessions of this very service."""

    def create(self, requests: Sequence[GameRequest], *, now: datetime) -> dict[UUID, Game]:
        """Make a session for each match."""
        wanted = [NewSession(r.tenant_id, r.match_id, r.players) for r in requests]
        ids = sessions.create_sessions(wanted, now=now)
        return {match_id: Game(str(session_id), session_id) for match_id, session_id in ids.items()}

    def start(self, match_ids: Iterable[UUID], *, now: datetime) -> None:
        """Let the players in."""
        sessions.start_sessions(match_ids, now=now)

    def cancel(self, tenant_id: str, match_id: UUID, *, now: datetime) -> None:
        """End the session, or forbid it."""
        sessions.cancel_session(tenant_id, match_id, now=now)


def game_host() -> GameHost:
    """Return the host that the settings name."""
    return BuiltinHost()
