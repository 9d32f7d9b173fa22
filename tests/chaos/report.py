"""What a run comes to, for people and for machines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.invariants import rollbacks
from tests.chaos.invariants.rollbacks import Promptness


def summary(evidence: Evidence, violations: list[Violation], *, seed: int) -> dict[str, Any]:
    """Return the figures of a run."""
    kinds = Counter(seen.kind for seen in evidence.observations)
    matches, tickets = evidence.rows.matches, evidence.rows.tickets
    return {
        "seed": seed,
        "seconds": round(evidence.ended_at, 1),
        "clients": len(evidence.by_client),
        "faults": dict(Counter(fault.name for fault in evidence.faults)),
        "connections": kinds["opened"],
        "frames": kinds["received"],
        "joins": len(tickets),
        "tickets": dict(Counter(_words(t.status, t.reason) for t in tickets)),
        "confirmed": sum(match.confirmed_at is not None for match in matches),
        **_in_company(evidence),
        "rolled_back": dict(Counter(match.cause for match in matches if match.status == "CANCELLED")),
        "roll_back_seconds": _delays(prompt for _, prompt in rollbacks.roll_backs(evidence)),
        "heard_seconds": _delays(prompt for _, prompt in rollbacks.hearings(evidence)),
        "put_out": sum(ticket.reason == "connection_timeout" for ticket in tickets),
        "starved_seconds": round(
            sum(s.data["seconds"] for s in evidence.observations if s.kind == "starved"), 1
        ),
        "did_not_end": [s.data["name"] for s in evidence.observations if s.kind == "did_not_end"],
        "tasks_too_late": next((s.data for s in evidence.observations if s.kind == "discarded"), {}),
        "violations": dict(Counter(violation.invariant for violation in violations)),
    }


def _delays(measured: Iterable[Promptness]) -> dict[str, float]:
    """Return how many were measured, how many of them in times without faults, and how long those took."""
    all_of_them = list(measured)
    strict = sorted(prompt.seconds for prompt in all_of_them if prompt.strict)
    found: dict[str, float] = {"measured": len(all_of_them), "undisturbed": len(strict)}
    if strict:
        found |= {"median": round(strict[len(strict) // 2], 3), "longest": round(strict[-1], 3)}
    return found


def _in_company(evidence: Evidence) -> dict[str, Any]:
    """Return the figures of those who play by challenge or in parties."""
    confirmed = [match for match in evidence.rows.matches if match.confirmed_at is not None]
    return {
        "arranged": sum(match.is_arranged for match in confirmed),
        "of_teams": sum(match.team_size > 1 for match in confirmed),
        "parties_matched": sum(len(c) > 1 and c[0].status == "MATCHED" for c in evidence.companies),
        "challenges": dict(Counter(challenge.status for challenge in evidence.rows.challenges)),
        "accepts": dict(Counter(_answers(evidence))),
    }


def _answers(evidence: Evidence) -> Iterator[str]:
    """Yield how each acceptance of a challenge was answered."""
    for seen in evidence.observations:
        if seen.kind == "response" and seen.data["path"].endswith("/accept"):
            yield (seen.data["body"] or {}).get("code") or str(seen.data["status"])


def _words(status: str, reason: str | None) -> str:
    return f"{status} {reason}" if reason else status


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures for people."""
    return [f"{name:<17} {_text(value)}" for name, value in figures.items()]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return str(value)


def explained(evidence: Evidence, violation: Violation) -> list[str]:
    """Return a violation with the observations around it."""
    shown = [f"    {str(seen)[:400]}" for seen in evidence.excerpt(violation)]
    return [str(violation), *shown]
