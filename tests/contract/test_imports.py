"""The import contracts hold, and each of them breaks on an offence.

Every offence is committed in a copy of the packages, judged by the project's own pyproject.toml.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

APPS = "Apps depend downwards only"
SITE = "Inside the site: entrances, what they are made of, what stands alone"
BUSINESS = "Inside a business app: doors, writes, ports, reads, tables, rules"
SERVICES = "Inside matchmaking's services: whole stories, matches, tickets"
CHALLENGES = "Inside the services of challenges: whole stories, what becomes of one, what is told"
HOSTS = "Inside the game hosts: what they are, what a remote one stands on"
RATINGS = "Inside the ratings: built in or a service's, what either writes"
REMOTE = "Inside what calls stand on: the loop and the breaker"
RULES = "Inside matchmaking's rules: who fits whom is known to pairing alone"
REALTIME = "Inside realtime: doors, writes, reads, transport, tables, rules and protocol"
ROUTES = "Inside realtime's routes: each on its own"
GAMES = "Inside realtime's services: who joins, who is there, what is played, rooms"
GAME_RULES = "Inside realtime's rules: the game, what it is made of"
TRANSPORT = "Inside the transport: sockets, hub, outbox, and what they stand on"
PROTOCOL = "Inside the protocol: what is generated, frames, messages"
PURE = "Rules and protocol are pure: no framework, no I/O, no clock, no chance"
PROTOCOL_ALONE = "Rules know the protocol, and nothing else of realtime"
MATCHMAKING_TABLES = "Tables of matchmaking are reached through its own services, ports and selectors"
CHALLENGES_TABLES = "Tables of challenges are reached through their own services and selectors"
REALTIME_TABLES = "Tables of realtime are reached through its own services, selectors and outbox"
WIRING = "Only commands and sockets see what connects them"
COMPOSITION = "Only the composition root sees commands, sockets and the wall before HTTP"
HUB = "Only sockets and server see the hub"
SERVER = "Only the command that serves sees the server"
SUPERVISOR = "The supervisor knows processes, not Django"
ALONE = "The product does without its tests and benchmarks, and what they are made with"

UNDECIDED = ""
# contract: the file of an offence, and what is imported there; a new module is an offence by itself
OFFENCES: dict[str, list[tuple[str, str]]] = {
    APPS: [
        ("realtime/services/rooms.py", "matchmaking.selectors"),
        ("matchmaking/services/tickets.py", "challenges.apps"),
        ("challenges/apps.py", "matchmaking_site.celery"),
    ],
    SITE: [
        ("matchmaking_site/logs.py", "matchmaking_site.health"),
        ("matchmaking_site/undecided.py", UNDECIDED),
    ],
    BUSINESS: [
        ("matchmaking/services/pools.py", "matchmaking.tasks"),
        ("matchmaking/selectors.py", "matchmaking.services.pools"),
        ("matchmaking/models.py", "matchmaking.wakeup"),
        ("challenges/undecided.py", UNDECIDED),
    ],
    SERVICES: [
        ("matchmaking/services/tickets.py", "matchmaking.services.matches"),
        ("matchmaking/services/undecided.py", UNDECIDED),
    ],
    CHALLENGES: [
        ("challenges/services/outcomes.py", "challenges.services.accepting"),
        ("challenges/services/undecided.py", UNDECIDED),
    ],
    HOSTS: [
        ("matchmaking/hosts/builtin.py", "matchmaking.hosts.remote"),
        ("matchmaking/hosts/port.py", "matchmaking.hosts.builtin"),
        ("matchmaking/hosts/undecided.py", UNDECIDED),
    ],
    RATINGS: [
        ("matchmaking/ratings/changes.py", "matchmaking.ratings.builtin"),
        ("matchmaking/ratings/undecided.py", UNDECIDED),
    ],
    REMOTE: [
        ("matchmaking/remote/calls.py", "matchmaking.remote.breaker"),
        ("matchmaking/remote/undecided.py", UNDECIDED),
    ],
    RULES: [
        ("matchmaking/domain/rules.py", "matchmaking.domain.quality"),
        ("matchmaking/domain/undecided.py", UNDECIDED),
    ],
    REALTIME: [
        ("realtime/selectors.py", "realtime.services"),
        ("realtime/transport/push.py", "realtime.selectors"),
        ("realtime/protocol/messages.py", "realtime.domain.quiz"),
        ("realtime/undecided.py", UNDECIDED),
    ],
    ROUTES: [
        ("realtime/api/events.py", "realtime.api.sessions"),
        ("realtime/api/undecided.py", UNDECIDED),
    ],
    GAMES: [
        ("realtime/services/rooms.py", "realtime.services.participants"),
        ("realtime/services/participants.py", "realtime.services.play"),
        ("realtime/services/undecided.py", UNDECIDED),
    ],
    GAME_RULES: [
        ("realtime/domain/quiz.py", "realtime.domain.duels"),
        ("realtime/domain/undecided.py", UNDECIDED),
    ],
    TRANSPORT: [
        ("realtime/transport/push.py", "realtime.transport.events"),
        ("realtime/transport/throttle.py", "realtime.transport.auth"),
        ("realtime/transport/undecided.py", UNDECIDED),
    ],
    PROTOCOL: [
        ("realtime/protocol/messages.py", "realtime.protocol.codec"),
        ("realtime/protocol/undecided.py", UNDECIDED),
    ],
    PURE: [
        ("realtime/protocol/messages.py", "django"),
        ("realtime/domain/participants.py", "time"),
        ("matchmaking/domain/matches.py", "random"),
    ],
    PROTOCOL_ALONE: [
        ("matchmaking/domain/matches.py", "realtime.transport.throttle"),
    ],
    MATCHMAKING_TABLES: [
        ("matchmaking/api.py", "matchmaking.models"),
        ("matchmaking/tasks.py", "matchmaking.models"),
    ],
    CHALLENGES_TABLES: [
        ("challenges/api.py", "challenges.models"),
        ("challenges/tasks.py", "challenges.models"),
    ],
    REALTIME_TABLES: [
        ("matchmaking/selectors.py", "realtime.models"),
        ("realtime/transport/hub.py", "realtime.models"),
    ],
    WIRING: [
        ("realtime/services/play.py", "realtime.transport.wiring"),
    ],
    COMPOSITION: [
        ("matchmaking_site/urls.py", "matchmaking.commands"),
        ("matchmaking/commands.py", "realtime.transport.consumers"),
        ("realtime/api/events.py", "realtime.transport.bodies"),
    ],
    HUB: [
        ("realtime/services/play.py", "realtime.transport.hub"),
    ],
    SERVER: [
        ("matchmaking_site/asgi.py", "realtime.transport.server"),
    ],
    SUPERVISOR: [
        ("matchmaking_site/stack/parts.py", "django"),
        ("matchmaking_site/stack/page.py", "realtime.protocol.codec"),
    ],
    ALONE: [
        ("realtime/services/play.py", "tests"),
        ("matchmaking/wakeup.py", "examples"),
        ("matchmaking_site/management/commands/demo.py", "hypothesis"),
    ],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in CONFIGURATION["root_packages"]:
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    return copy


def lint(checkout: Path) -> tuple[int, str]:
    """Return the exit status and the report, on one line."""
    run = subprocess.run(
        [LINT_IMPORTS], cwd=checkout, env={"COLUMNS": "200"}, capture_output=True, text=True, check=False
    )
    return run.returncode, " ".join((run.stdout + run.stderr).split())


@contextmanager
def committed(checkout: Path, offences: list[tuple[str, str]]) -> Iterator[None]:
    originals = {
        file: path.read_text() if (path := checkout / file).exists() else None for file, _ in offences
    }
    for file, imported in offences:
        line = f"import {imported}" if imported else ""
        (checkout / file).write_text(f"{originals[file] or ''}\n{line}\n")
    try:
        yield
    finally:
        for file, text in originals.items():
            if text is None:
                (checkout / file).unlink()
            else:
                (checkout / file).write_text(text)


def complaint(file: str, imported: str) -> str:
    module = file.removesuffix(".py").replace("/", ".")
    return f"- {module} -> {imported} (l." if imported else f"- {module} "


def test_every_contract_holds(checkout: Path) -> None:
    status, report = lint(checkout)
    assert status == 0, report
    assert " 0 broken" in report


@pytest.mark.parametrize("contract", OFFENCES)
def test_a_contract_breaks_on_each_of_its_offences(checkout: Path, contract: str) -> None:
    with committed(checkout, OFFENCES[contract]):
        status, report = lint(checkout)
    assert status == 1, report
    assert f"{contract} BROKEN" in report
    assert [file for file, imported in OFFENCES[contract] if complaint(file, imported) not in report] == []


def test_every_contract_has_an_offence_that_breaks_it() -> None:
    assert [contract["name"] for contract in CONFIGURATION["contracts"]] == list(OFFENCES)


def test_every_package_of_the_product_is_under_contract() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "examples"}
    assert packages == set(CONFIGURATION["root_packages"])


@pytest.mark.parametrize("package", CONFIGURATION["root_packages"])
def test_every_package_has_layers_that_leave_no_module_out(package: str) -> None:
    exhaustive = [contract for contract in CONFIGURATION["contracts"] if contract.get("exhaustive")]
    assert package in {name for contract in exhaustive for name in contract["containers"]}
