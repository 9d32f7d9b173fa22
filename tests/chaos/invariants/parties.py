"""I11: the members of a party wait, meet and end together; and a match has its sizes, to the player."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.mirror import member_ids
from tests.chaos.rows import MatchRow, TicketRow


def tickets_end_together(evidence: Evidence) -> Iterator[Violation]:
    """The tickets that a party got at once are all where any of them is, for the same reason."""
    for mates in evidence.companies:
        if len({_fate(ticket) for ticket in mates}) > 1:
            who = tuple(ticket.user for ticket in mates)
            fates = ", ".join(f"{ticket.user} {_fate(ticket)}" for ticket in mates)
            at = max(ticket.ended_at or ticket.queued_at for ticket in mates)
            text = f"the party {mates[0].party} does not wait as one: {fates}"
            yield Violation(invariant="I11", text=text, who=who, at=at)


def _fate(ticket: TicketRow) -> tuple[object, ...]:
    return ticket.status, ticket.reason, ticket.ended_at, ticket.match_id


def matches_have_whole_parties(evidence: Evidence) -> Iterator[Violation]:
    """Each team has its size, and whoever brings a party brings all of it, into one team."""
    for match in evidence.rows.matches:
        seats = evidence.seats_of.get(match.id, [])
        sizes = Counter(seat.team for seat in seats)
        if sizes != dict.fromkeys(range(1, match.teams + 1), match.team_size):
            yield _violation(evidence, match, f"has teams of {dict(sizes)}")
        team_of = {seat.ticket_id: seat.team for seat in seats}
        for ticket in (evidence.tickets.get(ticket_id or "") for ticket_id in team_of):
            teams = {team_of.get(mate.id) for mate in evidence.company_of(ticket)} if ticket else set()
            if ticket and len(teams) > 1:
                yield _violation(evidence, match, f"has {ticket.user}'s party in {teams}")


def _violation(evidence: Evidence, match: MatchRow, wrong: str) -> Violation:
    who = tuple(seat.user for seat in evidence.seats_of.get(match.id, ()))
    text = f"match {match.id} of {', '.join(who)} {wrong}"
    return Violation(invariant="I11", text=text, who=who, at=match.created_at)


def members_know(evidence: Evidence) -> Iterator[Violation]:
    """What each member was told last of its party is how it is."""
    for party in evidence.rows.parties:
        for user in party.members:
            told = [e for e in evidence.events_of.get(user, ()) if e.type == "party_updated"]
            last = told[-1].data if told else None
            if last is None or _who(last) != (party.id, party.leader, list(party.members)):
                text = f"{user} is in {party}, and was told last {last}"
                at = told[-1].created_at if told else 0
                yield Violation(invariant="I11", text=text, who=(user,), at=at)


def _who(told: dict[str, object]) -> tuple[object, object, list[str]]:
    return told["party_id"], told["leader"], member_ids(told)
