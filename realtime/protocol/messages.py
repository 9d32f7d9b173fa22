"""Every message on the wire, one frozen type each. Documentation and constants are generated from here.

A client's frame is ``{"type", "ref"?, "data"?}``; a server's is
``{"type", "id", "seq", "timestamp", "ref"?, "data"}``, where only durable messages have ``id`` and ``seq``.
The first line of a docstring is the message's documentation. A type that is not declared here, or a field,
does not exist.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from realtime.protocol.parts import (
    ActiveState,
    CancelReason,
    Challenge,
    GameState,
    Identifier,
    MatchCancelReason,
    MessageId,
    Nonce,
    Opponent,
    Part,
    Party,
    PoolKey,
    Ref,
    Seq,
    SessionState,
    Standing,
    Ticket,
)

# --- from clients


class ClientMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A frame from a client."""

    ref: Ref | None = None


class Empty(Part, frozen=True):
    """No data."""


class ResyncData(Part, frozen=True):
    """``last_seq`` is the newest ``seq`` that the client holds."""

    last_seq: Seq = 0


class Resync(ClientMessage, frozen=True, tag="resync"):
    """Ask for a new `state_restored`, with what was missed after `last_seq`."""

    data: ResyncData = ResyncData()


class NonceData(Part, frozen=True):
    """``nonce`` repeats the one of the ping."""

    nonce: Nonce


class Pong(ClientMessage, frozen=True, tag="pong"):
    """The answer to a `ping`; it must repeat the nonce."""

    data: NonceData


class HeartbeatPong(ClientMessage, frozen=True, tag="heartbeat_pong"):
    """The answer to a `heartbeat_ping`."""

    data: NonceData


class Heartbeat(ClientMessage, frozen=True, tag="heartbeat"):
    """The client's own sign of life, every 10 s where it wants."""

    data: Empty = Empty()


class AckData(Part, frozen=True):
    """``id`` of the event received."""

    id: MessageId


class Ack(ClientMessage, frozen=True, tag="ack"):
    """A `match_found` was received; without it the match is not confirmed."""

    data: AckData


class AuthenticateData(Part, frozen=True):
    """``token`` is a new JWT of the same user."""

    token: Annotated[str, Meta(max_length=8192)]


class Authenticate(ClientMessage, frozen=True, tag="authenticate"):
    """Go on with a new token, before the old one expires."""

    data: AuthenticateData


LatencyMs = Annotated[float, Meta(ge=0, le=100_000)]


class JoinQueueData(Part, frozen=True):
    """``regions`` to play in, ``latencies`` in ms by region, ``metadata`` up to 2 KiB of JSON.

    Without ``regions`` those of one's preferences count. ``max_gap`` is one's own limit of the rating gap.
    """

    pool_key: PoolKey
    regions: Annotated[list[Identifier], Meta(max_length=32)] = field(default_factory=list)
    latencies: Annotated[dict[Identifier, LatencyMs], Meta(max_length=32)] = field(default_factory=dict)
    party_id: Annotated[str, Meta(max_length=64)] | None = None
    max_gap: Annotated[float, Meta(ge=0)] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class JoinQueue(ClientMessage, frozen=True, tag="join_queue"):
    """Queue in a pool; answered by `queue_joined` or `error`."""

    data: JoinQueueData


class LeaveQueueData(Part, frozen=True):
    """Without ``queue_entry_id`` the user's live ticket is meant."""

    queue_entry_id: Annotated[str, Meta(max_length=64)] | None = None


class LeaveQueue(ClientMessage, frozen=True, tag="leave_queue"):
    """Leave the queue, also while a match is being verified; answered by `queue_cancelled` or `error`."""

    data: LeaveQueueData = LeaveQueueData()


class MatchIdData(Part, frozen=True):
    """``match_id`` is that of the `match_found`."""

    match_id: Annotated[str, Meta(max_length=64)]


class AcceptMatch(ClientMessage, frozen=True, tag="accept_match"):
    """Say that one is ready, in a pool with a ready check; implies the `ack`. Answered only when refused."""

    data: MatchIdData


class DeclineMatch(ClientMessage, frozen=True, tag="decline_match"):
    """Say that one will not play: the match is off, and one's ticket ends. Answered by `match_cancelled`."""

    data: MatchIdData


class AnswerData(Part, frozen=True):
    """``choice`` is the index of one of the question's choices."""

    question_id: Annotated[str, Meta(max_length=64)]
    choice: Annotated[int, Meta(ge=0, le=100)]


class GiveAnswer(ClientMessage, frozen=True, tag="answer"):
    """Answer the question that is open; answered by `answer_result` or `error`."""

    data: AnswerData


class RenameData(Part, frozen=True):
    """``display_name`` as others shall see it."""

    display_name: Annotated[str, Meta(max_length=64)]


class Rename(ClientMessage, frozen=True, tag="rename"):
    """Take another name; answered by `participant_renamed` or `error`."""

    data: RenameData


AnyClientMessage = (
    Resync
    | Pong
    | HeartbeatPong
    | Heartbeat
    | Ack
    | Authenticate
    | JoinQueue
    | LeaveQueue
    | AcceptMatch
    | DeclineMatch
    | GiveAnswer
    | Rename
)

# --- from the server


class ServerMessage(Part, frozen=True):
    """The data of a frame to a client."""

    type: ClassVar[str]
    durable: ClassVar[bool] = False
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking", "session")


class Connected(ServerMessage, frozen=True):
    """The first frame of every connection."""

    type: ClassVar[str] = "connected"

    connection_id: str
    user_id: str
    heartbeat_interval: float
    server_time: datetime
    seq: int


class MatchmakingRestored(ServerMessage, ActiveState, frozen=True):
    """Everything that a client needs to draw its screen, and the durable events that it missed."""

    type: ClassVar[str] = "state_restored"
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    seq: int
    resumed: bool
    gap: bool
    missed: list[Any]


class SessionRestored(ServerMessage, SessionState, frozen=True, kw_only=True):
    """Everything that a client needs to draw a game session, and the durable events that it missed."""

    type: ClassVar[str] = "state_restored"
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    seq: int
    resumed: bool
    gap: bool
    missed: list[Any]


class Ping(ServerMessage, frozen=True):
    """The health check before a match: answer with `pong` and the same nonce, within 2 s."""

    type: ClassVar[str] = "ping"

    nonce: str


class HeartbeatPing(ServerMessage, frozen=True):
    """Are you there? `seq` is the newest of the stream: a client that is behind sends `resync`."""

    type: ClassVar[str] = "heartbeat_ping"

    nonce: str
    seq: int


class HeartbeatAck(ServerMessage, frozen=True):
    """The answer to a `heartbeat`."""

    type: ClassVar[str] = "heartbeat_ack"

    server_time: datetime


class TokenExpiring(ServerMessage, frozen=True):
    """The token expires in `expires_in` seconds: send `authenticate` with a new one."""

    type: ClassVar[str] = "token_expiring"

    expires_in: float


class Error(ServerMessage, frozen=True):
    """A command was refused; further members are those of the same problem over HTTP."""

    type: ClassVar[str] = "error"

    code: str
    detail: str
    errors: dict[str, list[str]] | UnsetType = UNSET
    queue_entry_id: str | UnsetType = UNSET
    challenge_id: str | UnsetType = UNSET
    party_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    retry_after_seconds: float | UnsetType = UNSET


class Goodbye(ServerMessage, frozen=True):
    """The server is about to close; come back after `reconnect_after_ms`."""

    type: ClassVar[str] = "goodbye"

    reason: str
    reconnect_after_ms: int


class QueueJoined(ServerMessage, Ticket, frozen=True):
    """The player queues; the data is the ticket."""

    type: ClassVar[str] = "queue_joined"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)


class QueueUpdate(ServerMessage, frozen=True):
    """Where the player stands; sent when it changes, at least 2 s apart."""

    type: ClassVar[str] = "queue_update"
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    queue_entry_id: str
    position: int
    estimated_wait: float | None
    waiting: int
    rating_window: float


class QueueCancelled(ServerMessage, frozen=True):
    """The ticket has ended without a match."""

    type: ClassVar[str] = "queue_cancelled"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    queue_entry_id: str
    reason: CancelReason


class MatchFound(ServerMessage, frozen=True):
    """An opponent was found and all are there; not yet final: answer with `ack`.

    With ``accept_within_ms``, in a pool with a ready check, everybody has to send an `accept_match` as well.
    """

    type: ClassVar[str] = "match_found"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    match_id: str
    game_id: str
    queue_entry_id: str | None
    pool_key: str | None
    opponents: list[Opponent]
    color: str | None
    team: int
    ack_within_ms: int
    accept_within_ms: int | UnsetType = UNSET


class MatchAcceptance(ServerMessage, frozen=True):
    """How many players of a match have said that they are ready."""

    type: ClassVar[str] = "match_acceptance"
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    match_id: str
    accepted: int
    needed: int


class MatchReady(ServerMessage, frozen=True):
    """Confirmed by all: the game is on."""

    type: ClassVar[str] = "match_ready"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    match_id: str
    game_id: str
    session_id: str | UnsetType = UNSET
    join_url: str | UnsetType = UNSET


class MatchCancelled(ServerMessage, frozen=True):
    """The match will not be; `requeued` says whether the player is back at the same place in the queue."""

    type: ClassVar[str] = "match_cancelled"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)

    match_id: str
    reason: MatchCancelReason
    requeued: bool
    queue_entry_id: str | None
    position: int | None


class ChallengeReceived(ServerMessage, Challenge, frozen=True):
    """Somebody asks for a game; the data is the challenge."""

    type: ClassVar[str] = "challenge_received"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)


class ChallengeUpdated(ServerMessage, Challenge, frozen=True):
    """A challenge was made, or has ended; the data is the challenge, for both players."""

    type: ClassVar[str] = "challenge_updated"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)


class PartyInvited(ServerMessage, Party, frozen=True):
    """Somebody asks the player to join a party; the data is the party."""

    type: ClassVar[str] = "party_invited"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)


class PartyUpdated(ServerMessage, Party, frozen=True):
    """Something about the player's party has changed; the data is the party.

    A player who is no more among its members is in no party.
    """

    type: ClassVar[str] = "party_updated"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("matchmaking",)


class ParticipantJoined(ServerMessage, frozen=True):
    """Somebody came into the session."""

    type: ClassVar[str] = "participant_joined"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    participant_id: str
    display_name: str


class ParticipantTemporarilyDisconnected(ServerMessage, frozen=True):
    """A participant's connection dropped; it keeps everything for `grace_seconds`."""

    type: ClassVar[str] = "participant_temporarily_disconnected"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    participant_id: str
    grace_seconds: float


class ParticipantReconnected(ServerMessage, frozen=True):
    """A participant is back within the grace period."""

    type: ClassVar[str] = "participant_reconnected"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    participant_id: str


class ParticipantLeft(ServerMessage, frozen=True):
    """A participant has left for good."""

    type: ClassVar[str] = "participant_left"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    participant_id: str
    reason: Literal["left", "grace_expired", "kicked"]


class ParticipantRenamed(ServerMessage, frozen=True):
    """A participant has taken another name."""

    type: ClassVar[str] = "participant_renamed"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    participant_id: str
    display_name: str


class LockChanged(ServerMessage, frozen=True):
    """The host has locked joining, or opened it again."""

    type: ClassVar[str] = "lock_changed"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    locked: bool


class GameStateUpdate(ServerMessage, frozen=True):
    """The game has gone on; `state` is the phase and what belongs to it."""

    type: ClassVar[str] = "game_state_update"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    session_id: str
    state: GameState
    timestamp: datetime


class AnswerResult(ServerMessage, frozen=True):
    """What became of an `answer`; `choice` and `correct` are of the one that counts, null without one."""

    type: ClassVar[str] = "answer_result"
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    question_id: str
    accepted: bool
    choice: int | None
    correct: bool | None
    score: int


class GameOver(ServerMessage, frozen=True):
    """The session has ended: the final standing, and for a rated match what it did to the ratings."""

    type: ClassVar[str] = "game_over"
    durable: ClassVar[bool] = True
    sockets: ClassVar[tuple[str, ...]] = ("session",)

    session_id: str
    standing: list[Standing]


SERVER_MESSAGES: tuple[type[ServerMessage], ...] = (
    Connected,
    MatchmakingRestored,
    SessionRestored,
    Ping,
    HeartbeatPing,
    HeartbeatAck,
    TokenExpiring,
    Error,
    Goodbye,
    QueueJoined,
    QueueUpdate,
    QueueCancelled,
    MatchFound,
    MatchAcceptance,
    MatchReady,
    MatchCancelled,
    ChallengeReceived,
    ChallengeUpdated,
    PartyInvited,
    PartyUpdated,
    ParticipantJoined,
    ParticipantTemporarilyDisconnected,
    ParticipantReconnected,
    ParticipantLeft,
    ParticipantRenamed,
    LockChanged,
    GameStateUpdate,
    AnswerResult,
    GameOver,
)
