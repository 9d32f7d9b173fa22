"""Liveness: after the last fault all goes on, and nothing is stuck."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.rows import TicketRow
from tests.chaos.tolerances import LOADED_SECONDS, MATCHED_SECONDS

STUCK_SECONDS = 5.0
"""Whoever may be paired, and has been for so long, is stuck."""


def newcomers_meet(evidence: Evidence) -> Iterator[Violation]:
    """Fresh pairs are matched within five seconds of the last fault, one pair after the other."""
    began: dict[int, float] = {}
    for seen in evidence.observations:
        if seen.kind == "probe_began":
            began[seen.data["pair"]] = seen.at
        elif seen.kind == "probe_ended":
            started, patience = began[seen.data["pair"]], MATCHED_SECONDS + LOADED_SECONDS
            limit = evidence.excused_until(started, slack=patience, after_fault=patience)
            if not seen.data["matched"] or seen.at > limit:
                outcome = f"after {seen.at - started:.3f} s" if seen.data["matched"] else "never"
                who = tuple(f"probe-{seen.data['pair']}{letter}" for letter in "ab")
                text = f"the pair {', '.join(who)} was matched {outcome}"
                yield Violation(invariant="liveness", text=text, who=who, at=seen.at)


def nothing_is_stuck(evidence: Evidence) -> Iterator[Violation]:
    """In the end no match is in flight past its lease, and no two players wait for each other."""
    end = evidence.ended_at
    for match in evidence.rows.matches:
        if match.status in {"PROPOSED", "AWAITING_ACCEPTANCE"} and match.lease_until < end - STUCK_SECONDS:
            text = f"match {match.id} of {match.created_at:.3f} is still {match.status}"
            yield Violation(invariant="liveness", text=text, at=match.created_at)
    waiting: dict[str, list[TicketRow]] = {}
    for company in evidence.companies:
        if all(t.status == "SEARCHING" and _may_be_paired(evidence, t, end) for t in company):
            waiting.setdefault(company[0].pool, []).extend(company)
    for pool, tickets in waiting.items():
        # Of so many a match can always be made, whatever parties of at most a team's size they are in.
        if len(tickets) >= tickets[0].needed:
            who = tuple(ticket.user for ticket in tickets)
            yield Violation(
                invariant="liveness", text=f"in {pool} {who} wait for each other", who=who, at=end
            )


def _may_be_paired(evidence: Evidence, ticket: TicketRow, end: float) -> bool:
    since = end - STUCK_SECONDS
    return (
        max(ticket.queued_at, ticket.not_before or 0) < since
        and evidence.span_over(ticket.user, since, end) is not None
        and not evidence.is_troubled(ticket.user, since, end)
    )
