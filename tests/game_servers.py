"""The example's game server as a process of its own, to be a game host for tests."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 5


class GameServer:
    """``python -m examples.game_server``: start it, tell it to fail, ask what it did, stop it.

    Started again it has the same address, and has forgotten everything.
    """

    def __init__(self, token: str = "tests-only-game-host-token") -> None:
        self.token = token
        self.url = ""
        self.process: subprocess.Popen[str]
        self._errors: IO[bytes]
        self._http: httpx.Client

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it listens."""
        port = httpx.URL(self.url).port if self.url else 0
        options = ("--host", "127.0.0.1", "--port", str(port), "--token", self.token)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open until the process ends
        self.process = subprocess.Popen(
            (sys.executable, "-m", "examples.game_server", *options),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line.startswith("game server listens on http://"):
            self.process.kill()
            raise AssertionError(f"it did not start: {line}{self._end()}")
        self.url = line.split()[-1]
        self._http = httpx.Client(base_url=self.url, headers=self.headers, trust_env=False)

    def stop(self) -> None:
        """Stop it as a supervisor does; fail when it does not end, or ends badly."""
        self._http.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        finally:
            self.process.kill()  # Does nothing to a process that has ended.
            errors = self._end()
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors, errors

    def _end(self) -> str:
        """Leave nothing of the process open; return what it wrote to stderr."""
        self.process.communicate()
        with self._errors as errors:
            errors.seek(0)
            return errors.read().decode(errors="replace")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def put_faults(self, **faults: Any) -> None:
        """Let it misbehave so from now on, and in no other way."""
        self._http.put("/faults", json=faults).raise_for_status()

    def heal(self) -> None:
        """Let it behave from now on."""
        self._http.delete("/faults").raise_for_status()

    def games(self) -> dict[str, Any]:
        """Return ``games``, each with match_id, game_id and state, and ``cancelled_match_ids``."""
        return self._get("/games")

    def calls(self) -> dict[str, Any]:
        """Return ``calls``, how often each came, and ``creates_by_match``."""
        return self._get("/calls")

    def finish(self, game_id: str) -> None:
        """End a game as its players would."""
        self._http.post(f"/games/{game_id}/finish").raise_for_status()

    def _get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.get(path).raise_for_status().json()
        return answer
