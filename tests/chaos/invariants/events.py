"""I9: nothing is lost between a commit and a screen, whatever breaks in between."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Data, Observation

_BEFORE_THE_STATE = {"connected", "goodbye"}


def in_order(evidence: Evidence) -> Iterator[Violation]:
    """On each connection numbers follow each other, and what was missed before is all there."""
    for client, observations in evidence.by_client.items():
        reader = _Reader(client, {event.seq for event in evidence.events_of.get(client, ())})
        for seen in observations:
            for text in reader.read(seen):
                yield Violation(invariant="I9", text=f"{client} {text}", who=(client,), at=seen.at)


class _Reader:
    """Follows one client's numbers. ``kept`` are those of the events that the outbox still has."""

    def __init__(self, client: str, kept: set[int]) -> None:
        self._client = client
        self._kept = kept
        self._conn = 0
        self._seq: int | None = None
        self._asked: set[int | None] = set()

    def read(self, seen: Observation) -> Iterator[str]:
        """Take an observation; yield what is wrong with it."""
        if seen.kind == "opening":
            self._conn, self._seq, self._asked = seen.data["conn"], None, {seen.data["last_seq"]}
        elif seen.kind == "sent" and seen.data["frame"]["type"] == "resync":
            self._asked.add(seen.data["frame"]["data"]["last_seq"])
        elif seen.kind == "received" and seen.data["conn"] == self._conn:
            yield from self._frame(seen.data["frame"])

    def _frame(self, frame: Data) -> Iterator[str]:
        if frame["type"] == "state_restored":
            yield from self._restored(frame["data"])
        elif self._seq is None:
            if frame["type"] not in _BEFORE_THE_STATE:
                yield f"got {frame['type']} {frame.get('seq') or ''} before its state"
        elif frame.get("seq") is not None:
            if frame["seq"] > self._seq + 1:
                yield f"got event {frame['seq']} after {self._seq}"
            self._seq = max(frame["seq"], self._seq)

    def _restored(self, data: Data) -> Iterator[str]:
        seq, missed = data["seq"], [event["seq"] for event in data["missed"]]
        if self._seq is not None and seq < self._seq:
            yield f"was restored to {seq} after {self._seq}"
        if missed and missed != list(range(missed[0], seq + 1)):
            yield f"was restored to {seq} with {missed} missed"
        begin = missed[0] - 1 if missed else seq
        numbers = {number for number in self._asked if number is not None}
        if data["gap"]:
            if any(set(range(number + 1, seq + 1)) <= self._kept for number in numbers):
                yield f"was told of a gap up to {seq}, and there is none"
        elif None not in self._asked and begin not in numbers and begin > min(numbers, default=0):
            yield f"asked for what came after {sorted(numbers)}, and got it after {begin}, up to {seq}"
        self._seq = seq


def as_written(evidence: Evidence) -> Iterator[Violation]:
    """What a client sees of an event is what the outbox holds; what the outbox holds has no holes."""
    for user, events in evidence.events_of.items():
        seqs = [event.seq for event in events]
        if seqs != list(range(seqs[0], seqs[-1] + 1)):
            yield Violation(invariant="I9", text=f"the outbox of {user} has holes: {seqs}", who=(user,))
    for client in evidence.by_client:
        rows = {event.seq: event for event in evidence.events_of.get(client, ())}
        for at, frame in evidence.told(client):
            row = rows.get(frame["seq"])
            seen = (frame["id"], frame["type"], frame["data"])
            if row is not None and seen != (row.id, row.type, row.data):
                text = f"{client} saw {seen} under {frame['seq']}, the outbox has {row}"
                yield Violation(invariant="I9", text=text, who=(client,), at=at)


def all_arrived(evidence: Evidence) -> Iterator[Violation]:
    """In the end every event was received, or is covered by a snapshot, and every screen is right."""
    for client in evidence.by_client:
        seen = {frame["seq"] for _, frame in evidence.told(client)}
        restored = [s.data["frame"]["data"]["seq"] for s in evidence.received(client, "state_restored")]
        for look in evidence.of(client, "compared"):
            if not look.data["is_open"]:
                text = f"{client} could not connect in the calm"
                yield Violation(invariant="I9", text=text, who=(client,), at=look.at)
                continue
            if look.data["held"] != look.data["served"]:
                text = f"{client} holds {look.data['held']}, the server {look.data['served']}"
                yield Violation(invariant="I9", text=text, who=(client,), at=look.at)
            lost = [
                event
                for event in evidence.events_of.get(client, ())
                if event.created_at < look.at
                and event.seq not in seen
                and event.seq > max(restored, default=0)
            ]
            for event in lost:
                text = f"{client} never got {event.type} {event.seq} of {event.created_at:.3f}"
                yield Violation(invariant="I9", text=text, who=(client,), at=event.created_at)
