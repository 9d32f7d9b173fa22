"""The outbox: durable events are written in the transaction of the transition that they tell of.

They are numbered per address in commit order, pushed after the commit, and kept for
``EVENT_RETENTION_SECONDS``. What was committed and not pushed is pushed again by the next tick, so no crash
between the two loses an event.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from realtime.identifiers import new_id
from realtime.models import Event, Stream
from realtime.protocol.codec import encode_frame, encode_json, raw_json
from realtime.protocol.messages import ServerMessage
from realtime.transport.push import Push, publish

MAX_MISSED = 256
REPUBLISH_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """The command that an event answers: its connection, the client's own reference, where it listens.

    ``received_at`` is of time.monotonic(): a command may have waited for its turn.
    """

    connection_id: str = ""
    ref: str = ""
    address: str = ""
    received_at: float = 0


NO_ORIGIN = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A durable message for ``address``.

    One that is a function is composed when the streams are locked: it tells of nothing older than the event
    before it does, whichever transactions change what it tells of at once.
    """

    address: str
    message: ServerMessage | Callable[[], ServerMessage]
    origin: Origin = NO_ORIGIN
    id: UUID = field(default_factory=new_id)


def emit(outgoing: Sequence[Outgoing], *, now: datetime) -> None:
    """Write events in the present transaction and push them after its commit.

    Call it once, as the last thing in a transaction: it locks the streams of all addresses, in their order.
    """
    if not outgoing:
        return
    events = _numbered(outgoing, now)
    Event.objects.bulk_create(events)
    # Robust: what fails here has been committed, and the next tick pushes it.
    transaction.on_commit(lambda: push_events(events, now=now), robust=True)


def _numbered(outgoing: Sequence[Outgoing], now: datetime) -> list[Event]:
    counts: dict[str, int] = {}
    for item in outgoing:
        counts[item.address] = counts.get(item.address, 0) + 1
    next_seq = _reserve_numbers(counts)
    events = []
    for item in outgoing:
        message = item.message() if callable(item.message) else item.message
        events.append(
            Event(
                id=item.id,
                address=item.address,
                seq=next_seq[item.address],
                type=message.type,
                data=encode_json(message),
                origin=item.origin.connection_id,
                ref=item.origin.ref,
                created_at=now,
            )
        )
        next_seq[item.address] += 1
    return events


def _reserve_numbers(counts: dict[str, int]) -> dict[str, int]:
    """Return the first free number of each address; rows are locked in their order, against deadlocks."""
    addresses = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO realtime_stream (address, seq)"
            " SELECT * FROM unnest(%s::text[], %s::bigint[])"
            " ON CONFLICT (address) DO UPDATE SET seq = realtime_stream.seq + excluded.seq"
            " RETURNING address, seq",
            [addresses, [counts[address] for address in addresses]],
        )
        return {address: seq - counts[address] + 1 for address, seq in cursor.fetchall()}


def push_events(events: Iterable[Event], *, now: datetime, again: bool = False) -> None:
    """Push events that are committed, and note that they were."""
    events = list(events)
    if publish([as_push(event, again=again) for event in events]):
        Event.objects.filter(id__in=[event.id for event in events], pushed_at=None).update(pushed_at=now)


def as_push(event: Event, *, again: bool = False) -> Push:
    """Return the frame of an event; the connection that asked for it gets its own ``ref`` back."""
    return Push(
        address=event.address,
        frame=frame_of(event),
        seq=event.seq,
        token=str(event.id),
        again=again,
        origin=event.origin,
        origin_frame=frame_of(event, ref=event.ref) if event.ref else "",
    )


def frame_of(event: Event, *, ref: str | None = None) -> str:
    """Return an event as it goes over the wire."""
    return encode_frame(
        event.type,
        event.data,
        timestamp=event.created_at,
        message_id=str(event.id),
        seq=event.seq,
        ref=ref,
    )


def newest_seq(address: str) -> int:
    """Return the number of the newest event of a stream; 0 where there was none yet."""
    return Stream.objects.filter(address=address).values_list("seq", flat=True).first() or 0


def newest_seqs(addresses: Sequence[str]) -> dict[str, int]:
    """Return `newest_seq` of many; a stream without events is absent."""
    return dict(Stream.objects.filter(address__in=addresses).values_list("address", "seq"))


def after(address: str, last_seq: int) -> list[Event]:
    """Return the events after ``last_seq`` that are still kept, in order, the newest 256 at most."""
    newest = Event.objects.filter(address=address, seq__gt=last_seq).order_by("-seq")[:MAX_MISSED]
    return list(reversed(newest))


def by_id(event_id: UUID) -> Event | None:
    """Return an event that is still kept."""
    return Event.objects.filter(id=event_id).first()


def push_again(event_ids: Iterable[UUID], *, now: datetime) -> None:
    """Send events once more, with the same id and number, though they were sent."""
    push_events(Event.objects.filter(id__in=list(event_ids)), now=now, again=True)


def republish(*, now: datetime) -> int:
    """Push again what was committed and not pushed; return how many. A hub drops what it has sent already."""
    late = now - timedelta(seconds=REPUBLISH_AFTER_SECONDS)
    events = list(Event.objects.filter(pushed_at=None, created_at__lt=late).order_by("address", "seq")[:5000])
    push_events(events, now=now)
    return len(events)


def purge(*, now: datetime) -> int:
    """Delete events past their retention; return how many."""
    old = now - timedelta(seconds=settings.EVENT_RETENTION_SECONDS)
    deleted, _ = Event.objects.filter(created_at__lt=old).delete()
    return deleted


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a connection has missed: the newest number, the events in order, whether some are gone."""

    seq: int
    gap: bool
    missed: list[dict[str, Any]]


def backlog(address: str, last_seq: int | None) -> Backlog:
    """Return what was missed after ``last_seq``; None: a fresh connection, which misses nothing."""
    seq = newest_seq(address)
    if last_seq is None:
        return Backlog(seq, gap=False, missed=[])
    events = after(address, last_seq)
    return Backlog(seq, gap=last_seq + len(events) != seq, missed=[_as_missed(event) for event in events])


def _as_missed(event: Event) -> dict[str, Any]:
    return {
        "type": event.type,
        "id": str(event.id),
        "seq": event.seq,
        "timestamp": event.created_at,
        "data": raw_json(event.data),
    }
