"""What is generated from the messages says what goes over the wire."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import UNSET, UnsetType

from realtime.protocol import spec
from realtime.protocol.codec import encode_frame, encode_json
from realtime.protocol.errors import CLOSE_CODE_MEANINGS, CloseCode
from realtime.protocol.messages import SERVER_MESSAGES, AnyClientMessage, ServerMessage
from realtime.protocol.spec import CLIENT_MESSAGES, SOCKETS, client_type
from tests.unit.test_codec import AN_ID, FRAMES, NOON, REFUSED, json_values

DOCUMENT: dict[str, Any] = json.loads(spec.asyncapi())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
MARKDOWN = spec.markdown()


def validator(message: type) -> Draft202012Validator:
    """Return the validator of a message's frames, as the document has it."""
    return Draft202012Validator(
        {"$ref": f"#/components/messages/{message.__name__}/payload", "components": DOCUMENT["components"]}
    )


VALIDATORS = {message: validator(message) for message in (*CLIENT_MESSAGES, *SERVER_MESSAGES)}

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=5),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    UnsetType: st.just(UNSET),
    Any: json_values,
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return anything that a field declared as ``kind`` may hold."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, arguments))
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    fields = {field.name: values(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


def frame_of(message: ServerMessage, *, ref: str | None = None) -> Any:
    numbered: dict[str, Any] = {"message_id": AN_ID, "seq": 1} if message.durable else {}
    return json.loads(encode_frame(message.type, encode_json(message), timestamp=NOON, ref=ref, **numbered))


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


# --- AsyncAPI


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert all(reference.startswith("#/") and resolve(reference) for reference in found)


def test_every_schema_that_is_declared_is_referred_to_and_is_a_json_schema() -> None:
    found = set(references(DOCUMENT))
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert f"#/components/schemas/{name}" in found
        Draft202012Validator.check_schema(schema)
    for message in MESSAGES.values():
        Draft202012Validator.check_schema(message["payload"])


def test_every_message_is_a_component_with_its_type_and_a_sentence() -> None:
    types = {message.__name__: client_type(message) for message in CLIENT_MESSAGES}
    types |= {message.__name__: message.type for message in SERVER_MESSAGES}
    assert {name: component["name"] for name, component in MESSAGES.items()} == types
    for component in MESSAGES.values():
        assert re.fullmatch(r"\S.*\.", component["summary"])


def test_both_sockets_are_channels_and_only_the_session_has_a_parameter() -> None:
    channels = DOCUMENT["channels"]
    assert {name: channel["address"] for name, channel in channels.items()} == {
        "matchmaking": "/ws/matchmaking/",
        "session": "/ws/sessions/{session_id}/",
    }
    assert "parameters" not in channels["matchmaking"]
    assert list(channels["session"]["parameters"]) == ["session_id"]


@pytest.mark.parametrize("socket", SOCKETS)
def test_the_service_receives_what_clients_send_and_sends_the_rest(socket: str) -> None:
    def types(action: str) -> set[str]:
        operation = DOCUMENT["operations"][f"{action}_{socket}"]
        assert operation["action"] == action
        assert operation["channel"] == {"$ref": f"#/channels/{socket}"}
        return {resolve(resolve(item["$ref"])["$ref"])["name"] for item in operation["messages"]}

    everywhere = {"resync", "pong", "heartbeat_pong", "heartbeat", "ack", "authenticate"}
    commands = {
        "matchmaking": {"join_queue", "leave_queue", "accept_match", "decline_match"},
        "session": {"answer", "rename"},
    }
    assert types("receive") == everywhere | commands[socket]
    assert types("send") == {message.type for message in SERVER_MESSAGES if socket in message.sockets}


@pytest.mark.parametrize("message", SERVER_MESSAGES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_every_frame_to_a_client_is_as_its_schema_says(
    message: type[ServerMessage], data: st.DataObject
) -> None:
    sent = data.draw(values(message))
    VALIDATORS[message].validate(frame_of(sent, ref=data.draw(st.none() | st.text(max_size=64))))
    assert msgspec.json.decode(encode_json(sent), type=message) == sent


def is_valid(message: type, frame: object) -> bool:
    return bool(VALIDATORS[message].is_valid(frame))


@pytest.mark.parametrize("message", SERVER_MESSAGES)
@settings(deadline=None, max_examples=1)
@given(data=st.data())
def test_a_frame_with_more_or_less_than_its_schema_says_is_not_valid(
    message: type[ServerMessage], data: st.DataObject
) -> None:
    frame = frame_of(data.draw(values(message)))
    assert is_valid(message, frame)
    assert not is_valid(message, frame | {"type": "other"})
    assert not is_valid(message, frame | {"more": 1})
    assert not is_valid(message, frame | {"data": frame["data"] | {"more": 1}})
    assert not is_valid(message, frame | {"ref": "r" * 65})
    for name in frame:
        assert not is_valid(message, {key: value for key, value in frame.items() if key != name})
    for field in msgspec.structs.fields(message):
        if field.required:
            less = {key: value for key, value in frame["data"].items() if key != field.name}
            assert not is_valid(message, frame | {"data": less})
    if not message.durable:
        assert not is_valid(message, frame | {"id": AN_ID, "seq": 1})


BY_TYPE = {client_type(message): message for message in CLIENT_MESSAGES}


@pytest.mark.parametrize("frame", [frame for frame, _ in FRAMES])
def test_a_clients_frame_is_as_its_schema_says(frame: dict[str, Any]) -> None:
    VALIDATORS[BY_TYPE[frame["type"]]].validate(frame)


@pytest.mark.parametrize("frame", [frame for frame, _ in REFUSED])
def test_a_frame_that_the_service_refuses_is_valid_by_no_schema(frame: dict[str, Any]) -> None:
    assert [message for message in CLIENT_MESSAGES if is_valid(message, frame)] == []


def test_patterns_are_in_the_dialect_of_json_schema() -> None:
    patterns = re.findall(r'"pattern": "(.*)"', spec.asyncapi())
    assert patterns
    assert [pattern for pattern in patterns if re.search(r"\\[AZz]|\(\?P", json.loads(f'"{pattern}"'))] == []


# --- the page and the constants


def test_the_page_has_every_message_in_the_table_of_each_of_its_sockets() -> None:
    tables = {socket: table(f"`{address}`") for socket, (address, _) in SOCKETS.items()}
    for socket in SOCKETS:
        expected = {f"`{message.type}`" for message in SERVER_MESSAGES if socket in message.sockets}
        from_server = {row[0].removesuffix(" •") for row in tables[socket] if row[1] == "server"}
        assert from_server == expected
        assert {row[0] for row in tables[socket] if row[0].endswith(" •")} == {
            f"`{message.type}` •"
            for message in SERVER_MESSAGES
            if message.durable and socket in message.sockets
        }
    commands = {f"`{client_type(message)}`" for message in CLIENT_MESSAGES}
    from_clients = {name: {row[0] for row in rows if row[1] == "client"} for name, rows in tables.items()}
    assert from_clients == {
        "matchmaking": commands - {"`answer`", "`rename`"},
        "session": commands - {"`join_queue`", "`leave_queue`", "`accept_match`", "`decline_match`"},
    }


def table(heading: str) -> list[list[str]]:
    section = MARKDOWN.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_page_lists_the_fields_of_a_message_with_a_mark_on_those_that_may_be_absent() -> None:
    rows = {row[0]: row[2] for row in table("`/ws/matchmaking/`")}
    assert rows["`match_ready` •"] == "`match_id`, `game_id`, `session_id?`, `join_url?`"
    assert (
        rows["`join_queue`"] == "`pool_key`, `regions?`, `latencies?`, `party_id?`, `max_gap?`, `metadata?`"
    )
    assert rows["`heartbeat`"] == "-"


def test_the_page_has_every_closing_code_with_its_meaning() -> None:
    assert table("Closing codes") == [
        [str(int(code)), code.name, CLOSE_CODE_MEANINGS[code]] for code in CloseCode
    ]


def test_the_constants_for_javascript_are_those_of_the_messages() -> None:
    exported = dict(re.findall(r"export const (\w+) = Object\.freeze\(([^)]*)\);", spec.javascript()))
    assert {name: json.loads(text) for name, text in exported.items()} == {
        "SERVER_MESSAGES": sorted({message.type for message in SERVER_MESSAGES}),
        "CLIENT_MESSAGES": sorted(client_type(message) for message in CLIENT_MESSAGES),
        "DURABLE": sorted(message.type for message in SERVER_MESSAGES if message.durable),
        "CLOSE_CODES": {code.name: int(code) for code in CloseCode},
    }


def test_client_messages_are_the_members_of_the_union_that_is_decoded() -> None:
    assert set(CLIENT_MESSAGES) == set(get_args(AnyClientMessage))
