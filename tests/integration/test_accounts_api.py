"""Who is calling: tokens that are given, tokens that are accepted, and everything that is refused."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from pytest_django import Settings

from matchmaking.models import Pool, Ticket
from realtime.transport.auth import caller_from_token
from tests.factories import Answer, Rest, token

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
GUARDED = [
    ("POST", "/matchmaking/queue"),
    ("GET", "/matchmaking/queue/x"),
    ("DELETE", "/matchmaking/queue/x"),
    ("GET", "/matchmaking/active"),
    ("GET", "/matchmaking/pools"),
    ("GET", "/matchmaking/matches"),
    ("GET", "/matchmaking/matches/x"),
    ("GET", "/sessions/x"),
    ("POST", "/sessions/x/leave"),
]


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with changes; a claim that is Ellipsis is left out."""
    good = {"sub": "ann", "tenant_id": "demo", "iss": "matchmaking", "exp": time.time() + 3600}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def signed(payload: object, *, key: str = "", **header: Any) -> str:
    """Sign whatever it is with HS256, whatever the header says."""
    parts = [{"alg": "HS256", "typ": "JWT"} | header, payload]
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    digest = hmac.new((key or settings.JWT_SIGNING_KEY).encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_base64(digest)}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(authorization: str) -> Answer:
    return Rest().send("GET", "/matchmaking/active", authorization=authorization)


def with_token(bearer: str) -> Answer:
    return with_header(f"Bearer {bearer}")


def assert_refused(answer: Answer) -> None:
    assert answer.refusal == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# --- what is accepted


def test_a_token_of_a_foreign_identity_provider_is_enough() -> None:
    assert with_token(signed(claims())).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {"token_type": "access", "jti": "x"},
        {"exp": 9_999_999_999},
        {"exp": 10**15},
        {"priority": 0},
        {"priority": 600},
        {"roles": []},
        {"roles": ["staff", "unknown"]},
        {"name": ""},
        {"sub": "A-z_0.9" + "x" * 57},
        {"aud": "somebody else", "iat": 1, "nbf": 1, "email": "ann@example.org"},
    ],
)
def test_claims_within_the_rules_are_accepted(more: dict[str, Any]) -> None:
    assert with_token(signed(claims(**more))).status == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_written_as_one_likes(scheme: str) -> None:
    assert with_header(f"{scheme} {token('ann')}").status == 200


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (..., "ann"),
        ("", "ann"),
        (" \t\u200b\x00 ", "ann"),
        ("  Ann \n\u202e of  Hearts ", "Ann of Hearts"),
        ("Ä" * 65, "Ä" * 64),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_player_is_called_by_its_cleaned_name_or_else_by_its_id(duel: Pool, name: str, shown: str) -> None:
    player = Rest("nobody")
    player._headers = {"authorization": f"Bearer {signed(claims(name=name))}"}
    assert player.join().status == 201
    assert Ticket.objects.get().display_name == shown


def test_roles_and_priority_come_from_the_token_alone() -> None:
    ann = caller_from_token(signed(claims(roles=["staff", "staff"], priority=7)))
    assert (ann.roles, ann.priority_seconds) == (frozenset({"staff"}), 7)
    assert caller_from_token(signed(claims())).roles == frozenset()


# --- what is refused


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_every_route_of_a_user_needs_a_token(method: str, path: str, base: str) -> None:
    assert_refused(Rest(base=base).send(method, path))


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "x", "Bearer a.b", "Bearer a.b.c", "Bearer ä"],
)
def test_no_token_or_garbage_is_refused(header: str) -> None:
    assert_refused(with_header(header))


def test_a_token_in_the_url_is_ignored() -> None:
    assert_refused(Rest().get(f"/matchmaking/active?token={token('ann')}&access_token={token('ann')}"))


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS512", "HS384", "RS256", "ES256", "", None, 1, ["HS256"]]
)
def test_any_other_algorithm_is_refused_even_when_the_signature_would_fit(algorithm: Any) -> None:
    assert_refused(with_token(signed(claims(), alg=algorithm)))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_stronger_algorithm_with_the_right_key_is_refused(algorithm: str) -> None:
    assert_refused(with_token(jwt.encode(claims(), settings.JWT_SIGNING_KEY.ljust(64), algorithm=algorithm)))


def test_an_unsigned_token_is_refused() -> None:
    assert_refused(with_token(jwt.encode(claims(), "", algorithm="none")))
    assert_refused(with_token(signed(claims()).rpartition(".")[0] + "."))


def test_another_key_is_refused_the_secret_key_too() -> None:
    assert_refused(with_token(signed(claims(), key="x" * 32)))
    assert_refused(with_token(signed(claims(), key=settings.SECRET_KEY)))


def test_a_changed_claim_breaks_the_signature() -> None:
    head, _, signature = signed(claims()).split(".")
    forged = _base64(json.dumps(claims(sub="mallory")).encode())
    assert_refused(with_token(f"{head}.{forged}.{signature}"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"iss": ...},
        {"iss": None},
        {"iss": ["matchmaking"]},
        {"exp": 1_700_000_000},
        {"exp": ...},
        {"exp": None},
        {"exp": 0},
        {"exp": -1},
        {"exp": True},
        {"exp": "9999999999"},
        {"exp": "soon"},
        {"exp": ""},
        {"exp": [9999999999]},
        {"exp": {}},
        {"exp": float("inf")},
        {"exp": float("-inf")},
        {"exp": float("nan")},
        {"nbf": 9999999999},
        {"nbf": "soon"},
        {"iat": float("inf")},
        {"iat": []},
        {"sub": ...},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["ann"]},
        {"sub": "x" * 65},
        {"sub": "a:b"},
        {"sub": "ann\n"},
        {"sub": "änn"},
        {"tenant_id": ...},
        {"tenant_id": None},
        {"tenant_id": ""},
        {"tenant_id": 7},
        {"tenant_id": "x" * 65},
        {"tenant_id": "demo:ann"},
        {"tenant_id": "demo\n"},
        {"token_type": "refresh"},
        {"token_type": "Access"},
        {"token_type": None},
        {"token_type": ""},
        {"token_type": ["access"]},
        {"priority": -1},
        {"priority": 601},
        {"priority": True},
        {"priority": 1.0},
        {"priority": "1"},
        {"priority": None},
        {"roles": "staff"},
        {"roles": None},
        {"roles": {"staff": True}},
        {"roles": ["staff", 1]},
        {"roles": [["staff"]]},
        {"name": None},
        {"name": 7},
        {"name": ["Ann"]},
        {"jti": 7},
    ],
    ids=str,
)
def test_a_missing_or_malformed_claim_is_refused(wrong: dict[str, Any]) -> None:
    assert_refused(with_token(signed(claims(**wrong))))


@pytest.mark.parametrize("payload", [[], "ann", None, 7, {}])
def test_a_payload_that_is_no_set_of_claims_is_refused(payload: object) -> None:
    assert_refused(with_token(signed(payload)))


@pytest.mark.parametrize("more", [{"b64": False}, {"crit": ["x"]}, {"kid": 7}, {"typ": []}])
def test_a_strange_header_is_no_error_of_the_server(more: dict[str, Any]) -> None:
    assert with_token(signed(claims(), **more)).status in {200, 401}


def test_a_token_that_is_nested_endlessly_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(900):
        nested = [nested]
    text = json.dumps({"alg": "HS256", "x": nested}).replace("[]", "[" * 5000 + "]" * 5000)
    assert_refused(with_token(f"{_base64(text.encode())}.e30.x"))


def test_the_owner_of_the_key_may_send_nonsense_without_breaking_anything() -> None:
    text = ".".join(_base64(part) for part in (b'{"alg":"HS256"}', b"[" * 20_000 + b"]" * 20_000))
    digest = hmac.new(settings.JWT_SIGNING_KEY.encode(), text.encode(), hashlib.sha256).digest()
    assert_refused(with_token(f"{text}.{_base64(digest)}"))


# --- users of this site


def log_in(username: str, password: str = PASSWORD) -> Answer:
    return Rest().post("/auth/token", {"username": username, "password": password})


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_user_of_the_site_gets_a_token_that_opens_the_queue(duel: Pool, base: str) -> None:
    user = User.objects.create_user("olga", password=PASSWORD)
    answer = Rest(base=base).post("/auth/token", {"username": "olga", "password": PASSWORD})
    assert answer.status == 200
    assert answer.body.keys() == {"access", "refresh"}
    olga = caller_from_token(answer.body["access"])
    assert (olga.user_id, olga.tenant_id, olga.display_name) == (f"site-{user.pk}", "demo", "olga")
    assert olga.roles == frozenset()
    assert with_token(answer.body["access"]).status == 200


def test_a_member_of_staff_has_the_role() -> None:
    User.objects.create_user("olga", password=PASSWORD, is_staff=True)
    assert caller_from_token(log_in("olga").body["access"]).roles == {"staff"}


@pytest.mark.parametrize(
    ("name", "word"), [("olga", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", "")]
)
def test_a_wrong_name_or_password_or_an_inactive_user_is_the_same_401(name: str, word: str) -> None:
    User.objects.create_user("olga", password=PASSWORD)
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    refusal = log_in(name, word)
    assert_refused(refusal)
    assert refusal.body == log_in("nobody", "nothing").body


@pytest.mark.parametrize("body", [None, {}, {"username": "olga"}, {"username": 1, "password": "x"}, {"x": 1}])
def test_half_a_login_is_a_bad_request(body: Any) -> None:
    assert Rest().post("/auth/token", body).refusal == (400, "invalid_request")


def refreshed(refresh: object) -> Answer:
    return Rest().post("/auth/token/refresh", {"refresh": refresh})


def test_a_refresh_token_gives_a_new_access_token_of_the_same_user() -> None:
    User.objects.create_user("olga", password=PASSWORD, is_staff=True)
    given = log_in("olga").body
    answer = refreshed(given["refresh"])
    assert answer.status == 200
    assert answer.body.keys() == {"access"}
    old, new = caller_from_token(given["access"]), caller_from_token(answer.body["access"])
    assert (new.user_id, new.tenant_id, new.roles) == (old.user_id, old.tenant_id, old.roles)


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round() -> None:
    User.objects.create_user("olga", password=PASSWORD)
    given = log_in("olga").body
    assert_refused(with_token(given["refresh"]))
    assert_refused(refreshed(given["access"]))


def test_a_user_who_was_switched_off_gets_no_new_token() -> None:
    user = User.objects.create_user("olga", password=PASSWORD)
    refresh = log_in("olga").body["refresh"]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert_refused(refreshed(refresh))
    user.delete()
    assert_refused(refreshed(refresh))


def test_garbage_past_and_foreign_refresh_tokens_are_refused() -> None:
    past = claims(token_type="refresh", jti="x", exp=time.time() - 1)
    for refresh in ("", "x", "a.b.c", "ä", signed(past), signed(claims()), signed(claims(), key="x" * 32)):
        assert_refused(refreshed(refresh))
    assert refreshed(7).refusal == (400, "invalid_request")
    assert refreshed("x" * 8193).refusal == (400, "invalid_request")


def test_a_wrong_token_does_not_keep_anybody_from_logging_in() -> None:
    User.objects.create_user("olga", password=PASSWORD)
    body = json.dumps({"username": "olga", "password": PASSWORD}).encode()
    assert Rest().send("POST", "/auth/token", body, authorization="Bearer expired").status == 200


# --- guests


def guest(display_name: object) -> Answer:
    return Rest().post("/auth/guest", {"display_name": display_name})


def test_a_guest_gets_an_account_of_its_own_in_the_demo_tenant(duel: Pool) -> None:
    one, other = guest(" Gus \n"), guest("Gus")
    assert one.status == 201
    assert one.body.keys() == {"access", "refresh", "user_id", "tenant_id"}
    assert one.body["tenant_id"] == "demo"
    assert one.body["user_id"] != other.body["user_id"]
    gus = caller_from_token(one.body["access"])
    assert (gus.user_id, gus.display_name, gus.roles) == (one.body["user_id"], "Gus", frozenset())
    assert refreshed(one.body["refresh"]).status == 200


@pytest.mark.parametrize("name", ["", " ", "\u200b\u202e", "x" * 65, 7, None])
def test_a_guest_without_a_visible_name_is_refused(name: object) -> None:
    refusal = guest(name)
    assert refusal.refusal == (400, "invalid_request")
    assert list(refusal.body["errors"]) == ["display_name"]


def test_guests_are_404_where_they_are_not_welcome(settings: Settings) -> None:
    settings.GUEST_LOGIN = False
    assert guest("Gus").refusal == (404, "not_found")
