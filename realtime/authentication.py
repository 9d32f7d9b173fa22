"""The bearer token over HTTP. A module of its own: the framework imports it before its views."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from realtime.protocol.errors import Unauthorized
from realtime.transport.auth import Caller, caller_from_token, session_caller_from_token


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <JWT>``, the same check as for sockets."""

    identify = staticmethod(caller_from_token)

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        """Return the caller; None without a bearer token, and then the route's permission decides."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self.identify(token.strip()), token

    def authenticate_header(self, _request: Request) -> str:
        """Say how to authenticate; without it the framework would answer 403."""
        return "Bearer"


class SessionAuthentication(BearerAuthentication):
    """The same, and participants of game sessions by the token of their session."""

    identify = staticmethod(session_caller_from_token)


def caller_of(request: Request) -> Caller:
    """Return who is calling."""
    if not isinstance(request.user, Caller):
        raise Unauthorized
    return request.user
