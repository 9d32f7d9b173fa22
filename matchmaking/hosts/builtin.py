"""The built-in host: games are sessions of this very service."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from matchmaking.hosts.port import Created, Game, GameRequest, Place, Playing, Question, Seat
from realtime.services import sessions
from realtime.services.sessions import NewSession


class BuiltinHost:
    """Games are sessions of this very service, in its own database: what can fail is the database."""

    is_asked_who_plays = False

    def create(self, requests: Sequence[GameRequest], then: Created, *, now: datetime) -> None:
        """Make a session for each match; who fills a place is for the one that is on."""
        on = sessions.sessions_on([r.fills.match_id for r in requests if r.fills])
        wanted = [
            NewSession(r.tenant_id, r.match_id, [(p.user_id, p.display_name) for p in r.players])
            for r in requests
            if r.fills is None
        ]
        ids = sessions.create_sessions(wanted, now=now)
        ids |= {r.match_id: on[r.fills.match_id] for r in requests if r.fills and r.fills.match_id in on}
        games = {match_id: Game(str(session_id), session_id) for match_id, session_id in ids.items()}
        then({request.match_id: games.get(request.match_id) for request in requests})

    def start(self, match_ids: Iterable[UUID], *, now: datetime) -> None:
        """Let the players in."""
        sessions.start_sessions(match_ids, now=now)

    def hold(self, match_ids: Sequence[UUID]) -> None:
        """Lock the sessions of running matches."""
        sessions.hold(match_ids)

    def replace(self, gone: Place, comes: Seat, *, now: datetime) -> None:
        """Let a player in, and the one out whose place it takes."""
        player = (comes.user_id, comes.display_name)
        sessions.replace_player(gone.match_id, gone.user_id, player, now=now)

    def cancel(self, tenant_id: str, match_id: UUID, then: Callable[[], None], *, now: datetime) -> None:
        """End the session, or forbid it."""
        sessions.cancel_session(tenant_id, match_id, now=now)
        then()

    def ask_playing(self, questions: Sequence[Question], then: Playing) -> None:
        """Say nothing: a session's end is told as it happens."""

    def active_game(self, tenant_id: str, user_id: str) -> str | None:
        """Return None: a user's match says it all."""

    def allowance(self) -> int | None:
        """Return None: any number."""
        return None

    def probe(self, then: Callable[[], None]) -> None:
        """Do nothing: it is never down alone."""
