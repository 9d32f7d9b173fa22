"""What a rating is worth: expected outcomes, and new ratings after a match.

The model is Plackett and Luce's as openskill has it (Weng and Lin, "A Bayesian Approximation Method for
Online Ranking", 2011), on the familiar scale: 1500 at first, and 400 points make odds of ten to one between
players whose strength is known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from openskill.models import PlackettLuce

FIRST_VALUE = 1500.0
FIRST_DEVIATION = 250.0
"""Of a player of whom nothing is known. Less than Glicko's 350, since this model takes larger steps: with it
the forecasts of a season of 2,000 players come true (tests/unit/test_skill.py)."""
PROVISIONAL_DEVIATION = 110.0
"""Above this a rating is provisional: some fifteen matches leave less."""
_BETA = 400 / math.log(10) / math.sqrt(2)
"""Makes the model's logistic curve Elo's."""
_PER_VARIANCE = math.pi / 8
"""How much a variance flattens a logistic curve: MacKay, "The Evidence Framework Applied to Classification
Networks", 1992."""
_DRIFT = 5.0
"""What a player's strength may change by from one match to the next."""

_BANDS = 10

_model = PlackettLuce(mu=FIRST_VALUE, sigma=FIRST_DEVIATION, beta=_BETA, tau=_DRIFT)


@dataclass(frozen=True, slots=True)
class Skill:
    """How strong a player seems to be, and how sure that is, both in rating points."""

    value: float = FIRST_VALUE
    deviation: float = FIRST_DEVIATION

    @property
    def is_provisional(self) -> bool:
        """Whether too little is known to rely on the value."""
        return self.deviation > PROVISIONAL_DEVIATION


def expected_shares(teams: Sequence[Sequence[Skill]]) -> list[float]:
    """Return, by team, the share of opposing teams that it should beat, a draw being half.

    Between two teams it is the logistic curve of the difference, flatter where less is known of the players.
    """
    opponents = max(len(teams) - 1, 1)
    return [sum(_chance(team, other) for other in teams if other is not team) / opponents for team in teams]


def _chance(team: Sequence[Skill], other: Sequence[Skill]) -> float:
    players = (*team, *other)
    spread = math.sqrt(sum(_BETA**2 + _PER_VARIANCE * player.deviation**2 for player in players))
    difference = sum(player.value for player in team) - sum(player.value for player in other)
    return 1 / (1 + math.exp(min(max(-difference / spread, -700), 700)))


def updated(teams: Sequence[Sequence[Skill]], scores: Sequence[float]) -> list[list[Skill]]:
    """Return the players' skills after a match in which each team reached such a score; higher is better."""
    before = [[_model.rating(mu=player.value, sigma=player.deviation) for player in team] for team in teams]
    after = _model.rate(before, scores=list(scores))
    return [[Skill(player.mu, player.sigma) for player in team] for team in after]


@dataclass(frozen=True, slots=True)
class Band:
    """Forecasts for the stronger side between ``low`` and 5 points more: what was foreseen, and what came."""

    low: float
    forecasts: int
    foreseen: float
    won: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How good forecasts were: ``brier`` is the mean squared error, 0 is perfect and 0.25 a coin's."""

    forecasts: int
    brier: float
    bands: list[Band]


def calibration(forecasts: Sequence[tuple[float, float]]) -> Calibration | None:
    """Return how good forecasts were, each a share foreseen and the one that came; None without any."""
    if not forecasts:
        return None
    brier = sum((foreseen - came) ** 2 for foreseen, came in forecasts) / len(forecasts)
    of_stronger = [(p, came) if p >= 0.5 else (1 - p, 1 - came) for p, came in forecasts]
    bands = []
    for step in range(_BANDS):
        inside = [pair for pair in of_stronger if min(int(pair[0] * 20 + 1e-9) - _BANDS, _BANDS - 1) == step]
        if inside:
            foreseen, came = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            bands.append(Band(0.5 + step / 20, len(inside), foreseen, came))
    return Calibration(len(forecasts), brier, bands)
