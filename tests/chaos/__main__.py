"""``python -m tests.chaos``: real processes, real clients, real faults, and what must always hold.

Nothing of it is left when all holds; else the history and the logs of all processes are kept.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.checker import check
from tests.chaos.clocks import FAST, REAL
from tests.chaos.nemesis import FAULTS
from tests.chaos.report import explained, lines, summary
from tests.chaos.run import GAME_FAULTS, Plan, run

EXPLAINED = 12
"""So many violations are shown with what led to them; one cause often has many."""


def main() -> int:
    """Run, check and report; return 1 where something does not hold."""
    given = _arguments()
    plan = Plan(
        seed=given.seed,
        seconds=given.seconds,
        clients=given.clients,
        faults=given.faults.split(",") if given.faults else (),
        has_game_server=given.game_host == "http",
        clocks=REAL if given.real_clocks else FAST,
        pause=(2, 8) if given.real_clocks else (0.5, 3),
    )
    directory = Path(tempfile.mkdtemp(prefix="matchmaking-chaos-"))
    _say(f"seed {plan.seed}, {directory}")
    evidence = asyncio.run(run(plan, directory))
    violations = check(evidence)
    figures = summary(evidence, violations, seed=plan.seed)
    for number, violation in enumerate(violations):
        _say(*(explained(evidence, violation) if number < EXPLAINED else [str(violation)]))
    _say(*lines(figures))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    if violations or given.keep:
        _say(f"history and logs are in {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="how long faults are committed")
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument(
        "--faults", default="", help=f"of {', '.join((*FAULTS, *GAME_FAULTS))}; all by default"
    )
    parser.add_argument("--game-host", choices=("builtin", "http"), default="builtin")
    parser.add_argument("--real-clocks", action="store_true", help="the durations that users get")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--keep", action="store_true", help="keep history and logs in any case")
    return parser.parse_args()


def _say(*texts: str) -> None:
    sys.stdout.write("".join(f"{text}\n" for text in texts))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
