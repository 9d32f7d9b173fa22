"""The bearer token over HTTP. A module of its own: the framework imports it before its views."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from realtime.transport.auth import Caller, caller_from_token


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <JWT>``, the same check as for sockets."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        """Return the caller; None without a bearer token, and then the route's permission decides."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return caller_from_token(token.strip()), token

    def authenticate_header(self, _request: Request) -> str:
        """Say how to authenticate; without it the framework would answer 403."""
        return "Bearer"
