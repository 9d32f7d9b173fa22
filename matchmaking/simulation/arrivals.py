"""Who comes when: the columns that a simulation runs on, and arrivals that are made up."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from matchmaking.domain.pool_rules import NOT_PLAYABLE, REGION_SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DAY_SECONDS: Final = 86_400
QUIETEST_PER_SECOND: Final = 0.01
BUSIEST_PER_SECOND: Final = 3.0
MAX_HOURS: Final = 24 * 90
MAX_TICKETS: Final = 2_000_000

NEAR_MS: Final = (15, 60)
FAR_MS: Final = (90, 220)
"""Latencies of a made-up player in its own region and in the others, each drawn evenly: as inside a
continent, and between continents. By the usual rule of 80 ms + 2 ms/s the others open only after a wait."""

_PLAYERS_PER_TICKET_IN_QUEUE = 10
_FEWEST_PLAYERS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Tickets in the order of their ids, n of each column; times are seconds since any origin.

    arrived_at        float64[n]; exact to the microsecond
    rating            float64[n]
    latencies_ms      int16[n, 64], see `pool_rules.open_regions`
    modes             int64[n], a bit for each mode that the player would play, of ``mode_count``
    priority_seconds  int64[n], the head start in the age order
    max_gap           float64[n], the player's own limit; infinite: none
    leaves_after      float64[n], the wait after which the player leaves by itself; infinite: never
    player            int64[n], who it is; nobody is in the queue twice at once
    blocks            int64[b, 2], players who never meet
    met               int64[m, 2], players who met before the first ticket came
    met_at            float64[m], when that was

    Columns of another length, and times and ratings that are no numbers, raise ValueError.
    """

    arrived_at: NDArray[np.float64]
    rating: NDArray[np.float64]
    latencies_ms: NDArray[np.int16]
    modes: NDArray[np.int64]
    priority_seconds: NDArray[np.int64]
    max_gap: NDArray[np.float64]
    leaves_after: NDArray[np.float64]
    player: NDArray[np.int64]
    blocks: NDArray[np.int64]
    met: NDArray[np.int64]
    met_at: NDArray[np.float64]
    mode_count: int = 1

    def __post_init__(self) -> None:
        own = [field.name for field in fields(self)][:8]
        wrong = [name for name in own if len(getattr(self, name)) != len(self)]
        if wrong:
            raise ValueError(f"columns that are not {len(self)} long: {', '.join(wrong)}")
        if len(self.met) != len(self.met_at):
            raise ValueError("met and met_at differ in length")
        if not (np.isfinite(self.arrived_at).all() and np.isfinite(self.rating).all()):
            raise ValueError("times and ratings must be finite")

    def __len__(self) -> int:
        return len(self.arrived_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What made-up arrivals are drawn from.

    rates_per_second  arrivals per second in each hour, over and over; empty: days that swing between 0.01 at
                      midnight and 3 at noon, evenly in the logarithm
    hours             how long players come
    rating_mean, rating_sd  ratings are normal, and stay a player's own
    regions           how many; each player is near one, and reaches the others slowly; 0: nobody names any
    patience_seconds  the mean wait after which a player leaves by itself, exponentially; None: nobody does
    return_seconds    nobody comes again within this time: nobody can be in the queue twice
    seed              the same seed, the same arrivals

    Values outside of any sense raise ValueError.
    """

    rates_per_second: Sequence[float] = ()
    hours: float = 48.0
    rating_mean: float = 1500.0
    rating_sd: float = 300.0
    regions: int = 3
    patience_seconds: float | None = None
    return_seconds: float = 300.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.hours <= MAX_HOURS:
            raise ValueError(f"hours must be more than 0 and at most {MAX_HOURS}, not {self.hours}")
        if not all(math.isfinite(rate) and rate >= 0 for rate in self.rates_per_second):
            raise ValueError("rates must be finite and not negative")
        if not 0 <= self.regions <= REGION_SLOTS:
            raise ValueError(f"regions must be 0 to {REGION_SLOTS}, not {self.regions}")
        if not (math.isfinite(self.rating_sd) and self.rating_sd >= 0):
            raise ValueError(f"the ratings' standard deviation must be 0 or more, not {self.rating_sd}")
        if self.patience_seconds is not None and not 0 < self.patience_seconds < math.inf:
            raise ValueError(f"patience must be more than 0 s, not {self.patience_seconds}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, not {self.seed}")
        if self.rates().sum() > MAX_TICKETS:
            raise ValueError(f"these are more than {MAX_TICKETS:,} tickets")

    def rates(self) -> NDArray[np.float64]:
        """Return the arrivals expected in each second, float64[seconds]."""
        second = np.arange(math.ceil(self.hours * 3600))
        if self.rates_per_second:
            return np.asarray(self.rates_per_second, dtype=np.float64)[
                second // 3600 % len(self.rates_per_second)
            ]
        noon = (1 - np.cos(2 * np.pi * second / DAY_SECONDS)) / 2
        return np.asarray(QUIETEST_PER_SECOND * (BUSIEST_PER_SECOND / QUIETEST_PER_SECOND) ** noon)


def synthetic(world: World) -> Arrivals:
    """Return made-up arrivals: a Poisson process whose rate changes by the second."""
    rng = np.random.default_rng(world.seed)
    rates = world.rates()
    arrived_at = _times(rng, rates)
    n = len(arrived_at)
    in_queue = float(rates.max(initial=0.0)) * world.return_seconds
    players = max(_FEWEST_PLAYERS, math.ceil(_PLAYERS_PER_TICKET_IN_QUEUE * in_queue))
    player = _players(rng, arrived_at, players, apart_seconds=world.return_seconds)
    patience = world.patience_seconds
    return Arrivals(
        arrived_at=arrived_at,
        rating=rng.normal(world.rating_mean, world.rating_sd, players)[player],
        latencies_ms=_latencies(rng, players, world.regions)[player],
        modes=np.ones(n, dtype=np.int64),
        priority_seconds=np.zeros(n, dtype=np.int64),
        max_gap=np.full(n, np.inf),
        leaves_after=np.full(n, np.inf) if patience is None else rng.exponential(patience, n),
        player=player,
        blocks=np.empty((0, 2), dtype=np.int64),
        met=np.empty((0, 2), dtype=np.int64),
        met_at=np.empty(0),
    )


def _times(rng: np.random.Generator, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    second = np.repeat(np.arange(len(rates)), rng.poisson(rates))
    times: NDArray[np.float64] = np.sort(second + rng.random(len(second)))
    return np.round(times, 6)


def _players(
    rng: np.random.Generator, arrived_at: NDArray[np.float64], players: int, *, apart_seconds: float
) -> NDArray[np.int64]:
    """Return whose each arrival is; who comes twice too soon is drawn again, until nobody does."""
    player = rng.integers(players, size=len(arrived_at))
    while True:
        order = np.lexsort((arrived_at, player))
        same = player[order[1:]] == player[order[:-1]]
        soon = order[1:][same & (np.diff(arrived_at[order]) <= apart_seconds)]
        if not len(soon):
            return player
        player[soon] = rng.integers(players, size=len(soon))


def _latencies(rng: np.random.Generator, players: int, regions: int) -> NDArray[np.int16]:
    """Return what each player measures; where there are no regions, everybody plays anywhere."""
    row = np.full((players, REGION_SLOTS), NOT_PLAYABLE if regions else 0, dtype=np.int16)
    if regions:
        row[:, :regions] = rng.integers(*FAR_MS, size=(players, regions))
        row[np.arange(players), rng.integers(regions, size=players)] = rng.integers(*NEAR_MS, size=players)
    return row
