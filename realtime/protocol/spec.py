"""From the messages to what others read: AsyncAPI, the page of documentation, the JavaScript constants."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from realtime.protocol import messages
from realtime.protocol.errors import CLOSE_CODE_MEANINGS, CloseCode
from realtime.protocol.messages import SERVER_MESSAGES, AnyClientMessage, ClientMessage, ServerMessage

SOCKETS = {
    "matchmaking": ("/ws/matchmaking/", "Queue, matches and announcements of a signed-in user."),
    "session": ("/ws/sessions/{session_id}/", "One game session, for those who are in it."),
}
_QUIZ_COMMANDS = (messages.GiveAnswer, messages.Rename)
_SESSION_COMMANDS = (
    *_QUIZ_COMMANDS,
    messages.Resync,
    messages.Pong,
    messages.HeartbeatPong,
    messages.Heartbeat,
    messages.Ack,
    messages.Authenticate,
)
CLIENT_MESSAGES: tuple[type[ClientMessage], ...] = AnyClientMessage.__args__
Message = type[ServerMessage] | type[ClientMessage]
_ALL: tuple[Message, ...] = (*CLIENT_MESSAGES, *SERVER_MESSAGES)
_GENERATED = "Generated from realtime/protocol by `manage.py protocol`: do not edit."


def client_type(message: type[ClientMessage]) -> str:
    """Return the ``type`` of a client's message."""
    return str(message.__struct_config__.tag)


def _sentence(message: type) -> str:
    return (message.__doc__ or "").strip().splitlines()[0]


def _is_on(message: Message, socket: str) -> bool:
    if issubclass(message, ServerMessage):
        return socket in message.sockets
    return message in _SESSION_COMMANDS if socket == "session" else message not in _QUIZ_COMMANDS


def javascript() -> str:
    """Return the module of constants for the JavaScript client."""
    server = sorted({message.type for message in SERVER_MESSAGES})
    client = sorted(client_type(message) for message in CLIENT_MESSAGES)
    durable = sorted(message.type for message in SERVER_MESSAGES if message.durable)
    codes = {code.name: int(code) for code in CloseCode}
    return "\n".join(
        [
            f"// {_GENERATED}",
            "",
            f"/** Types of frames from the server. */\nexport const SERVER_MESSAGES = {_frozen(server)};",
            "",
            f"/** Types of frames from clients. */\nexport const CLIENT_MESSAGES = {_frozen(client)};",
            "",
            "/** Types that are numbered, kept for a while, and sent again after a reconnect. */",
            f"export const DURABLE = {_frozen(durable)};",
            "",
            "/** Why a socket was closed; from 4500 on: stay away. */",
            f"export const CLOSE_CODES = {_frozen(codes)};",
            "",
        ]
    )


def _frozen(value: object) -> str:
    return f"Object.freeze({json.dumps(value, indent=2)})"


def asyncapi() -> str:
    """Return the AsyncAPI 3.0 document, as JSON."""
    client_schemas, definitions = _schemas(_ALL)
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Matchmaking sockets",
            "version": "1",
            "description": _GENERATED,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in SOCKETS},
        "operations": _operations(),
        "components": {
            "messages": {message.__name__: _component(message, client_schemas[message]) for message in _ALL},
            "schemas": definitions,
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _schemas(types: Sequence[Message]) -> tuple[dict[Message, Any], dict[str, Any]]:
    schemas, definitions = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return dict(zip(types, schemas, strict=True)), definitions


def _messages_on(socket: str) -> list[Message]:
    return [message for message in _ALL if _is_on(message, socket)]


def _channel(socket: str) -> dict[str, Any]:
    address, description = SOCKETS[socket]
    channel: dict[str, Any] = {
        "address": address,
        "description": description,
        "messages": {
            message.__name__: {"$ref": f"#/components/messages/{message.__name__}"}
            for message in _messages_on(socket)
        },
    }
    if "{session_id}" in address:
        channel["parameters"] = {"session_id": {"description": "From `match_ready` or a join."}}
    return channel


def _operations() -> dict[str, Any]:
    operations = {}
    for socket in SOCKETS:
        for action, base in (("receive", ClientMessage), ("send", ServerMessage)):
            operations[f"{action}_{socket}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{socket}"},
                "messages": [
                    {"$ref": f"#/channels/{socket}/messages/{message.__name__}"}
                    for message in _messages_on(socket)
                    if issubclass(message, base)
                ],
            }
    return operations


def _component(message: Message, schema: dict[str, Any]) -> dict[str, Any]:
    if issubclass(message, ClientMessage):
        return {"name": client_type(message), "summary": _sentence(message), "payload": schema}
    return {"name": message.type, "summary": _sentence(message), "payload": _frame_schema(message, schema)}


def _frame_schema(message: type[ServerMessage], data: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {"type": {"const": message.type}}
    if message.durable:
        properties |= {"id": {"type": "string", "format": "uuid"}, "seq": {"type": "integer", "minimum": 1}}
    properties |= {
        "timestamp": {"type": "string", "format": "date-time"},
        "ref": {"type": "string", "maxLength": 64},
        "data": data,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "ref"],
        "additionalProperties": False,
    }


def markdown() -> str:
    """Return the page of documentation: every message and closing code in a table."""
    lines = ["# Messages and closing codes", "", _GENERATED, ""]
    lines += ["Durable messages, marked •, have `id` and `seq` and are kept for a while.", ""]
    for socket, (address, description) in SOCKETS.items():
        lines += [
            f"## `{address}`",
            "",
            description,
            "",
            "| type | from | data | |",
            "| --- | --- | --- | --- |",
        ]
        lines += [_row(message) for message in _messages_on(socket)]
        lines.append("")
    lines += ["## Closing codes", "", "Below 4500: come back. From 4500 on: stay away.", ""]
    lines += ["| code | name | why |", "| --- | --- | --- |"]
    lines += [f"| {int(code)} | {code.name} | {why} |" for code, why in CLOSE_CODE_MEANINGS.items()]
    return "\n".join(lines) + "\n"


def _row(message: Message) -> str:
    if issubclass(message, ClientMessage):
        data = next((f.type for f in msgspec.structs.fields(message) if f.name == "data"), messages.Empty)
        return f"| `{client_type(message)}` | client | {_fields(data)} | {_sentence(message)} |"
    mark = " •" if message.durable else ""
    return f"| `{message.type}`{mark} | server | {_fields(message)} | {_sentence(message)} |"


def _fields(message: type) -> str:
    names = [field.name if field.required else f"{field.name}?" for field in msgspec.structs.fields(message)]
    return ", ".join(f"`{name}`" for name in names) or "-"
