"""What messages and REST answers are made of: the words, and the things."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+(?![\s\S])")]
PoolKey = Annotated[str, Meta(min_length=1, max_length=64)]
Ref = Annotated[str, Meta(max_length=64)]
Nonce = Annotated[str, Meta(max_length=128)]
MessageId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?![\s\S])")]
Seq = Annotated[int, Meta(ge=0, le=2**53)]

TicketStatus = Literal["SEARCHING", "RESERVED", "MATCHED", "CANCELLED", "TIMED_OUT"]
MatchStatus = Literal["PROPOSED", "AWAITING_ACCEPTANCE", "CONFIRMED", "FINISHED", "CANCELLED"]
ConnectionState = Literal["connected", "temporarily_disconnected", "disconnected"]
CancelReason = Literal["user_request", "connection_timeout", "timed_out", "declined", "staff"]
MatchCancelReason = Literal[
    "you_unreachable",
    "opponent_unreachable",
    "delivery_failed",
    "opponent_cancelled",
    "you_declined",
    "opponent_declined",
    "game_service_unavailable",
    "cancelled_by_staff",
    "internal_error",
]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thing that messages and REST answers are made of."""


def fields_of(part: Part) -> dict[str, Any]:
    """Return a part's fields by name, to make a message of them."""
    return {name: getattr(part, name) for name in part.__struct_fields__}


class Ticket(Part, frozen=True):
    """A player's place in a queue."""

    queue_entry_id: str
    pool_key: str
    status: TicketStatus
    queued_at: datetime
    waited_seconds: float
    rating: float
    rating_window: float
    position: int | None
    estimated_wait_seconds: float | None
    match_id: str | None
    game_id: str | None
    cancel_reason: CancelReason | None


class MatchPlayer(Part, frozen=True):
    """A player of a match, with the rating at the time of the match."""

    user_id: str
    display_name: str
    rating: float
    color: str | None
    team: int


class Match(Part, frozen=True):
    """Two or more players brought together."""

    match_id: str
    game_id: str | None
    pool_key: str | None
    mode: str
    time_control: str
    rated: bool
    status: MatchStatus
    queue_entry_ids: list[str]
    metadata: dict[str, Any]
    players: list[MatchPlayer]
    quality: float | None
    created_at: datetime
    confirmed_at: datetime | None
    result: dict[str, Any] | None


class Opponent(Part, frozen=True):
    """Whom a player is about to meet."""

    user_id: str
    display_name: str
    rating: float


class Participant(Part, frozen=True):
    """A player or device in one game session."""

    participant_id: str
    display_name: str
    connection_state: ConnectionState


class Session(Part, frozen=True):
    """The live room that players are in."""

    session_id: str
    kind: Literal["duel"]
    match_id: str | None
    created_at: datetime
    finished_at: datetime | None


class Preferences(Part, frozen=True):
    """What a player wants wherever it queues; an empty list leaves it open."""

    regions: Annotated[list[Identifier], Meta(max_length=32)] = []
    modes: Annotated[list[Identifier], Meta(max_length=32)] = []
    blocked_users: Annotated[list[Identifier], Meta(max_length=1000)] = []


class Challenges(Part, frozen=True):
    """The challenges that wait for an answer, of this user and to this user."""

    incoming: list[dict[str, Any]] = []
    outgoing: list[dict[str, Any]] = []


class ActiveState(Part, frozen=True):
    """All that a user is in right now; null where there is nothing."""

    ticket: Ticket | None
    match: Match | None
    session_id: str | None
    challenges: Challenges
    party: dict[str, Any] | None


class SessionState(Part, frozen=True):
    """All that a client needs to draw a game session; the three own fields are null for an observer."""

    session: Session
    phase: Literal["lobby", "finished"]
    question: dict[str, Any] | None
    time_left_ms: int | None
    participant_id: str | None
    score: int | None
    answers: list[dict[str, Any]] | None
    participants: list[Participant]
    locked: bool
