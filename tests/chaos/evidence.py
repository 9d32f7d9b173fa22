"""A run as the invariants look at it: who did what when, which faults were on, what is in the database."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tests.chaos.clocks import Clocks
from tests.chaos.history import HARNESS, NEMESIS, Data, Observation
from tests.chaos.rows import EventRow, MatchRow, Rows, SeatRow, TicketRow
from tests.chaos.tolerances import CLOCK_SECONDS

EXCERPT_BEFORE, EXCERPT_AFTER, EXCERPT_LINES = 4.0, 1.0, 30


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What was promised and is not so, with whose observations, around when, explain it."""

    invariant: str
    text: str
    who: tuple[str, ...] = ()
    at: float = 0

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the nemesis did, from when until when."""

    name: str
    targets: tuple[str, ...]
    began: float
    ended: float

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether it was on at any moment of an interval."""
        return self.began <= end and self.ended >= begin

    @property
    def group(self) -> str:
        """What kind of thing it struck."""
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Span:
    """One connection of one client: its number, which web process, from when until when."""

    number: int
    web: int
    opened: float
    closed: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The history and the rows, by whatever they are looked for."""

    observations: Sequence[Observation]
    rows: Rows
    clocks: Clocks = field(default_factory=Clocks)

    # --- the history

    @cached_property
    def by_client(self) -> Mapping[str, list[Observation]]:
        found: dict[str, list[Observation]] = {}
        for seen in self.observations:
            if seen.who not in {NEMESIS, HARNESS}:
                found.setdefault(seen.who, []).append(seen)
        return found

    def of(self, client: str, *kinds: str) -> Iterator[Observation]:
        """Yield what a client saw or did, of some kinds."""
        return (seen for seen in self.by_client.get(client, ()) if seen.kind in kinds)

    def sent(self, client: str, *types: str) -> Iterator[Observation]:
        """Yield the frames that a client sent."""
        return (seen for seen in self.of(client, "sent") if seen.data["frame"]["type"] in types)

    def received(self, client: str, *types: str) -> Iterator[Observation]:
        """Yield the frames that a client received on its matchmaking socket."""
        return (seen for seen in self.of(client, "received") if seen.data["frame"]["type"] in types)

    def told(self, client: str) -> Iterator[tuple[float, Data]]:
        """Yield when a client learned of each durable event, those among what it had missed included."""
        for seen in self.of(client, "received"):
            frame = seen.data["frame"]
            if frame["type"] == "state_restored":
                yield from ((seen.at, missed) for missed in frame["data"]["missed"])
            elif frame.get("seq") is not None:
                yield seen.at, frame

    @cached_property
    def ended_at(self) -> float:
        """When the last look was taken."""
        return self.observations[-1].at if self.observations else 0

    # --- what was wrong, and when

    @cached_property
    def faults(self) -> list[Fault]:
        begun = {seen.data["number"]: seen for seen in self.observations if seen.kind == "fault_began"}
        ended = {seen.data["number"]: seen.at for seen in self.observations if seen.kind == "fault_ended"}
        return [
            Fault(seen.data["fault"], tuple(seen.data["targets"]), seen.at, ended.get(number, math.inf))
            for number, seen in begun.items()
        ]

    @cached_property
    def _server_faults(self) -> list[Fault]:
        """Those faults that strike everybody; that the machine let something wait is one, too."""
        lags = [
            Fault("machine-starved", (), seen.at - seen.data["seconds"], seen.at)
            for seen in self.observations
            if seen.kind == "starved"
        ]
        return [fault for fault in self.faults if fault.group != "network"] + lags

    def server_faults(self, begin: float, end: float, *groups: str) -> list[Fault]:
        """Return the faults of servers that were on in an interval; of some groups, or of any."""
        return [
            fault
            for fault in sorted(self._server_faults, key=lambda fault: fault.began)
            if fault.overlaps(begin, end) and (not groups or fault.group in groups)
        ]

    def excused_until(self, due: float, *, slack: float, after_fault: float) -> float:
        """Return until when something due may come: ``slack`` later, or ``after_fault`` after the last fault.

        A fault counts that was on between the two, or that began before an earlier one's excuse was over.
        """
        limit = due + slack
        for fault in self.server_faults(due - slack, math.inf):
            if fault.began <= limit:
                limit = max(limit, fault.ended + after_fault)
        return limit

    def is_troubled(self, client: str, begin: float, end: float) -> bool:
        """Whether a client was frozen, or its network struck, at any moment of an interval."""
        struck = (f for f in self.faults if f.group == "network" and client in f.targets)
        return any(fault.overlaps(begin, end) for fault in struck) or any(
            froze <= end and thawed >= begin for froze, thawed in self._frozen.get(client, ())
        )

    @cached_property
    def _frozen(self) -> Mapping[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {}
        for client, observations in self.by_client.items():
            for seen in observations:
                if seen.kind in {"froze", "held"}:
                    found.setdefault(client, []).append((seen.at, math.inf))
                elif seen.kind == "thawed":
                    found[client][-1] = (found[client][-1][0], seen.at)
        return found

    @cached_property
    def spans(self) -> Mapping[str, list[Span]]:
        """The connections of each client; one is over when either end says so."""
        found: dict[str, list[Span]] = {}
        for client, observations in self.by_client.items():
            over: dict[int, float] = {}
            for seen in observations:
                if seen.kind in {"closed", "dropped", "closing", "gave_up"}:
                    over.setdefault(seen.data["conn"], seen.at)
            found[client] = [
                Span(seen.data["conn"], seen.data["web"], seen.at, over.get(seen.data["conn"], math.inf))
                for seen in observations
                if seen.kind == "opened"
            ]
        return found

    def span_over(self, client: str, begin: float, end: float) -> Span | None:
        """Return the connection that a client held all through an interval, if it held one."""
        return next((s for s in self.spans.get(client, ()) if s.opened <= begin and s.closed >= end), None)

    # --- the rows

    @cached_property
    def tickets(self) -> Mapping[str, TicketRow]:
        return {ticket.id: ticket for ticket in self.rows.tickets}

    @cached_property
    def companies(self) -> list[list[TicketRow]]:
        """The tickets by who queued together: those that a party got at once, and all others alone."""
        found: dict[tuple[str, float], list[TicketRow]] = {}
        for ticket in self.rows.tickets:
            found.setdefault((ticket.party or ticket.id, ticket.queued_at), []).append(ticket)
        return list(found.values())

    @cached_property
    def _company(self) -> Mapping[str, list[TicketRow]]:
        return {ticket.id: company for company in self.companies for ticket in company}

    def company_of(self, ticket: TicketRow) -> list[TicketRow]:
        """Return the tickets that a ticket waits together with, itself among them."""
        return self._company[ticket.id]

    @cached_property
    def matches(self) -> Mapping[str, MatchRow]:
        return {match.id: match for match in self.rows.matches}

    @cached_property
    def arranged(self) -> Mapping[str, MatchRow]:
        """The matches that come of challenges."""
        return {match.id: match for match in self.rows.matches if match.is_arranged}

    @cached_property
    def seats_of(self) -> Mapping[str, list[SeatRow]]:
        found: dict[str, list[SeatRow]] = {}
        for seat in self.rows.seats:
            found.setdefault(seat.match_id, []).append(seat)
        return found

    @cached_property
    def events_of(self) -> Mapping[str, list[EventRow]]:
        """The durable events of each player, in order."""
        found: dict[str, list[EventRow]] = {}
        for event in self.rows.events:
            if event.user:
                found.setdefault(event.user, []).append(event)
        return found

    # --- for the reader

    def excerpt(self, violation: Violation) -> list[Observation]:
        """Return the observations that explain a violation."""
        begin, end = violation.at - EXCERPT_BEFORE, violation.at + EXCERPT_AFTER + CLOCK_SECONDS
        concerned = {*violation.who, NEMESIS, HARNESS}
        near = [s for s in self.observations if begin <= s.at <= end and s.who in concerned]
        return near[-EXCERPT_LINES:]
