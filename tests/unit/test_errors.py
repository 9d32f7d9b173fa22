"""Refusals and closing codes: each has all that the two edges need to tell it."""

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from realtime.problems import STATUS_OF_KIND, problem
from realtime.protocol.codec import encode_json
from realtime.protocol.errors import (
    CLOSE_CODE_MEANINGS,
    CloseCode,
    Conflict,
    DomainError,
    InvalidRequest,
    TooLarge,
)
from realtime.protocol.messages import Error

importlib.import_module("matchmaking.domain.errors")
importlib.import_module("realtime.domain.errors")
importlib.import_module("challenges.domain.errors")

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = set(Error.__struct_fields__) - {"code", "detail"}


def leaves_of(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in error.__subclasses__():
        yield child
        yield from leaves_of(child)


REFUSALS = sorted(leaves_of(DomainError), key=lambda refusal: refusal.__qualname__)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_has_a_code_a_title_a_known_kind_and_a_docstring(refusal: type[DomainError]) -> None:
    assert refusal.code
    assert refusal.code == refusal.code.lower()
    assert refusal.title
    assert not refusal.title.endswith(".")
    assert refusal.kind in STATUS_OF_KIND
    assert refusal.__doc__


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_fits_the_error_of_the_socket_and_the_problem_of_http(
    refusal: type[DomainError],
) -> None:
    error = refusal()
    assert json.loads(encode_json(Error(**error.problem()))) == error.problem()  # type: ignore[arg-type]  # its members
    assert problem(error) == {
        "type": "about:blank",
        "title": refusal.title,
        "status": STATUS_OF_KIND[refusal.kind],
        **error.problem(),
    }


def test_every_kind_is_some_refusals_kind() -> None:
    assert set(STATUS_OF_KIND) == {refusal.kind for refusal in REFUSALS}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("invalid", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("missing", 404),
        ("method", 405),
        ("conflict", 409),
        ("too_large", 413),
        ("limited", 429),
        ("internal", 500),
        ("unavailable", 503),
    ],
)
def test_a_kind_has_its_status(kind: str, status: int) -> None:
    assert STATUS_OF_KIND[kind] == status


def _raised_with() -> Iterator[tuple[str, set[str]]]:
    """Yield each place in the code that makes a refusal, with the names of its further members."""
    names = {refusal.__name__ for refusal in REFUSALS}
    for app in ("realtime", "matchmaking", "challenges"):
        for file in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    members = {str(keyword.arg) for keyword in node.keywords} - {"field"}
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", members


def test_every_member_that_the_code_gives_a_refusal_is_a_member_of_the_sockets_error() -> None:
    places = dict(_raised_with())
    assert any(places.values())
    assert {place: members - MEMBERS for place, members in places.items() if members - MEMBERS} == {}


def test_every_member_of_the_sockets_error_may_be_absent() -> None:
    required = {field.encode_name for field in msgspec.structs.fields(Error) if field.required}
    assert required == {"code", "detail"}


def test_a_refusal_speaks_its_detail_or_else_its_title() -> None:
    assert str(Conflict("The lobby is locked")) == "The lobby is locked"
    assert str(Conflict()) == Conflict.title
    assert Conflict("Wait", retry_after_seconds=2).problem() == {
        "code": "conflict",
        "detail": "Wait",
        "retry_after_seconds": 2,
    }


def test_an_invalid_request_tells_the_field_and_why() -> None:
    assert InvalidRequest("Too long", field="name").problem() == {
        "code": "invalid_request",
        "detail": "Too long",
        "errors": {"name": ["Too long"]},
    }
    assert InvalidRequest(field="name").members == {"errors": {"name": [InvalidRequest.title]}}
    assert InvalidRequest("Too long").members == {}
    assert TooLarge(field="body").members == {"errors": {"body": [TooLarge.title]}}


# --- closing codes


def test_every_closing_code_has_a_meaning() -> None:
    assert list(CLOSE_CODE_MEANINGS) == list(CloseCode)
    assert all(CLOSE_CODE_MEANINGS.values())


def test_the_range_of_a_closing_code_says_whether_to_come_back() -> None:
    private = {code for code in CloseCode if code >= 4000}
    assert set(CloseCode) - private == {CloseCode.NORMAL, CloseCode.TOO_LARGE}
    assert all(code <= 4999 for code in private)
    assert {code for code in private if code < 4500} == {
        CloseCode.SERVER_GOING,
        CloseCode.TOKEN_EXPIRED,
        CloseCode.NO_PONG,
        CloseCode.SLOW_READER,
        CloseCode.TOO_MANY_FRAMES,
    }


def test_closing_codes_keep_their_numbers() -> None:
    assert {code.name: int(code) for code in CloseCode} == {
        "NORMAL": 1000,
        "TOO_LARGE": 1009,
        "SERVER_GOING": 4000,
        "TOKEN_EXPIRED": 4001,
        "NO_PONG": 4008,
        "SLOW_READER": 4009,
        "TOO_MANY_FRAMES": 4029,
        "NOT_AUTHENTICATED": 4501,
        "NOT_ALLOWED": 4503,
        "NO_SUCH_SESSION": 4504,
        "REPLACED": 4509,
        "LEFT": 4510,
        "NOT_TEXT": 4513,
    }
