"""REST: who one is."""

from typing import Annotated, Any

import msgspec
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from msgspec import Meta
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from realtime.identifiers import new_id
from realtime.problems import body_of
from realtime.protocol.errors import InvalidRequest, NotFound, Unauthorized
from realtime.transport.auth import clean_name

GUEST_TENANT = "demo"
_SITE_USER = "site-"


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user of this Django site."""

    username: Annotated[str, Meta(max_length=150)]
    password: Annotated[str, Meta(max_length=4096)]


class RefreshBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refresh token."""

    refresh: Annotated[str, Meta(max_length=8192)]


class GuestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a guest wants to be called."""

    display_name: Annotated[str, Meta(max_length=64)]


def _token_for(claims: dict[str, Any]) -> RefreshToken:
    token = RefreshToken()
    for claim, value in claims.items():
        token[claim] = value
    return token


class TokenView(APIView):
    """Tokens for users of this Django site."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Return an access and a refresh token."""
        credentials = body_of(request, Credentials)
        user = authenticate(username=credentials.username, password=credentials.password)
        if user is None:
            raise Unauthorized("The user name or the password is wrong")
        token = _token_for(
            {
                "sub": f"{_SITE_USER}{user.pk}",
                "tenant_id": GUEST_TENANT,
                "name": user.get_username(),
                "roles": _roles_of(user),
            }
        )
        return Response({"access": str(token.access_token), "refresh": str(token)})


class TokenRefreshView(APIView):
    """A new access token for a refresh token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Return a new access token; a user of the site has to be active, and gets the roles of now."""
        try:
            token = RefreshToken(body_of(request, RefreshBody).refresh)  # type: ignore[arg-type]  # it takes text
            access = token.access_token
        except (TokenError, ValueError, OverflowError):
            raise Unauthorized("This is not a valid refresh token") from None
        subject = str(token.get("sub", ""))
        if subject.startswith(_SITE_USER):
            access["roles"] = _roles_of(_site_user(subject.removeprefix(_SITE_USER)))
        return Response({"access": str(access)})


def _site_user(primary_key: str) -> Any:
    is_number = primary_key.isascii() and primary_key.isdecimal() and len(primary_key) < 10
    users = get_user_model().objects.filter(is_active=True)
    user = users.filter(pk=int(primary_key)).first() if is_number else None
    if user is None:
        raise Unauthorized("This user is not active")
    return user


def _roles_of(user: Any) -> list[str]:
    return ["staff"] if user.is_staff else []


class GuestView(APIView):
    """Guests of the demo tenant."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Make a guest; 404 where guests are not welcome."""
        if not settings.GUEST_LOGIN:
            raise NotFound("There is no guest login here")
        name = clean_name(body_of(request, GuestBody).display_name)
        if not name:
            raise InvalidRequest("A name needs at least one visible character", field="display_name")
        user_id = f"guest-{new_id().hex}"
        token = _token_for({"sub": user_id, "tenant_id": GUEST_TENANT, "name": name})
        answer = {
            "access": str(token.access_token),
            "refresh": str(token),
            "user_id": user_id,
            "tenant_id": GUEST_TENANT,
        }
        return Response(answer, status=201)
