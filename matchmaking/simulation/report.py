"""A report on rules that were run on the same arrivals: one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from matchmaking.simulation.curves import MOST_SERIES, curves
from matchmaking.simulation.figures import COLUMNS, Figures, cells, figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matchmaking.simulation.outcome import Outcome

CONTENT_SECURITY_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5a6373; --page: #fff; --line: #d9dde5;
  --series-1: #1f5fd0; --series-2: #c2362b; --series-3: #1d7f4b; --series-4: #9a6200; --series-5: #7a3fc0;
  --series-6: #0e7490; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #a3acba; --page: #14171d;
  --line: #343a46;
  --series-1: #7fb0ff; --series-2: #ff9086; --series-3: #6fd39c; --series-4: #e8b659; --series-5: #c5a3ff;
  --series-6: #62cfe6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; color: var(--ink); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0; }
p { margin: .25rem 0 1rem; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: normal; color: var(--soft); white-space: normal; }
thead th { font-weight: 600; }
.legend { position: sticky; top: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none;
  margin: 1rem 0; padding: .5rem 0; background: var(--page); border-bottom: 1px solid var(--line); }
.legend svg { width: 2.2rem; height: .7rem; margin-right: .4rem; }
.curves { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
figure { margin: 0; min-width: 0; } figure svg { display: block; width: 100%; height: auto; }
figure text { fill: var(--ink); font-family: system-ui, sans-serif; }
@media print { .legend { position: static; } }
"""
_DASHES: Final = ("", "8 4", "10 3 2 3", "2 3", "8 2 2 2 2 2", "2 6")


class Trial(NamedTuple):
    """Rules by their name, and what became of everybody under them."""

    rules: str
    outcome: Outcome

    def figures(self) -> Figures:
        """Return the row of the table."""
        return figures(self.rules, self.outcome)


def page(title: str, told: str, trials: Sequence[Trial]) -> str:
    """Return the report; any texts may be given, and trials of the same arrivals.

    Raises ValueError for no trials, and for more than a drawing can hold.
    """
    if not 0 < len(trials) <= MOST_SERIES:
        raise ValueError(f"a report has 1 to {MOST_SERIES} rules, not {len(trials)}")
    has_tickets = any(trial.figures().tickets for trial in trials)
    body = _legend(trials) + _curves(trials) if has_tickets else "<p>Nobody came.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>"
        f"<h1>{escape(title)}</h1><p>{escape(told)}</p>{_table(trials)}{body}</body></html>\n"
    )


def _table(trials: Sequence[Trial]) -> str:
    """Return the table, one column for each rules: so it is not wider than a phone."""
    heads = "".join(f'<th scope="col">{escape(trial.rules)}</th>' for trial in trials)
    columns = [cells(trial.figures()) for trial in trials]
    lines = [
        f'<tr><th scope="row">{escape(heading)}</th>{"".join(f"<td>{cell}</td>" for cell in line)}</tr>'
        for (_, heading, _), line in zip(COLUMNS, zip(*columns, strict=True), strict=True)
    ]
    return (
        f'<div class="wide"><table><thead><tr><th>rules</th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _legend(trials: Sequence[Trial]) -> str:
    items = [
        '<li><svg viewBox="0 0 36 10" aria-hidden="true"><line x1="0" y1="5" x2="36" y2="5"'
        f' stroke-width="2.5" stroke="var(--series-{number})" stroke-dasharray="{dash}"/></svg>'
        f"{escape(trial.rules)}</li>"
        for number, (trial, dash) in enumerate(zip(trials, _DASHES, strict=False), start=1)
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _curves(trials: Sequence[Trial]) -> str:
    drawn = [
        f'<figure><h2>{escape(curve.title)}</h2><p>{escape(curve.told)}</p><div role="img"'
        f' aria-label="{escape(curve.told)}">{curve.svg}</div></figure>'
        for curve in curves([trial.outcome for trial in trials])
    ]
    return f'<div class="curves">{"".join(drawn)}</div>'
