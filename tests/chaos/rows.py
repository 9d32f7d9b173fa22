"""What the database holds in the end, read with plain SQL: the code under test vouches for nothing here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

TENANT = "demo"


@dataclass(frozen=True, kw_only=True)
class TicketRow:
    """A place in a queue; times are seconds of the history's clock."""

    id: str
    user: str
    pool: str
    status: str
    queued_at: float
    reason: str | None = None
    ended_at: float | None = None
    match_id: str | None = None
    unreachable_since: float | None = None
    not_before: float | None = None
    party: str | None = None
    needed: int = 2
    """So many players make a match in its pool."""

    @property
    def is_live(self) -> bool:
        return self.status in {"SEARCHING", "RESERVED"}


@dataclass(frozen=True, kw_only=True)
class MatchRow:
    """A match; ``cause`` is why it was rolled back, ``deadline`` what its players last had to keep."""

    id: str
    status: str
    created_at: float
    deadline: float = 0
    lease_until: float = 0
    cause: str = ""
    confirmed_at: float | None = None
    finished_at: float | None = None
    session_id: str | None = None
    cancel_due: bool = False
    is_arranged: bool = False
    game_id: str | None = None
    teams: int = 2
    team_size: int = 1


@dataclass(frozen=True, kw_only=True)
class SeatRow:
    """A player of a match, and what had to be answered."""

    match_id: str
    user: str
    nonce: str
    found_id: str | None = None
    ticket_id: str | None = None
    is_live: bool = False
    team: int = 0


@dataclass(frozen=True, kw_only=True)
class ChallengeRow:
    """A challenge; ``match_id`` is that of its game, or of one that is being verified."""

    id: str
    challenger: str
    opponent: str | None
    status: str
    created_at: float
    expires_at: float
    is_open: bool = False
    ended_at: float | None = None
    match_id: str | None = None
    game_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PartyRow:
    """A party, with its present members in the order of joining."""

    id: str
    leader: str
    members: Sequence[str]
    disbanded_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    """The room of a match."""

    id: str
    match_id: str | None
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """A durable event, of a player or of a room."""

    id: str
    address: str
    seq: int
    type: str
    data: dict[str, Any]
    created_at: float = 0

    @property
    def user(self) -> str:
        """The player whose event it is; empty for those of rooms."""
        kind, _, rest = self.address.partition(":")
        return rest.partition(":")[2] if kind == "player" else ""


@dataclass(frozen=True, kw_only=True)
class GameRow:
    """A game at the game server."""

    match_id: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All of it."""

    tickets: Sequence[TicketRow] = ()
    matches: Sequence[MatchRow] = ()
    seats: Sequence[SeatRow] = ()
    sessions: Sequence[SessionRow] = ()
    events: Sequence[EventRow] = ()
    newest: dict[str, int] = field(default_factory=dict)
    games: Sequence[GameRow] = ()
    challenges: Sequence[ChallengeRow] = ()
    parties: Sequence[PartyRow] = ()


_TICKETS = """
SELECT t.id::text, user_id AS user, p.key AS pool, status, cancel_reason AS reason, match_id::text,
       t.party_id::text AS party, p.teams * p.team_size AS needed,
       {queued_at}, {ended_at}, {unreachable_since}, {not_before}
FROM matchmaking_ticket t JOIN matchmaking_pool p ON p.id = t.pool_id ORDER BY t.age_from, t.id
"""
_MATCHES = """
SELECT m.id::text, status, cancel_reason AS cause, session_id::text, game_cancel_due AS cancel_due,
       is_arranged, game_id, coalesce(p.teams, 2) AS teams, coalesce(p.team_size, 1) AS team_size,
       {created_at}, {deadline}, {lease_until}, {confirmed_at}, {finished_at}
FROM matchmaking_match m LEFT JOIN matchmaking_pool p ON p.id = m.pool_id ORDER BY m.created_at, m.id
"""
_SEATS = """
SELECT match_id::text, user_id AS user, nonce, found_event_id::text AS found_id, ticket_id::text, is_live,
       team
FROM matchmaking_matchplayer ORDER BY id
"""
_CHALLENGES = """
SELECT id::text, challenger_id AS challenger, opponent_id AS opponent, status, is_open, match_id::text,
       game_id, {created_at}, {expires_at}, {ended_at}
FROM challenges_challenge t ORDER BY id
"""
_PARTIES = """
SELECT id::text, leader_id AS leader, {disbanded_at},
       array(SELECT user_id FROM matchmaking_partymember m WHERE m.party_id = p.id ORDER BY m.id) AS members
FROM matchmaking_party p ORDER BY id
"""
_SESSIONS = "SELECT id::text, match_id::text, {finished_at} FROM realtime_gamesession ORDER BY id"
_EVENTS = "SELECT id::text, address, seq, type, data, {created_at} FROM realtime_event ORDER BY address, seq"
_NEWEST = "SELECT address, seq FROM realtime_stream"


def read_rows(database_url: str, *, began_at: float, games: Sequence[GameRow] = ()) -> Rows:
    """Read everything as of one instant; ``began_at`` is the wall clock at the history's zero."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(query: str) -> list[dict[str, Any]]:
            return cursor.execute(_with_times(query, began_at)).fetchall()

        return Rows(
            tickets=[TicketRow(**row) for row in rows(_TICKETS)],
            matches=[MatchRow(**row) for row in rows(_MATCHES)],
            seats=[SeatRow(**row) for row in rows(_SEATS)],
            sessions=[SessionRow(**row) for row in rows(_SESSIONS)],
            events=[EventRow(**row | {"data": json.loads(row["data"])}) for row in rows(_EVENTS)],
            newest={row["address"]: row["seq"] for row in rows(_NEWEST)},
            games=games,
            challenges=[ChallengeRow(**row) for row in rows(_CHALLENGES)],
            parties=[PartyRow(**row) for row in rows(_PARTIES)],
        )


class _Times(dict[str, str]):
    """Turns ``{column}`` into SQL for its time on the history's clock."""

    def __init__(self, began_at: float) -> None:
        super().__init__()
        self._began_at = began_at

    def __missing__(self, column: str) -> str:
        table = "t." if column in {"queued_at", "ended_at"} else ""
        return f"(extract(epoch FROM {table}{column}) - {self._began_at!r})::float8 AS {column}"


def _with_times(query: str, began_at: float) -> str:
    return query.format_map(_Times(began_at))
