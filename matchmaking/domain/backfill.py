"""Who takes the place of a player that is gone from a running match.

A match that asks for somebody waits among the players, with a head start in age and no other privilege. It
takes the one that has waited longest of those who are left over by the round and fit. Where nobody is left
over, it takes one out of a match that was about to be made, if everybody in that one has come later than it:
so nobody who has waited longer is passed over for it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from matchmaking.domain.rules import Rule, fits

HEAD_START_SECONDS = 60
"""A running game cannot wait as long as a queue; ten times less than the highest priority of a player."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """A place in a running match: of how strong a player it was, how far that may be missed, who is there.

    ``mode`` and a candidate's ``modes`` are bits of the pool's modes.
    """

    id: UUID
    age_from: datetime
    rating: float
    window: float
    mode: int
    players: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who waits alone; ``would_meet`` is the age of the oldest in the match that it was chosen for.

    None: it is left over. ``foes`` are those whom it never meets.
    """

    ticket_id: UUID
    user_id: str
    age_from: datetime
    rating: float
    window: float
    max_gap: float
    modes: int
    foes: frozenset[str] = frozenset()
    would_meet: datetime | None = None


def filled(
    vacancies: Sequence[Vacancy], candidates: Sequence[Candidate], *, rule: Rule
) -> Mapping[UUID, Candidate]:
    """Return who takes which place, by the vacancy's id; both come oldest first."""
    taken: dict[UUID, Candidate] = {}
    gone: set[UUID] = set()
    for vacancy in vacancies:
        free = [one for one in candidates if one.ticket_id not in gone and _fits(vacancy, one, rule)]
        left_over = (one for one in free if one.would_meet is None)
        younger = (one for one in free if one.would_meet is not None and one.would_meet > vacancy.age_from)
        chosen = next(left_over, None) or next(younger, None)
        if chosen is not None:
            taken[vacancy.id] = chosen
            gone.add(chosen.ticket_id)
    return taken


def _fits(vacancy: Vacancy, candidate: Candidate, rule: Rule) -> bool:
    gap = abs(vacancy.rating - candidate.rating)
    return (
        fits(rule, gap, vacancy.window, candidate.window)
        and gap <= candidate.max_gap
        and vacancy.mode & candidate.modes != 0
        and candidate.user_id not in vacancy.players
        and not _are_foes(candidate.foes, vacancy.players)
    )


def _are_foes(foes: Collection[str], players: frozenset[str]) -> bool:
    return not players.isdisjoint(foes)
