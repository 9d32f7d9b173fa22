"""What was recorded, run once more: the same matches as the running service; command, task and admin."""

import io
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from matchmaking import tasks
from matchmaking.domain.matches import Stage
from matchmaking.domain.pool_rules import REGION_SLOTS, PoolRules
from matchmaking.models import Block, Match, MatchPlayer, Pool, Simulation, Ticket
from matchmaking.services import loop, matches, pairs, tickets
from matchmaking.simulation import runs
from matchmaking.simulation.engine import simulate
from matchmaking.simulation.recorded import Recorded, recorded
from matchmaking.simulation.tasks import run as run_task
from matchmaking_site.celery import app
from realtime.transport import store
from realtime.transport.database import database_now
from tests import factories
from tests.factories import queued

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

MINUTES_AGO = 3
"""Long enough for the story, and not so long that a player who joins now would have no recent opponents."""
TIME_OUT = 60


# --- the same matches as the running service


class Days:
    """A pool whose time is told: players come, leave, time out and are matched when the story says so."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.rng = random.Random(seed)
        self.began = database_now().replace(microsecond=0) - timedelta(minutes=MINUTES_AGO)
        self.matched: dict[frozenset[UUID], float] = {}
        self.leaving: list[tuple[float, UUID]] = []

    def at(self, seconds: float) -> datetime:
        return self.began + timedelta(microseconds=round(seconds * 1e6))

    def come(self, name: str, seconds: float, *, rating: float | None = None) -> None:
        """Let a player come who wants anything."""
        live = Ticket.objects.filter(user_id=name, status="SEARCHING").exists()
        if live:
            return
        rng, priority = self.rng, self.rng.choice([0, 0, 3])
        ticket = queued(name, self.pool, rating=rating or rng.gauss(1500, 200), priority=priority)
        latencies = np.full(REGION_SLOTS, -1, dtype="<i2")
        latencies[:3] = [rng.randrange(10, 160) for _ in range(3)]
        Ticket.objects.filter(id=ticket.id).update(
            queued_at=self.at(seconds),
            age_from=self.at(seconds - ticket.priority_seconds),
            latencies_ms=rng.choice([None, latencies.tobytes()]),
            modes=rng.choice([1, 2, 3]),
            max_gap=rng.choice([None, None, 40.0]),
        )
        if rng.random() < 0.2:
            self.leaving.append((seconds + rng.uniform(1, 40), ticket.id))

    def round(self, seconds: float) -> None:
        """Do what the service does in a round."""
        for at, ticket_id in [each for each in self.leaving if each[0] <= seconds]:
            self.leaving.remove((at, ticket_id))
            tickets.end_searching([ticket_id], Ticket.End.USER_REQUEST, now=self.at(at))
        now = self.at(seconds)
        tickets.time_out(self.pool.id, now=now)
        found = pairs.find(self.pool, now=now) or []
        self.matched |= {frozenset((a, b)): seconds for (a,), (b,) in found}
        self._play(found, now)

    def _play(self, found: Sequence[matches.Lobby], now: datetime) -> None:
        """Let matches be confirmed, and their games be over at once: their players may come again."""
        made = matches.reserve(self.pool, found, now=now, rng=self.rng)
        of_matches = MatchPlayer.objects.filter(match_id__in=made)
        ticket_ids = [ticket_id for lobby in found for (ticket_id,) in lobby]
        assert of_matches.count() == len(ticket_ids)
        tickets.set_matched(ticket_ids, now=now)
        of_matches.update(is_live=False)
        Match.objects.filter(id__in=made).update(status="FINISHED", stage=Stage.DONE, confirmed_at=now)

    def recorded(self) -> Recorded:
        until = database_now()
        remember = self.pool.avoid_recent_seconds
        return recorded(self.pool, since=self.began, until=until, remember_seconds=remember)


@pytest.mark.parametrize(
    ("seed", "columns"),
    [
        (1, {}),
        (
            2,
            {"rule": "mean", "preset": "balanced", "radius": 25, "growth_per_second": 2.5, "step_seconds": 0},
        ),
        (3, {"rule": "either", "preset": "custom", "radius": 40, "cap": 90, "latency_cap_ms": 120}),
    ],
    ids=["classic", "balanced", "either"],
)
def test_what_was_recorded_gives_the_same_matches_as_the_running_service(
    seed: int, columns: dict[str, Any], db: None, settings: Settings
) -> None:
    settings.MAX_QUEUE_SECONDS = TIME_OUT
    columns |= {"avoid_recent_seconds": 300, "avoid_recent_relax_seconds": 20}
    pool = factories.pool(more_modes=["other"], **columns)
    # Without a region that somebody named, the service reads no latencies.
    for slot, name in enumerate(("eu", "us", "as")):
        pool.regions.create(name=name, slot=slot)
    for one, other in (("p1", "p2"), ("p3", "p4"), ("p5", "p6")):
        Block.objects.create(tenant_id="demo", user_id=one, blocked_id=other)
    days = Days(pool, seed)
    days.come("loner", 0.5, rating=4000)
    days.come("quitter", 0.5, rating=300)
    days.leaving = [(10.5, Ticket.objects.get(user_id="quitter").id)]
    rounds = list(range(1, 111))
    for second in rounds:
        if second <= 40 and second % 2:
            for player in days.rng.sample(range(24), 3):
                days.come(f"p{player}", second - days.rng.randrange(100) / 100)
        days.round(second)
    found = days.recorded()
    outcome = simulate(found.arrivals, pool.rules, max_queue_seconds=TIME_OUT, rounds_at=rounds)
    ids = found.ticket_ids
    again = {frozenset((ids[a], ids[b])): outcome.matched_at[a] for a, b in outcome.pairs()}
    assert again == days.matched
    assert len(again) > 8
    ends = set(Ticket.objects.values_list("status", flat=True))
    assert ends == {"MATCHED", "CANCELLED", "TIMED_OUT"}


def test_one_look_of_the_loop_gives_the_same_matches(duel: Pool) -> None:
    rng = random.Random(4)
    factories.connect("somebody")
    for i in range(40):
        queued(f"p{i}", duel, rating=rng.gauss(1500, 300), waited=rng.uniform(0, 100))
    began = Ticket.objects.earliest("queued_at").queued_at
    loop.advance()
    found = recorded(duel, since=began, until=database_now(), remember_seconds=0)
    (at,) = {round((created - began).total_seconds(), 1) for created in made_at()}
    outcome = simulate(found.arrivals, duel.rules, max_queue_seconds=600, rounds_at=[at])
    ids = found.ticket_ids
    seats = MatchPlayer.objects.values_list("match_id", "ticket_id")
    by_match: dict[UUID, set[UUID]] = {}
    for match_id, ticket_id in seats:
        assert ticket_id is not None
        by_match.setdefault(match_id, set()).add(ticket_id)
    assert len(by_match) > 10
    together = sorted(map(sorted, by_match.values()))
    assert sorted(sorted((ids[a], ids[b])) for a, b in outcome.pairs()) == together


def made_at() -> set[datetime]:
    return set(Match.objects.values_list("created_at", flat=True))


def test_who_met_before_the_first_ticket_is_known(duel: Pool) -> None:
    first, second = queued("ann", duel), queued("bob", duel)
    before = first.queued_at - timedelta(seconds=50)
    match = Match.objects.create(
        tenant_id="demo",
        rated=True,
        deadline=before,
        lease_until=before,
        created_at=before,
        confirmed_at=before,
    )
    for ticket in (first, second):
        MatchPlayer.objects.create(
            match=match,
            tenant_id="demo",
            user_id=ticket.user_id,
            rating=1500,
            team=1,
            nonce="",
            is_live=False,
        )
    since, until = first.queued_at, database_now()
    arrivals = recorded(duel, since=since, until=until, remember_seconds=60).arrivals
    assert (arrivals.met.tolist(), arrivals.met_at.tolist()) == ([[0, 1]], [-50.0])
    assert not len(recorded(duel, since=since, until=until, remember_seconds=49).arrivals.met)


# --- the command


@pytest.fixture
def busy(duel: Pool) -> Pool:
    """A pool in which somebody was yesterday."""
    rng = random.Random(6)
    for i in range(30):
        queued(f"p{i}", duel, rating=rng.gauss(1500, 200), waited=86_400 + rng.uniform(0, 600))
    return duel


def simulated(*words: str) -> str:
    out = io.StringIO()
    call_command("simulate", *words, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_table_and_writes_the_page(busy: Pool, tmp_path: Path) -> None:
    html = tmp_path / "report.html"
    printed = simulated(
        "--pool",
        "demo/duel",
        "--days",
        "2",
        "--rules",
        "fast",
        "--rules-json",
        '{"radius": 9}',
        "--html",
        str(html),
    )
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")]
    assert rows == ["rules", "-" * 7, "present", "fast", "custom"]
    assert "demo/duel, the 2 days up to" in printed
    assert "30 tickets, time-out after 600 s" in printed
    page = html.read_text()
    assert page.count("<figure>") == 6
    assert "<td>30</td>" in page


def test_the_command_prints_json_and_nothing_else(busy: Pool) -> None:
    rows = json.loads(simulated("--pool", "demo/duel", "--rules", "quality", "--json"))
    assert [row["rules"] for row in rows] == ["present", "quality"]
    assert rows[0]["tickets"] == 30
    assert rows[0]["passed_over"] == 0
    assert rows[0]["gap_mean"] > rows[1]["gap_mean"]


def test_made_up_arrivals_are_the_same_each_time() -> None:
    words = ["--synthetic", "--hours", "0.2", "--rate", "0.5,1", "--sd", "100", "--regions", "2"]
    words += ["--patience", "60", "--seed", "3", "--timeout", "90"]
    assert simulated(*words) == simulated(*words)
    assert "seed 3" in simulated(*words)
    presets = [row["rules"] for row in json.loads(simulated(*words, "--json"))]
    assert presets == ["classic", "quality", "balanced", "fast"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "one of the arguments --pool --synthetic is required"),
        (["--pool", "demo/nowhere"], "there is no pool demo/nowhere"),
        (["--pool", "demo/duel"], "no tickets of demo/duel are recorded in the last 7 days"),
        (["--pool", "demo/duel", "--days", "0"], "days must be more than 0"),
        (["--pool", "demo/duel", "--days", "nan"], "days must be more than 0"),
        (["--pool", "demo/duel", "--hours", "3"], "--hours: not with --pool"),
        (["--synthetic", "--days", "3"], "--days: not with --synthetic"),
        (["--synthetic", "--rules", "slow"], "there is no preset 'slow'"),
        (["--synthetic", "--rules-json", "{"], "--rules-json {: Expecting property name"),
        (["--synthetic", "--rules-json", "[]"], "rules are an object"),
        (["--synthetic", "--rules-json", '{"speed": 1}'], "unknown rules: speed"),
        (["--synthetic", "--rules-json", '{"radius": NaN}'], "radius must be finite"),
        (["--synthetic", *["--rules", "fast"] * 7], "at most 6 sets of rules"),
        (["--synthetic", "--rate", "much"], "numbers with commas between them"),
        (["--synthetic", "--rate", "nan"], "rates must be finite"),
        (["--synthetic", "--hours", "-1"], "hours must be more than 0"),
        (["--synthetic", "--hours", "nan"], "hours must be more than 0"),
        (["--synthetic", "--timeout", "0"], "--timeout must be more than 0"),
        (["--synthetic", "--seed", "-1"], "seed must not be negative"),
        (
            ["--synthetic", "--hours", "0.1", "--html", "/nonexistent/x.html"],
            "cannot write /nonexistent/x.html",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_refused_in_one_line(words: list[str], why: str, duel: Pool) -> None:
    with pytest.raises(CommandError) as refusal:
        simulated(*words)
    assert why in str(refusal.value)
    assert "\n" not in str(refusal.value)


# --- the task


def asked(pool: Pool, **rules: Any) -> Simulation:
    wanted = PoolRules.from_dict(pool.rules.as_dict() | rules)
    return runs.ask(pool, wanted, days=2, asked_by="root", now=database_now())


def test_the_task_compares_the_present_rules_with_the_tried_ones(busy: Pool) -> None:
    row = asked(busy, preset="custom", radius=10)
    run_task(str(row.id))
    row.refresh_from_db()
    assert (row.status, row.progress, row.error) == ("done", 1, "")
    assert [each["rules"] for each in row.table] == ["present", "tried"]
    assert row.table[0]["gap_mean"] > row.table[1]["gap_mean"]
    assert row.report.startswith("<!doctype html>")
    assert row.finished_at is not None
    # Done is done.
    Simulation.objects.update(report="kept")
    run_task(str(row.id))
    assert Simulation.objects.get().report == "kept"


def test_a_simulation_of_nothing_fails_and_says_why(duel: Pool) -> None:
    row = asked(duel)
    run_task(str(row.id))
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "no tickets of demo/duel are recorded in the last 2 days")
    queued("ann", duel, waited=60)
    Simulation.objects.update(created_at=database_now())
    run_task(str(row.id))
    row.refresh_from_db()
    assert (row.status, row.error) == ("done", "")


def test_a_bug_is_told_as_one_and_logged_whole(busy: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(runs, "run_all", fail)
    row = asked(busy)
    run_task(str(row.id))
    row.refresh_from_db()
    assert row.status == "failed"
    assert "secret" not in row.error


def test_one_worker_at_a_time_runs_a_simulation(busy: Pool) -> None:
    row = asked(busy)
    assert store.take_turn(runs.LEASE, seconds=60)
    assert not runs.run(row.id)
    row.refresh_from_db()
    assert row.status == "waiting"


def test_a_simulation_waits_while_another_runs(busy: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, done = asked(busy), asked(busy)
    again: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda *args, **options: again.append((args, options)))
    Simulation.objects.filter(id=done.id).update(status="done")
    store.take_turn(runs.LEASE, seconds=60)
    run_task(str(waiting.id))
    run_task(str(done.id))
    assert again == [((runs.TASK, [str(waiting.id)]), {"countdown": runs.AGAIN_SECONDS})]


def test_a_simulation_whose_worker_died_may_be_run_again(busy: Pool) -> None:
    row = asked(busy)
    Simulation.objects.update(status="running", progress=0.4)
    assert runs.run(row.id)
    row.refresh_from_db()
    assert row.status == "done"


def test_there_may_be_no_such_simulation() -> None:
    assert not runs.run(uuid4())


def test_progress_is_written_down(busy: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(*_: Any, progress: Any, **__: Any) -> None:
        progress(0.25)
        seen.append(Simulation.objects.get().progress)
        raise ValueError("enough")

    monkeypatch.setattr(runs, "run_all", note)
    run_task(str(asked(busy).id))
    assert seen == [0.25]


def test_the_task_has_a_queue_of_its_own_and_in_production_a_worker() -> None:
    assert "simulation_tasks" in vars(tasks)  # it is there wherever matchmaking's tasks are
    assert runs.TASK in app.tasks
    assert app.conf.task_routes[runs.TASK] == {"queue": "simulations"}
    root = Path(__file__).resolve().parents[2]
    assert "periodic,matchmaking,simulations" in (root / "matchmaking_site/stack/programs.py").read_text()
    lines = dict(line.split(": ", 1) for line in (root / "Procfile").read_text().splitlines())
    assert "-Q periodic,matchmaking " in lines["worker"]
    assert "-Q simulations --concurrency 1 " in lines["simulations"]


# --- the admin

with_users = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a-password"))
    return client


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    ids: list[UUID] = []

    def note(simulation_id: UUID) -> bool:
        ids.append(simulation_id)
        return True

    monkeypatch.setattr(runs, "send", note)
    return ids


def button(pool: Pool) -> str:
    return reverse("admin:matchmaking_pool_try_rules", args=[pool.id])


def filled(pool: Pool, **changed: Any) -> dict[str, Any]:
    rules = {name: "" if value is None else value for name, value in pool.rules.as_dict().items()}
    return rules | {"days": 7, "_form_submitted": "True"} | changed


@with_users
def test_a_pools_page_has_a_button_whose_form_is_prefilled(root: Client, duel: Pool) -> None:
    page = root.get(f"/admin/matchmaking/pool/{duel.id}/change/").content.decode()
    assert "Try these rules on last week" in page
    form = root.get(button(duel)).content.decode()
    assert 'value="100.0"' in form
    assert 'value="7"' in form


@with_users
def test_the_button_asks_for_a_simulation_and_leaves_the_pool_as_it_is(
    root: Client, duel: Pool, sent: list[UUID]
) -> None:
    answer = root.post(button(duel), filled(duel, preset="custom", radius=50, days=3))
    row = Simulation.objects.get()
    assert answer.headers["HX-Redirect"] == f"/admin/matchmaking/simulation/{row.id}/change/"
    assert (row.rules["radius"], row.days, row.asked_by, row.status) == (50, 3, "root", "waiting")
    assert sent == [row.id]
    duel.refresh_from_db()
    assert duel.radius == 100


@with_users
def test_a_preset_of_the_form_brings_its_window(root: Client, duel: Pool, sent: list[UUID]) -> None:
    root.post(button(duel), filled(duel, preset="fast", latency_start_ms=33))
    rules = Simulation.objects.get().rules
    assert (rules["preset"], rules["radius"], rules["latency_start_ms"]) == ("fast", 12.5, 33)


@with_users
@pytest.mark.parametrize("wrong", [{"days": 0}, {"radius": "x"}, {"preset": "custom", "cap": 50}], ids=str)
def test_rules_that_make_none_are_told_in_the_form(
    root: Client, duel: Pool, sent: list[UUID], wrong: dict[str, Any]
) -> None:
    answer = root.post(button(duel), filled(duel, **wrong))
    assert "HX-Redirect" not in answer.headers
    assert "error" in answer.content.decode()
    assert not Simulation.objects.exists()
    assert sent == []


@with_users
def test_pools_of_teams_are_not_simulated(root: Client, duel: Pool, sent: list[UUID]) -> None:
    Pool.objects.update(team_size=2)
    with pytest.raises(CommandError, match="demo/duel plays in teams; only pools of pairs can be simulated"):
        call_command("simulate", "--pool", "demo/duel")
    assert "plays in teams" in root.post(button(duel), filled(duel)).content.decode()
    assert sent == []


@with_users
def test_who_may_not_add_simulations_may_not_press_the_button(duel: Pool) -> None:
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(button(duel)).status_code == 403


@with_users
def test_a_report_is_shown_where_nothing_of_it_can_run(root: Client, busy: Pool, sent: list[UUID]) -> None:
    row = asked(busy)
    page = f"/admin/matchmaking/simulation/{row.id}/change/"
    assert "Not yet" in root.get(page).content.decode()
    runs.run(row.id)
    assert 'sandbox=""' in root.get(page).content.decode()
    report = root.get(reverse("admin:matchmaking_simulation_open_report", args=[row.id]))
    assert report.content.decode() == Simulation.objects.get().report
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]
    assert "sandbox" in report.headers["Content-Security-Policy"]
    assert report.headers["X-Frame-Options"] == "SAMEORIGIN"


@with_users
def test_a_simulation_that_is_not_done_may_be_sent_again(root: Client, duel: Pool, sent: list[UUID]) -> None:
    row = asked(duel)
    again = reverse("admin:matchmaking_simulation_changelist")
    chosen = {"action": "run_again", "_selected_action": [row.id]}
    root.post(again, chosen)
    assert sent == [row.id]
    Simulation.objects.update(status="done")
    root.post(again, chosen)
    assert sent == [row.id]
