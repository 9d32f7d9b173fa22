"""Recorded or made-up arrivals, run through the real rule and the real pairing core.

At each round, who has come and has neither been matched nor left is paired as the running service does: in
the age order, with the windows, regions and conflicts of that moment. Rounds that can find nothing are left
out, see `horizon`. What the service does beyond that is not played: questions, roll-backs, games.

Nobody waits twice: a ticket that comes while its player still waits is left out, as the service refuses it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from matchmaking.domain.pairing import pair
from matchmaking.domain.pool_rules import PoolRules, open_regions, region_bits
from matchmaking.simulation.conflicts import Acquaintances
from matchmaking.simulation.fairness import passed_over
from matchmaking.simulation.horizon import Horizon
from matchmaking.simulation.outcome import Outcome, larger_latency_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from matchmaking.domain.rules import Rule
    from matchmaking.simulation.arrivals import Arrivals

MICROSECONDS: Final = 1_000_000
_NOBODY: Final = -1
_NEVER_US: Final = 2.0**62
_CELLS_FORESEEN: Final = 100_000
"""Beyond so many pairs it costs more to foresee the next round than to run it."""
_ROUNDS_BETWEEN_PROGRESS: Final = 500


def simulate(
    arrivals: Arrivals,
    rules: PoolRules,
    *,
    max_queue_seconds: float,
    tick_seconds: float = 1.0,
    rounds_at: Sequence[float] | None = None,
    check_every: int = 20,
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Return who meets whom, and when.

    max_queue_seconds  after so long a ticket times out
    tick_seconds       the time between two rounds; the service has one when somebody comes, too, so that the
                       waits told here are up to this much longer
    rounds_at          the seconds of the rounds instead, ascending; who waits after the last has no match
    check_every        of so many rounds in which somebody was paired, one is tested for fairness
    progress           is told now and then how much is done, from 0 to 1

    Raises ValueError for durations that are not more than 0 and rounds that are not ascending.
    """
    if not (tick_seconds > 0 and max_queue_seconds > 0):
        raise ValueError("tick_seconds and max_queue_seconds must be more than 0")
    run = _Run(arrivals, rules, max_queue_seconds=max_queue_seconds, check_every=check_every)
    rounds = run.rounds_every(tick_seconds) if rounds_at is None else [_us(second) for second in rounds_at]
    if rounds_at is not None and sorted(rounds) != rounds:
        raise ValueError("rounds_at must be ascending")
    index, done = 0, 0
    while index < len(rounds):
        run.round(rounds[index])
        done += 1
        if progress is not None and done % _ROUNDS_BETWEEN_PROGRESS == 0:
            progress(run.share_admitted())
        index = max(bisect_left(rounds, run.next_us()), index + 1)
    return run.outcome()


def _us(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


class _Columns(TypedDict):
    rating: NDArray[np.float64]
    radius: NDArray[np.float64]
    regions: NDArray[np.uint64]
    conflicts: dict[int, set[int]]
    rule: Rule
    max_gap: NDArray[np.float64] | None


class _Run:
    """The state between two rounds. A ticket is its age rank; times are whole microseconds."""

    def __init__(
        self, arrivals: Arrivals, rules: PoolRules, *, max_queue_seconds: float, check_every: int
    ) -> None:
        self._arrivals, self._rules, self._check_every = arrivals, rules, check_every
        arrived_us = np.rint(arrivals.arrived_at * MICROSECONDS).astype(np.int64)
        # Stable: of the same age the lower id comes first.
        self._order = np.argsort(arrived_us - arrivals.priority_seconds * MICROSECONDS, kind="stable")
        self._arrived_us = arrived_us[self._order]
        self._stays_us = self._stays(max_queue_seconds)
        self._gone_us = self._arrived_us + self._stays_us
        self._has_time_out = self._stays_us >= _us(max_queue_seconds)
        self._rating = arrivals.rating[self._order].astype(np.float64)
        self._latencies_ms, self._modes = arrivals.latencies_ms[self._order], arrivals.modes[self._order]
        self._max_gap = arrivals.max_gap[self._order]
        self._is_limited = bool(np.isfinite(self._max_gap).any())
        self._horizon = self._foreseen()
        self._known = Acquaintances(arrivals, self._order, rules.avoidance)
        self._coming = np.argsort(self._arrived_us, kind="stable")
        self._coming_us: list[int] = self._arrived_us[self._coming].tolist()
        self._admitted = 0
        n = len(arrivals)
        self._waiting = np.empty(0, dtype=np.int64)
        self._due_us = np.full(n, _NEVER_US, dtype=np.float64)
        self._mate, self._matched_us = np.full(n, _NOBODY), np.full(n, _NOBODY)
        self._is_left_out = np.zeros(n, dtype=bool)
        self._pairings = self._checked = self._passed_over = 0

    def _stays(self, max_queue_seconds: float) -> NDArray[np.int64]:
        leaves_after = np.minimum(self._arrivals.leaves_after, max_queue_seconds)[self._order]
        return np.asarray(np.rint(leaves_after * MICROSECONDS), dtype=np.int64)

    def _foreseen(self) -> Horizon:
        return Horizon(
            self._rules,
            arrived_us=self._arrived_us,
            rating=self._rating,
            max_gap=self._max_gap,
            modes=self._modes,
            latencies_ms=self._latencies_ms,
            mode_count=self._arrivals.mode_count,
        )

    # --- when

    def rounds_every(self, tick_seconds: float) -> range:
        """Return rounds from the first arrival on, until the last ticket is gone."""
        if not self._coming_us:
            return range(0)
        step = max(_us(tick_seconds), 1)
        first = self._coming_us[0] // step * step
        return range(first, int(self._gone_us.max()) + step, step)

    def next_us(self) -> int:
        """Return before when no round can find anything; far off when nobody is left."""
        comes = self._coming_us[self._admitted] if self._admitted < len(self._coming_us) else int(_NEVER_US)
        if len(self._waiting) < 2:
            return comes
        return min(comes, int(self._due_us[self._waiting].min()))

    def share_admitted(self) -> float:
        """Return how many have come, from 0 to 1."""
        return self._admitted / max(len(self._coming_us), 1)

    # --- one round

    def round(self, now_us: int) -> None:
        """Admit who has come, let go who has left, and pair who waits."""
        new = self._admit(now_us)
        if new:
            self._waiting = np.sort(np.concatenate((self._waiting, new)))
        self._let_go(now_us)
        if new:
            self._foresee(np.array(new, dtype=np.int64))
        due = self._waiting[self._due_us[self._waiting] <= now_us]
        # Nobody else fits anybody yet: they make no difference to the core, and cost it time.
        if len(due) > 1:
            self._pair(due, now_us)
        if len(due):
            left = due[self._mate[due] == _NOBODY]
            self._due_us[left] = _NEVER_US
            self._foresee(left)

    def _admit(self, now_us: int) -> list[int]:
        """Return the tickets that came since the last round and may wait."""
        new: list[int] = []
        while self._admitted < len(self._coming_us) and self._coming_us[self._admitted] <= now_us:
            ticket = int(self._coming[self._admitted])
            self._admitted += 1
            before = self._known.ticket_of(ticket)
            if before is not None and self._gone_us[before] > self._arrived_us[ticket]:
                self._is_left_out[ticket] = True
            else:
                self._known.admit(ticket, now_us)
                new.append(ticket)
        return new

    def _let_go(self, now_us: int) -> None:
        is_gone = self._gone_us[self._waiting] <= now_us
        if is_gone.any():
            self._known.leave(self._waiting[is_gone].tolist())
            self._waiting = self._waiting[~is_gone]

    def _foresee(self, some: NDArray[np.int64]) -> None:
        """Note when each of these may first fit somebody who waits, and the others each of these."""
        others = self._waiting
        if not len(some) or not len(others):
            return
        if len(some) * len(others) > _CELLS_FORESEEN:
            self._due_us[others] = 0
            return
        first_us = self._horizon.first_fit(some, others)
        self._known.put_off(first_us, some, others)
        self._due_us[some] = np.minimum(self._due_us[some], first_us.min(axis=1))
        self._due_us[others] = np.minimum(self._due_us[others], first_us.min(axis=0))

    def _pair(self, due: NDArray[np.int64], now_us: int) -> None:
        columns = self._columns(due, now_us)
        found = pair(**columns)
        self._pairings += 1
        one, other = due[found[:, 0]], due[found[:, 1]]
        if self._check_every and self._pairings % self._check_every == 1 % self._check_every:
            self._check(one, other, now_us)
        self._mate[one], self._mate[other] = other, one
        self._matched_us[one] = self._matched_us[other] = now_us
        self._known.meet(one.tolist(), other.tolist(), now_us)
        self._waiting = self._waiting[self._mate[self._waiting] == _NOBODY]

    def _columns(self, tickets: NDArray[np.int64], now_us: int) -> _Columns:
        """Return what the core asks for, as the running service has it at this moment."""
        waited = (now_us - self._arrived_us[tickets]) / MICROSECONDS
        regions = open_regions(self._latencies_ms[tickets], self._rules.latency.limits_ms(waited))
        return {
            "rating": self._rating[tickets],
            "radius": self._rules.window.windows(waited),
            "regions": region_bits(regions, self._modes[tickets], mode_count=self._arrivals.mode_count),
            "conflicts": self._known.in_force(tickets, now_us),
            "rule": self._rules.window.rule,
            "max_gap": self._max_gap[tickets] if self._is_limited else None,
        }

    def _check(self, one: NDArray[np.int64], other: NDArray[np.int64], now_us: int) -> None:
        """Test the promise over all who waited, those too that were kept from the core."""
        pairs = np.searchsorted(self._waiting, np.column_stack((one, other)))
        self._checked += 1
        self._passed_over += passed_over(pairs, **self._columns(self._waiting, now_us))

    # --- the end

    def outcome(self) -> Outcome:
        """Return what became of everybody, in the order of the arrivals."""
        is_matched = self._mate != _NOBODY
        waited_us = np.where(is_matched, self._matched_us - self._arrived_us, self._stays_us)
        place = np.argsort(self._order)
        mate = np.where(is_matched, self._order[self._mate], _NOBODY)[place]
        matched_at = np.where(is_matched, self._matched_us / MICROSECONDS, np.nan)
        ended_after = (waited_us / MICROSECONDS)[place]
        return Outcome(
            arrivals=self._arrivals,
            rules=self._rules,
            mate=mate,
            matched_at=matched_at[place],
            ended_after=ended_after,
            has_timed_out=(~is_matched & self._has_time_out & ~self._is_left_out)[place],
            is_left_out=self._is_left_out[place],
            latency_ms=larger_latency_ms(self._arrivals, self._rules, mate, ended_after),
            rounds_checked=self._checked,
            passed_over=self._passed_over,
        )
