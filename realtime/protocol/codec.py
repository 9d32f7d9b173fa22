"""Frames to messages and back. What a client sends becomes a declared message or an `InvalidRequest`."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import Any, TypeVar

import msgspec

from realtime.protocol.errors import InvalidRequest, TooLarge
from realtime.protocol.messages import AnyClientMessage, ClientMessage, ServerMessage

MAX_FRAME_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
MAX_METADATA_BYTES = 2 * 1024
MAX_DEPTH = 32
MIN_NUMBER, MAX_NUMBER = 1e-18, 10**18

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_frame_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(AnyClientMessage)
_ref_decoder = msgspec.json.Decoder(dict[str, Any])


def decode_frame(text: str) -> ClientMessage:
    """Decode one frame of a client; raise `InvalidRequest` for anything that is not a declared message."""
    return _decode(_frame_decoder, text)


def decode_body(body: bytes, kind: type[T]) -> T:
    """Decode the JSON body of a request as ``kind``; an empty body counts as ``{}``.

    Raises `TooLarge` above 64 KiB and `InvalidRequest` for what is no JSON, too deep, of another shape, or
    has NUL characters, which PostgreSQL cannot hold.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes")
    return _decode(msgspec.json.Decoder(kind), body or b"{}")


def _decode(decoder: msgspec.json.Decoder[T], raw: str | bytes) -> T:
    try:
        message = decoder.decode(raw)
        _check_values(message)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeError):
        raise InvalidRequest("This is not valid JSON", field="body") from None
    except RecursionError:
        raise InvalidRequest("This is nested too deeply", field="body") from None
    return message


def _invalid(text: str) -> InvalidRequest:
    """Turn msgspec's ``… - at `$.data.pool_key` `` into a text and the field that it speaks of."""
    found = re.fullmatch(r"(?s)(.*) - at (?:`key` in )?`\$(.*)`", text)
    detail, path = found.groups() if found else (text, "")
    where = [part for part in path.replace("[...]", "").split(".") if part and part != "data"]
    if named := re.search(r"field `(.+)`$", detail):
        where.append(named[1])
    return InvalidRequest(detail, field=".".join(where) or "body")


def _check_values(value: object, depth: int = 0) -> None:
    """Refuse what JSON allows and the database does not take, or makes hundreds of digits of."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, int | float) and value and not MIN_NUMBER <= abs(value) <= MAX_NUMBER:
        raise InvalidRequest("Numbers are 0, or between 1e-18 and 1e18", field="body")
    if isinstance(value, str) and "\x00" in value:
        raise InvalidRequest("NUL characters are not allowed", field="body")
    for item in _parts_of(value):
        _check_values(item, depth + 1)


def _parts_of(value: object) -> Iterable[object]:
    match value:
        case dict():
            return chain(value.keys(), value.values())
        case list():
            return value
        case msgspec.Struct():
            return (getattr(value, name) for name in value.__struct_fields__)
        case _:
            return ()


def ref_of(text: str) -> str | None:
    """Return the ``ref`` of a refused frame, where it can be read, so that the answer can carry it."""
    try:
        ref = _ref_decoder.decode(text).get("ref")
        _check_values(ref)
    except (msgspec.MsgspecError, InvalidRequest, UnicodeError, RecursionError):
        return None
    return ref if isinstance(ref, str) and len(ref) <= 64 else None


def encode_json(value: object) -> str:
    """Encode anything that messages are made of."""
    return _encoder.encode(value).decode()


def raw_json(text: str) -> msgspec.Raw:
    """Wrap JSON that is encoded already, to be put into other JSON as it is."""
    return msgspec.Raw(text)


def encode_frame(
    kind: str,
    data_json: str,
    *,
    timestamp: datetime,
    message_id: str | None = None,
    seq: int | None = None,
    ref: str | None = None,
) -> str:
    """Put a server's frame together around data that is encoded already; ``type`` is written first."""
    head: dict[str, object] = {"type": kind}
    if seq is not None:
        head |= {"id": message_id, "seq": seq}
    head["timestamp"] = timestamp.astimezone(UTC)
    if ref is not None:
        head["ref"] = ref
    return f'{encode_json(head)[:-1]},"data":{data_json}}}'


def encode_message(message: ServerMessage, *, timestamp: datetime, ref: str | None = None) -> str:
    """Encode a message that is not durable as a frame."""
    return encode_frame(message.type, encode_json(message), timestamp=timestamp, ref=ref)
