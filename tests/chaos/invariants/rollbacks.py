"""I5: a match that comes to nothing is taken back in time, and everybody is told the truth about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.invariants.tickets import asked_to_leave_at
from tests.chaos.rows import EventRow, MatchRow, SeatRow, TicketRow
from tests.chaos.tolerances import (
    CLOCK_SECONDS,
    LOADED_SECONDS,
    PROMPT_SECONDS,
    RECOVERY_SECONDS,
    TRANSIT_SECONDS,
)

# cause: what the causer is told, what the others are told
_REASONS = {
    "unreachable": ("you_unreachable", "opponent_unreachable"),
    "delivery_failed": ("delivery_failed", "delivery_failed"),
    "left": (None, "opponent_cancelled"),
    "game_service_unavailable": ("game_service_unavailable", "game_service_unavailable"),
    "internal_error": ("internal_error", "internal_error"),
}


def told_the_truth(evidence: Evidence) -> Iterator[Violation]:
    """Each player is told once, by the table of reasons, with the true ``requeued``."""
    told: dict[tuple[str, str], list[EventRow]] = {}
    for user, events in evidence.events_of.items():
        for event in events:
            if event.type == "match_cancelled":
                told.setdefault((user, event.data["match_id"]), []).append(event)
    for match in _rolled_back(evidence):
        for seat in evidence.seats_of.get(match.id, ()):
            yield from _told_once(evidence, match, seat, told.pop((seat.user, match.id), []))
    for (user, match_id), events in told.items():
        text = f"{user} was told that {match_id} is off, which it is not"
        yield Violation(invariant="I5", text=text, who=(user,), at=events[0].created_at)


def _rolled_back(evidence: Evidence) -> Iterator[MatchRow]:
    return (match for match in evidence.rows.matches if match.status == "CANCELLED")


def _told_once(
    evidence: Evidence, match: MatchRow, seat: SeatRow, events: list[EventRow]
) -> Iterator[Violation]:
    ticket = evidence.tickets.get(seat.ticket_id or "")
    ended_here = _left_with(ticket, match)
    allowed = {reason for reason in _REASONS.get(match.cause, ()) if reason is not None}
    wrong = ""
    if not events and not ended_here:
        wrong = "was not told of it"
    elif len(events) > 1:
        wrong = f"was told {len(events)} times"
    elif events and events[0].data["reason"] not in allowed:
        wrong = f"was told {events[0].data['reason']}"
    elif events and events[0].data["requeued"] != (ticket is not None and not ended_here):
        wrong = f"was told requeued {events[0].data['requeued']}, and its ticket is {ticket}"
    if wrong:
        text = f"{seat.user} {wrong}: match {match.id} was rolled back for {match.cause}"
        yield Violation(invariant="I5", text=text, who=(seat.user,), at=match.finished_at or 0)


@dataclass(frozen=True, slots=True)
class Promptness:
    """How something that was due came: ``strict`` where no fault excuses its coming later."""

    due: float
    came: float
    limit: float
    strict: bool

    @property
    def seconds(self) -> float:
        """How long it took; what was there before it was due took no time."""
        return max(self.came - self.due, 0.0)


def _promptness(evidence: Evidence, due: float, came: float) -> Promptness:
    prompt = PROMPT_SECONDS + LOADED_SECONDS
    limit = evidence.excused_until(due, slack=prompt, after_fault=RECOVERY_SECONDS + LOADED_SECONDS)
    return Promptness(due, came, limit, strict=limit == due + prompt)


def roll_backs(evidence: Evidence) -> Iterator[tuple[MatchRow, Promptness]]:
    """Yield how soon after its cause each match was rolled back, where the rows tell the cause's time."""
    for match in _rolled_back(evidence):
        due, finished = _due(evidence, match), match.finished_at
        if due is not None and finished is not None:
            yield match, _promptness(evidence, due, finished)


def in_time(evidence: Evidence) -> Iterator[Violation]:
    """The roll-back comes within a second of its cause, or within two of the return of what is needed."""
    for match, prompt in roll_backs(evidence):
        if prompt.came > prompt.limit:
            text = (
                f"match {match.id} ({match.cause}) was due to be rolled back at {prompt.due:.3f}, and was at"
                f" {prompt.came:.3f}, {prompt.came - prompt.limit:.3f} s too late"
            )
            yield Violation(invariant="I5", text=text, who=_users(evidence, match), at=prompt.came)


def _due(evidence: Evidence, match: MatchRow) -> float | None:
    """Return when the cause of a roll-back was there; None where the rows do not tell."""
    match match.cause:
        case "unreachable" | "delivery_failed":
            return match.deadline
        case "internal_error":
            return match.lease_until
        case "left":
            return _left_at(evidence, match)
        case _:
            return None


def _left_at(evidence: Evidence, match: MatchRow) -> float | None:
    """Return when the word of the one who left was at the server, if its network was sound."""
    finished = match.finished_at or 0
    for seat in evidence.seats_of.get(match.id, ()):
        ticket = evidence.tickets.get(seat.ticket_id or "")
        if _left_with(ticket, match):
            asked = asked_to_leave_at(evidence, seat.user, match.created_at, finished + CLOCK_SECONDS)
            if asked is not None and not evidence.is_troubled(seat.user, asked, finished):
                return asked
    return None


def hearings(evidence: Evidence) -> Iterator[tuple[EventRow, Promptness]]:
    """Yield how soon each roll-back was heard of by those who were connected, awake, and well connected."""
    for user, events in evidence.events_of.items():
        known = {frame["seq"]: at for at, frame in reversed(list(evidence.told(user)))}
        for event in events:
            if event.type == "match_cancelled":
                prompt = _promptness(evidence, event.created_at, known.get(event.seq, math.inf))
                if _could_hear(evidence, user, event.created_at - TRANSIT_SECONDS, prompt.limit):
                    yield event, prompt


def _could_hear(evidence: Evidence, user: str, begin: float, end: float) -> bool:
    is_there = evidence.span_over(user, begin, end) is not None and end <= evidence.ended_at
    return is_there and not evidence.is_troubled(user, begin, end)


def heard_in_time(evidence: Evidence) -> Iterator[Violation]:
    """Whoever is connected and awake hears of the roll-back as promptly."""
    for event, prompt in hearings(evidence):
        if prompt.came > prompt.limit:
            text = (
                f"{event.user} was connected all the time, and heard of match_cancelled"
                f" ({event.data['reason']}) of {prompt.due:.3f} at {prompt.came:.3f},"
                f" due by {prompt.limit:.3f}"
            )
            yield Violation(invariant="I5", text=text, who=(event.user,), at=prompt.due)


# --- who is blamed


def blame_is_just(evidence: Evidence) -> Iterator[Violation]:
    """Nobody is blamed who answered in time over a sound connection; nobody leaves who did not ask."""
    for match in _rolled_back(evidence):
        if match.cause == "unreachable":
            yield from _silent_were_silent(evidence, match)
        elif match.cause == "delivery_failed":
            yield from _someone_lost_it(evidence, match)
        elif match.cause == "left" and not _somebody_left(evidence, match):
            text = f"match {match.id} was rolled back since a player left, and none did"
            yield Violation(invariant="I5", text=text, who=_users(evidence, match), at=match.finished_at or 0)


def _silent_were_silent(evidence: Evidence, match: MatchRow) -> Iterator[Violation]:
    for seat in evidence.seats_of.get(match.id, ()):
        told = (e for e in evidence.events_of.get(seat.user, ()) if e.type == "match_cancelled")
        blamed = any(e.data["reason"] == "you_unreachable" for e in told if e.data["match_id"] == match.id)
        at = _answered_at(evidence, seat, "pong", "nonce", seat.nonce)
        if blamed and _is_sound(evidence, seat.user, at, match.deadline):
            text = (
                f"{seat.user} answered the ping of match {match.id} at {at:.3f}, before {match.deadline:.3f},"
                " and was blamed"
            )
            yield Violation(invariant="I5", text=text, who=(seat.user,), at=match.deadline)


def _someone_lost_it(evidence: Evidence, match: MatchRow) -> Iterator[Violation]:
    answers = [
        (seat.user, _answered_at(evidence, seat, "ack", "id", seat.found_id or ""))
        for seat in evidence.seats_of.get(match.id, ())
    ]
    if all(_is_sound(evidence, user, at, match.deadline) for user, at in answers):
        text = (
            f"all acknowledged match {match.id} before {match.deadline:.3f}, and delivery_failed: {answers}"
        )
        yield Violation(invariant="I5", text=text, who=_users(evidence, match), at=match.deadline)


def _answered_at(evidence: Evidence, seat: SeatRow, answer: str, name: str, token: str) -> float | None:
    sent = (s.at for s in evidence.sent(seat.user, answer) if s.data["frame"]["data"][name] == token)
    return min(sent, default=None)


def _is_sound(evidence: Evidence, user: str, at: float | None, deadline: float) -> bool:
    """Whether what a client sent at a time must have been at its web process by the deadline."""
    if at is None or at > deadline - TRANSIT_SECONDS:
        return False
    arrived = at + TRANSIT_SECONDS
    return (
        evidence.span_over(user, at, deadline) is not None
        and not evidence.is_troubled(user, at - TRANSIT_SECONDS, arrived)
        and not evidence.server_faults(at - TRANSIT_SECONDS, deadline, "web", "machine")
    )


def _somebody_left(evidence: Evidence, match: MatchRow) -> bool:
    held = (evidence.tickets.get(seat.ticket_id or "") for seat in evidence.seats_of.get(match.id, ()))
    return any(_left_with(ticket, match) for ticket in held)


def _left_with(ticket: TicketRow | None, match: MatchRow) -> bool:
    """Whether it was by this ticket's leaving that a match was rolled back."""
    return ticket is not None and ticket.reason == "user_request" and ticket.ended_at == match.finished_at


def _users(evidence: Evidence, match: MatchRow) -> tuple[str, ...]:
    return tuple(seat.user for seat in evidence.seats_of.get(match.id, ()))
