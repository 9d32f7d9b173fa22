"""The outbox: numbers without holes, in commit order, and nothing lost between the commit and the push."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.db import connection, transaction

from realtime.models import Event, Stream
from realtime.protocol.codec import encode_json
from realtime.protocol.messages import QueueCancelled
from realtime.transport import events
from realtime.transport.database import database_now
from realtime.transport.events import Origin, Outgoing, emit
from tests.factories import address
from tests.integration.conftest import Pushes
from tests.integration.threads import raised, together

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

ANN, BOB = address("ann"), address("bob")


def note(to: str, text: str = "", *, origin: Origin = events.NO_ORIGIN) -> Outgoing:
    """Return a durable event that can be told by its text."""
    return Outgoing(
        address=to, message=QueueCancelled(queue_entry_id=text, reason="user_request"), origin=origin
    )


def tell(*outgoing: Outgoing) -> None:
    with transaction.atomic():
        emit(outgoing, now=database_now())


def kept(to: str) -> list[tuple[int, str]]:
    """Return (number, text) of the events that are kept."""
    rows = Event.objects.filter(address=to).order_by("seq").values_list("seq", "data")
    return [(seq, json.loads(data)["queue_entry_id"]) for seq, data in rows]


# --- numbers


def test_each_address_counts_for_itself_from_1() -> None:
    tell(note(ANN, "a"), note(BOB, "b"), note(ANN, "c"))
    tell(note(ANN, "d"))
    assert kept(ANN) == [(1, "a"), (2, "c"), (3, "d")]
    assert kept(BOB) == [(1, "b")]
    assert events.newest_seqs([ANN, BOB, "nobody"]) == {ANN: 3, BOB: 1}
    assert events.newest_seq("nobody") == 0


def test_many_who_tell_at_once_leave_no_hole_and_no_number_twice() -> None:
    def tell_often(name: str) -> None:
        for n in range(10):
            # Once this way round, once that: the order of addresses must not matter.
            both = [note(ANN, f"{name}-{n}"), note(BOB, f"{name}-{n}")]
            tell(*(both if n % 2 else both[::-1]))

    assert raised(together(*[partial(tell_often, f"thread-{n}") for n in range(8)]), Exception) == 0
    for to in (ANN, BOB):
        assert [seq for seq, _ in kept(to)] == list(range(1, 81))
        for n in range(8):
            own = [text for _, text in kept(to) if text.startswith(f"thread-{n}-")]
            assert own == [f"thread-{n}-{i}" for i in range(10)], "each one's own order is kept"


def test_numbers_rise_in_the_order_of_commits() -> None:
    has_number, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            emit([note(ANN, "slow")], now=database_now())
            has_number.set()
            assert may_commit.wait(10)

    def quick() -> None:
        assert has_number.wait(10)
        tell(note(ANN, "quick"))

    def look() -> list[tuple[int, str]]:
        assert has_number.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.2)")
        seen = kept(ANN)
        may_commit.set()
        return seen

    works: list[Callable[[], object]] = [slow, quick, look]
    _, _, seen_meanwhile = together(*works)
    assert seen_meanwhile == [], "quick has to wait: it would be number 2 without a number 1"
    assert kept(ANN) == [(1, "slow"), (2, "quick")]


def test_a_transaction_that_is_rolled_back_leaves_neither_event_nor_hole(pushes: Pushes) -> None:
    class ChangeOfMindError(Exception):
        pass

    def change_ones_mind() -> None:
        with transaction.atomic():
            emit([note(ANN, "never"), note(BOB, "never")], now=database_now())
            raise ChangeOfMindError

    tell(note(ANN, "first"))
    with pytest.raises(ChangeOfMindError):
        change_ones_mind()
    tell(note(ANN, "second"))
    assert kept(ANN) == [(1, "first"), (2, "second")]
    assert not Stream.objects.filter(address=BOB).exists()
    assert [push["seq"] for push in pushes.new()] == [1, 2]


def test_nothing_is_pushed_before_the_commit(pushes: Pushes) -> None:
    with transaction.atomic():
        emit([note(ANN)], now=database_now())
        assert pushes.new() == []
    assert len(pushes.new()) == 1
    assert Event.objects.get().pushed_at is not None


def test_telling_nobody_anything_costs_nothing(django_assert_num_queries: Callable[..., object]) -> None:
    with django_assert_num_queries(0):  # type: ignore[attr-defined]  # a context manager
        emit([], now=None)  # type: ignore[arg-type]  # it is not looked at


# --- the push


def test_a_push_is_the_whole_frame_and_only_the_asker_gets_its_ref(pushes: Pushes) -> None:
    tell(note(ANN, "x", origin=Origin("socket-7", "ref-9")))
    event = Event.objects.get()
    (push,) = pushes.new()
    frame, own = json.loads(push["frame"]), json.loads(push["origin_frame"])
    timestamp = frame.pop("timestamp")
    assert timestamp.endswith("Z")
    assert frame == {
        "type": "queue_cancelled",
        "id": str(event.id),
        "seq": 1,
        "data": {"queue_entry_id": "x", "reason": "user_request"},
    }
    assert own == frame | {"timestamp": timestamp, "ref": "ref-9"}
    assert push["frame"].startswith('{"type":')
    assert (push["address"], push["origin"], push["token"]) == (ANN, "socket-7", str(event.id))


def test_what_was_committed_and_not_pushed_is_pushed_again(pushes: Pushes) -> None:
    for text in ("a", "b", "c"):
        tell(note(ANN, text))
    pushes.new()
    Event.objects.filter(seq__in=[1, 3]).update(pushed_at=None)
    now = database_now() + timedelta(seconds=events.REPUBLISH_AFTER_SECONDS + 0.1)
    assert events.republish(now=now) == 2
    assert [push["seq"] for push in pushes.new()] == [1, 3]
    assert not Event.objects.filter(pushed_at=None).exists()
    assert events.republish(now=now) == 0


def test_what_is_only_just_committed_is_left_to_its_own_process() -> None:
    tell(note(ANN))
    Event.objects.update(pushed_at=None)
    assert events.republish(now=database_now()) == 0


# --- keeping


def test_events_are_purged_past_their_retention_and_numbers_go_on() -> None:
    tell(note(ANN, "old"), note(ANN, "young"))
    now = database_now()
    keep = timedelta(seconds=settings.EVENT_RETENTION_SECONDS)
    Event.objects.filter(seq=1).update(created_at=now - keep - timedelta(seconds=1))
    Event.objects.filter(seq=2).update(created_at=now - keep + timedelta(seconds=1))
    assert events.purge(now=now) == 1
    tell(note(ANN, "new"))
    assert kept(ANN) == [(2, "young"), (3, "new")]


# --- what was missed


def missed(last_seq: int | None) -> tuple[int, bool, list[int]]:
    backlog = events.backlog(ANN, last_seq)
    return backlog.seq, backlog.gap, [event["seq"] for event in backlog.missed]


def test_a_connection_gets_what_it_missed_in_order() -> None:
    assert missed(None) == (0, False, [])
    assert missed(0) == (0, False, [])
    tell(note(ANN, "a"), note(ANN, "b"), note(BOB), note(ANN, "c"))
    assert missed(None) == (3, False, [])
    assert missed(0) == (3, False, [1, 2, 3])
    assert missed(2) == (3, False, [3])
    assert missed(3) == (3, False, [])


def test_a_missed_event_is_the_event_as_it_was_pushed(pushes: Pushes) -> None:
    tell(note(ANN, "a", origin=Origin("socket-7", "ref-9")))
    (event,) = events.backlog(ANN, 0).missed
    assert json.loads(encode_json(event)) == json.loads(pushes.new()[0]["frame"])


def test_a_number_from_the_future_is_a_gap() -> None:
    tell(note(ANN))
    assert missed(5) == (1, True, [])


def test_a_gap_is_told_when_events_are_gone() -> None:
    tell(note(ANN), note(ANN), note(ANN))
    Event.objects.filter(seq=1).delete()
    assert missed(0) == (3, True, [2, 3])
    assert missed(1) == (3, False, [2, 3])
    Event.objects.all().delete()
    assert missed(1) == (3, True, [])
    assert missed(3) == (3, False, [])


def test_at_most_256_are_missed_and_they_are_the_newest() -> None:
    tell(*[note(ANN, str(n)) for n in range(257)])
    assert missed(1) == (257, False, list(range(2, 258)))
    assert missed(0) == (257, True, list(range(2, 258)))
