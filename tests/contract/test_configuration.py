"""docs/configuration.md names what the code reads, and a wrong value stops the start with one line."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from matchmaking_site.stack.environment import parts_environment, read_options

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text()
OWN = "What `make run` sets by itself"
NEEDED, NONE, EMPTY = "*needed*", "*none*", "*empty*"

READERS = {"env", "environment", "os.environ"}
# Python's and Django's own, given by the files that start a process.
NOT_OURS = {"DJANGO_SETTINGS_MODULE"}


# --- what the page says


def rows(heading: str = "") -> list[list[str]]:
    """Return the cells of the tables that name variables, of one section or of all but the last."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    wanted = [s for s in sections if s.startswith(heading)] if heading else sections[:-1]
    lines = [line for section in wanted for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


DOCUMENTED = {row[0].strip("`"): row[1] for row in rows()}


# --- what the code reads


@dataclass(frozen=True)
class Reading:
    """One place that reads a variable; a helper that reads what it is told is a place for each caller."""

    name: str
    default: str
    place: str


class Readings:
    """The readings of one file, found by its syntax."""

    def __init__(self, path: Path) -> None:
        self._path = path.relative_to(ROOT)
        text = path.read_text()
        assert not re.search(r"getenv|import environ\b", text), f"{self._path} reads in a way unknown here"
        self._tree = ast.parse(text)
        self._alternatives = {
            id(node.values[0]): node.values[1]
            for node in ast.walk(self._tree)
            if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
        }
        self._helpers = dict(self._find_helpers())

    def __iter__(self) -> Iterator[Reading]:
        for function, node in self._walk():
            names = [argument.arg for argument in function.args.args] if function else []
            if (read := self._read(node)) is None:
                continue
            name, default = read
            if isinstance(name, ast.Name) and name.id in names:
                continue  # a helper: its callers count
            assert isinstance(name, ast.Constant), f"{self._path}:{node.lineno} reads {ast.unparse(name)}"
            yield Reading(str(name.value), written(default), f"{self._path}:{node.lineno}")

    def _walk(self) -> Iterator[tuple[ast.FunctionDef | None, ast.expr]]:
        """Yield every expression with the function that it stands in."""
        pending: list[tuple[ast.FunctionDef | None, ast.AST]] = [(None, self._tree)]
        while pending:
            function, node = pending.pop()
            inside = node if isinstance(node, ast.FunctionDef) else function
            if isinstance(node, ast.expr):
                yield function, node
            pending += [(inside, child) for child in ast.iter_child_nodes(node)]

    def _find_helpers(self) -> Iterator[tuple[str, tuple[int, int | None]]]:
        """Yield functions that read the variable named by a parameter: where name and default are passed."""
        self._helpers = {}
        for function, node in self._walk():
            names = [argument.arg for argument in function.args.args] if function else []
            read = self._read(node)
            if function and read and isinstance(read[0], ast.Name) and read[0].id in names:
                used = {n.id for n in ast.walk(read[1]) if isinstance(n, ast.Name)} if read[1] else set()
                default = next((i for i, name in enumerate(names) if name in used), None)
                yield function.name, (names.index(read[0].id), default)

    def _read(self, node: ast.expr) -> tuple[ast.expr, ast.expr | None] | None:
        """Return the name and the default where ``node`` reads a variable."""
        match node:
            case ast.Subscript(value=source, slice=name) if ast.unparse(source) in READERS:
                return name, None
            case ast.Call(func=ast.Attribute(value=source), args=[name, *rest]) if (
                ast.unparse(source) in READERS and ast.unparse(node.func) != "os.environ.setdefault"
            ):
                keywords = {keyword.arg: keyword.value for keyword in node.keywords}
                given = rest[0] if rest else keywords.get("default")
                return name, given or self._alternatives.get(id(node))
            case ast.Call(func=ast.Name(id=helper), args=arguments) if helper in self._helpers:
                name_at, default_at = self._helpers[helper]
                return arguments[name_at], None if default_at is None else arguments[default_at]
        return None


def written(default: ast.expr | None) -> str:
    """Return a default as an environment variable would spell it; empty where it is made up when needed."""
    match default:
        case ast.Constant(value=value):
            return (str(value).lower() if isinstance(value, bool) else str(value)) or EMPTY
        case ast.Name(id=name) | ast.FormattedValue(value=ast.Name(id=name)):
            return name
        case ast.List(elts=items):
            return ",".join(map(written, items))
        case ast.JoinedStr(values=parts):
            return "".join(map(written, parts))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return str(int(written(left)) * int(written(right)))
    return ""


def all_readings() -> list[Reading]:
    files = [
        path
        for package in ("matchmaking_site", "challenges", "matchmaking", "realtime")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    readings = [reading for path in [*files, ROOT / "manage.py"] for reading in Readings(path)]
    return [reading for reading in readings if reading.name not in NOT_OURS]


READINGS = all_readings()
IN_SETTINGS = {
    reading.name for reading in READINGS if reading.place.startswith("matchmaking_site/settings.py")
}


def test_the_page_lists_exactly_the_variables_that_the_code_reads() -> None:
    assert {r.name: r.place for r in READINGS if r.name not in DOCUMENTED} == {}
    assert set(DOCUMENTED) - {r.name for r in READINGS} == set()


def test_the_page_lists_every_variable_once_with_its_unit_and_its_meaning() -> None:
    names = [row[0] for row in rows()]
    assert len(names) == len(set(names))
    for row in rows():
        assert len(row) == 4, row
        assert all(row), row


def test_the_code_reads_the_variables_that_it_is_known_to_read() -> None:
    known = {
        "HOST": "127.0.0.1",
        "DATA_DIR": ".data",
        "FLOWER_PORT": "5555",
        "TICK_SECONDS": "1",
        "REFRESH_TOKEN_SECONDS": "1209600",
        "GUEST_LOGIN": "false",
        "PUBLIC_URL": "http://HOST:PORT",
        "ALLOWED_ORIGINS": "PUBLIC_URL",
        "SECRET_KEY": "",
        "ADMIN_PASSWORD": "",
    }
    assert known.items() <= {(r.name, r.default) for r in READINGS}


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_the_page_gives_the_default_that_the_code_has(name: str) -> None:
    defaults = {reading.default for reading in READINGS if reading.name == name} - {""}
    without = NEEDED if name in IN_SETTINGS else NONE
    assert {DOCUMENTED[name]} == (
        {default if default == EMPTY else f"`{default}`" for default in defaults} or {without}
    )


def test_the_page_says_what_the_run_on_one_machine_sets_by_itself(tmp_path: Path) -> None:
    options = read_options({"DATA_DIR": str(tmp_path)})
    services = {"DATABASE_URL": "postgresql://embedded", "REDIS_URL": "unix:///embedded"}
    made = parts_environment(options, {}, services)
    passed_on = {"HOST", "PORT", "FLOWER_PORT", "DATA_DIR", "PYTHONUNBUFFERED"}
    said = {row[0].strip("`"): row[1] for row in rows(OWN)}
    assert set(said) == set(made) - passed_on
    assert said["GUEST_LOGIN"] == f"`{made['GUEST_LOGIN']}`"
    assert made["PUBLIC_URL"] == "http://127.0.0.1:8000"


def test_with_both_addresses_given_nothing_is_made_up() -> None:
    given = {"DATABASE_URL": "postgresql://given", "REDIS_URL": "redis://given"}
    made = parts_environment(read_options(given), given, {})
    assert not (set(made) & {row[0].strip("`") for row in rows(OWN)}) - set(given)


# --- a wrong value


VALID = {
    "DATABASE_URL": "postgresql://matchmaking@%2Fnonexistent/matchmaking",
    "REDIS_URL": "unix:///nonexistent/valkey.sock",
    "SECRET_KEY": "a-secret-of-the-site-0123456789abcdef",
    "JWT_SIGNING_KEY": "a-key-that-signs-tokens-0123456789abcdef",
}


COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def start(environment: dict[str, str], *, say: str = "HOST") -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own, with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; print(settings.{say})"],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "matchmaking_site.settings", **COVERAGE, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_needed_variables_alone_are_enough_to_start() -> None:
    assert set(VALID) == {name for name, default in DOCUMENTED.items() if default == NEEDED}
    run = start(VALID)
    assert (run.returncode, run.stdout, run.stderr) == (0, "127.0.0.1\n", "")


def test_what_the_databases_address_asks_for_is_asked_of_the_database() -> None:
    address = "postgresql://host/name?sslmode=verify-full"
    run = start(VALID | {"DATABASE_URL": address}, say="DATABASES['default']['OPTIONS'].get('sslmode')")
    assert (run.returncode, run.stdout) == (0, "verify-full\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", None),
        ("DATABASE_URL", "mysql://somewhere/else"),
        ("REDIS_URL", "somewhere"),
        ("SECRET_KEY", "x" * 31),
        ("JWT_SIGNING_KEY", VALID["SECRET_KEY"]),
        ("JWT_ISSUER", ""),
        ("TICK_SECONDS", "nan"),
        ("DATABASE_POOL_SIZE", "1"),
        ("LOG_LEVEL", "LOUD"),
        ("GUEST_LOGIN", "maybe"),
        ("PONG_SECONDS", "15.5"),
        ("DATABASE_URL", "postgresql://host:port/name"),
        ("REDIS_URL", "redis://host:port/0"),
        ("PUBLIC_URL", "matchmaking.example"),
        ("GAME_HOST", "games.example"),
        ("RATING_SERVICE", "ratings.example"),
        ("RATING_SERVICE", "https://ratings.example/?pool=1"),
        ("RATING_SERVICE_TOKEN", "two words"),
        ("RATING_SERVICE_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_the_variable(
    name: str, value: str | None
) -> None:
    environment = VALID | ({} if value is None else {name: value})
    if value is None:
        del environment[name]
    run = start(environment)
    assert run.returncode == 1
    assert run.stdout == ""
    line, *rest = run.stderr.splitlines()
    assert rest == []
    assert line.startswith("matchmaking: ")
    assert f'"{name}"' in line
