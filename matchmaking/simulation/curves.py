"""The curves of a report, as SVG that takes its colours from the page around it.

The names of rules are not in the drawings: they may be any text, and the page's own legend tells them.
"""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from matchmaking.simulation.figures import gaps_of, matches_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from matchmaking.simulation.outcome import Outcome

MOST_SERIES: Final = 6
_DASHES: Final = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
# Colours that matplotlib writes, and what they become: the page knows whether it is light or dark.
_INK: Final = "#010203"
_SERIES: Final = tuple(f"#0102{number:02x}" for number in range(16, 16 + MOST_SERIES))
_FEWEST_IN_BIN: Final = 5
_LONGEST_SHARE: Final = 99.5


class Curve(NamedTuple):
    """A drawing with what it shows, in words."""

    title: str
    told: str
    svg: str


def curves(outcomes: Sequence[Outcome]) -> list[Curve]:
    """Return the drawings; at most MOST_SERIES outcomes of the same arrivals, at least one with tickets."""
    drawings: list[tuple[str, str, str, str, Callable[[Axes, Sequence[Outcome]], None]]] = [
        ("Who waits longer, meets whom?", "mean gap of matches by the longer of the two waits",
         "wait in s", "gap in rating points", _wait_against_gap),
        ("How long players wait", "share of tickets that still wait after so long",
         "wait in s", "still waiting, %", _waits),
        ("How far apart they are", "share of matches whose gap is at most so large",
         "gap in rating points", "matches, %", _gaps),
        ("Over time", "mean wait of those who came in each part of the time; dots: arrivals per minute",
         "hours since the first came", "mean wait in s", _over_time),
        ("By rating: the wait", "mean wait in each band of ratings", "rating", "mean wait in s",
         _wait_by_rating),
        ("By rating: the gap", "mean gap in each band of ratings", "rating", "mean gap", _gap_by_rating),
    ]  # fmt: skip
    return [Curve(title, told, _drawn(outcomes, x, y, draw)) for title, told, x, y, draw in drawings]


def _drawn(
    outcomes: Sequence[Outcome], x: str, y: str, draw: Callable[[Axes, Sequence[Outcome]], None]
) -> str:
    import matplotlib as mpl  # it takes a second, and only who wants drawings waits for it
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
    # Text stays text, which every reader can scale and read out; names of parts are the same in every run.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "matchmaking"})
    figure = Figure(figsize=(5.2, 3.1), layout="constrained")
    axes = figure.add_subplot()
    draw(axes, outcomes)
    axes.set_xlabel(x, color=_INK)
    axes.set_ylabel(y, color=_INK)
    axes.tick_params(colors=_INK, which="both")
    axes.grid(visible=True, color=_INK, alpha=0.15, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    drawing = io.StringIO()
    figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
    return _for_a_page(drawing.getvalue())


def _for_a_page(drawing: str) -> str:
    """Take the SVG out of its file: no prologue, no size of its own, and the page's colours."""
    svg = drawing[drawing.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for number, color in enumerate(_SERIES, start=1):
        svg = svg.replace(color, f"var(--series-{number})")
    return svg.replace(_INK, "currentColor")


def _series(outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, dict[str, object]]]:
    for outcome, color, dash in zip(outcomes, _SERIES, _DASHES, strict=False):
        yield outcome, {"color": color, "linestyle": dash, "linewidth": 1.8}


# --- what is drawn


def _wait_against_gap(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    for outcome, style in _series(outcomes):
        one, other = matches_of(outcome)
        waits = np.maximum(outcome.ended_after[one], outcome.ended_after[other])
        edges = np.unique(np.percentile(waits, np.linspace(0, _LONGEST_SHARE, 25))) if len(waits) else waits
        axes.plot(*_means(waits, gaps_of(outcome), edges), **style)  # type: ignore[arg-type]  # a style
    axes.set_ylim(bottom=0)


def _waits(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    longest = 1.0
    for outcome, style in _series(outcomes):
        waits = np.sort(outcome.ended_after[~outcome.is_left_out])
        axes.step(waits, 100 * (1 - np.arange(1, len(waits) + 1) / len(waits)), where="post", **style)  # type: ignore[arg-type]  # a style
        longest = max(longest, float(np.percentile(waits, _LONGEST_SHARE)))
    axes.set_xlim(0, longest)
    axes.set_ylim(0, 100)


def _gaps(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    widest = 1.0
    for outcome, style in _series(outcomes):
        gaps = np.sort(gaps_of(outcome))
        if len(gaps):
            axes.step(gaps, 100 * np.arange(1, len(gaps) + 1) / len(gaps), where="post", **style)  # type: ignore[arg-type]  # a style
            widest = max(widest, float(np.percentile(gaps, _LONGEST_SHARE)))
    axes.set_xlim(0, widest)
    axes.set_ylim(0, 100)


def _over_time(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    arrived_at = outcomes[0].arrivals.arrived_at
    hours = (arrived_at - arrived_at.min()) / 3600
    edges = np.linspace(0, max(float(hours.max()), 1 / 60) * (1 + 1e-9), 49)
    for outcome, style in _series(outcomes):
        kept = ~outcome.is_left_out
        axes.plot(*_means(hours[kept], outcome.ended_after[kept], edges), **style)  # type: ignore[arg-type]  # a style
    axes.set_ylim(bottom=0)
    per_minute = np.histogram(hours, edges)[0] / (np.diff(edges) * 60)
    busy = axes.twinx()
    busy.plot((edges[1:] + edges[:-1]) / 2, per_minute, ".", color=_INK, alpha=0.45, markersize=4)
    busy.set_ylim(bottom=0)
    busy.tick_params(colors=_INK)
    busy.set_ylabel("arrivals per minute", color=_INK)
    busy.spines[:].set_visible(False)


def _wait_by_rating(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    for outcome, style in _series(outcomes):
        kept = ~outcome.is_left_out
        rating = outcome.arrivals.rating[kept]
        axes.plot(*_means(rating, outcome.ended_after[kept], _bands(rating)), **style)  # type: ignore[arg-type]  # a style
    axes.set_ylim(bottom=0)


def _gap_by_rating(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    for outcome, style in _series(outcomes):
        one, other = matches_of(outcome)
        rating = outcome.arrivals.rating[np.concatenate((one, other))]
        axes.plot(*_means(rating, np.tile(gaps_of(outcome), 2), _bands(rating)), **style)  # type: ignore[arg-type]  # a style
    axes.set_ylim(bottom=0)


def _bands(rating: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of about twenty bands, some round number of points wide."""
    if not len(rating):
        return rating
    low, high = np.percentile(rating, [0.1, 99.9])
    width = next((w for w in (10, 25, 50, 100, 200, 500) if (high - low) / w <= 30), 1000)
    return np.arange(np.floor(low / width), np.ceil(high / width) + 2) * width


def _means(
    at: NDArray[np.float64], values: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of bins and the means in them; bins with hardly anybody are left out."""
    if len(edges) < 2:
        return np.empty(0), np.empty(0)
    counts = np.histogram(at, edges)[0]
    sums = np.histogram(at, edges, weights=values)[0]
    kept = counts >= min(_FEWEST_IN_BIN, max(int(counts.max()), 1))
    return (edges[1:] + edges[:-1])[kept] / 2, sums[kept] / counts[kept]
