"""Who is calling: a JWT becomes a `Caller`, for REST and sockets alike. Nobody needs a row for it."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rest_framework_simplejwt.exceptions import TokenBackendError
from rest_framework_simplejwt.state import token_backend

from realtime.protocol.errors import Unauthorized

MAX_NAME_LENGTH = 64
MAX_PRIORITY_SECONDS = 600
PARTICIPANT = "participant"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_JOINERS = "\u200c\u200d"
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols by their class, and nothing to see
_FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of a tenant, as its token says."""

    tenant_id: str
    user_id: str
    display_name: str
    priority_seconds: int
    roles: frozenset[str]
    expires_at: datetime
    session_id: str = ""
    """The one game session that a participant's token is for; it is good for nothing else."""
    is_authenticated: bool = True

    @property
    def address(self) -> str:
        """Where this user's events go."""
        return player_address(self.tenant_id, self.user_id)


def player_address(tenant_id: str, user_id: str) -> str:
    """Return where a user's events go; neither id can hold a colon."""
    return f"player:{tenant_id}:{user_id}"


def caller_from_token(token: str) -> Caller:
    """Return who a JWT speaks for.

    Raises `Unauthorized` for a wrong signature, algorithm, issuer or type, a past or missing ``exp``, and a
    missing or malformed claim.
    """
    claims, expires_at = _claims_of(token)
    if claims.get("token_type", "access") != "access":
        raise Unauthorized("This is not an access token")
    return _caller(claims, expires_at)


def session_caller_from_token(token: str) -> Caller:
    """Return who a JWT speaks for in game sessions: a user, or the participant of one session."""
    claims, expires_at = _claims_of(token)
    if claims.get("token_type") != PARTICIPANT:
        return caller_from_token(token)
    return replace(_caller(claims, expires_at), session_id=_identifier(claims, "session_id"))


def participant_token(*, tenant_id: str, session_id: str, participant_id: str, expires_at: datetime) -> str:
    """Return a JWT for the socket and the routes of one session."""
    claims = {
        "token_type": PARTICIPANT,
        "sub": participant_id,
        "tenant_id": tenant_id,
        "session_id": session_id,
        "exp": int(expires_at.timestamp()),
    }
    return str(token_backend.encode(claims))


def _claims_of(token: str) -> tuple[dict[str, Any], datetime]:
    try:
        claims: dict[str, Any] = token_backend.decode(token)  # type: ignore[arg-type]  # it takes text
        return claims, _time_of(claims["exp"])
    except (TokenBackendError, UnicodeError, KeyError, TypeError, ValueError, OverflowError):
        raise Unauthorized from None


def _caller(claims: dict[str, Any], expires_at: datetime) -> Caller:
    user_id = _identifier(claims, "sub")
    return Caller(
        tenant_id=_identifier(claims, "tenant_id"),
        user_id=user_id,
        display_name=_name(claims) or user_id,
        priority_seconds=_priority(claims),
        roles=_roles(claims),
        expires_at=expires_at,
    )


def clean_name(text: str, *, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return a name with single spaces, nothing invisible and at most 64 characters, or another number.

    Joiners stay: emoji and Persian words are held together by them.
    """
    visible = "".join(c if (c.isprintable() and c not in _BLANKS) or c in _JOINERS else " " for c in text)
    return " ".join(visible.split())[:max_length].strip(f" {_JOINERS}")


def _time_of(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(seconds)
    return min(datetime.fromtimestamp(min(seconds, _FAR_FUTURE.timestamp()), UTC), _FAR_FUTURE)


def _identifier(claims: dict[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise Unauthorized(f"The claim {claim} is missing or malformed")
    return value


def _name(claims: dict[str, Any]) -> str:
    name = claims.get("name", "")
    if not isinstance(name, str):
        raise Unauthorized("The claim name is malformed")
    return clean_name(name)


def _priority(claims: dict[str, Any]) -> int:
    priority = claims.get("priority", 0)
    if type(priority) is not int or not 0 <= priority <= MAX_PRIORITY_SECONDS:
        raise Unauthorized("The claim priority is malformed")
    return priority


def _roles(claims: dict[str, Any]) -> frozenset[str]:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthorized("The claim roles is malformed")
    return frozenset(roles)
