"""``manage.py simulate``: what other rules would have meant, on recorded or on made-up arrivals."""

import json
import math
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.domain.rules import PRESETS
from matchmaking.simulation import rule_sets
from matchmaking.simulation.arrivals import Arrivals, World, synthetic
from matchmaking.simulation.curves import MOST_SERIES
from matchmaking.simulation.figures import text_table
from matchmaking.simulation.recorded import find_pool
from matchmaking.simulation.report import Trial, page
from matchmaking.simulation.runs import PRESENT, last_days, run_all
from realtime.transport.database import database_now

SYNTHETIC_TIME_OUT_SECONDS = 300.0
_LONG_RUN_SECONDS = 1.0
_BAR_WIDTH = 30


class Command(BaseCommand):
    """Run arrivals through the real rule and core under several rules, and compare what came out."""

    # They import every route, and made-up arrivals need no database.
    requires_system_checks = ()

    help = "Run recorded or made-up arrivals through the matching rule, under one or several sets of rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--pool", metavar="TENANT/KEY", help="The recorded tickets of this pool.")
        source.add_argument("--synthetic", action="store_true", help="Made-up arrivals.")
        parser.add_argument("--days", type=float, help="With --pool: how far back; 7 days unless told.")
        _add_world(parser)
        parser.add_argument(
            "--timeout", type=float, metavar="S", help="When a ticket times out; as the service, or 300."
        )
        parser.add_argument(
            "--rules",
            action="append",
            default=[],
            metavar="PRESET",
            help=f"One of {', '.join(PRESETS)}; repeatable.",
        )
        parser.add_argument(
            "--rules-json",
            action="append",
            default=[],
            metavar="JSON",
            help="What to change of the pool's rules, or of classic: '{\"radius\": 50}'; repeatable.",
        )
        parser.add_argument("--html", type=Path, metavar="FILE", help="Write a report with curves.")
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON.")

    def handle(self, **options: Any) -> None:
        """Run everything, print the table, and write the report."""
        try:
            self._run(options)
        except ValueError as error:
            raise CommandError(" ".join(str(error).split())) from error

    def _run(self, options: dict[str, Any]) -> None:
        _refuse_strangers(options)
        arrivals, named, told = _recorded(options) if options["pool"] else _made_up(options)
        if len(named) > MOST_SERIES:
            raise CommandError(f"at most {MOST_SERIES} sets of rules at once, not {len(named)}")
        default = SYNTHETIC_TIME_OUT_SECONDS if options["synthetic"] else settings.MAX_QUEUE_SECONDS
        time_out = _positive("--timeout", options["timeout"], default)
        bar = _Bar()
        trials = run_all(arrivals, named, progress=bar.show, max_queue_seconds=time_out)
        bar.end()
        told = f"{told}, {len(arrivals):,} tickets, time-out after {time_out:g} s"
        if options["html"]:
            _write(options["html"], page("What other rules mean", told, trials))
        self._print(trials, told, as_json=options["json"])

    def _print(self, trials: list[Trial], told: str, *, as_json: bool) -> None:
        rows = [trial.figures() for trial in trials]
        if as_json:
            self.stdout.write(json.dumps([row.as_dict() for row in rows], indent=2, ensure_ascii=False))
            return
        self.stdout.write(f"{told}\n\n{text_table(rows)}")
        checked, left_out = rows[0].rounds_checked, max(row.left_out for row in rows)
        self.stdout.write(f"\npassed over: of {checked:,} rounds that were tested by brute force")
        if left_out:
            self.stdout.write(f"left out: up to {left_out:,} tickets whose players still waited")


def _add_world(parser: ArgumentParser) -> None:
    made_up = parser.add_argument_group("made-up arrivals")
    made_up.add_argument(
        "--rate",
        metavar="N[,N…]",
        help="Arrivals per second, one for all or one for each hour; days from 0.01 to 3.",
    )
    made_up.add_argument("--hours", type=float, help="48 unless told.")
    made_up.add_argument(
        "--sd", type=float, help="Standard deviation of the ratings around 1500; 300 unless told."
    )
    made_up.add_argument("--regions", type=int, help="3 unless told; 0: nobody names any.")
    made_up.add_argument(
        "--patience", type=float, metavar="S", help="Mean wait before a player leaves by itself; never."
    )
    made_up.add_argument("--seed", type=int, help="1 unless told.")


def _refuse_strangers(options: dict[str, Any]) -> None:
    """Refuse options of the other kind of arrivals: silently they would mean nothing."""
    others = ("rate", "hours", "sd", "regions", "patience", "seed") if options["pool"] else ("days",)
    strange = [f"--{name}" for name in others if options[name] is not None]
    if strange:
        raise CommandError(f"{', '.join(strange)}: not with {'--pool' if options['pool'] else '--synthetic'}")


def _recorded(options: dict[str, Any]) -> tuple[Arrivals, dict[str, PoolRules], str]:
    pool = find_pool(options["pool"])
    if pool is None:
        raise CommandError(f"there is no pool {options['pool']}; pools are named tenant/key")
    days = 7.0 if options["days"] is None else options["days"]
    named = {PRESENT: pool.rules} | _tried(pool.rules, options)
    now = database_now()
    arrivals = last_days(pool, days=days, until=now, rules=list(named.values()))
    return arrivals, named, f"{pool}, the {days:g} days up to {now:%Y-%m-%d %H:%M} UTC"


def _made_up(options: dict[str, Any]) -> tuple[Arrivals, dict[str, PoolRules], str]:
    given = {
        "rates_per_second": _rates(options["rate"]) if options["rate"] is not None else None,
        "hours": options["hours"],
        "rating_sd": options["sd"],
        "regions": options["regions"],
        "patience_seconds": options["patience"],
        "seed": options["seed"],
        "return_seconds": _positive("--timeout", options["timeout"], SYNTHETIC_TIME_OUT_SECONDS),
    }
    world = World(**{name: value for name, value in given.items() if value is not None})
    named = _tried(PoolRules(), options) or {
        name: rule_sets.with_preset(PoolRules(), name) for name in PRESETS
    }
    return synthetic(world), named, f"made-up arrivals of {world.hours:g} hours, seed {world.seed}"


def _tried(base: PoolRules, options: dict[str, Any]) -> dict[str, PoolRules]:
    named: dict[str, PoolRules] = {}
    for preset in options["rules"]:
        rule_sets.add(named, preset, rule_sets.with_preset(base, preset))
    for text in options["rules_json"]:
        try:
            values = json.loads(text)
        except ValueError as error:
            raise CommandError(f"--rules-json {text}: {error}") from error
        rules = rule_sets.changed(base, values)
        rule_sets.add(named, rules.window.preset, rules)
    return named


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise CommandError(f"--rate {text}: numbers with commas between them") from error


def _positive(name: str, value: float | None, default: float) -> float:
    if value is not None and not 0 < value < math.inf:
        raise CommandError(f"{name} must be more than 0, not {value:g}")
    return default if value is None else value


def _write(path: Path, html: str) -> None:
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


class _Bar:
    """How far a run is, on a terminal alone, and not before it has taken a second."""

    def __init__(self) -> None:
        self._began, self._is_shown = time.monotonic(), False

    def show(self, share: float) -> None:
        """Draw the line anew."""
        if sys.stderr.isatty() and time.monotonic() - self._began > _LONG_RUN_SECONDS:
            done = round(share * _BAR_WIDTH)
            bar = "#" * done + "." * (_BAR_WIDTH - done)
            sys.stderr.write(f"\r[{bar}] {share:4.0%}")
            sys.stderr.flush()
            self._is_shown = True

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            sys.stderr.write(f"\r{' ' * (_BAR_WIDTH + 8)}\r")
