"""I2, I8: a match is confirmed by those who were there, and no game outlives a match that is not."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Observation
from tests.chaos.rows import MatchRow, SeatRow
from tests.chaos.tolerances import CLOCK_SECONDS


def confirmed_by_those_who_are_there(evidence: Evidence) -> Iterator[Violation]:
    """I2: each player of a confirmed match had answered its ping and acknowledged its ``match_found``."""
    for match in evidence.rows.matches:
        if match.status in {"CONFIRMED", "FINISHED"} and match.confirmed_at is None:
            yield Violation(invariant="I2", text=f"{match.status} {match.id} was never confirmed")
        if match.confirmed_at is not None:
            for seat in evidence.seats_of.get(match.id, ()):
                yield from _took_part(evidence, match, seat, match.confirmed_at)


def _took_part(
    evidence: Evidence, match: MatchRow, seat: SeatRow, confirmed_at: float
) -> Iterator[Violation]:
    owed = (
        ("pong", "nonce", seat.nonce, _pings(evidence, seat)),
        ("ack", "id", seat.found_id, _founds(evidence, seat)),
    )
    for answer, name, token, asked in owed:
        answered = [s.at for s in evidence.sent(seat.user, answer) if s.data["frame"]["data"][name] == token]
        wrong = ""
        if not answered or min(answered) > confirmed_at + CLOCK_SECONDS:
            wrong = f"without {seat.user}'s {answer}"
        elif not asked or min(asked) > min(answered):
            wrong = f"on an {answer} of {seat.user} to nothing that it had received"
        if wrong:
            text = f"match {match.id} was confirmed at {confirmed_at:.3f} {wrong}"
            yield Violation(invariant="I2", text=text, who=(seat.user,), at=confirmed_at)


def _pings(evidence: Evidence, seat: SeatRow) -> list[float]:
    return [s.at for s in evidence.received(seat.user, "ping") if _frame_data(s)["nonce"] == seat.nonce]


def _founds(evidence: Evidence, seat: SeatRow) -> list[float]:
    return [
        at
        for at, frame in evidence.told(seat.user)
        if frame["type"] == "match_found" and frame["id"] == seat.found_id
    ]


def _frame_data(seen: Observation) -> dict[str, str]:
    data: dict[str, str] = seen.data["frame"]["data"]
    return data


def no_game_without_match(evidence: Evidence) -> Iterator[Violation]:
    """I8: in the end every game belongs to a match that was confirmed, or is cancelled."""
    for match in evidence.rows.matches:
        if match.cancel_due:
            yield Violation(invariant="I8", text=f"the game of match {match.id} is still to be cancelled")
    for session in evidence.rows.sessions:
        owner = evidence.matches.get(session.match_id or "")
        if (owner is None or owner.status in {"CANCELLED", "FINISHED"}) and session.finished_at is None:
            text = f"room {session.id} is open, and its match is {owner.status if owner else 'missing'}"
            yield Violation(invariant="I8", text=text)
    for game in evidence.rows.games:
        owner = evidence.matches.get(game.match_id)
        is_on = owner is not None and owner.status in {"CONFIRMED", "FINISHED"}
        if not is_on and game.state != "cancelled":
            what = owner.status if owner else "missing"
            text = f"the game of match {game.match_id} is {game.state}, the match is {what}"
            yield Violation(invariant="I8", text=text)


def nobody_leaves_twice(evidence: Evidence) -> Iterator[Violation]:
    """I7: ``participant_left`` is said once of each participant."""
    said: set[str] = set()
    for event in evidence.rows.events:
        if event.type == "participant_left":
            participant = event.data["participant_id"]
            if participant in said:
                yield Violation(
                    invariant="I7", text=f"participant {participant} left twice", at=event.created_at
                )
            said.add(participant)
