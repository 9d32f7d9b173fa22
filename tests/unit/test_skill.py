"""Ratings: what they foresee, what a match does to them, and that a season finds the players' order."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.skill import FIRST_VALUE, Skill, calibration, expected_shares, updated

SETTLED = 60.0
values = st.floats(0, 3000)
deviations = st.floats(20, 350)
skills = st.builds(Skill, values, deviations)


def test_400_points_make_odds_of_ten_to_one_between_players_who_are_known() -> None:
    strong, weak = expected_shares([[Skill(1900, 0)], [Skill(1500, 0)]])
    assert strong == pytest.approx(10 / 11)
    assert weak == pytest.approx(1 / 11)


def test_of_somebody_unknown_less_is_foreseen() -> None:
    known = expected_shares([[Skill(1900, SETTLED)], [Skill(1500, SETTLED)]])[0]
    unknown = expected_shares([[Skill(1900, 350)], [Skill(1500, 350)]])[0]
    assert 0.5 < unknown < known


@given(st.lists(skills, min_size=2, max_size=6))
def test_what_is_foreseen_of_all_adds_up(players: list[Skill]) -> None:
    shares = expected_shares([[player] for player in players])
    assert sum(shares) == pytest.approx(len(players) / 2)
    assert all(0 <= share <= 1 for share in shares)


@given(skills, skills)
def test_who_wins_does_not_lose_points_and_both_are_better_known(winner: Skill, loser: Skill) -> None:
    ((won,), (lost,)) = updated([[winner], [loser]], [1, 0])
    assert won.value >= winner.value
    assert lost.value <= loser.value
    # Strength drifts between matches, so what was very sure may become a little less so.
    assert won.deviation <= math.hypot(winner.deviation, 5) + 1e-9
    assert lost.deviation <= math.hypot(loser.deviation, 5) + 1e-9


def test_a_draw_of_equals_changes_no_value() -> None:
    ((one,), (other,)) = updated([[Skill()], [Skill()]], [0.5, 0.5])
    assert one.value == pytest.approx(FIRST_VALUE)
    assert other.value == pytest.approx(FIRST_VALUE)


def test_the_score_decides_not_the_order_in_which_players_are_named() -> None:
    ((first,), (second,)) = updated([[Skill()], [Skill()]], [0, 1])
    assert first.value < FIRST_VALUE < second.value


def test_a_team_wins_together() -> None:
    (a, b), (c, d) = updated([[Skill(), Skill(1700)], [Skill(), Skill(1700)]], [3, 1])
    assert a.value > FIRST_VALUE > c.value
    assert b.value > 1700 > d.value


def test_a_rating_is_provisional_until_some_matches_are_played() -> None:
    player, played = Skill(), 0
    while player.is_provisional:
        ((player,), _) = updated([[player], [Skill(1500, SETTLED)]], [played % 2, (played + 1) % 2])
        played += 1
    assert 8 <= played <= 30


@pytest.mark.parametrize("meets", ["near", "random"])
def test_a_season_finds_the_order_of_2000_players_and_forecasts_come_true(meets: str) -> None:
    """Fifty matches each: Spearman's correlation at least 0.9, each band of forecasts within 3 points."""
    chance = random.Random(7)
    truth = [chance.gauss(1500, 300) for _ in range(2000)]
    players = [Skill() for _ in truth]
    forecasts: list[tuple[float, float]] = []
    for _ in range(50):
        order = _order(players, chance, meets)
        for a, b in zip(order[::2], order[1::2], strict=True):
            a_wins = chance.random() < 1 / (1 + 10 ** ((truth[b] - truth[a]) / 400))
            share = expected_shares([[players[a]], [players[b]]])[0]
            forecasts.append((share, float(a_wins)))
            ((players[a],), (players[b],)) = updated([[players[a]], [players[b]]], [a_wins, not a_wins])
    assert _spearman(truth, [player.value for player in players]) >= 0.9
    judged = calibration(forecasts)
    assert judged is not None
    for band in judged.bands:
        assert band.forecasts < 1000 or abs(band.foreseen - band.won) <= 0.03, band


def test_forecasts_are_judged_by_their_error_and_band_by_band() -> None:
    assert calibration([]) is None
    judged = calibration([(0.62, 1), (0.38, 1), (0.6, 0.5), (1.0, 1)])
    assert judged is not None
    assert judged.forecasts == 4
    assert judged.brier == pytest.approx((0.38**2 + 0.62**2 + 0.1**2 + 0) / 4)
    assert [(round(b.low, 2), b.forecasts, round(b.foreseen, 3), round(b.won, 3)) for b in judged.bands] == [
        (0.6, 3, 0.613, 0.5),
        (0.95, 1, 1.0, 1.0),
    ]


def _order(players: list[Skill], chance: random.Random, meets: str) -> list[int]:
    order = list(range(len(players)))
    if meets == "random":
        chance.shuffle(order)
        return order
    nearly = [player.value + chance.gauss(0, 100) for player in players]
    return sorted(order, key=nearly.__getitem__)


def _spearman(one: list[float], other: list[float]) -> float:
    def ranks(values: list[float]) -> list[int]:
        places = [0] * len(values)
        for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
            places[index] = rank
        return places

    n = len(one)
    squares = sum((a - b) ** 2 for a, b in zip(ranks(one), ranks(other), strict=True))
    return 1 - 6 * squares / (n * (n * n - 1))
