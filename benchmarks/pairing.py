"""How long pairing takes, how that grows, how good the pairs are, and that nobody is passed over.

Times are medians of repeats, of the processor's time: pairing keeps one core busy and waits for nothing. They
are given as multiples of one stable argsort of that many normally distributed ratings in the same run, too:
that tells how fast the machine is. In the normal pool ratings are N(1500, 300), radii spread evenly over 100
to 400 as after mixed waits, and each ticket plays in one to three of three regions; the other shapes differ
from it in one thing each.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import rustworkx
from numpy.typing import NDArray

from benchmarks.tables import DOCS, write_table
from matchmaking.domain.pairing import pair
from matchmaking.domain.pairing_bulk import neighbours_first
from matchmaking.domain.pairing_conflicts import Conflicts
from matchmaking.domain.pairing_passes import nobody_passed_over
from matchmaking.domain.pairing_pool import Pool
from matchmaking.domain.rules import Rule

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
SHAPE_SIZES = (10_000, 100_000)
OPTIMUM_SIZE = 500
OPTIMUM_SEEDS = 20
LIMITS: dict[Rule, np.ufunc] = {"mean": np.add, "both": np.minimum, "either": np.maximum}


@dataclass
class Tickets:
    """What `pair` is given, oldest first."""

    rating: NDArray[np.float64]
    radius: NDArray[np.float64]
    regions: NDArray[np.uint64]
    conflicts: Mapping[int, Collection[int]] = field(default_factory=dict)
    rule: Rule = "mean"

    def pairs(self) -> NDArray[np.int64]:
        """Pair them as the service does."""
        return pair(self.rating, self.radius, self.regions, self.conflicts, rule=self.rule)

    def pairs_in_bulk(self) -> NDArray[np.int64]:
        """Pair as in a large pool, however small this one is."""
        n = self.rating.size
        pool = Pool(
            *(self.rating, self.radius, self.regions, np.full(n, np.inf)),
            conflicts=Conflicts(self.conflicts, n),
            rule=self.rule,
        )
        neighbours_first(pool)
        nobody_passed_over(pool)
        return pool.pairs()

    def compatible(self, some: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for some tickets whom they fit; int64[m] -> bool[m, n]."""
        gap = np.abs(self.rating[some, None] - self.rating)
        fit: NDArray[np.bool_] = gap <= LIMITS[self.rule](self.radius[some, None], self.radius)
        fit &= (self.regions[some, None] & self.regions) != 0
        for row, ticket in enumerate(some.tolist()):
            fit[row, [ticket, *self.conflicts.get(ticket, ())]] = False
        return fit


def normal(n: int, seed: int = 1) -> Tickets:
    """Return the normal pool."""
    rng = np.random.default_rng(seed)
    regions = rng.integers(1, 8, n).astype(np.uint64)
    return Tickets(rng.normal(1500, 300, n), rng.uniform(100, 400, n), regions)


def random_conflicts(n: int, each: int) -> dict[int, set[int]]:
    """Return conflicts between random tickets, so many for each on average."""
    conflicts: dict[int, set[int]] = {}
    for a, b in np.random.default_rng(2).integers(0, n, (n * each // 2, 2)).tolist():
        if a != b:
            conflicts.setdefault(a, set()).add(b)
            conflicts.setdefault(b, set()).add(a)
    return conflicts


def shapes(n: int) -> dict[str, Tickets]:
    """Return pools of one size, the normal one first."""
    base, rng = normal(n), np.random.default_rng(3)
    regions_20 = np.uint64(1) << rng.integers(0, 20, n).astype(np.uint64)
    rare = np.where(rng.random(n) < 0.01, np.uint64(8), base.regions)
    return {
        "normal": base,
        "all ratings equal": replace(base, rating=np.full(n, 1500.0)),
        "gaps that grow along the ratings": replace(base, rating=(np.arange(n) / n) ** 3 * 3000),
        "20 disjoint regions": replace(base, regions=regions_20),
        "1% in a region of their own": replace(base, regions=rare),
        "5 conflicts each": replace(base, conflicts=random_conflicts(n, 5)),
        "rule `both`": replace(base, rule="both"),
        "rule `either`": replace(base, rule="either"),
        **shapes_where_few_fit(base),
    }


def shapes_where_few_fit(base: Tickets) -> dict[str, Tickets]:
    """Return pools in which many are left alone."""
    n, rng = base.rating.size, np.random.default_rng(4)
    far = replace(base, rating=1000 * rng.permutation(n).astype(np.float64))
    one, some, scarce = np.arange(n) == n // 2, rng.random(n) < 0.01, 300 / n
    return {
        "nobody compatible": far,
        "nobody but for one with an infinite radius": replace(far, radius=np.where(one, np.inf, far.radius)),
        "nobody but for 1% with an infinite radius": replace(far, radius=np.where(some, np.inf, far.radius)),
        "one very wide among narrow": replace(base, radius=np.where(one, 1e5, scarce / 3)),
        "one fits a ticket on average": replace(base, radius=rng.exponential(scarce, n)),
        "all radii 0": replace(base, radius=np.zeros(n)),
        "all radii 0, whole ratings": replace(base, rating=np.round(base.rating), radius=np.zeros(n)),
    }


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median of the processor's time for an action: other work on the machine hardly shows."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return statistics.median(times)


def repeats_for(n: int) -> int:
    """Return how often to measure, so that small pools are not measured by one coincidence."""
    return max(3, min(50, 300_000 // n))


def argsort_seconds(n: int) -> float:
    """Return the time of a stable argsort of the normal pool's ratings."""
    rating = normal(n).rating
    return seconds(lambda: np.argsort(rating, kind="stable"), repeats_for(n))


def peak_bytes(tickets: Tickets) -> int:
    """Return how much memory pairing takes at most, beside its arguments."""
    tracemalloc.start()
    tickets.pairs()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def passed_over(tickets: Tickets, pairs: NDArray[np.int64]) -> int:
    """Count those alone although someone they fit is alone, too, or has a younger mate; by looking at all."""
    n = tickets.rating.size
    mates = np.full(n, n)
    mates[pairs[:, 0]], mates[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    alone, count = np.flatnonzero(mates == n), 0
    for some in np.array_split(alone, -(-alone.size // 256) or 1):
        count += int((tickets.compatible(some) & (mates > some[:, None])).any(axis=1).sum())
    return count


def measure_sizes() -> tuple[list[float], list[float]]:
    """Write how the time grows; return the times of pairing and of the argsort, in seconds."""
    rows, pairing, sorting = [], [], []
    for n in SIZES:
        tickets = normal(n)
        pairing.append(seconds(tickets.pairs, repeats_for(n)))
        sorting.append(argsort_seconds(n))
        cells = (f"{pairing[-1] * 1e3:.2f}", f"{sorting[-1] * 1e3:.2f}", f"{pairing[-1] / sorting[-1]:.1f}")
        rows.append((f"{n:,}", *cells, f"{peak_bytes(tickets) / 2**20:.1f}"))
    heads = ["tickets", "pairing ms", "stable argsort ms", "ratio", "peak memory MiB"]
    write_table("performance.md", "pairing", heads, rows)
    return pairing, sorting


def measure_shapes() -> None:
    """Write how long pools of other shapes take, and whether anyone is passed over in them."""
    cells: dict[str, list[str]] = {}
    for n in SHAPE_SIZES:
        unit = argsort_seconds(n)
        first = 0.0
        for name, tickets in shapes(n).items():
            took = seconds(tickets.pairs, 5)
            first = first or took
            row = cells.setdefault(name, [name])
            row += [f"{took * 1e3:.1f}", f"{took / unit:.1f}", f"{took / first:.1f}"]
            if n == SHAPE_SIZES[0]:
                pairs = tickets.pairs()
                row += [str(n - 2 * len(pairs)), str(passed_over(tickets, pairs))]
    small, large = (f"{n:,}" for n in SHAPE_SIZES)
    heads = ["shape", f"{small}: ms", "in argsorts", "in normal pools", "left alone", "passed over"]
    heads += [f"{large}: ms", "in argsorts", "in normal pools"]
    write_table("performance.md", "pairing_shapes", heads, cells.values())


def optimum(tickets: Tickets) -> NDArray[np.int64]:
    """Return as many pairs as there can be, of those sets one with the least sum of gaps."""
    n = tickets.rating.size
    graph: rustworkx.PyGraph[int, int] = rustworkx.PyGraph()
    graph.add_nodes_from(range(n))
    one, other = np.nonzero(np.triu(tickets.compatible(np.arange(n))))
    # The matching knows whole weights only, and the heaviest is the best.
    gaps = np.round(np.abs(tickets.rating[one] - tickets.rating[other]) * 1000).astype(np.int64)
    weights = (gaps.max(initial=0) + 1 - gaps).tolist()
    graph.add_edges_from(list(zip(one.tolist(), other.tolist(), weights, strict=True)))
    found = rustworkx.max_weight_matching(graph, max_cardinality=True, weight_fn=int)
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def measure_quality() -> None:
    """Write how many pairs there are beside the most possible, and how near they are."""
    rows = []
    for name, widest in (("100 to 400", 400.0), ("2.5 to 10", 10.0), ("0.5 to 2", 2.0)):
        pools = [normal(OPTIMUM_SIZE, seed) for seed in range(OPTIMUM_SEEDS)]
        pools = [replace(pool, radius=pool.radius * (widest / 400)) for pool in pools]
        best = [optimum(pool) for pool in pools]
        for how, find in (("ticket by ticket", Tickets.pairs), ("in bulk", Tickets.pairs_in_bulk)):
            found = [find(pool) for pool in pools]
            shares = [len(ours) / len(most) for ours, most in zip(found, best, strict=True)]
            over = sum(passed_over(pool, ours) for pool, ours in zip(pools, found, strict=True))
            share = f"{statistics.mean(shares):.2%}", f"{min(shares):.2%}"
            rows.append(
                (
                    name,
                    how,
                    *share,
                    f"{mean_gap(pools, found):.2f}",
                    f"{mean_gap(pools, best):.2f}",
                    str(over),
                )
            )
    heads = ["radii", "paired", "pairs, of the most possible", "in the worst pool"]
    heads += ["mean gap", "mean gap of the optimum", "passed over"]
    write_table("performance.md", "pairing_quality", heads, rows)


def mean_gap(pools: list[Tickets], answers: list[NDArray[np.int64]]) -> float:
    """Return the mean gap of all pairs of all pools."""
    gaps = [np.abs(np.diff(pool.rating[pairs])) for pool, pairs in zip(pools, answers, strict=True)]
    return float(np.concatenate(gaps).mean())


def plot(pairing: list[float], sorting: list[float]) -> None:
    """Draw the times over the number of tickets into docs/images/pairing.svg."""
    # Only here, so that the figures can be had without it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "pairing"  # the same figures give the same file
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(SIZES, pairing, "o-", label="pairing, normal pool")
    axes.loglog(SIZES, sorting, "s--", color="gray", label="stable argsort of the ratings")
    axes.set_xlabel("tickets")
    axes.set_ylabel("seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    (DOCS / "images").mkdir(exist_ok=True)
    figure.savefig(DOCS / "images" / "pairing.svg", metadata={"Date": None})


def main() -> None:
    """Measure, print, and write tables and plot into docs."""
    plot(*measure_sizes())
    measure_shapes()
    measure_quality()


if __name__ == "__main__":
    main()
