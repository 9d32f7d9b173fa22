"""The model that test_machine compares the service with: what may come of what players did, who is told.

It takes times from the test, and reads nothing but what became of tickets and matches. A step has no instant
but a span: where a deadline lies inside of it, either outcome is right.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from hypothesis import currently_in_test_context, event

from matchmaking.models import Match, Ticket
from realtime.models import Event, GameSession, Stream

LEASES = {"reserved": 15, "verifying": 15, "creating": 15, "notifying": 17}
"""The stages, and how long each may last before a worker takes it up."""
SIT_OUT = (0, 0, 2, 4, 8, 16, 30)
REASONS = {  # what the causers are told, and the others
    "unreachable": ("you_unreachable", "opponent_unreachable"),
    "delivery_failed": ("delivery_failed", "delivery_failed"),
    "left": ("", "opponent_cancelled"),
    "game_service_unavailable": ("", "game_service_unavailable"),
    "staff": ("", "cancelled_by_staff"),
    "internal_error": ("", "internal_error"),
}
SLACK = 0.1
PATIENCE = 0.5
"""So late may an answer in time be written down: nobody is blamed before."""

SEEN: Counter[str] = Counter()
"""How often each turn of events was seen, in all runs."""

Told = tuple[str, str, str, str | None, bool | None]
"""Who was told, the event's type, the id that it is about, its reason, whether the ticket searches again."""


class Outcome(NamedTuple):
    """Where a match is: its stage, CONFIRMED or FINISHED, or the cause of its roll-back with the causers."""

    name: str
    causers: frozenset[str] = frozenset()


class Span(NamedTuple):
    """When something happened: between two times, in seconds since the machine began."""

    lo: float
    hi: float

    def plus(self, seconds: float) -> "Span":
        return Span(self.lo + seconds, self.hi + seconds)


NEVER = Span(-1e9, -1e9)


def past(since: Span, seconds: float, now: Span) -> bool | None:
    """Return whether so much time has passed; None where nobody can tell."""
    if now.lo - since.hi > seconds + SLACK:
        return True
    return False if now.hi - since.lo < seconds - SLACK else None


@dataclass(eq=False)
class Player:
    """A user's socket, its last sign of life, and when a web process that held its socket died."""

    socket: str = ""
    heard: Span = NEVER
    lost: Span | None = None


@dataclass(eq=False)
class Place:
    """A ticket that was accepted; ``free_from``: when it has sat out."""

    user: str
    queued_at: datetime
    joined: Span
    flagged: Span | None
    end: str = ""
    is_reserved: bool = False
    failures: int = 0
    free_from: Span = NEVER


@dataclass(eq=False)
class Pairing:
    """A match: what it has been answered, and who is not in its session since when."""

    users: Sequence[str]
    outcome: Outcome
    since: Span
    is_refused: bool = False
    given: dict[str, Span] = field(default_factory=dict)
    proofs: set[tuple[str, str]] = field(default_factory=set)
    away: dict[str, Span] = field(default_factory=dict)

    def answer(self, user: str, at: Span) -> None:
        """Take the answer to what this stage asks for; the first one counts."""
        if past(self.since, 2, self.given.setdefault(user, at)) is not True:
            self.proofs.add((self.outcome.name, user))

    def due(self, now: Span, kept_since: Span | None) -> set[Outcome] | None:
        """Return what may become of it when a worker looks at it ``now``; None: anything."""
        stage = self.outcome.name
        if (is_over := past(self.since, LEASES[stage], now)) is None:
            return None
        if is_over:
            return {Outcome("internal_error")}
        if stage == "reserved":
            is_taken_over = past(self.since, 0.5, now)
            return None if is_taken_over is None else {Outcome("verifying" if is_taken_over else "reserved")}
        return {self.outcome} if stage == "creating" else self._answered(stage, now, kept_since)

    def _answered(self, stage: str, now: Span, kept_since: Span | None) -> set[Outcome] | None:
        late = {u: past(self.since, 2, self.given[u]) if u in self.given else True for u in self.users}
        if None in late.values():
            return None
        if not any(late.values()):
            made = "game_service_unavailable" if self.is_refused else "notifying"
            return {Outcome(made if stage == "verifying" else "CONFIRMED")}
        is_time = past(self.since, 2, now)
        if is_time is None or past(self.since, 2 + PATIENCE, now) is not is_time or kept_since == self.since:
            return None
        if not is_time:
            return {self.outcome}
        if kept_since is None or kept_since.lo > self.since.lo:
            return {Outcome("internal_error")}
        cause = "unreachable" if stage == "verifying" else "delivery_failed"
        return {Outcome(cause, frozenset(user for user, is_late in late.items() if is_late))}


@dataclass(frozen=True)
class Deed:
    """A step, with those in whose name it was; if its worker has died, it may not have come so far.

    ``due`` says what may have become of a match that has not ended, ``stale`` who was silent for too long.
    """

    kind: str
    who: Sequence[str] = ()
    has_died: bool = False
    due: Callable[[Pairing, Span], set[Outcome] | None] = lambda pairing, _: {pairing.outcome}
    stale: Callable[[Place, Span], bool | None] = lambda _, __: False


class Model:
    """Tickets and matches as they were last seen, compared with each new look."""

    def __init__(self, users: Iterable[str]) -> None:
        self.players = {user: Player() for user in users}
        self.places: dict[UUID, Place] = {}
        self.pairings: dict[UUID, Pairing] = {}
        self.offset = timedelta()
        self.is_web_known = True
        self._numbers: dict[str, int] = {}
        self._newest = UUID(int=0)
        self._due: Counter[Told] = Counter()

    def place_of(self, user: str) -> Place | None:
        """Return the user's live ticket."""
        return next((p for p in self.places.values() if p.user == user and not p.end), None)

    def match_of(self, user: str, *names: str) -> tuple[UUID, Pairing] | None:
        """Return the match of a user that is in one of these states; without any, the match in flight."""
        mine = ((id_, p) for id_, p in self.pairings.items() if user in p.users)
        return next((each for each in mine if each[1].outcome.name in (names or LEASES)), None)

    def observe(self, deed: Deed, now: Span) -> None:
        """Look at what has become of everything, and compare."""
        tickets = list(Ticket.objects.order_by("age_from", "id"))
        matches = list(Match.objects.order_by("id").prefetch_related("players"))
        self._due.clear()
        for ticket in [ticket for ticket in tickets if ticket.id not in self.places]:
            self._joined(ticket, deed, now)
        assert self.pairings.keys() <= {match.id for match in matches}, "a match is lost"
        # Those that are new come last: who was rolled back in this step may be in one.
        for match in sorted(matches, key=lambda match: match.id not in self.pairings):
            (self._moved if match.id in self.pairings else self._reserved)(match, deed, now)
        assert self.places.keys() == {ticket.id for ticket in tickets}, "a ticket is lost"
        # A step rolls matches back before it confirms others, whose players still have a place then.
        live = {*Ticket.LIVE, Ticket.Status.MATCHED}
        by_age = [t.user_id for t in tickets if t.status in live and not self.places[t.id].end]
        for ticket in tickets:
            self._ended(ticket, deed, now)
        self._check_one_at_most(tickets, matches)
        if deed.kind in {"advance", "tick"} and not deed.has_died and self.is_web_known:
            free = [t for t in tickets if t.status == "SEARCHING" and t.unreachable_since is None]
            ready = [t.rating for t in free if past(self.places[t.id].free_from, 0, now)]
            assert len(ready) == len(set(ready)), f"who fit were not reserved at {now}: {free}"
        self._check_told(by_age, deed)

    # --- tickets

    def _joined(self, ticket: Ticket, deed: Deed, now: Span) -> None:
        assert (deed.kind, deed.who) == ("join", [ticket.user_id]), f"{ticket} out of nowhere"
        flagged = None if self.players[ticket.user_id].socket else now
        self.places[ticket.id] = Place(ticket.user_id, ticket.queued_at + self.offset, now, flagged)
        self._due[ticket.user_id, "queue_joined", str(ticket.id), None, None] += 1

    def _ended(self, ticket: Ticket, deed: Deed, now: Span) -> None:
        """Check I3, a ticket ends once and in a way that was due, and I4, it keeps its place."""
        place = self.places[ticket.id]
        assert ticket.queued_at == ticket.age_from == place.queued_at - self.offset, place
        end = "" if ticket.status in Ticket.LIVE else ticket.cancel_reason or ticket.status
        way, must = (place.end, True) if place.end else self._way_out(place, deed, now)
        assert end == way or (not end and not place.end and (not must or deed.has_died)), (
            f"{place} ended as {end!r}, not {way!r}, by {deed} at {now}"
        )
        if end and not place.end:
            note(f"ticket: {end}")
            if end != "MATCHED":
                self._due[place.user, "queue_cancelled", str(ticket.id), end, None] += 1
        if deed.kind == "tick" and not (deed.has_died or end or place.is_reserved) and place.flagged:
            is_back = past(place.flagged, 0, self.players[place.user].heard) is True
            assert not (is_back and ticket.unreachable_since), f"{place} is still flagged at {now}"
        place.end, place.is_reserved = end, ticket.status == "RESERVED"

    def _way_out(self, place: Place, deed: Deed, now: Span) -> tuple[str, bool]:
        """Return how a live ticket may have ended, and whether it must have."""
        if self.match_of(place.user, "CONFIRMED"):
            return "MATCHED", True
        if place.user in deed.who and deed.kind in {"leave", "staff"}:
            return {"leave": "user_request", "staff": "staff"}[deed.kind], True
        if (is_stale := deed.stale(place, now)) is not False:
            return "connection_timeout", bool(is_stale)
        is_old = past(place.joined, 600, now) if deed.kind == "tick" and not place.is_reserved else False
        return ("", False) if is_old is False else ("timed_out", bool(is_old))

    def _check_one_at_most(self, tickets: Sequence[Ticket], matches: Sequence[Match]) -> None:
        """Check I1: one live ticket and one match at most, which belong together."""
        live = {t.user_id: t for t in tickets if t.status in Ticket.LIVE}
        assert len(live) == sum(t.status in Ticket.LIVE for t in tickets)
        seats = {p.user_id: match for match in matches for p in match.players.all() if p.is_live}
        on = [match for match in matches if match.status in {"PROPOSED", "CONFIRMED"}]
        assert sorted(match.id for match in seats.values()) == sorted(match.id for match in on * 2)
        held = {user: match.id for user, match in seats.items() if match.status == "PROPOSED"}
        assert held == {user: t.match_id for user, t in live.items() if t.status == "RESERVED"}
        assert not live.keys() & (seats.keys() - held.keys()), "a ticket beside a match"

    # --- matches

    def _moved(self, match: Match, deed: Deed, now: Span) -> None:
        """Check that nothing became of a match but what was due."""
        pairing, outcome = self.pairings[match.id], _outcome(match)
        was = pairing.outcome
        due = deed.due(pairing, now) if was.name in {*LEASES, "CONFIRMED"} else {was}
        if due is not None and deed.has_died:
            due = {*due, was} | ({Outcome("creating")} if was.name == "verifying" else set())
        assert due is None or outcome in due, f"{pairing} became {outcome}, not {due}, by {deed} at {now}"
        if outcome == was:
            return
        note(f"{outcome.name} while {was.name}" if outcome.name in REASONS else f"match: {outcome.name}")
        pairing.outcome, pairing.since = outcome, now
        pairing.given.clear()
        if outcome.name == "CONFIRMED":
            pairing.away = dict.fromkeys(pairing.users, now)
            assert len(pairing.proofs) == 2 * len(pairing.users), f"I2: {pairing}"
        for user in pairing.users:
            self._tell(user, match.id, outcome)
            if outcome.name in REASONS:
                self._requeue(user, outcome, now)

    def _tell(self, user: str, match_id: UUID, outcome: Outcome) -> None:
        if kind := {"notifying": "match_found", "CONFIRMED": "match_ready"}.get(outcome.name):
            self._due[user, kind, str(match_id), None, None] += 1
        if outcome.name in REASONS and (reason := REASONS[outcome.name][user not in outcome.causers]):
            self._due[user, "match_cancelled", str(match_id), reason, True] += 1

    def _requeue(self, user: str, outcome: Outcome, now: Span) -> None:
        place = self.place_of(user)
        assert place is not None, f"{user} was in a match without a ticket"
        if outcome.name == "game_service_unavailable":
            place.free_from = now.plus(2)
        if user in outcome.causers:
            place.failures, place.flagged = place.failures + 1, now
            place.free_from = now.plus(SIT_OUT[min(place.failures, 6)])
        elif outcome.name in {"unreachable", "delivery_failed"}:
            place.failures = 0

    def _reserved(self, match: Match, deed: Deed, now: Span) -> None:
        """Check that nobody is in a new match who is not there, or sits out."""
        outcome = _outcome(match)
        assert deed.kind in {"advance", "tick"}, f"{match} out of nowhere"
        assert self.is_web_known, f"{match} in which nobody could be asked"
        assert outcome.name == "verifying" or (outcome.name == "reserved" and deed.has_died), outcome
        self.pairings[match.id] = Pairing([p.user_id for p in match.players.all()], outcome, now)
        for user in self.pairings[match.id].users:
            place = self.place_of(user)
            assert place is not None, f"{user} is in a match without a ticket"
            is_gone = place.flagged is not None and self.players[user].heard.hi < place.flagged.lo
            assert not is_gone, f"{place} reserved at {now}"
            assert past(place.free_from, 0, now) is not False, f"{place} reserved at {now}"

    # --- what players are told, and what is left behind

    def _check_told(self, by_age: list[str], deed: Deed) -> None:
        """Check I5: an event for each change, with the true reason, once, and with no number left out."""
        told: Counter[Told] = Counter()
        for e in Event.objects.filter(id__gt=self._newest).order_by("address", "seq"):
            assert e.seq == self._numbers.get(e.address, 0) + 1, f"a hole before {e}"
            self._numbers[e.address], self._newest = e.seq, max(e.id, self._newest)
            if e.address.startswith("player:"):
                data, user = json.loads(e.data), e.address.rpartition(":")[2]
                about = data["match_id" if e.type.startswith("match") else "queue_entry_id"]
                told[user, e.type, about, data.get("reason"), data.get("requeued")] += 1
                if e.type == "match_cancelled" and deed.kind not in {"sweep", "staff"}:
                    assert data["position"] == by_age.index(user) + 1, f"{user} is told {data}"
        assert told == self._due, f"told {told - self._due}, not {self._due - told}, by {deed}"
        assert dict(Stream.objects.values_list("address", "seq")) == self._numbers

    def check_nothing_is_left_behind(self, *, is_cancelled: bool) -> None:
        """Check I8 after a tick, and that all is pushed; ``is_cancelled``: no worker holds on to a game."""
        on = set(GameSession.objects.filter(finished_at=None).values_list("match_id", flat=True))
        for match_id, pairing in self.pairings.items():
            is_over = pairing.outcome.name in {*REASONS, "FINISHED"}
            assert match_id not in on or not is_over or not is_cancelled, f"a game of {pairing}"
            assert match_id in on or pairing.outcome.name != "CONFIRMED", f"no game of {pairing}"
        assert not Match.objects.filter(game_cancel_due=True).exists() or not is_cancelled


def _outcome(match: Match) -> Outcome:
    if match.status == "PROPOSED":
        return Outcome(match.stage)
    causers = frozenset(player.user_id for player in match.players.all() if player.is_cause)
    return Outcome(match.cancel_reason or match.status, causers)


def note(turn: str) -> None:
    """Count a turn of events."""
    SEEN[turn] += 1
    if currently_in_test_context():
        event(turn)
