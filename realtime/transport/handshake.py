"""What a client says when it opens a socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings

from realtime.protocol.errors import CloseCode, Unauthorized
from realtime.transport.auth import Caller
from realtime.transport.wiring import Refused

SUBPROTOCOL = "matchmaking.v1"
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Handshake:
    """Who opens the socket, with the parameters of path and query, and the number it wants to go on from."""

    caller: Caller
    parameters: Mapping[str, str]
    last_seq: int | None


def subprotocol_of(scope: Mapping[str, Any]) -> str | None:
    """Return the subprotocol to select."""
    return SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None


def read_handshake(scope: Mapping[str, Any], identify: Callable[[str], Caller]) -> Handshake:
    """Return what a handshake says; raise `Refused` for a foreign origin, `Unauthorized` without a token."""
    headers = {name.lower(): value.decode("latin1") for name, value in scope["headers"]}
    origin = headers.get(b"origin")
    if origin is not None and origin not in settings.ALLOWED_ORIGINS:
        raise Refused(CloseCode.NOT_ALLOWED)
    query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin1")).items()}
    return Handshake(
        caller=identify(_token(scope["subprotocols"], headers)),
        parameters={**query, **scope.get("url_route", {}).get("kwargs", {})},
        last_seq=_number(query.get("last_seq")),
    )


def _token(subprotocols: list[str], headers: Mapping[bytes, str]) -> str:
    """Return the token of a handshake; the subprotocol wins over the header, and the URL is ignored."""
    for subprotocol in subprotocols:
        if subprotocol.startswith("bearer."):
            return subprotocol.removeprefix("bearer.")
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    return token.strip()


def _number(text: str | None) -> int | None:
    """Return the number that ``text`` spells; None for anything else, which counts as a fresh connection."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        return None
    return int(text)
