"""I1, I3, I4: one live ticket and match; each ticket ends once, as its player was told; places are kept."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Observation
from tests.chaos.rows import MatchRow, TicketRow
from tests.chaos.tolerances import CLOCK_SECONDS, OVERLAP_SECONDS

LEAVE_REACH_SECONDS = 10
"""How long a command to leave may be on its way, on the worst of the networks."""

_ENDED = {"MATCHED", "CANCELLED", "TIMED_OUT"}
_STATUS_FOR = {
    "user_request": "CANCELLED",
    "connection_timeout": "CANCELLED",
    "timed_out": "TIMED_OUT",
    "declined": "CANCELLED",
    "staff": "CANCELLED",
}


def at_most_one(evidence: Evidence) -> Iterator[Violation]:
    """I1, by the times of the rows and by their states in the end."""
    lives: dict[tuple[str, str], list[tuple[float, float | None, str]]] = {}
    for ticket in evidence.rows.tickets:
        lives.setdefault((ticket.user, "tickets"), []).append((ticket.queued_at, ticket.ended_at, ticket.id))
    for seat in evidence.rows.seats:
        match = evidence.matches[seat.match_id]
        lives.setdefault((seat.user, "matches"), []).append((match.created_at, match.finished_at, match.id))
        word = "" if seat.is_live else "not "
        if seat.is_live == (match.status in {"FINISHED", "CANCELLED"}):
            yield Violation(
                invariant="I1",
                text=f"{seat.user}'s seat is {word}live in {match.status} {match.id}",
                who=(seat.user,),
                at=match.created_at,
            )
    for (user, what), intervals in lives.items():
        yield from _overlaps(evidence, user, what, sorted(intervals))


def _overlaps(
    evidence: Evidence, user: str, what: str, intervals: list[tuple[float, float | None, str]]
) -> Iterator[Violation]:
    for (_, ended, first), (began, _, second) in pairwise(intervals):
        if ended is not None and ended - began <= OVERLAP_SECONDS:
            continue
        if ended is not None and evidence.server_faults(began, ended):
            continue  # a stopped process read the time long before its transaction
        text = f"{user} has two live {what} at {began:.3f}: {first} and {second}"
        yield Violation(invariant="I1", text=text, who=(user,), at=began)


def nobody_queues_and_plays(evidence: Evidence) -> Iterator[Violation]:
    """I1: whoever is in a game, however it came about, has no ticket."""
    games: dict[str, list[MatchRow]] = {}
    for seat in evidence.rows.seats:
        match = evidence.matches[seat.match_id]
        if match.confirmed_at is not None:
            games.setdefault(seat.user, []).append(match)
    for ticket in evidence.rows.tickets:
        for match in games.get(ticket.user, ()):
            begin = max(ticket.queued_at, match.confirmed_at or 0)
            end = min(ticket.ended_at or math.inf, match.finished_at or math.inf)
            if end - begin > OVERLAP_SECONDS and not evidence.server_faults(begin, end):
                text = f"{ticket.user} queued with {ticket.id} in match {match.id}, {begin:.3f} to {end:.3f}"
                yield Violation(invariant="I1", text=text, who=(ticket.user,), at=begin)


def matched_out_of_the_queue(evidence: Evidence) -> Iterator[Violation]:
    """I1 by the outbox: whoever is told of a game has no ticket but the one that brought it about."""
    for user, events in evidence.events_of.items():
        live: str | None = None
        ticket_of = _ticket_of(evidence, user)
        for event in events:
            if event.type == "queue_joined":
                live = event.data["queue_entry_id"]
            elif _ended_by(event.type, event.data, ticket_of) == live:
                live = None
            elif event.type == "match_ready" and live is not None:
                text = f"{user} was told of game {event.data['match_id']} while {live} was live"
                yield Violation(invariant="I1", text=text, who=(user,), at=event.created_at)


def one_after_the_other(evidence: Evidence) -> Iterator[Violation]:
    """I1 and I3 by the outbox, whose order is that of the transactions."""
    for user, events in evidence.events_of.items():
        live: str | None = None
        ended: set[str] = set()
        ticket_of = _ticket_of(evidence, user)
        for event in events:
            here = {"who": (user,), "at": event.created_at}
            ending = _ended_by(event.type, event.data, ticket_of)
            if event.type == "queue_joined":
                if live is not None:
                    text = f"{user} joined with {event.data['queue_entry_id']} while {live} was live"
                    yield Violation(invariant="I1", text=text, **here)  # type: ignore[arg-type]
                live = event.data["queue_entry_id"]
            elif ending is not None:
                if ending in ended:
                    text = f"{user}'s ticket {ending} ended twice: {event.type} {event.seq}"
                    yield Violation(invariant="I3", text=text, **here)  # type: ignore[arg-type]
                ended.add(ending)
                live = None


def _ticket_of(evidence: Evidence, user: str) -> dict[str, str | None]:
    """Return what brought each match of a user about; before an arranged one its ticket ends, and says so."""
    seats = (seat for seat in evidence.rows.seats if seat.user == user)
    return {seat.match_id: seat.ticket_id for seat in seats} | dict.fromkeys(evidence.arranged)


def _ended_by(kind: str, data: dict[str, object], ticket_of: dict[str, str | None]) -> str | None:
    """Return the ticket that an event is the end of."""
    if kind == "queue_cancelled" or (kind == "match_cancelled" and not data["requeued"]):
        return data["queue_entry_id"]  # type: ignore[return-value]  # who plays by challenge may have none
    return ticket_of.get(str(data["match_id"])) if kind == "match_ready" else None


def none_is_lost(evidence: Evidence) -> Iterator[Violation]:
    """I3: what a client was told is accepted exists, and ended as the client was told, if at all."""
    for client in evidence.by_client:
        for at, ticket_id in _accepted(evidence, client):
            row = evidence.tickets.get(ticket_id)
            if row is None or row.user != client:
                text = f"{client}'s ticket {ticket_id} was accepted and does not exist"
                yield Violation(invariant="I3", text=text, who=(client,), at=at)
        yield from _ends_as_told(evidence, client)
    for ticket in evidence.rows.tickets:
        yield from _is_consistent(evidence, ticket)


def _accepted(evidence: Evidence, client: str) -> Iterator[tuple[float, str]]:
    for at, frame in evidence.told(client):
        if frame["type"] == "queue_joined":
            yield at, frame["data"]["queue_entry_id"]
    for seen in evidence.of(client, "response"):
        if seen.data["status"] == 201 and seen.data["path"] == "/matchmaking/queue":
            yield seen.at, seen.data["body"]["queue_entry_id"]


def _ends_as_told(evidence: Evidence, client: str) -> Iterator[Violation]:
    for at, frame in evidence.told(client):
        data = frame["data"]
        if frame["type"] == "queue_cancelled":
            row = evidence.tickets.get(data["queue_entry_id"])
            expected = (_STATUS_FOR[data["reason"]], data["reason"])
            if row is None or (row.status, row.reason or "timed_out") != expected:
                text = f"{client} was told {data['reason']} of {data['queue_entry_id']}, which is {row}"
                yield Violation(invariant="I3", text=text, who=(client,), at=at)
        elif frame["type"] == "match_ready":
            match = evidence.matches.get(data["match_id"])
            if match is None or match.confirmed_at is None:
                text = f"{client} was told that {data['match_id']} is ready, which is {match}"
                yield Violation(invariant="I3", text=text, who=(client,), at=at)


def _is_consistent(evidence: Evidence, ticket: TicketRow) -> Iterator[Violation]:
    wrong = ""
    if (ticket.status in _ENDED) != (ticket.ended_at is not None):
        wrong = f"is {ticket.status} with ended_at {ticket.ended_at}"
    elif ticket.status == "MATCHED" and not _is_confirmed(evidence, ticket.match_id):
        wrong = f"is MATCHED in {ticket.match_id}, which was never confirmed"
    elif ticket.status == "CANCELLED" and ticket.reason not in _STATUS_FOR:
        wrong = f"is CANCELLED for {ticket.reason!r}"
    elif ticket.reason == "user_request" and not _has_left(evidence, ticket):
        wrong = "was cancelled at its player's wish, who never asked"
    elif ticket.reason in {"declined", "staff"}:
        wrong = f"is cancelled for {ticket.reason}, and nobody did that"
    if wrong:
        text = f"{ticket.user}'s ticket {ticket.id} {wrong}"
        at = ticket.ended_at or ticket.queued_at
        yield Violation(invariant="I3", text=text, who=(ticket.user,), at=at)


def _is_confirmed(evidence: Evidence, match_id: str | None) -> bool:
    match = evidence.matches.get(match_id or "")
    return match is not None and match.confirmed_at is not None


def asked_to_leave_at(evidence: Evidence, user: str, begin: float, end: float) -> float | None:
    """Return when a client last asked to leave the queue, or let its party leave it, in an interval."""
    over_socket = (seen.at for seen in evidence.sent(user, "leave_queue"))
    over_rest = (seen.at for seen in evidence.of(user, "request") if _is_leaving(seen))
    return max((at for at in (*over_socket, *over_rest) if begin <= at <= end), default=None)


def _is_leaving(asked: Observation) -> bool:
    is_of_party = "/parties/" in asked.data["path"] and asked.data["path"].endswith(("/leave", "/kick"))
    return bool(asked.data["method"] == "DELETE" or is_of_party)


def _has_left(evidence: Evidence, ticket: TicketRow) -> bool:
    """Whether its player, or one of its party, asked for that, or left for a game that was arranged."""
    game = evidence.arranged.get(ticket.match_id or "")
    if game is not None and game.confirmed_at is not None and game.confirmed_at == ticket.ended_at:
        return True
    begin = ticket.queued_at - LEAVE_REACH_SECONDS
    end = (ticket.ended_at or 0) + CLOCK_SECONDS
    company = evidence.company_of(ticket)
    return any(asked_to_leave_at(evidence, mate.user, begin, end) is not None for mate in company)


def places_are_kept(evidence: Evidence) -> Iterator[Violation]:
    """I4: whoever looks at a ticket sees the time at which it was queued, whatever happened in between."""
    for client in evidence.by_client:
        first: dict[str, str] = {}
        for at, view in _views(evidence, client):
            joined = first.setdefault(view["queue_entry_id"], view["queued_at"])
            if view["queued_at"] != joined:
                text = f"{client}'s ticket {view['queue_entry_id']}: {joined} became {view['queued_at']}"
                yield Violation(invariant="I4", text=text, who=(client,), at=at)
    yield from _ranks_are_by_age(evidence)


def _views(evidence: Evidence, client: str) -> Iterator[tuple[float, dict[str, str]]]:
    """Yield a client's looks at its tickets, in the order in which it had them."""
    for seen in evidence.of(client, "received", "response"):
        candidates: Iterable[object]
        if seen.kind == "response":
            body = seen.data["body"] or {}
            candidates = (body, body.get("ticket")) if isinstance(body, dict) else ()
        else:
            data = seen.data["frame"]["data"]
            candidates = (data, data.get("ticket"), *(m["data"] for m in data.get("missed", ())))
        for view in candidates:
            if isinstance(view, dict) and "queued_at" in view:
                yield seen.at, view


def _ranks_are_by_age(evidence: Evidence) -> Iterator[Violation]:
    """What the players of a pool are told at one moment puts the older ticket before the younger one."""
    told: dict[tuple[str, str], set[tuple[int, float, str]]] = {}
    for client in evidence.by_client:
        for seen in evidence.received(client, "queue_update"):
            frame = seen.data["frame"]
            ticket = evidence.tickets.get(frame["data"]["queue_entry_id"])
            if ticket is not None:
                key = ticket.pool, frame["timestamp"]
                told.setdefault(key, set()).add((frame["data"]["position"], ticket.queued_at, ticket.id))
    for (pool, timestamp), ranks in told.items():
        in_order = [rank[1:] for rank in sorted(ranks)]
        if in_order != sorted(in_order) or len({rank[0] for rank in ranks}) != len(ranks):
            yield Violation(
                invariant="I4", text=f"ranks in {pool} at {timestamp} are not by age: {sorted(ranks)}"
            )
