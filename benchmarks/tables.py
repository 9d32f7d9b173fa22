"""Tables of measurements, printed and written into the documentation."""

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def p50_and_p99(seconds: Iterable[float]) -> str:
    """Return below which values half of the times are, and 99 of a hundred."""
    ordered = sorted(seconds)
    if not ordered:
        return "none"
    at = [ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99)]
    return " and ".join(f"{value:.2f} s" for value in at)


def write_table(page: str, name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, and put it in place of the one of that name in a page of the documentation."""
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    print(table)  # noqa: T201 - it is what was asked for
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    text = (DOCS / page).read_text()
    before, after = text.split(begin)[0], text.split(end)[1]
    (DOCS / page).write_text(f"{before}{begin}\n{table}\n{end}{after}")
