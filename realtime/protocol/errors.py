"""Refusals and closing codes.

A refusal is a `DomainError`; anything else that is raised is a bug. The tree::

    DomainError
      InvalidRequest          400, 413   the request itself is wrong; ``errors`` says where
      Unauthorized            401        no valid token
      Forbidden               403        a valid token of somebody who may not
      NotFound                404        nothing there for this caller
      Conflict                409        right request, wrong moment
      Limited                 429        too many; ``retry_after_seconds`` says when again
      Unavailable             503        a part that is needed is down; nothing was done
      InternalError           500        a bug: logged whole, told in one word

Apps add leaves with a ``code`` of their own. ``kind`` decides the HTTP status, in one table at that edge.
The range of a closing code says whether to come back: 4000 to 4499 yes, 4500 to 4999 no.
"""

from enum import IntEnum
from typing import ClassVar, cast


class DomainError(Exception):
    """A refusal with a ``code`` for programs, a ``detail`` for people and further members of the problem."""

    code: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[str]

    def __init__(self, detail: str = "", **members: object) -> None:
        self.detail = detail or self.title
        self.members = members
        super().__init__(self.detail)

    def problem(self) -> dict[str, object]:
        """Return the members that HTTP and socket have in common."""
        return {"code": self.code, "detail": self.detail, **self.members}


class InvalidRequest(DomainError):
    """The request is malformed; ``errors`` maps each field to its texts."""

    code = "invalid_request"
    title = "The request is not valid"
    kind = "invalid"

    def __init__(self, detail: str = "", *, field: str = "", **members: object) -> None:
        if field:
            members["errors"] = {field: [detail or self.title]}
        super().__init__(detail, **members)

    def texts(self) -> list[str]:
        """Return what is wrong, a line for each fault with the field that has it."""
        errors = cast("dict[str, list[str]]", self.members.get("errors", {}))
        return [f"{field}: {text}" for field, texts in errors.items() for text in texts] or [self.detail]


class TooLarge(InvalidRequest):
    """The request is larger than any valid one."""

    title = "The request is too large"
    kind = "too_large"


class Unauthorized(DomainError):
    """There is no valid token."""

    code = "unauthorized"
    title = "A valid token is needed"
    kind = "unauthorized"


class Forbidden(DomainError):
    """The token is valid and its owner may not do this."""

    code = "forbidden"
    title = "Not allowed"
    kind = "forbidden"


class NotFound(DomainError):
    """There is no such thing for this caller; one of another tenant looks the same."""

    code = "not_found"
    title = "There is no such thing"
    kind = "missing"


class Conflict(DomainError):
    """The request is right and the state of things is not."""

    code = "conflict"
    title = "Not possible in the present state"
    kind = "conflict"


class Limited(DomainError):
    """Too many requests; ``retry_after_seconds`` says when the next one is welcome."""

    code = "rate_limited"
    title = "Too many requests"
    kind = "limited"


class Unavailable(DomainError):
    """Something that this needs is down; nothing was done, try again."""

    code = "matchmaking_unavailable"
    title = "Matchmaking is not available right now"
    kind = "unavailable"


class InternalError(DomainError):
    """A bug of ours: the log has it whole, the caller is told no more than that."""

    code = "internal_error"
    title = "Something went wrong on our side"
    kind = "internal"


class CloseCode(IntEnum):
    """Why a socket was closed; below 4500 the client comes back, from 4500 on it stays away."""

    NORMAL = 1000
    TOO_LARGE = 1009
    SERVER_GOING = 4000
    TOKEN_EXPIRED = 4001
    NO_PONG = 4008
    SLOW_READER = 4009
    TOO_MANY_FRAMES = 4029
    NOT_AUTHENTICATED = 4501
    NOT_ALLOWED = 4503
    NO_SUCH_SESSION = 4504
    REPLACED = 4509
    LEFT = 4510
    NOT_TEXT = 4513


CLOSE_CODE_MEANINGS: dict[CloseCode, str] = {
    CloseCode.NORMAL: "normal",
    CloseCode.TOO_LARGE: "a frame of more than 16 KiB",
    CloseCode.SERVER_GOING: "the server is going; come back after `reconnect_after_ms`",
    CloseCode.TOKEN_EXPIRED: "the token has expired; come back with a new one",
    CloseCode.NO_PONG: "no pong to two heartbeats in a row",
    CloseCode.SLOW_READER: "too slow a reader",
    CloseCode.TOO_MANY_FRAMES: "more than 20 frames a second",
    CloseCode.NOT_AUTHENTICATED: "not authenticated",
    CloseCode.NOT_ALLOWED: "not allowed: the origin, or not a participant",
    CloseCode.NO_SUCH_SESSION: "there is no such session",
    CloseCode.REPLACED: "replaced by a newer connection of the same user",
    CloseCode.LEFT: "left, or away for too long",
    CloseCode.NOT_TEXT: "not a text frame",
}
