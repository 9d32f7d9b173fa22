"""Frames in and out: a declared message or a refusal, and never anything else."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.protocol import codec
from realtime.protocol.codec import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    decode_body,
    decode_frame,
    encode_frame,
    encode_json,
    encode_message,
    raw_json,
    ref_of,
)
from realtime.protocol.errors import InvalidRequest, TooLarge
from realtime.protocol.messages import (
    AcceptMatch,
    Ack,
    AckData,
    AnswerData,
    Authenticate,
    AuthenticateData,
    ClientMessage,
    DeclineMatch,
    Error,
    GiveAnswer,
    Heartbeat,
    HeartbeatPong,
    JoinQueue,
    JoinQueueData,
    LeaveQueue,
    LeaveQueueData,
    MatchIdData,
    NonceData,
    Ping,
    Pong,
    Rename,
    RenameData,
    Resync,
    ResyncData,
)
from realtime.protocol.spec import CLIENT_MESSAGES

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
AN_ID = "018f3a5e-7c1b-7d2e-8f3a-5e7c1b7d2e8f"

# Each as a client writes it, and what it says.
FRAMES: list[tuple[dict[str, Any], ClientMessage]] = [
    ({"type": "resync"}, Resync()),
    ({"type": "resync", "data": {}}, Resync()),
    ({"type": "resync", "data": {"last_seq": 7}}, Resync(data=ResyncData(last_seq=7))),
    ({"type": "resync", "data": {"last_seq": 2**53}}, Resync(data=ResyncData(last_seq=2**53))),
    ({"type": "pong", "data": {"nonce": "n"}}, Pong(data=NonceData(nonce="n"))),
    ({"type": "pong", "data": {"nonce": "n" * 128}}, Pong(data=NonceData(nonce="n" * 128))),
    ({"type": "heartbeat_pong", "data": {"nonce": ""}}, HeartbeatPong(data=NonceData(nonce=""))),
    ({"type": "heartbeat"}, Heartbeat()),
    ({"type": "heartbeat", "data": {}}, Heartbeat()),
    ({"type": "heartbeat", "ref": None}, Heartbeat()),
    ({"type": "heartbeat", "ref": ""}, Heartbeat(ref="")),
    ({"type": "heartbeat", "ref": "r" * 64}, Heartbeat(ref="r" * 64)),
    ({"type": "heartbeat", "ref": "é" * 64}, Heartbeat(ref="é" * 64)),
    ({"type": "ack", "data": {"id": AN_ID}}, Ack(data=AckData(id=AN_ID))),
    ({"type": "ack", "data": {"id": "F" * 32}}, Ack(data=AckData(id="F" * 32))),
    (
        {"type": "authenticate", "data": {"token": "a.b.c"}},
        Authenticate(data=AuthenticateData(token="a.b.c")),
    ),
    ({"type": "join_queue", "data": {"pool_key": "blitz"}}, JoinQueue(data=JoinQueueData(pool_key="blitz"))),
    (
        {
            "type": "join_queue",
            "ref": "mine",
            "data": {
                "pool_key": "p" * 64,
                "regions": ["eu", "us-east_1.a"],
                "latencies": {"eu": 20, "us-east_1.a": 100_000},
                "party_id": "party",
                "metadata": {"any": ["JSON", {"at": 1.5}, None, True, 10**18]},
            },
        },
        JoinQueue(
            ref="mine",
            data=JoinQueueData(
                pool_key="p" * 64,
                regions=["eu", "us-east_1.a"],
                latencies={"eu": 20, "us-east_1.a": 100_000},
                party_id="party",
                metadata={"any": ["JSON", {"at": 1.5}, None, True, 10**18]},
            ),
        ),
    ),
    ({"type": "leave_queue"}, LeaveQueue()),
    ({"type": "leave_queue", "data": {"queue_entry_id": None}}, LeaveQueue()),
    (
        {"type": "leave_queue", "data": {"queue_entry_id": AN_ID}},
        LeaveQueue(data=LeaveQueueData(queue_entry_id=AN_ID)),
    ),
    (
        {"type": "accept_match", "data": {"match_id": AN_ID}},
        AcceptMatch(data=MatchIdData(match_id=AN_ID)),
    ),
    (
        {"type": "decline_match", "ref": "d", "data": {"match_id": "m" * 64}},
        DeclineMatch(ref="d", data=MatchIdData(match_id="m" * 64)),
    ),
    (
        {"type": "answer", "ref": "a1", "data": {"question_id": "q1", "choice": 0}},
        GiveAnswer(ref="a1", data=AnswerData(question_id="q1", choice=0)),
    ),
    (
        {"type": "answer", "data": {"question_id": "q" * 64, "choice": 100}},
        GiveAnswer(data=AnswerData(question_id="q" * 64, choice=100)),
    ),
    ({"type": "rename", "data": {"display_name": "n" * 64}}, Rename(data=RenameData(display_name="n" * 64))),
]

# Each is refused, with the field that is to blame.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "type"),
    ({"data": {}}, "type"),
    ({"type": None}, "type"),
    ({"type": 1}, "type"),
    ({"type": ["heartbeat"]}, "type"),
    ({"type": ""}, "type"),
    ({"type": "Heartbeat"}, "type"),
    ({"type": "connected"}, "type"),
    ({"type": "heartbeat", "seq": 1}, "seq"),
    ({"type": "heartbeat", "data": {"x": 1}}, "x"),
    ({"type": "heartbeat", "data": []}, "body"),
    ({"type": "heartbeat", "data": None}, "body"),
    ({"type": "heartbeat", "ref": 1}, "ref"),
    ({"type": "heartbeat", "ref": "r" * 65}, "ref"),
    ({"type": "pong"}, "data"),
    ({"type": "pong", "data": {}}, "nonce"),
    ({"type": "pong", "data": {"nonce": None}}, "nonce"),
    ({"type": "pong", "data": {"nonce": "n" * 129}}, "nonce"),
    ({"type": "resync", "data": {"last_seq": -1}}, "last_seq"),
    ({"type": "resync", "data": {"last_seq": 2**53 + 1}}, "last_seq"),
    ({"type": "resync", "data": {"last_seq": 0.5}}, "last_seq"),
    ({"type": "resync", "data": {"last_seq": True}}, "last_seq"),
    ({"type": "resync", "data": {"last_seq": "1"}}, "last_seq"),
    ({"type": "resync", "data": {"last_seq": None}}, "last_seq"),
    ({"type": "ack", "data": {"id": ""}}, "id"),
    ({"type": "ack", "data": {"id": "not-an-id"}}, "id"),
    ({"type": "ack", "data": {"id": AN_ID + "\n"}}, "id"),
    ({"type": "ack", "data": {"id": "{" + AN_ID + "}"}}, "id"),
    ({"type": "authenticate", "data": {"token": "t" * 8193}}, "token"),
    ({"type": "join_queue", "data": {}}, "pool_key"),
    ({"type": "join_queue", "data": {"pool_key": ""}}, "pool_key"),
    ({"type": "join_queue", "data": {"pool_key": "p" * 65}}, "pool_key"),
    ({"type": "join_queue", "data": {"pool_key": "p", "priority": 600}}, "priority"),
    ({"type": "join_queue", "data": {"pool_key": "p", "regions": "eu"}}, "regions"),
    ({"type": "join_queue", "data": {"pool_key": "p", "regions": ["eu"] * 33}}, "regions"),
    ({"type": "join_queue", "data": {"pool_key": "p", "regions": ["eu", "e u"]}}, "regions[1]"),
    ({"type": "join_queue", "data": {"pool_key": "p", "regions": ["eu\n"]}}, "regions[0]"),
    (
        {"type": "join_queue", "data": {"pool_key": "p", "latencies": {str(n): 1 for n in range(33)}}},
        "latencies",
    ),
    ({"type": "join_queue", "data": {"pool_key": "p", "party_id": "p" * 65}}, "party_id"),
    ({"type": "join_queue", "data": {"pool_key": "p", "metadata": []}}, "metadata"),
    ({"type": "join_queue", "data": {"pool_key": "p", "metadata": None}}, "metadata"),
    ({"type": "leave_queue", "data": {"queue_entry_id": "q" * 65}}, "queue_entry_id"),
    ({"type": "accept_match", "data": {"match_id": "m" * 65}}, "match_id"),
    ({"type": "decline_match", "data": {}}, "match_id"),
    ({"type": "answer", "data": {"question_id": "q1"}}, "choice"),
    ({"type": "answer", "data": {"question_id": "q" * 65, "choice": 0}}, "question_id"),
    ({"type": "answer", "data": {"question_id": "q1", "choice": -1}}, "choice"),
    ({"type": "answer", "data": {"question_id": "q1", "choice": 101}}, "choice"),
    ({"type": "answer", "data": {"question_id": "q1", "choice": 1.5}}, "choice"),
    ({"type": "answer", "data": {"question_id": "q1", "choice": "1"}}, "choice"),
    ({"type": "answer", "data": {"question_id": "q1", "choice": True}}, "choice"),
    ({"type": "rename", "data": {}}, "display_name"),
    ({"type": "rename", "data": {"display_name": "n" * 65}}, "display_name"),
]


def refusal_of(text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        decode_frame(text)
    return refused.value


def join(metadata_json: str) -> str:
    return f'{{"type":"join_queue","data":{{"pool_key":"p","metadata":{metadata_json}}}}}'


# --- frames from clients


@pytest.mark.parametrize(("frame", "message"), FRAMES)
def test_a_declared_frame_becomes_its_message_and_back(frame: dict[str, Any], message: ClientMessage) -> None:
    assert decode_frame(json.dumps(frame)) == message
    assert decode_frame(encode_json(message)) == message
    assert ref_of(json.dumps(frame)) == message.ref


def test_every_type_of_client_message_is_among_the_frames() -> None:
    assert {type(message) for _, message in FRAMES} == set(CLIENT_MESSAGES)


@pytest.mark.parametrize(("frame", "field"), REFUSED)
def test_a_frame_that_is_not_as_declared_is_refused_with_the_field(frame: dict[str, Any], field: str) -> None:
    refusal = refusal_of(json.dumps(frame))
    assert refusal.members == {"errors": {field: [refusal.detail]}}


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"type": "join_queue", "data": {"pool_key": "p", "latencies": {"eu": -1}}}, "latencies"),
        ({"type": "join_queue", "data": {"pool_key": "p", "latencies": {"": 1}}}, "latencies"),
        ({"type": "x - at `$.y`"}, "type"),
    ],
)
def test_a_refusal_names_the_field_alone_and_no_path(frame: dict[str, Any], field: str) -> None:
    refusal = refusal_of(json.dumps(frame))
    assert refusal.members == {"errors": {field: [refusal.detail]}}
    assert not refusal.detail.endswith("`$.data.latencies`")


@pytest.mark.parametrize("text", ["null", "true", "1", "1.5", '"text"', "[]", '[{"type":"heartbeat"}]'])
def test_a_frame_that_is_no_object_is_refused(text: str) -> None:
    assert "Expected `object`" in refusal_of(text).detail
    assert ref_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        '{"type":"heartbeat"',
        '{"type":"heartbeat"} {}',
        "{'type':'heartbeat'}",
        '{type:"heartbeat"}',
        '{"type":"heartbeat",}',
        '\ufeff{"type":"heartbeat"}',
        "\x00",
        '{"type":"heartbeat","ref":"\x00"}',
        join("NaN"),
        join('{"a":Infinity}'),
    ],
)
def test_a_frame_that_is_no_json_is_refused(text: str) -> None:
    assert refusal_of(text).detail == "This is not valid JSON"
    assert ref_of(text) is None


@pytest.mark.parametrize(
    "text", ['{"type":"heartbeat","ref":"\ud800"}', r'{"type":"heartbeat","ref":"\ud800"}']
)
def test_a_lone_surrogate_is_no_text_however_it_is_written(text: str) -> None:
    assert refusal_of(text).detail == "This is not valid JSON"
    assert ref_of(text) is None


@pytest.mark.parametrize(
    "metadata", [r'{"a":"\u0000"}', r'{"\u0000":1}', r'{"a":{"b\u0000":1}}', r'{"a":[[1,"x\u0000y"]]}']
)
def test_a_nul_character_is_refused_wherever_it_stands(metadata: str) -> None:
    assert refusal_of(join(metadata)).detail == "NUL characters are not allowed"


def test_a_nul_character_is_refused_in_a_field_and_in_a_ref() -> None:
    assert refusal_of(r'{"type":"pong","data":{"nonce":"\u0000"}}').detail == "NUL characters are not allowed"
    with_nul = r'{"type":"heartbeat","ref":"\u0000"}'
    assert refusal_of(with_nul).detail == "NUL characters are not allowed"
    assert ref_of(with_nul) is None


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_metadata_may_be_nested_up_to_the_limit_and_no_deeper(opening: str, closing: str) -> None:
    def nested(levels: int) -> str:
        inner = levels - 3  # the message, its data and the metadata are levels too
        return join('{"a":' + opening * inner + "1" + closing * inner + "}")

    assert isinstance(decode_frame(nested(MAX_DEPTH)), JoinQueue)
    for levels in (MAX_DEPTH + 1, 1000, 100_000):
        assert refusal_of(nested(levels)).detail == "This is nested too deeply"


@pytest.mark.parametrize("levels", [1000, 100_000])
def test_a_ref_nested_without_end_is_none(levels: int) -> None:
    assert ref_of('{"ref":' + "[" * levels + "]" * levels + "}") is None


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "-" + "1" * 5000, "1" * 5000 + ".5"])
def test_a_number_past_all_bounds_is_refused(number: str) -> None:
    assert "out of range" in refusal_of(join(f'{{"a":{number}}}')).detail
    assert "out of range" in refusal_of(f'{{"type":"resync","data":{{"last_seq":{number}}}}}').detail


def test_of_a_key_given_twice_the_last_one_counts_and_another_type_is_refused() -> None:
    assert decode_frame('{"type":"pong","data":{"nonce":"a","nonce":"b"}}') == Pong(data=NonceData(nonce="b"))
    twice = '{"type":"heartbeat","ref":"a","ref":"b"}'
    assert decode_frame(twice) == Heartbeat(ref="b")
    assert ref_of(twice) == "b"
    assert list(refusal_of('{"type":"heartbeat","type":"leave_queue"}').members["errors"]) == ["type"]  # type: ignore[call-overload]  # a dict


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        decode_frame('{"type":"heartbeat"}').ref = "other"  # type: ignore[misc]  # the assignment is the test


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('{"type":"nonsense","ref":"mine"}', "mine"),
        ('{"ref":"mine","type":"join_queue","data":{"x":[{}]}}', "mine"),
        ('{"type":"nonsense","ref":"' + "r" * 64 + '"}', "r" * 64),
        ('{"type":"nonsense","ref":"' + "r" * 65 + '"}', None),
        ('{"type":"nonsense","ref":1}', None),
        ('{"type":"nonsense","ref":["a"]}', None),
        ('{"type":"nonsense","ref":null}', None),
        ('{"type":"nonsense"}', None),
    ],
)
def test_a_refused_frame_gives_its_ref_where_it_can_be_read(text: str, ref: str | None) -> None:
    refusal_of(text)
    assert ref_of(text) == ref


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
near_frames = st.fixed_dictionaries(
    {"type": st.sampled_from([frame["type"] for frame, _ in FRAMES])},
    optional={
        "ref": json_values,
        "data": json_values
        | st.dictionaries(
            st.sampled_from(
                ["pool_key", "nonce", "id", "last_seq", "regions", "latencies", "metadata", "token"]
            ),
            json_values,
        ),
        "more": json_values,
    },
)
any_text = st.text(st.characters()) | st.text(st.characters(exclude_categories=()))
cut_frames = st.tuples(near_frames.map(json.dumps), st.integers(0, 200), any_text).map(
    lambda parts: parts[0][: parts[1]] + parts[2]
)


@settings(deadline=None)
@given(any_text | near_frames.map(json.dumps) | cut_frames)
@example('{"type":"x - at `$`"}')
@example('{"type":"heartbeat","`":1}')
@example("\ud800")
def test_any_text_is_a_declared_message_or_a_refusal_and_never_anything_else(text: str) -> None:
    try:
        message = decode_frame(text)
    except InvalidRequest as refusal:
        encode_json(Error(**refusal.problem()))  # type: ignore[arg-type]  # its members
    else:
        assert type(message) in CLIENT_MESSAGES
        assert decode_frame(encode_json(message)) == message
        assert ref_of(text) == message.ref
    ref = ref_of(text)
    assert ref is None or (isinstance(ref, str) and len(ref) <= 64)


# --- bodies of requests


def test_a_body_is_decoded_as_the_type_that_is_expected_and_an_empty_one_is_an_empty_object() -> None:
    assert decode_body(b'{"queue_entry_id":"q"}', LeaveQueueData) == LeaveQueueData(queue_entry_id="q")
    assert decode_body(b"", LeaveQueueData) == LeaveQueueData()
    assert decode_body(b"{}", LeaveQueueData) == LeaveQueueData()
    with pytest.raises(InvalidRequest):
        decode_body(b"", JoinQueueData)


def test_a_body_may_have_64_kib_and_not_a_byte_more() -> None:
    def body(size: int) -> bytes:
        return b"{}".ljust(size)

    assert decode_body(body(MAX_BODY_BYTES), LeaveQueueData) == LeaveQueueData()
    with pytest.raises(TooLarge) as refused:
        decode_body(body(MAX_BODY_BYTES + 1), LeaveQueueData)
    assert refused.value.kind == "too_large"
    assert refused.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "This is not valid JSON"),
        (b"\xff", "This is not valid JSON"),
        (b'{"queue_entry_id":"\xed\xa0\x80"}', "This is not valid JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"x":1}', "Object contains unknown field `x`"),
        (b'{"queue_entry_id":"\\u0000"}', "NUL characters are not allowed"),
        (b'{"queue_entry_id":' + b"[" * 60_000, "Expected `str | null`, got `array`"),
    ],
)
def test_a_body_of_another_shape_is_refused(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_body(body, LeaveQueueData)
    assert refused.value.detail == detail


@settings(deadline=None)
@given(st.binary() | near_frames.map(lambda frame: json.dumps(frame.get("data")).encode()))
def test_any_body_is_the_expected_type_or_a_refusal(body: bytes) -> None:
    try:
        data = decode_body(body, JoinQueueData)
    except InvalidRequest:
        pass
    else:
        assert type(data) is JoinQueueData


# --- frames to clients


def test_a_durable_frame_is_written_type_first_then_id_and_number() -> None:
    frame = encode_frame("match_found", '{"a":1}', timestamp=NOON, message_id=AN_ID, seq=3, ref="mine")
    assert frame == (
        f'{{"type":"match_found","id":"{AN_ID}","seq":3,"timestamp":"2024-05-01T12:00:00Z",'
        '"ref":"mine","data":{"a":1}}'
    )


def test_a_frame_that_is_not_durable_has_neither_id_nor_number_nor_an_unasked_ref() -> None:
    frame = encode_frame("ping", "{}", timestamp=NOON)
    assert frame == '{"type":"ping","timestamp":"2024-05-01T12:00:00Z","data":{}}'
    assert list(json.loads(encode_frame("ping", "{}", timestamp=NOON, message_id=AN_ID))) == [
        "type",
        "timestamp",
        "data",
    ]


def test_the_first_number_of_a_stream_and_an_empty_ref_are_written_too() -> None:
    frame = json.loads(encode_frame("x", "{}", timestamp=NOON, message_id=AN_ID, seq=0, ref=""))
    assert (frame["seq"], frame["ref"]) == (0, "")


def test_a_message_is_its_own_type_and_data() -> None:
    frame = json.loads(encode_message(Ping(nonce='a"\n\u2028'), timestamp=NOON, ref="r"))
    assert frame == {
        "type": "ping",
        "timestamp": "2024-05-01T12:00:00Z",
        "ref": "r",
        "data": {"nonce": 'a"\n\u2028'},
    }


def test_an_error_leaves_out_the_members_that_it_does_not_have() -> None:
    error = Error(code="conflict", detail="No")
    assert json.loads(encode_message(error, timestamp=NOON))["data"] == {"code": "conflict", "detail": "No"}


RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(deadline=None)
@given(
    st.datetimes(NOON.replace(year=1000, tzinfo=None), NOON.replace(year=9999, tzinfo=None), timezones=zones)
)
def test_times_are_rfc_3339_in_utc_with_a_z_whatever_zone_they_come_in(at: datetime) -> None:
    written = json.loads(encode_frame("ping", "{}", timestamp=at))["timestamp"]
    assert RFC_3339_UTC.fullmatch(written)
    assert datetime.fromisoformat(written) == at


@settings(deadline=None)
@given(st.text(), st.text(max_size=64), json_values)
def test_any_frame_to_a_client_is_one_json_object(kind: str, ref: str, data: object) -> None:
    frame = encode_frame(kind, encode_json(data), timestamp=NOON, message_id=AN_ID, seq=1, ref=ref)
    assert frame.startswith('{"type":')
    assert json.loads(frame) == {
        "type": kind,
        "id": AN_ID,
        "seq": 1,
        "timestamp": "2024-05-01T12:00:00Z",
        "ref": ref,
        "data": data,
    }


def test_json_that_is_encoded_already_goes_into_other_json_as_it_is() -> None:
    assert encode_json([raw_json('{"b":1, "a":2}')]) == '[{"b":1, "a":2}]'


def test_the_limits_are_the_promised_ones() -> None:
    assert (codec.MAX_FRAME_BYTES, MAX_BODY_BYTES, codec.MAX_METADATA_BYTES, MAX_DEPTH) == (
        16_384,
        65_536,
        2048,
        32,
    )


@pytest.mark.parametrize("number", ["1e19", "-1e19", "1e-19", "-1e-19", "1" * 20])
def test_a_number_that_takes_hundreds_of_digits_to_keep_is_refused(number: str) -> None:
    assert "between 1e-18 and 1e18" in refusal_of(join(f'{{"a":{number}}}')).detail
