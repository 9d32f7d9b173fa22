"""The real command on its own data and ports, as a test sees it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tests.services import NAMES_OF_THE_PLUGIN

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "matchmaking_site.stack")
READY_SECONDS = 60


class Stack:
    """``python -m matchmaking_site.stack``: start it, look at it, kill parts of it, stop it."""

    def __init__(
        self, directory: Path, settings: dict[str, str] | None = None, *, is_measured: bool = True
    ) -> None:
        """Prepare it; where its coverage is not measured, which others see to, it is much faster."""
        self.data_dir = directory / "data"
        self.port, self.flower_port = free_ports(2)
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self.environment = clean_environment() | {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "FLOWER_PORT": str(self.flower_port),
            **(settings or {}),
        }
        if not is_measured:
            self.environment = {k: v for k, v in self.environment.items() if not k.startswith("COVERAGE")}
        self._log = directory / "log"
        self.process: subprocess.Popen[bytes]

    @property
    def jwt_signing_key(self) -> str:
        key: str = json.loads((self.data_dir / "secrets.json").read_text())["JWT_SIGNING_KEY"]
        return key

    def start(self) -> None:
        """Start it, and return when it says that it is ready."""
        with self._log.open("ab") as log:
            said_before = log.tell()
            self.process = subprocess.Popen(
                COMMAND, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_SECONDS
        while "Ctrl-C stops everything" not in self.log_text(said_before):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the stack did not get ready:\n{self.log_text()}")
            time.sleep(0.05)

    def stop(self, seconds: float = 12) -> float:
        """Press Ctrl-C, and return how long the end took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return time.monotonic() - started

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def log_text(self, offset: int = 0) -> str:
        return self._log.read_bytes()[offset:].decode(errors="replace")

    def pid_of(self, part: str) -> int:
        """Return the process id of a part that is a child of the supervisor, or 0."""
        words = {
            "web": "daphne",
            "worker": " worker ",
            "beat": " beat ",
            "flower": " flower ",
            "valkey": "valkey-server",
            "postgres": "/bin/postgres -D",
        }
        for pid in children_of(self.process.pid):
            if words[part] in command_line(pid):
                return pid
        return 0

    def address_of(self, service: str) -> str:
        """Return DATABASE_URL or REDIS_URL as the web process got it."""
        variables = Path(f"/proc/{self.pid_of('web')}/environ").read_bytes().decode().split("\0")
        return next(text.removeprefix(f"{service}=") for text in variables if text.startswith(f"{service}="))

    def processes(self) -> dict[int, str]:
        """Return everything on this machine that has to do with this stack's data."""
        return {pid: command_line(pid) for pid in all_pids() if _concerns(pid, str(self.data_dir))}


def run_to_end(
    environment: dict[str, str], *, output: int | IO[bytes] = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run the command where it ends by itself, and return what it said."""
    return subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what the test run put there for itself."""
    return {name: value for name, value in os.environ.items() if name not in NAMES_OF_THE_PLUGIN}


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def eventually(condition: Callable[[], object], seconds: float) -> bool:
    """Return whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def children_of(parent: int) -> list[int]:
    return [
        pid for pid in all_pids() if _status(pid, "PPid") == str(parent) and _status(pid, "State")[:1] != "Z"
    ]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _status(pid: int, name: str) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")


def _concerns(pid: int, data_dir: str) -> bool:
    """Whether a process names the data in its command line or environment, or works in it."""
    try:
        process = Path(f"/proc/{pid}")
        texts = [(process / name).read_bytes() for name in ("cmdline", "environ")]
        names_it = any(data_dir.encode() in text for text in texts)
        return names_it or str((process / "cwd").readlink()).startswith(data_dir)
    except OSError:  # gone, or somebody else's
        return False
