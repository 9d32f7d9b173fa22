"""I9: what a client is restored to is what the events up to that number come to."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Data, Observation
from tests.chaos.mirror import Mirror, member_ids
from tests.chaos.tolerances import CLOCK_SECONDS


def restored_as_told(evidence: Evidence) -> Iterator[Violation]:
    """Challenges that wait, and the party: the snapshot has them as the outbox does, no more and no less."""
    expires_at = {challenge.id: challenge.expires_at for challenge in evidence.rows.challenges}
    for client in evidence.by_client:
        screen, events = Mirror(client), iter(evidence.events_of.get(client, ()))
        for seen in sorted(evidence.received(client, "state_restored"), key=_seq_of):
            while screen.last_seq < _seq_of(seen) and (event := next(events, None)) is not None:
                screen.take({"type": event.type, "seq": event.seq, "data": event.data})
            for what, restored, told in _differences(screen, seen, expires_at):
                text = f"{client} was restored at {_seq_of(seen)} to {what} {restored}; its events say {told}"
                yield Violation(invariant="I9", text=text, who=(client,), at=seen.at)


def _seq_of(seen: Observation) -> int:
    return int(seen.data["frame"]["data"]["seq"])


def _differences(
    screen: Mirror, seen: Observation, expires_at: dict[str, float]
) -> Iterator[tuple[str, object, object]]:
    data: Data = seen.data["frame"]["data"]
    for way, told in (("incoming", screen.incoming), ("outgoing", screen.outgoing)):
        restored = {challenge["challenge_id"] for challenge in data["challenges"][way]}
        # One whose time is over is not shown any more, whenever its end is told.
        waiting = {i for i in told if expires_at.get(i, 0) > seen.at + CLOCK_SECONDS}
        if not waiting <= restored <= set(told):
            yield way, sorted(restored), sorted(told)
    party, told_party = data["party"], screen.party
    if _who(party) != _who(told_party):
        yield "party", _who(party), _who(told_party)


def _who(party: Data | None) -> Data | None:
    return (
        {"id": party["party_id"], "leader": party["leader"], "members": member_ids(party)} if party else None
    )
