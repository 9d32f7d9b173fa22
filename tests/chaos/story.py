"""Runs told by hand, for the checker to judge: one that ends in a match, and one that is rolled back."""

from dataclasses import replace
from typing import Any

from tests.chaos.checker import check
from tests.chaos.clocks import Clocks
from tests.chaos.evidence import Evidence
from tests.chaos.history import HARNESS, NEMESIS, Observation
from tests.chaos.rows import EventRow, GameRow, MatchRow, Rows, SeatRow, SessionRow, TicketRow

NOTHING: dict[str, Any] = {
    "ticket": None,
    "queued_at": None,
    "match": None,
    "match_status": None,
    "session": None,
    "challenges": {"incoming": [], "outgoing": []},
    "party": None,
}


CLOCKS = Clocks(heartbeat=3, pong=1, sweep=1)
"""Silence is too long after 7 s, and is noticed within another second."""

_TABLES = ("tickets", "matches", "seats", "sessions", "events", "games", "challenges", "parties")


class Story:
    """What was seen and what is in the database; everything may be spoilt before it is judged."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.rows: dict[str, dict[Any, Any]] = {name: {} for name in _TABLES}
        self.seq: dict[str, int] = {}
        self.end = 40.0

    def see(self, at: float, who: str, kind: str, **data: Any) -> None:
        self.seen.append(Observation(at, who, kind, data))

    def connect(self, at: float, who: str, *, conn: int = 1, last_seq: int | None = None) -> None:
        self.see(at, who, "opening", conn=conn, web=0, last_seq=last_seq)
        self.see(at, who, "opened", conn=conn, web=0)
        seq = self.seq.get(who, 0)
        missed = [] if last_seq is None else self.missed(who, last_seq, seq)
        self.restore(at, who, seq, missed, conn=conn)

    def restore(
        self,
        at: float,
        who: str,
        seq: int,
        missed: list[dict[str, Any]],
        *,
        conn: int = 1,
        gap: bool = False,
        **held: Any,
    ) -> None:
        state = {"ticket": None, "match": None, "session_id": None, "seq": seq, "missed": missed, "gap": gap}
        state |= {"challenges": NOTHING["challenges"], "party": None} | held
        self.receive(at, who, {"type": "state_restored", "data": state}, conn=conn)

    def missed(self, who: str, after: int, until: int) -> list[dict[str, Any]]:
        rows = [self.rows["events"][who, seq] for seq in range(after + 1, until + 1)]
        return [{"type": r.type, "id": r.id, "seq": r.seq, "data": r.data} for r in rows]

    def receive(self, at: float, who: str, frame: dict[str, Any], *, conn: int = 1) -> None:
        self.see(at, who, "received", conn=conn, frame=frame)

    def send(self, at: float, who: str, kind: str, **data: Any) -> None:
        self.see(at, who, "sent", conn=1, frame={"type": kind, "data": data})

    def tell(
        self, at: float, who: str, kind: str, *, heard: bool = True, event_id: str = "", **data: Any
    ) -> None:
        """Write a durable event, and let the client receive it."""
        seq = self.seq[who] = self.seq.get(who, 0) + 1
        event_id = event_id or f"{who}-{seq}"
        self.rows["events"][who, seq] = EventRow(
            id=event_id, address=f"player:demo:{who}", seq=seq, type=kind, data=data, created_at=at
        )
        if heard:
            self.receive(at + 0.01, who, {"type": kind, "id": event_id, "seq": seq, "data": data})

    def join(self, at: float, who: str, *, number: int = 1) -> None:
        ticket_id = f"ticket-{who}-{number}"
        self.rows["tickets"][ticket_id] = TicketRow(
            id=ticket_id, user=who, pool="duel", status="SEARCHING", queued_at=at
        )
        self.send(at - 0.01, who, "join_queue", pool_key="duel")
        self.tell(at, who, "queue_joined", queue_entry_id=ticket_id, queued_at=f"T{at}")

    def end_ticket(
        self, at: float, ticket_id: str, status: str, reason: str | None = None, **values: Any
    ) -> None:
        self.spoil("tickets", ticket_id, status=status, reason=reason, ended_at=at, **values)

    def reserve(self, at: float, match_id: str, *players: str, number: int = 1) -> None:
        self.rows["matches"][match_id] = MatchRow(
            id=match_id, status="PROPOSED", created_at=at, deadline=at + 1, lease_until=at + 5
        )
        for team, who in enumerate(players, start=1):
            self.rows["seats"][match_id, who] = SeatRow(
                match_id=match_id,
                user=who,
                nonce=f"nonce-{match_id}-{who}",
                found_id=f"found-{match_id}-{who}",
                ticket_id=f"ticket-{who}-{number}",
                team=team,
            )

    def ping(self, at: float, match_id: str, who: str, *, answered: bool = True) -> None:
        nonce = self.rows["seats"][match_id, who].nonce
        self.receive(at, who, {"type": "ping", "data": {"nonce": nonce}})
        if answered:
            self.send(at + 0.01, who, "pong", nonce=nonce)

    def find(self, at: float, match_id: str, who: str, *, answered: bool = True) -> None:
        found_id = self.rows["seats"][match_id, who].found_id
        self.tell(at, who, "match_found", event_id=found_id, match_id=match_id)
        if answered:
            self.send(at + 0.02, who, "ack", id=found_id)

    def cancel(self, at: float, match_id: str, cause: str, reasons: dict[str, str]) -> None:
        self.spoil("matches", match_id, status="CANCELLED", cause=cause, finished_at=at, deadline=at - 0.1)
        for who, reason in reasons.items():
            self.tell(
                at,
                who,
                "match_cancelled",
                match_id=match_id,
                reason=reason,
                requeued=True,
                queue_entry_id=f"ticket-{who}-1",
            )

    def fault(self, name: str, began: float, ended: float, *targets: str) -> None:
        number = len(self.seen)
        self.see(began, NEMESIS, "fault_began", number=number, fault=name, targets=targets)
        self.see(ended, NEMESIS, "fault_ended", number=number)

    def spoil(self, table: str, key: Any, **values: Any) -> None:
        self.rows[table][key] = replace(self.rows[table][key], **values)

    def forget(self, *kinds: str, who: str = "") -> None:
        """Take away what was seen, or the frames that were sent, of some kinds."""

        def is_meant(seen: Observation) -> bool:
            named = seen.kind in kinds or (seen.kind == "sent" and seen.data["frame"]["type"] in kinds)
            return named and who in {"", seen.who}

        self.seen = [seen for seen in self.seen if not is_meant(seen)]

    def evidence(self) -> Evidence:
        tables: dict[str, Any] = {name: list(table.values()) for name, table in self.rows.items()}
        rows = Rows(**tables)
        self.see(self.end, HARNESS, "ended")
        return Evidence(observations=sorted(self.seen, key=lambda s: s.at), rows=rows, clocks=CLOCKS)

    def verdict(self) -> list[str]:
        return [str(violation) for violation in check(self.evidence())]


def a_match() -> Story:
    """Ann and Bob queue, meet, play and go; Cid waits and goes at his own wish."""
    story = Story()
    for who in ("ann", "bob", "cid"):
        story.connect(0.5, who)
    story.join(1.0, "ann")
    story.join(1.1, "bob")
    story.reserve(1.2, "m", "ann", "bob")
    for who in ("ann", "bob"):
        story.ping(1.3, "m", who)
        story.find(1.5, "m", who)
        story.tell(1.8, who, "match_ready", match_id="m", game_id="s", session_id="s")
        story.end_ticket(1.8, f"ticket-{who}-1", "MATCHED", match_id="m")
    story.spoil("matches", "m", status="FINISHED", confirmed_at=1.8, finished_at=3.0, session_id="s")
    story.rows["sessions"]["s"] = SessionRow(id="s", match_id="m", finished_at=3.0)
    story.rows["games"]["m"] = GameRow(match_id="m", state="finished")
    story.join(2.0, "cid")
    story.send(2.5, "cid", "leave_queue")
    story.end_ticket(2.6, "ticket-cid-1", "CANCELLED", "user_request")
    story.tell(2.6, "cid", "queue_cancelled", queue_entry_id="ticket-cid-1", reason="user_request")
    for who in ("ann", "bob", "cid"):
        story.see(39, who, "compared", is_open=True, held=NOTHING, served=NOTHING, last_seq=3)
    story.see(10, HARNESS, "probe_began", pair=0)
    story.see(11, HARNESS, "probe_ended", pair=0, matched=True)
    return story


def a_roll_back() -> Story:
    """Ann answers and Bob does not, and both search again; later Ann leaves, and Bob is put out."""
    story = Story()
    story.connect(0.5, "ann")
    story.connect(0.5, "bob")
    story.join(1.0, "ann")
    story.join(1.1, "bob")
    story.reserve(1.2, "m", "ann", "bob")
    story.ping(1.3, "m", "ann")
    story.ping(1.3, "m", "bob", answered=False)
    story.cancel(2.3, "m", "unreachable", {"ann": "opponent_unreachable", "bob": "you_unreachable"})
    story.send(4.0, "ann", "leave_queue")
    story.end_ticket(4.1, "ticket-ann-1", "CANCELLED", "user_request")
    story.tell(4.1, "ann", "queue_cancelled", queue_entry_id="ticket-ann-1", reason="user_request")
    story.end_ticket(9.0, "ticket-bob-1", "CANCELLED", "connection_timeout")
    story.tell(9.0, "bob", "queue_cancelled", queue_entry_id="ticket-bob-1", reason="connection_timeout")
    return story
