"""What a socket is connected to: the seam between a connection's life and what it is for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from realtime.protocol.errors import CloseCode
from realtime.protocol.messages import ClientMessage, ServerMessage
from realtime.transport.auth import Caller, caller_from_token
from realtime.transport.events import Origin
from realtime.transport.push import Push


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to restore, the number that it is as of, and the frames that are still owed an answer."""

    state: ServerMessage
    seq: int
    owed: list[Push] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A connection's end, ``age_seconds`` ago; ``is_last``: the user has no other at this address."""

    caller: Caller
    address: str
    connection_id: str
    is_last: bool
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a socket's events come from, and the device that it is of: a second one closes the first."""

    address: str
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a socket is connected to; all of it synchronous, run off the event loop.

    ``identify`` tells who a token speaks for. ``place`` says where the socket's events come from, and refuses
    who may not be there; without it, they are the caller's own. A handler may return the message that answers
    its command, for the connection alone that sent it. ``arrived`` and ``departed`` hear of each connection's
    begin and end. ``answered`` is called after answers to health checks and deliveries were written.
    """

    snapshot: Callable[[Caller, str, int | None], Snapshot]
    handlers: Mapping[type[ClientMessage], Callable[[Caller, Any, Origin], ServerMessage | None]]
    arrived: Callable[[Caller, str, str], None]
    departed: Callable[[End], None]
    answered: Callable[[], None]
    identify: Callable[[str], Caller] = caller_from_token
    place: Callable[[Caller, Mapping[str, str]], Place] | None = None


class Refused(Exception):
    """The socket is not for this client; ``code`` tells it why."""

    def __init__(self, code: CloseCode) -> None:
        self.code = code
        super().__init__(code.name)
