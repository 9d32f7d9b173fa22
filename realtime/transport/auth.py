"""Who is calling: a JWT becomes a `Caller`, for REST and sockets alike. Nobody needs a row for it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rest_framework_simplejwt.exceptions import TokenBackendError
from rest_framework_simplejwt.state import token_backend

from realtime.protocol.errors import Unauthorized

MAX_NAME_LENGTH = 64
MAX_PRIORITY_SECONDS = 600

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
    try:
        claims: dict[str, Any] = token_backend.decode(token)  # type: ignore[arg-type]  # it takes text
        expires_at = _time_of(claims["exp"])
    except (TokenBackendError, UnicodeError, KeyError, TypeError, ValueError, OverflowError):
        raise Unauthorized from None
    if claims.get("token_type", "access") != "access":
        raise Unauthorized("This is not an access token")
    user_id = _identifier(claims, "sub")
    return Caller(
        tenant_id=_identifier(claims, "tenant_id"),
        user_id=user_id,
        display_name=_name(claims) or user_id,
        priority_seconds=_priority(claims),
        roles=_roles(claims),
        expires_at=expires_at,
    )


def clean_name(text: str) -> str:
    """Return a display name with single spaces, nothing invisible and at most 64 characters.

    Joiners stay: emoji and Persian words are held together by them.
    """
    visible = "".join(c if (c.isprintable() and c not in _BLANKS) or c in _JOINERS else " " for c in text)
    return " ".join(visible.split())[:MAX_NAME_LENGTH].strip(f" {_JOINERS}")


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
