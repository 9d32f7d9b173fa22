"""What messages and REST answers are made of: the words, and the things."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+(?![\s\S])")]
PoolKey = Annotated[str, Meta(min_length=1, max_length=64)]
Ref = Annotated[str, Meta(max_length=64)]
Nonce = Annotated[str, Meta(max_length=128)]
MessageId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?![\s\S])")]
Seq = Annotated[int, Meta(ge=0, le=2**53)]

TicketStatus = Literal["SEARCHING", "RESERVED", "MATCHED", "CANCELLED", "TIMED_OUT"]
MatchStatus = Literal["PROPOSED", "AWAITING_ACCEPTANCE", "CONFIRMED", "FINISHED", "CANCELLED"]
ChallengeStatus = Literal["PENDING", "ACCEPTED", "DECLINED", "CANCELLED", "EXPIRED"]
PartyStatus = Literal["IDLE", "QUEUED", "PLAYING", "DISBANDED"]
ColorPreference = Literal["WHITE", "BLACK", "RANDOM"]
ConnectionState = Literal["connected", "temporarily_disconnected", "disconnected"]
SessionKind = Literal["duel", "event"]
Phase = Literal["lobby", "question", "leaderboard", "finished"]
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


def fields_set(part: Part) -> dict[str, Any]:
    """Return `fields_of` without those that are left out."""
    return {name: value for name, value in fields_of(part).items() if value is not UNSET}


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


class Score(Part, frozen=True):
    """A player's score in a match; higher is better."""

    user_id: Identifier
    score: Annotated[float, Meta(ge=-1e9, le=1e9)]


class Result(Part, frozen=True):
    """How a match ended: a score for each of its players."""

    outcome: Annotated[list[Score], Meta(min_length=1, max_length=200)]
    finished_at: Annotated[datetime, Meta(tz=True)]


class Rating(Part, frozen=True):
    """A player's rating in a pool, with how unsure it is."""

    pool_key: str
    rating: float
    deviation: float
    provisional: bool
    games: int


class RatingPoint(Part, frozen=True):
    """A match in the history of a rating; ``expected`` and ``score`` are shares of opponents beaten."""

    match_id: str
    at: datetime
    before: float
    after: float
    expected: float
    score: float


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
    """The live room that players are in: a duel after a match, or an event that somebody hosts."""

    session_id: str
    kind: SessionKind
    title: str
    match_id: str | None
    join_code: str | None
    join_url: str | None
    created_at: datetime
    finished_at: datetime | None


class Question(Part, frozen=True):
    """A question without its answer; ``choices`` are chosen by their index, ``number`` counts from 1."""

    question_id: str
    number: int
    of: int
    text: str
    choices: list[str]
    seconds: float
    deadline: datetime


class Answer(Part, frozen=True):
    """One's own answer to a question."""

    question_id: str
    choice: int
    correct: bool
    points: int


class RatingChange(Part, frozen=True):
    """What a match did to a rating; a ``provisional`` one is not to be relied on yet."""

    before: float
    after: float
    provisional: bool


class Standing(Part, frozen=True):
    """A participant's place: equal scores share a ``rank``; in a duel who left is last.

    After a rated match, ``rating_change`` says what it did to the participant's rating.
    """

    rank: int
    participant_id: str
    display_name: str
    score: int
    rating_change: RatingChange | UnsetType = UNSET


class GameState(Part, frozen=True):
    """The phase and what belongs to it.

    ``ends_at``: when the phase ends by itself, null where somebody has to say so. ``correct_choice``, the
    ``tally`` of choices and the ``leaderboard`` come with the phase ``leaderboard``; the latter also with
    ``finished``.
    """

    phase: Phase
    ends_at: datetime | None
    question: Question | None
    correct_choice: int | None
    tally: list[int] | None
    leaderboard: list[Standing] | None


class Preferences(Part, frozen=True):
    """What a player wants wherever it queues; an empty list leaves it open."""

    regions: Annotated[list[Identifier], Meta(max_length=32)] = []
    modes: Annotated[list[Identifier], Meta(max_length=32)] = []
    blocked_users: Annotated[list[Identifier], Meta(max_length=1000)] = []


class NewChallenge(Part, frozen=True):
    """What is asked of another player, or without ``opponent_id`` of whoever opens the link.

    What is left out is the pool's. The colour is the challenger's own; ``expires_in`` is in seconds, from
    10 s to 14 days.
    """

    opponent_id: Identifier | None = None
    pool_key: PoolKey | None = None
    mode: Identifier | None = None
    time_control: Annotated[str, Meta(max_length=64)] | None = None
    rated: bool | None = None
    color_preference: ColorPreference = "RANDOM"
    expires_in: Annotated[float, Meta(ge=10, le=1_209_600)] | None = None


class Challenger(Part, frozen=True):
    """One of the two players of a challenge."""

    user_id: str
    display_name: str


class Challenge(Part, frozen=True):
    """One player asks another for a game; an open one has a ``url``, and no opponent before it is accepted.

    ``color_preference`` is the challenger's; ``match_id`` and ``game_id`` are there once it is accepted.
    """

    challenge_id: str
    challenger: Challenger
    opponent: Challenger | None
    pool_key: str | None
    mode: str
    time_control: str
    rated: bool
    color_preference: ColorPreference
    status: ChallengeStatus
    created_at: datetime
    expires_at: datetime
    match_id: str | None
    game_id: str | None
    rematch_of: str | None
    url: str | None


class Challenges(Part, frozen=True):
    """The challenges that wait for an answer, of this user and to this user."""

    incoming: list[Challenge] = []
    outgoing: list[Challenge] = []


class PartyMember(Part, frozen=True):
    """A player of a party, and whether it has an open connection."""

    user_id: str
    display_name: str
    connected: bool


class Party(Part, frozen=True):
    """Players who queue as one, the leader for all; ``leader`` is a user id, ``members`` are in the order of
    joining.

    ``QUEUED`` while its members have tickets, ``PLAYING`` while any is in a match, ``DISBANDED`` once nobody
    is left.
    """

    party_id: str
    leader: str
    members: list[PartyMember]
    status: PartyStatus


class PartyUser(Part, frozen=True):
    """Whom a party invites, or sends away."""

    user_id: Identifier


class Backfill(Part, frozen=True):
    """Who is to be replaced in a running match."""

    user_id: Identifier


class ActiveState(Part, frozen=True):
    """All that a user is in right now; null where there is nothing."""

    ticket: Ticket | None
    match: Match | None
    session_id: str | None
    challenges: Challenges
    party: Party | None


class SessionState(GameState, frozen=True, kw_only=True):
    """All that a client needs to draw a game session.

    The host has no ``participant_id``, ``score`` and ``answers``, and sees how many have ``answered``.
    """

    session: Session
    time_left_ms: int | None
    participant_id: str | UnsetType = UNSET
    score: int | UnsetType = UNSET
    answers: list[Answer] | UnsetType = UNSET
    answered: int | UnsetType = UNSET
    participants: list[Participant]
    locked: bool


class JoinPage(Part, frozen=True):
    """What the join page of an event shows; ``attempt`` is a signed stamp of when it was shown."""

    session_id: str
    title: str
    phase: Phase
    locked: bool
    attempt: str


class Joined(Part, frozen=True):
    """A place in an event; ``token`` opens its socket and its routes, and nothing else."""

    participant_id: str
    session_id: str
    display_name: str
    token: str
