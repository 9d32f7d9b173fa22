"""The one command that runs everything: it starts, survives its parts' deaths, ends, and refuses."""

import os
import signal
import socket
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis

from tests.acceptance.stacks import Stack, clean_environment, eventually, free_ports, run_to_end

pytestmark = pytest.mark.acceptance

PARTS = ("web", "worker", "beat", "flower", "valkey", "postgres")


def _answers(stack: Stack) -> bool:
    try:
        with urllib.request.urlopen(f"{stack.base_url}/health/live", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_it_says_where_everything_is(stack: Stack) -> None:
    log = stack.log_text()
    assert f"page    {stack.base_url}/" in log
    assert "user admin, password " in log
    assert f"Flower  http://127.0.0.1:{stack.flower_port}/" in log
    assert _answers(stack)


def test_every_part_is_a_child_with_a_process_group_of_its_own(stack: Stack) -> None:
    pids = {part: stack.pid_of(part) for part in PARTS}
    assert all(pids.values()), pids
    assert {os.getpgid(pid) for pid in pids.values()} == set(pids.values())


def test_secrets_are_for_their_owner_alone(stack: Stack) -> None:
    assert (stack.data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(stack.jwt_signing_key) >= 32


def test_services_listen_on_no_network_port(stack: Stack) -> None:
    for service in ("valkey", "postgres"):
        files = Path(f"/proc/{stack.pid_of(service)}/fd").iterdir()
        sockets = [str(file.readlink()) for file in files if file.is_symlink()]
        inodes = {name[8:-1] for name in sockets if name.startswith("socket:[")}
        tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
        assert not inodes & {line.split()[9] for table in tables for line in table}


def test_a_second_run_on_the_same_data_is_refused(stack: Stack) -> None:
    port, flower_port = free_ports(2)
    refused = run_to_end(stack.environment | {"PORT": str(port), "FLOWER_PORT": str(flower_port)})
    assert refused.returncode == 1
    assert refused.stderr == (
        f"matchmaking: DATA_DIR {stack.data_dir} is in use by process {stack.process.pid}:"
        " stop that one, or set another DATA_DIR\n"
    )
    assert _answers(stack)


@pytest.mark.parametrize("name", ["PORT", "FLOWER_PORT"])
def test_a_busy_port_is_refused(name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        others = dict(zip(("PORT", "FLOWER_PORT"), map(str, free_ports(2)), strict=True))
        refused = run_to_end(
            clean_environment() | others | {"DATA_DIR": str(tmp_path / "data"), name: str(port)}
        )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"matchmaking: port {port} on 127.0.0.1 is in use: set {name} to another one\n"


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "eighty"), ("HOST", "no.such.host.invalid"), ("TICK_SECONDS", "often")]
)
def test_a_wrong_setting_is_one_line(name: str, value: str, tmp_path: Path) -> None:
    stack = Stack(tmp_path, {name: value})
    refused = run_to_end(stack.environment)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f'matchmaking: Environment variable "{name}"')
    assert refused.stderr.count("\n") == 1
    assert not stack.processes()


def test_given_services_are_used_and_secrets_are_then_asked_for(tmp_path: Path) -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    stack = Stack(tmp_path, given)
    refused = run_to_end(stack.environment)
    assert refused.returncode == 1
    assert refused.stderr == 'matchmaking: Environment variable "SECRET_KEY" not set\n'
    assert sorted(path.name for path in stack.data_dir.iterdir()) == ["parts.lock", "supervisor.lock"]


def test_it_ends_when_nobody_reads_its_log(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as nobody:
        ended = run_to_end(stack.environment, output=nobody)
    assert ended.returncode == 0
    assert not stack.processes()


def test_what_was_committed_survives_the_supervisor_and_nothing_else_does(stack: Stack) -> None:
    with psycopg.connect(stack.address_of("DATABASE_URL")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.from_url(stack.address_of("REDIS_URL")).set("kept", "42")
    stack.kill()
    assert eventually(lambda: not stack.processes(), 3), stack.processes()
    stack.start()
    with psycopg.connect(stack.address_of("DATABASE_URL")) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert redis.from_url(stack.address_of("REDIS_URL")).get("kept") == b"42"


def test_a_killed_part_is_started_again(stack: Stack) -> None:
    killed = {part: stack.pid_of(part) for part in PARTS}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not set(killed.values()) & set(map(stack.pid_of, PARTS)), 10)
    for part in PARTS:
        assert f"{part} was ended by SIGKILL: it starts again in 0.5 s" in stack.log_text()
    assert eventually(lambda: all(map(stack.pid_of, PARTS)), 10)
    assert eventually(lambda: _answers(stack), 15)
    assert eventually(lambda: _select_one(stack), 10)
    assert redis.from_url(stack.address_of("REDIS_URL")).ping()


def _select_one(stack: Stack) -> bool:
    try:
        with psycopg.connect(stack.address_of("DATABASE_URL")) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_ctrl_c_ends_everything_within_ten_seconds(stack: Stack) -> None:
    assert stack.stop() < 10
    assert stack.process.returncode == 0
    assert not stack.processes()
