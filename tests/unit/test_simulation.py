"""The simulation in small worlds that can be counted by hand, and in made-up ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from matchmaking.domain.pool_rules import NOT_PLAYABLE, REGION_SLOTS, AvoidanceRule, LatencyRule, PoolRules
from matchmaking.domain.rules import BALANCED, CLASSIC, FAST, PRESETS, QUALITY, WindowRule
from matchmaking.simulation import engine, rule_sets
from matchmaking.simulation.arrivals import Arrivals, World, synthetic
from matchmaking.simulation.engine import simulate
from matchmaking.simulation.fairness import passed_over
from matchmaking.simulation.figures import COLUMNS, Figures, cells, figures, text_table
from matchmaking.simulation.outcome import Outcome
from matchmaking.simulation.report import Trial, page

ANYWHERE = np.zeros(REGION_SLOTS, dtype=np.int16)
STEADY = WindowRule(preset="steady", rule="both", radius=50, growth_per_second=1, step_seconds=0, cap=None)


def in_regions(*latencies_ms: int) -> np.ndarray:
    row = np.full(REGION_SLOTS, NOT_PLAYABLE, dtype=np.int16)
    row[: len(latencies_ms)] = latencies_ms
    return row


def world(*tickets: Mapping[str, Any], mode_count: int = 1, **pairs: Any) -> Arrivals:
    """Make arrivals of tickets, each a player of its own who came at 0 unless told."""
    usual = {"at": 0.0, "rating": 1500.0, "latencies": ANYWHERE, "modes": 1, "priority": 0}
    rows = [
        usual | {"max_gap": np.inf, "leaves": np.inf, "player": i} | dict(t) for i, t in enumerate(tickets)
    ]

    def column(name: str, kind: type) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=kind)

    return Arrivals(
        arrived_at=column("at", np.float64),
        rating=column("rating", np.float64),
        latencies_ms=np.array([row["latencies"] for row in rows], dtype=np.int16).reshape(-1, REGION_SLOTS),
        modes=column("modes", np.int64),
        priority_seconds=column("priority", np.int64),
        max_gap=column("max_gap", np.float64),
        leaves_after=column("leaves", np.float64),
        player=column("player", np.int64),
        blocks=np.array(pairs.get("blocks", []), dtype=np.int64).reshape(-1, 2),
        met=np.array([pair for pair, _ in pairs.get("met", [])], dtype=np.int64).reshape(-1, 2),
        met_at=np.array([at for _, at in pairs.get("met", [])], dtype=np.float64),
        mode_count=mode_count,
    )


def run(arrivals: Arrivals, window: WindowRule = STEADY, **options: Any) -> Outcome:
    rules = PoolRules(
        window=window,
        latency=options.pop("latency", LatencyRule()),
        avoidance=options.pop("avoidance", AvoidanceRule()),
    )
    return simulate(arrivals, rules, **{"max_queue_seconds": 300, "check_every": 1} | options)


def ticket(rating: float = 1500, at: float = 0, **more: Any) -> dict[str, Any]:
    return {"rating": rating, "at": at, **more}


SMALL = World(rates_per_second=(0.3,), hours=0.5, seed=7)


# --- who meets whom, and when


def test_two_meet_at_the_first_round_at_which_their_windows_allow_it() -> None:
    outcome = run(world(ticket(1500), ticket(1560)))
    assert outcome.pairs() == [(0, 1)]
    assert outcome.matched_at.tolist() == [10, 10]
    assert outcome.ended_after.tolist() == [10, 10]


def test_a_wait_counts_from_the_arrival_and_not_from_a_round() -> None:
    outcome = run(world(ticket(at=0.25), ticket(at=2.5)))
    assert outcome.ended_after.tolist() == [2.75, 0.5]


def test_rounds_may_be_told() -> None:
    outcome = run(world(ticket(), ticket(at=1.5), ticket(at=2.5), ticket(at=9)), rounds_at=[1, 2, 4])
    assert outcome.pairs() == [(0, 1)]
    assert outcome.matched_at[0] == 2


def test_who_times_out_has_no_match() -> None:
    outcome = run(world(ticket(1500), ticket(2500), ticket(2500, at=300)))
    assert outcome.pairs() == []
    assert outcome.has_timed_out.tolist() == [True, True, True]
    assert outcome.ended_after.tolist() == [300, 300, 300]


@pytest.mark.parametrize(("leaves", "meet"), [(9.9, False), (10.1, True)])
def test_who_has_left_is_never_matched(leaves: float, meet: bool) -> None:
    outcome = run(world(ticket(1500, leaves=leaves), ticket(1560)))
    assert (outcome.pairs() == [(0, 1)]) is meet
    if not meet:
        assert outcome.ended_after[0] == leaves
        assert outcome.has_timed_out.tolist() == [False, True]


def test_the_impatient_of_a_whole_world_are_never_matched_after_they_left() -> None:
    arrivals = synthetic(replace(SMALL, patience_seconds=20))
    outcome = run(arrivals, QUALITY)
    matched = outcome.mate >= 0
    assert (outcome.ended_after[matched] <= arrivals.leaves_after[matched]).all()
    assert np.allclose(outcome.ended_after[~matched], np.minimum(arrivals.leaves_after, 300)[~matched])
    assert 0.1 < (~matched).mean() < 0.9


def test_a_priority_is_a_head_start() -> None:
    arrivals = [ticket(at=0), ticket(at=4, priority=5), ticket(at=6, rating=1500)]
    assert run(world(*arrivals, blocks=[(0, 1)]), rounds_at=[6]).pairs() == [(1, 2)]
    arrivals[1]["priority"] = 3
    assert run(world(*arrivals, blocks=[(0, 1)]), rounds_at=[6]).pairs() == [(0, 2)]


def test_of_the_same_age_the_first_row_comes_first() -> None:
    arrivals = world(ticket(), ticket(), ticket(at=3), blocks=[(0, 1)])
    assert run(arrivals).pairs() == [(0, 2)]


def test_a_player_never_waits_twice_nor_meets_itself() -> None:
    outcome = run(world(ticket(player=5), ticket(player=5, at=3), ticket(2500, player=6, at=4)))
    assert outcome.pairs() == []
    assert outcome.is_left_out.tolist() == [False, True, False]
    assert figures("any", outcome).left_out == 1
    assert figures("any", outcome).tickets == 2


def test_a_player_may_come_back_when_it_has_left_or_was_matched() -> None:
    outcome = run(
        world(
            ticket(player=5, leaves=2), ticket(player=5, at=3), ticket(player=6, at=4), ticket(player=5, at=9)
        )
    )
    assert outcome.pairs() == [(1, 2)]
    assert not outcome.is_left_out.any()


def test_a_players_own_limit_holds_however_long_it_waits() -> None:
    arrivals = world(ticket(1500, max_gap=59), ticket(1560))
    assert run(arrivals).pairs() == []
    assert run(world(ticket(1500, max_gap=60), ticket(1560))).pairs() == [(0, 1)]


def test_modes_have_to_be_shared() -> None:
    assert run(world(ticket(modes=1), ticket(modes=2), mode_count=2)).pairs() == []
    assert run(world(ticket(modes=3), ticket(modes=2), mode_count=2)).pairs() == [(0, 1)]


def test_a_far_region_opens_after_a_wait_and_its_latency_is_told() -> None:
    near_and_far = world(ticket(latencies=in_regions(20, 100)), ticket(latencies=in_regions(90, 30)))
    outcome = run(near_and_far)
    assert outcome.matched_at[0] == 5  # 80 ms + 2 ms/s reach 90
    assert outcome.latency_ms.tolist() == [90, 90]
    apart = world(ticket(latencies=in_regions(20)), ticket(latencies=in_regions(NOT_PLAYABLE, 20)))
    assert run(apart).pairs() == []
    assert run(near_and_far, latency=LatencyRule(cap_ms=85)).pairs() == []


# --- conflicts


def test_blocks_never_relax() -> None:
    assert run(world(ticket(), ticket(), blocks=[(1, 0)])).pairs() == []


def test_who_met_lately_meets_again_once_both_have_waited() -> None:
    outcome = run(world(ticket(), ticket(at=5), met=[((1, 0), -60)]))
    assert outcome.matched_at.tolist() == [65, 65]


def test_who_met_long_ago_meets_at_once() -> None:
    assert run(world(ticket(), ticket(at=5), met=[((0, 1), -1800)])).matched_at[0] == 5
    short = AvoidanceRule(remember_seconds=0)
    assert run(world(ticket(), ticket(at=5), met=[((0, 1), -1)]), avoidance=short).matched_at[0] == 5


def test_matches_of_the_simulation_are_remembered_too() -> None:
    arrivals = world(*[ticket(at=at, player=player) for at in (0, 100) for player in (1, 2)])
    outcome = run(arrivals)
    assert outcome.matched_at.tolist() == [0, 0, 160, 160]
    assert figures("any", outcome).rematch_share == 0.5


# --- nothing is left out, nothing is by chance


def test_the_same_seed_gives_the_same_result_and_another_does_not() -> None:
    first, again = (run(synthetic(SMALL), BALANCED) for _ in range(2))
    assert np.array_equal(first.mate, again.mate)
    assert np.array_equal(first.matched_at, again.matched_at, equal_nan=True)
    assert len(first.mate) != len(run(synthetic(replace(SMALL, seed=8)), BALANCED).mate)


WINDOWS = [
    *PRESETS.values(),
    STEADY,
    WindowRule(preset="either", rule="either", radius=5, growth_per_second=0.7, step_seconds=0, cap=70),
    WindowRule(preset="steps", rule="mean", radius=5, growth_per_second=0.9, step_seconds=7, cap=90),
    WindowRule(preset="capped", rule="mean", radius=10, growth_per_second=2, step_seconds=0, cap=40),
    WindowRule(preset="fixed", rule="both", radius=60, growth_per_second=0, step_seconds=0, cap=None),
]


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.preset)
@pytest.mark.parametrize("foresees", [True, False], ids=["some", "crowded"])
def test_rounds_that_are_left_out_would_have_found_nothing(
    window: WindowRule, foresees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that looks at everybody in each round comes to the same."""
    rng = np.random.default_rng(3)
    made_up = synthetic(replace(SMALL, hours=0.25, rates_per_second=(0.25,), patience_seconds=150))
    n = len(made_up)
    arrivals = replace(
        made_up,
        modes=rng.integers(1, 4, n),
        mode_count=2,
        max_gap=np.where(rng.random(n) < 0.3, 80.0, np.inf),
        priority_seconds=rng.integers(0, 20, n),
        player=rng.integers(0, n // 4, n),
        blocks=rng.integers(0, n // 4, (40, 2)),
    )
    if not foresees:
        monkeypatch.setattr(engine, "_CELLS_FORESEEN", 30)
    latency = LatencyRule(start_ms=40, growth_ms_per_second=3, cap_ms=150)
    fast = run(arrivals, window, latency=latency)
    monkeypatch.setattr(engine, "_CELLS_FORESEEN", -1)
    monkeypatch.setattr(engine._Run, "next_us", lambda _: 0)
    slow = run(arrivals, window, latency=latency)
    assert fast.pairs() == slow.pairs()
    assert np.array_equal(fast.matched_at, slow.matched_at, equal_nan=True)
    assert len(fast.pairs()) > 20
    assert fast.passed_over == slow.passed_over == 0
    assert fast.rounds_checked > 20


def test_wider_rules_never_let_two_wait_longer() -> None:
    rng = np.random.default_rng(5)
    for ratings in rng.normal(1500, 300, (30, 2)):
        arrivals = world(*[ticket(rating, at=3.0 * i) for i, rating in enumerate(ratings)])
        narrow, wide = (run(arrivals, window).ended_after for window in (QUALITY, FAST))
        assert (wide <= narrow).all()


def test_in_a_whole_world_wider_rules_wait_less_and_have_wider_gaps() -> None:
    arrivals = synthetic(World(hours=1, rates_per_second=(1,)))
    quality, fast = (figures("any", run(arrivals, window)) for window in (QUALITY, FAST))
    assert quality.wait_mean > fast.wait_mean  # type: ignore[operator]  # somebody waited
    assert quality.gap_mean < fast.gap_mean  # type: ignore[operator]  # as above


def test_progress_is_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ROUNDS_BETWEEN_PROGRESS", 10)
    told: list[float] = []
    run(synthetic(SMALL), progress=told.append)
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1


@pytest.mark.parametrize(
    "options", [{"tick_seconds": 0}, {"max_queue_seconds": 0}, {"rounds_at": [2, 1]}], ids=str
)
def test_durations_and_rounds_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        run(world(ticket()), **options)


def test_nobody_came() -> None:
    outcome = run(world())
    assert outcome.pairs() == []
    assert figures("any", outcome).wait_mean is None
    assert "Nobody came" in page("t", "t", [Trial("any", outcome)])


# --- made-up arrivals


def test_two_days_have_as_many_arrivals_as_the_design_says() -> None:
    arrivals = synthetic(World())
    assert len(arrivals) == pytest.approx(129_372, rel=0.01)
    assert arrivals.rating.std() == pytest.approx(300, rel=0.03)
    assert (np.diff(arrivals.arrived_at) >= 0).all()


def test_nobody_made_up_comes_again_while_it_may_still_wait() -> None:
    arrivals = synthetic(World(hours=1, rates_per_second=(3,)))
    order = np.lexsort((arrivals.arrived_at, arrivals.player))
    same = np.diff(arrivals.player[order]) == 0
    assert same.any()
    assert np.diff(arrivals.arrived_at[order])[same].min() > 300


def test_rates_are_by_the_hour() -> None:
    arrivals = synthetic(World(hours=4, rates_per_second=(0.5, 0)))
    hours = np.bincount((arrivals.arrived_at // 3600).astype(int), minlength=4)
    assert (hours[[1, 3]] == 0).all()
    assert hours[[0, 2]] == pytest.approx(1800, rel=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hours": 0},
        {"rates_per_second": (-1,)},
        {"rates_per_second": (float("nan"),)},
        {"regions": 65},
        {"rating_sd": -1},
        {"patience_seconds": 0},
        {"seed": -1},
        {"rates_per_second": (1000,)},
    ],
    ids=str,
)
def test_a_world_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|must not be|more than"):
        World(**wrong)


def test_columns_have_to_fit_together() -> None:
    arrivals = world(ticket())
    with pytest.raises(ValueError, match="rating"):
        replace(arrivals, rating=np.zeros(2))
    with pytest.raises(ValueError, match="met"):
        replace(arrivals, met_at=np.zeros(1))
    with pytest.raises(ValueError, match="finite"):
        replace(arrivals, rating=np.array([np.nan]))


# --- figures


def test_the_figures_of_a_tiny_world_are_those_counted_by_hand() -> None:
    """Two pairs, 0 and 40 points apart, one who times out and one who leaves after 30 s."""
    outcome = run(
        world(
            ticket(1500),
            ticket(1500),
            ticket(1700, at=10),
            ticket(1740, at=14),
            ticket(9000),
            ticket(5000, leaves=30),
        )
    )
    row = figures("tiny", outcome)
    assert (row.rules, row.tickets, row.left_out) == ("tiny", 6, 0)
    assert row.wait_mean == pytest.approx((0 + 0 + 4 + 0 + 300 + 30) / 6)
    assert row.wait_p50 == pytest.approx(2)
    assert row.wait_p95 == pytest.approx(232.5)
    assert row.gap_mean == pytest.approx(20)
    assert row.gap_p95 == pytest.approx(38)
    assert row.stronger_score == pytest.approx((0.5 + 1 / (1 + 10**-0.1)) / 2)
    assert row.unmatched_share == pytest.approx(2 / 6)
    assert row.left_share == pytest.approx(1 / 6)
    # The mean is 3407 and the deviation 2764: 9000 alone is beyond two of them.
    assert row.unmatched_far_share == 1
    assert (row.rematch_share, row.larger_latency_ms, row.passed_over) == (0, None, 0)


def test_unmatched_beyond_two_sigma_are_those_of_rare_ratings() -> None:
    crowd = [ticket(1500) for _ in range(20)]
    row = figures("any", run(world(*crowd, ticket(3000), ticket(3000, at=1), ticket(200))))
    assert row.unmatched_far_share == pytest.approx(1 / 3)
    row = figures("any", run(world(*crowd, ticket(3000))))
    assert row.unmatched_far_share == 1
    assert row.unmatched_share == pytest.approx(1 / 21)


def test_the_table_says_what_there_is_none_of() -> None:
    row = figures("a|b", run(world(ticket())))
    assert cells(row)[-2:] == ["-", "0"]
    lines = text_table([row]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].startswith("| a/b ")
    assert len(COLUMNS) == len(cells(row))
    assert isinstance(row, Figures)


# --- the promise, tested by brute force


def columns(**changed: Any) -> dict[str, Any]:
    usual = {
        "rating": np.array([1500.0, 1510.0, 1520.0]),
        "radius": np.array([50.0, 50.0, 50.0]),
        "regions": np.array([1, 1, 1], dtype=np.uint64),
        "conflicts": {},
        "rule": "both",
    }
    return usual | changed


def test_the_check_sees_an_older_one_who_was_passed_over() -> None:
    wrong = np.array([[1, 2]])
    assert passed_over(wrong, **columns()) == 1
    assert passed_over(np.array([[0, 1]]), **columns()) == 0
    assert passed_over(np.empty((0, 2), dtype=np.int64), **columns()) == 3


@pytest.mark.parametrize(
    "apart",
    [
        {"regions": np.array([2, 1, 1], dtype=np.uint64)},
        {"conflicts": {0: {1, 2}, 1: {0}, 2: {0}}},
        {"max_gap": np.array([5.0, np.inf, np.inf])},
        {"radius": np.array([5.0, 50.0, 50.0])},
    ],
    ids=str,
)
def test_nobody_is_passed_over_who_fits_nobody(apart: dict[str, Any]) -> None:
    assert passed_over(np.array([[1, 2]]), **columns(**apart)) == 0


def test_a_run_tells_of_those_whom_the_core_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine, "pair", lambda *_, rating, **__: np.array([[len(rating) - 2, len(rating) - 1]])
    )
    outcome = run(world(ticket(), ticket(), ticket()), rounds_at=[0])
    assert outcome.passed_over == 1


# --- rules by name


def test_a_preset_changes_the_window_alone() -> None:
    base = PoolRules(latency=LatencyRule(start_ms=33))
    rules = rule_sets.with_preset(base, "fast")
    assert (rules.window, rules.latency.start_ms) == (FAST, 33)
    with pytest.raises(ValueError, match="no preset 'slow'"):
        rule_sets.with_preset(base, "slow")


def test_changed_rules_are_the_old_ones_but_for_the_change() -> None:
    base = PoolRules(window=BALANCED, latency=LatencyRule(start_ms=33))
    rules = rule_sets.changed(base, {"radius": 50})
    assert (rules.window.preset, rules.window.radius, rules.window.rule) == ("custom", 50, "mean")
    assert rules.latency.start_ms == 33
    assert rule_sets.changed(base, {"preset": "classic", "radius": 120}).window == replace(
        CLASSIC, radius=120
    )
    assert rule_sets.changed(base, {"latency_start_ms": 10}).window == BALANCED


@pytest.mark.parametrize(
    "wrong", [[], "fast", {"radius": "wide"}, {"speed": 3}, {"preset": 3}, {"radius": -1}]
)
def test_rules_that_make_none_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        rule_sets.changed(PoolRules(), wrong)


# --- the report


def test_the_report_needs_nothing_else_and_escapes_every_text() -> None:
    outcome = run(synthetic(SMALL), BALANCED)
    html = page("<script>", "a & b", [Trial("$<b>", outcome), Trial("plain", outcome)])
    assert html.count("<svg") == 6 + 2
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "$&lt;b&gt;" in html
    assert "default-src 'none'" in html
    for outside in ('src="', 'href="http', "url(http", "@import", "<metadata"):
        assert outside not in html
    assert "currentColor" in html
    assert "#0102" not in html


def test_the_same_outcome_gives_the_same_report() -> None:
    trials = [Trial("any", run(synthetic(SMALL)))]
    assert page("t", "t", trials) == page("t", "t", trials)


def test_a_report_has_some_rules_and_not_too_many() -> None:
    trial = Trial("any", run(world(ticket(), ticket())))
    for trials in ([], [trial] * 7):
        with pytest.raises(ValueError, match="1 to 6 rules"):
            page("t", "t", trials)
    assert page("t", "t", [trial])
