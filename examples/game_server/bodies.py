"""What callers may send: JSON becomes typed values here, or a BadInput that says what is wrong."""

import json
from collections.abc import Mapping
from typing import NoReturn

from examples.game_server.games import NewGame

MAX_ID_LENGTH = 200

Fields = Mapping[str, object]


class BadInput(Exception):
    """The caller's mistake, in words for the caller."""


def read_object(body: bytes) -> Fields:
    """Return the JSON object that a body is."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput("the body is not JSON") from error
    return _object(value, "the body")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's.


def read_new_game(body: bytes) -> NewGame:
    """Return what a create asks for.

    Everything that the contract promises is looked at, also what this server has no use for: it is here
    to find mistakes. What the contract does not name is passed over, for it may grow.
    """
    fields = read_object(body)
    for name in ("mode", "time_control"):
        _require(fields, name, str)
    _require(fields, "pool_key", str, type(None))  # A direct challenge comes from no pool.
    _require(fields, "rated", bool)
    _object(fields.get("metadata"), "metadata")
    user_ids = _read_players(fields.get("players"))
    return NewGame(_identifier(fields, "match_id"), _identifier(fields, "tenant_id"), user_ids)


def _read_players(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise BadInput("players must be a list, and not empty")
    players = [_object(player, "each of players") for player in value]
    for player in players:
        _require(player, "color", str, type(None))
        _require(player, "team", int)
        _require(player, "rating", int, float, type(None))
    user_ids = tuple(_identifier(player, "user_id") for player in players)
    if len(set(user_ids)) < len(user_ids):
        raise BadInput("players must be different users")
    return user_ids


def _object(value: object, what: str) -> Fields:
    if not isinstance(value, dict):
        raise BadInput(f"{what} must be an object")
    return value


def _identifier(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        raise BadInput(f"{name} must be a text of 1 to {MAX_ID_LENGTH} characters")
    return value


def _require(fields: Fields, name: str, *kinds: type) -> None:
    # By the exact type, for to Python a bool is an int as well.
    if name not in fields or type(fields[name]) not in kinds:
        raise BadInput(f"{name} is missing or of the wrong kind")
