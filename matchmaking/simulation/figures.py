"""The figures by which rules are compared, and the table of them; docs/tuning.md says how to read it.

The wait of a ticket without a match is that until it timed out or left. The expected score of the stronger
side is Elo's, 1 / (1 + 10^(-gap / 400)). Beyond 2 sigma are ratings further than two standard deviations from
the mean.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from matchmaking.simulation.outcome import Outcome

REMATCH_SECONDS: Final = 1800
"""The same for all rules, whatever they avoid, so that they can be compared."""
_FAR_SIGMAS: Final = 2
_ELO_POINTS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table: waits in seconds, gaps in rating points, shares from 0 to 1; None: of nothing.

    tickets               all that came, but for ``left_out``: came while the same player still waited
    unmatched_share       of all; ``left_share`` of these left by themselves before their time-out
    unmatched_far_share   unmatched, of those whose ratings are beyond 2 sigma
    rematch_share         of the matches, those between players who had met in the half hour before
    larger_latency_ms     the mean over the matches in which both players had measured theirs
    passed_over           tickets left alone against the promise of fairness, in ``rounds_checked``
    """

    rules: str
    tickets: int
    left_out: int
    wait_mean: float | None
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None
    gap_mean: float | None
    gap_p95: float | None
    gap_p99: float | None
    stronger_score: float | None
    unmatched_share: float | None
    unmatched_far_share: float | None
    left_share: float | None
    rematch_share: float | None
    larger_latency_ms: float | None
    passed_over: int
    rounds_checked: int

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return asdict(self)


def figures(rules: str, outcome: Outcome) -> Figures:
    """Return the row of an outcome; ``rules`` is the name of what it was run with."""
    counted = ~outcome.is_left_out
    unmatched = (outcome.mate < 0) & counted
    waits = outcome.ended_after[counted]
    gaps = gaps_of(outcome)
    return Figures(
        rules=rules,
        tickets=int(counted.sum()),
        left_out=int(outcome.is_left_out.sum()),
        wait_mean=mean(waits),
        wait_p50=percentile(waits, 50),
        wait_p95=percentile(waits, 95),
        wait_p99=percentile(waits, 99),
        gap_mean=mean(gaps),
        gap_p95=percentile(gaps, 95),
        gap_p99=percentile(gaps, 99),
        stronger_score=mean(1 / (1 + 10 ** (-gaps / _ELO_POINTS))),
        unmatched_share=mean(unmatched[counted]),
        unmatched_far_share=mean(unmatched[counted & _is_far(outcome.arrivals.rating)]),
        left_share=mean((unmatched & ~outcome.has_timed_out)[counted]),
        rematch_share=_rematch_share(outcome),
        larger_latency_ms=mean(outcome.latency_ms[~np.isnan(outcome.latency_ms)]),
        passed_over=outcome.passed_over,
        rounds_checked=outcome.rounds_checked,
    )


def gaps_of(outcome: Outcome) -> NDArray[np.float64]:
    """Return the gap of each match, float64[m], in the order of `matches_of`."""
    one, other = matches_of(outcome)
    rating = outcome.arrivals.rating
    return np.asarray(np.abs(rating[one] - rating[other]))


def matches_of(outcome: Outcome) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tickets of each match: int64[m] and int64[m]."""
    one = np.flatnonzero(outcome.mate > np.arange(len(outcome.mate)))
    return one, outcome.mate[one]


def mean(values: NDArray[Any]) -> float | None:
    """Return the mean; None of nothing."""
    return float(values.mean()) if len(values) else None


def percentile(values: NDArray[np.float64], share: float) -> float | None:
    """Return the value below which ``share`` percent lie; None of nothing."""
    return float(np.percentile(values, share)) if len(values) else None


def _is_far(rating: NDArray[np.float64]) -> NDArray[np.bool_]:
    if not len(rating):
        return np.zeros(0, dtype=bool)
    return np.asarray(np.abs(rating - rating.mean()) > _FAR_SIGMAS * rating.std())


def _rematch_share(outcome: Outcome) -> float | None:
    """Return the share of matches whose players had met lately, before the first ticket or after."""
    one, other = matches_of(outcome)
    if not len(one):
        return None
    arrivals = outcome.arrivals
    together = np.vstack((arrivals.met, np.column_stack((arrivals.player[one], arrivals.player[other]))))
    at = np.concatenate((arrivals.met_at, outcome.matched_at[one]))
    low, high = together.min(axis=1), together.max(axis=1)
    order = np.lexsort((at, high, low))
    same = (np.diff(low[order]) == 0) & (np.diff(high[order]) == 0)
    is_again = same & (np.diff(at[order]) <= REMATCH_SECONDS) & (order[1:] >= len(arrivals.met))
    return float(is_again.sum() / len(one))


# --- the table

COLUMNS: Final[tuple[tuple[str, str, str], ...]] = (
    # field, heading, format; shares are told in percent
    ("tickets", "tickets", "{:,}"),
    ("wait_mean", "wait mean s", "{:.1f}"),
    ("wait_p50", "wait p50", "{:.1f}"),
    ("wait_p95", "wait p95", "{:.1f}"),
    ("wait_p99", "wait p99", "{:.0f}"),
    ("gap_mean", "gap mean", "{:.1f}"),
    ("gap_p95", "gap p95", "{:.0f}"),
    ("gap_p99", "gap p99", "{:.0f}"),
    ("stronger_score", "stronger side scores", "{:.3f}"),
    ("unmatched_share", "unmatched", "{:.2%}"),
    ("unmatched_far_share", "unmatched beyond 2 sigma", "{:.2%}"),
    ("left_share", "left before", "{:.2%}"),
    ("rematch_share", "rematches", "{:.2%}"),
    ("larger_latency_ms", "larger latency ms", "{:.0f}"),
    ("passed_over", "passed over", "{:,}"),
)


def cells(row: Figures) -> list[str]:
    """Return a row's figures as texts, in the order of COLUMNS."""
    values = row.as_dict()
    return ["-" if values[name] is None else form.format(values[name]) for name, _, form in COLUMNS]


def text_table(rows: Sequence[Figures]) -> str:
    """Return the rows as a Markdown table that is aligned for a terminal, too."""
    lines = [["rules", *(heading for _, heading, _ in COLUMNS)]]
    lines += [[row.rules.replace("|", "/"), *cells(row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first, *others = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([first, "| " + " | ".join("-" * width for width in widths) + " |", *others])
