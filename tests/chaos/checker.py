"""Judges a run: a history, and the rows in the end, become violations. Pure, and so tested itself."""

from collections.abc import Callable, Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.invariants import (
    challenges,
    events,
    liveness,
    matches,
    parties,
    presence,
    rollbacks,
    snapshots,
    tickets,
)

Invariant = Callable[[Evidence], Iterator[Violation]]

INVARIANTS: tuple[Invariant, ...] = (
    tickets.at_most_one,
    tickets.nobody_queues_and_plays,
    tickets.matched_out_of_the_queue,
    tickets.one_after_the_other,
    matches.confirmed_by_those_who_are_there,
    tickets.none_is_lost,
    tickets.places_are_kept,
    rollbacks.told_the_truth,
    rollbacks.in_time,
    rollbacks.heard_in_time,
    rollbacks.blame_is_just,
    presence.gone_are_put_out,
    presence.only_gone_are_put_out,
    matches.nobody_leaves_twice,
    matches.no_game_without_match,
    events.in_order,
    events.as_written,
    events.all_arrived,
    snapshots.restored_as_told,
    challenges.one_game_each,
    challenges.crossing_ones_end,
    challenges.answers_are_true,
    challenges.told_as_it_is,
    challenges.none_is_stuck,
    parties.tickets_end_together,
    parties.matches_have_whole_parties,
    parties.members_know,
    liveness.newcomers_meet,
    liveness.nothing_is_stuck,
)


def check(evidence: Evidence) -> list[Violation]:
    """Return all that is not as it must be."""
    return [violation for invariant in INVARIANTS for violation in invariant(evidence)]
