"""The services that the tests run on: the product's own embedded PostgreSQL and Valkey.

A pytest plugin, named in pyproject.toml so that it is there before pytest-django reads the settings.
One PostgreSQL serves the whole run (pytest-django makes a database for each xdist worker), and every
process has a Valkey of its own. What DATABASE_URL and REDIS_URL name already is used as it is.

``python -m tests.services manage.py …`` runs a command on the same.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from matchmaking_site.stack.parts import Part, spawn
from matchmaking_site.stack.postgres import Postgres
from matchmaking_site.stack.valkey import Valkey

# In a worker's environment it says that REDIS_URL is the controller's, not the developer's.
_OWN_VALKEY = "MATCHMAKING_TESTS_OWN_VALKEY"
_ENVIRONMENT = {
    "SECRET_KEY": "tests-only-secret-key-0123456789abcdef",
    "JWT_SIGNING_KEY": "tests-only-signing-key-0123456789abcdef",
    "GUEST_LOGIN": "true",
}
NAMES_OF_THE_PLUGIN = frozenset({"DATABASE_URL", "REDIS_URL", _OWN_VALKEY, *_ENVIRONMENT})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start what is missing, and name it in the environment."""
    services = _Services()
    early_config.add_cleanup(services.stop)
    services.start_missing()
    return (yield)


class _Services:
    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="matchmaking-tests-"))
        self._directory.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL is not root, and passes
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []

    def start_missing(self) -> None:
        if "DATABASE_URL" not in os.environ:
            os.environ["DATABASE_URL"] = self.start_postgres()
        if "REDIS_URL" not in os.environ or _OWN_VALKEY in os.environ:
            os.environ |= {"REDIS_URL": self.start_valkey(), _OWN_VALKEY: "1"}
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)

    def start_postgres(self) -> str:
        postgres = Postgres(self._directory / "postgres", throw_away=True)
        for step in postgres.making():
            self._finish(step)
        postgres.made()
        self._serve(postgres.server())
        return postgres.url

    def start_valkey(self) -> str:
        valkey = Valkey(self._directory / "valkey")
        self._serve(valkey.server())
        return valkey.url

    def stop(self) -> None:
        for part, process in self._running:
            process.send_signal(part.stop_signal)
        for _, process in self._running:
            process.wait(timeout=10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _log(self, part: Part) -> Path:
        return self._directory / f"{part.name}.log"

    def _finish(self, step: Part) -> None:
        with self._log(step).open("ab") as log:
            status = spawn(step, output=log).wait(timeout=60)
        if status != 0:
            self._give_up(step)

    def _serve(self, part: Part) -> None:
        with self._log(part).open("ab") as log:
            process = spawn(part, output=log)
        self._running.append((part, process))
        deadline = time.monotonic() + 30
        while part.is_ready and not part.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                self._give_up(part)
            time.sleep(0.01)

    def _give_up(self, part: Part) -> None:
        pytest.exit(f"{part.name} did not start:\n{self._log(part).read_text()}", returncode=1)


def main() -> int:
    """Run Python with the arguments of this program, on services of its own."""
    services = _Services()
    try:
        services.start_missing()
        return subprocess.run([sys.executable, *sys.argv[1:]], check=False).returncode
    finally:
        services.stop()


if __name__ == "__main__":
    sys.exit(main())
