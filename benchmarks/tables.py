"""Tables of measurements, printed and written into the documentation."""

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def percentile(values: Iterable[float], percent: int) -> str:
    """Return the value below which ``percent`` of them are, in words that a table can hold."""
    ordered = sorted(values)
    return f"{ordered[-(-len(ordered) * percent // 100) - 1]:.2f}" if ordered else "-"


def write_table(page: str, name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, and put it in place of the one of that name in a page of the documentation."""
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    print(table)  # noqa: T201 - it is what was asked for
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    text = (DOCS / page).read_text()
    before, after = text.split(begin)[0], text.split(end)[1]
    (DOCS / page).write_text(f"{before}{begin}\n{table}\n{end}{after}")
