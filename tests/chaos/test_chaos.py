"""The short form of the chaos test: a minute of faults of every kind, and all must hold."""

import asyncio
import logging
from pathlib import Path

import pytest

from tests.chaos.checker import check
from tests.chaos.clocks import FAST
from tests.chaos.evidence import Evidence
from tests.chaos.report import explained, lines, summary
from tests.chaos.run import Plan, run

pytestmark = pytest.mark.acceptance

SEED = 20
GROUPS = {"web", "worker", "beat", "valkey", "postgres", "network"}
CHALLENGES_END = {"ACCEPTED", "DECLINED", "CANCELLED", "EXPIRED"}
STARVED_SECONDS = 15
"""On a machine so busy with other things nothing can be said of promptness; all else holds there, too."""

PLAN = Plan(seed=SEED, seconds=60, clients=60, clocks=FAST, pause=(0.5, 3))


def test_all_holds_whatever_dies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "httpx")  # it would tell of each of thousands of requests
    evidence = asyncio.run(run(PLAN, tmp_path))
    violations = check(evidence)
    figures = summary(evidence, violations, seed=SEED)
    story = [line for violation in violations[:5] for line in explained(evidence, violation)]
    assert not violations, "\n".join([*story, *lines(figures), f"history and logs: {tmp_path}"])
    assert not _what_is_missing(evidence), "\n".join([*_what_is_missing(evidence), *lines(figures)])


def _what_is_missing(evidence: Evidence) -> list[str]:
    """Return what this run did not prove, since it did not happen."""
    figures = summary(evidence, [], seed=SEED)
    happened = {
        "a fault of every kind": {fault.group for fault in evidence.faults} >= GROUPS,
        "50 confirmed matches": figures["confirmed"] >= 50,
        "20 roll-backs": sum(figures["rolled_back"].values()) >= 20,
        "roll-backs for silence, loss and leaving": {"unreachable", "delivery_failed", "left"}
        <= figures["rolled_back"].keys(),
        "roll-backs that nothing excuses": figures["roll_back_seconds"]["undisturbed"] >= 5
        or figures["starved_seconds"] > STARVED_SECONDS,
        "8 games by challenge": figures["arranged"] >= 8,
        "challenges of every end": figures["challenges"].keys() >= CHALLENGES_END,
        "acceptances that were too late, and in vain": {"invalid_challenge_state", "cannot_accept_challenge"}
        <= figures["accepts"].keys(),
        "parties who were matched": figures["parties_matched"] >= 2,
        "players who went and were put out": figures["put_out"] >= 4,
        "connections that came back": figures["connections"] >= 2 * PLAN.clients,
    }
    return [f"did not happen: {what}" for what, is_so in happened.items() if not is_so]
