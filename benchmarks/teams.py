"""How long it takes to form lobbies of teams and to split them, and how even the teams are.

Times are measured as in `benchmarks.pairing`, and given as multiples of one stable argsort of as many
ratings, too. In the normal pool there are 10,000 parties whose mean ratings are N(1500, 300), with radii
spread evenly over 100 to 400, each in one to three of three regions; of the parties 50% are one player, 25%
two, 12% three, 5% four and 8% five. The other pools differ from it in one thing each.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairing import argsort_seconds, normal, random_conflicts, seconds
from benchmarks.tables import write_table
from matchmaking.domain import teams_split
from matchmaking.domain.rules import Rule
from matchmaking.domain.teams import Lobby, form
from matchmaking.domain.teams_split import count, split

SIZES = (100, 1_000, 10_000)
N = 10_000
SHARES = (0.5, 0.25, 0.12, 0.05, 0.08)
REPEATS = 3
COMPARED = 200


@dataclass
class Parties:
    """What `form` is given, oldest first."""

    sizes: NDArray[np.int64]
    rating: NDArray[np.float64]
    radius: NDArray[np.float64]
    regions: NDArray[np.uint64]
    teams: int = 2
    team_size: int = 5
    conflicts: Mapping[int, Collection[int]] = field(default_factory=dict)
    rule: Rule = "mean"

    def form(self) -> list[Lobby]:
        """Form and split the lobbies as the service does."""
        columns = self.sizes, self.rating, self.radius, self.regions
        teams, size = self.teams, self.team_size
        return form(*columns, self.conflicts, teams=teams, team_size=size, rule=self.rule)

    def split(self, lobbies: list[list[int]]) -> list[Lobby]:
        """Split lobbies alone."""
        return split(lobbies, self.sizes, self.rating, teams=self.teams, team_size=self.team_size)

    def spreads(self, lobbies: list[Lobby]) -> NDArray[np.float64]:
        """Return how far apart the mean ratings of the strongest and the weakest team are in each lobby."""
        points = self.sizes * self.rating
        means = [[points[list(team)].sum() / self.team_size for team in lobby] for lobby in lobbies]
        spreads: NDArray[np.float64] = np.ptp(np.array(means).reshape(-1, self.teams), axis=1)
        return spreads


def realistic(n: int, seed: int = 1) -> Parties:
    """Return the normal pool."""
    sizes = np.random.default_rng(seed + 100).choice(np.arange(1, len(SHARES) + 1), n, p=SHARES)
    tickets = normal(n, seed)
    return Parties(sizes, tickets.rating, tickets.radius, tickets.regions)


def members(lobbies: list[Lobby]) -> list[list[int]]:
    """Return the parties of each lobby."""
    return [[party for team in lobby for party in team] for lobby in lobbies]


def pools() -> dict[str, Parties]:
    """Return pools of one size, the normal one first."""
    base, rng = realistic(N), np.random.default_rng(3)
    singles = replace(base, sizes=np.ones(N, np.int64))
    narrow = np.full(N, 0.3)
    return {
        "2 x 5": base,
        "all ratings equal": replace(base, rating=np.full(N, 1500.0)),
        "20 disjoint regions": replace(
            base, regions=np.uint64(1) << rng.integers(0, 20, N).astype(np.uint64)
        ),
        "5 conflicts each": replace(base, conflicts=random_conflicts(N, 5)),
        "rule `both`": replace(base, rule="both"),
        "all radii 0.3": replace(base, radius=narrow),
        "the same, rule `both`": replace(base, radius=narrow, rule="both"),
        "the same, but for 1% with an infinite radius": replace(
            base, radius=np.where(rng.random(N) < 0.01, np.inf, narrow)
        ),
        "nobody comes alone": replace(base, sizes=np.maximum(base.sizes, 2)),
        "parties of four alone": replace(base, sizes=np.full(N, 4)),
        "3 x 5": replace(base, teams=3),
        "4 x 5": replace(base, teams=4),
        **{
            f"{teams} x {size}, players alone": replace(singles, teams=teams, team_size=size)
            for teams, size in ((2, 5), (2, 10), (3, 5), (4, 4), (4, 5), (10, 2), (20, 1))
        },
    }


def measure_sizes() -> None:
    """Write how the time grows with the number of parties."""
    rows = []
    for n in SIZES:
        pool = realistic(n)
        lobbies = pool.form()
        forming, sorting = seconds(pool.form, 5), argsort_seconds(n)
        splitting = seconds(partial(pool.split, members(lobbies)), 5)
        spreads = pool.spreads(lobbies)
        times = f"{forming * 1e3:.1f}", f"{splitting * 1e3:.1f}", f"{forming / sorting:.0f}"
        even = f"{spreads.mean():.2f}", f"{np.median(spreads):.2f}"
        rows.append((f"{n:,}", str(len(lobbies)), *times, *even))
    heads = ["parties", "lobbies", "ms", "of it splitting", "in argsorts"]
    heads += ["difference of team means, mean", "median"]
    write_table("performance.md", "teams", heads, rows)


def measure_pools() -> None:
    """Write how long other pools and lobbies take."""
    rows, unit = [], argsort_seconds(N)
    for name, pool in pools().items():
        lobbies = pool.form()
        took, spreads = seconds(pool.form, REPEATS), pool.spreads(lobbies)
        left = N - sum(map(len, members(lobbies)))
        even = (f"{spreads.mean():.2f}", f"{np.median(spreads):.2f}") if lobbies else ("", "")
        rows.append((name, str(len(lobbies)), str(left), f"{took * 1e3:.0f}", f"{took / unit:.0f}", *even))
    heads = ["pool", "lobbies", "left over", "ms", "in argsorts"]
    heads += ["difference of team means, mean", "median"]
    write_table("performance.md", "teams_pools", heads, rows)


def measure_quality() -> None:
    """Write how near the splits that are not compared one by one come to the best."""
    rows, exact = [], teams_split.EXACT_SPLITS
    for teams, size in ((3, 3), (3, 4), (3, 5), (4, 2), (4, 3), (5, 2), (6, 2)):
        pool = replace(realistic(N), sizes=np.ones(N, np.int64), teams=teams, team_size=size)
        lobbies = members(pool.form())[:COMPARED]
        means = []
        for most in (1_000_000, 0):
            teams_split.EXACT_SPLITS = most  # type: ignore[misc]
            means.append(pool.spreads(pool.split(lobbies)).mean())
        teams_split.EXACT_SPLITS = exact  # type: ignore[misc]
        ways = f"{count((1,) * (teams * size), teams, size):,}"
        rows.append((f"{teams} x {size}", ways, *(f"{mean:.3f}" for mean in means)))
    heads = ["lobby", "splits", "difference of team means, the best split", "a good one"]
    write_table("performance.md", "teams_quality", heads, rows)


def main() -> None:
    """Measure, print, and write tables into docs."""
    measure_sizes()
    measure_pools()
    measure_quality()


if __name__ == "__main__":
    main()
