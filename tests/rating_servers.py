"""A rating service in a thread, to be asked over real HTTP by tests, and to misbehave as they say."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "tests-only-rating-token"


class RatingServer:
    """It knows the ratings that a test gives it, takes results in once, and counts what it was asked.

    ``status``, ``body`` (bytes, said as they are) and ``hangs`` make it misbehave. Stopped and started again
    it has the same address, and remembers everything.
    """

    def __init__(self) -> None:
        self.ratings: dict[str, dict[str, Any]] = {}
        self.new_ratings: dict[str, dict[str, Any]] | None = None
        self.reads: list[dict[str, Any]] = []
        self.tells: list[dict[str, Any]] = []
        self.results: dict[str, dict[str, Any]] = {}
        self.heal()
        self.connections: set[socket.socket] = set()
        self._port = 0
        self.start()

    def heal(self) -> None:
        self.status: int | None = None
        self.body: bytes | None = None
        self.hangs = threading.Event()
        self.hangs.set()

    def hang(self) -> None:
        """Answer nothing before `stop`, or the next `go_on`."""
        self.hangs.clear()

    def go_on(self) -> None:
        self.hangs.set()

    def start(self) -> None:
        server = self
        handler = type("Handler", (_Handler,), {"server_of_test": server})
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._http.daemon_threads = True
        self._port = self._http.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.go_on()
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, path: str, body: dict[str, Any], key: str | None) -> tuple[int, bytes]:
        """Return status and body of an answer to an authorised call."""
        if path == "/ratings":
            self.reads.append(body)
            known = {user: self.ratings[user] for user in body["user_ids"] if user in self.ratings}
            good = 200, json.dumps({"ratings": known}).encode()
        else:
            assert key == body["match_id"]
            self.tells.append(body)
            good = self._take(body)
        self.hangs.wait(20)
        return self.status or good[0], good[1] if self.body is None else self.body

    def _take(self, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.status and self.status >= 400:
            return self.status, b""
        if body["match_id"] in self.results:
            return 409, b""
        self.results[body["match_id"]] = body
        if self.new_ratings is None:
            return 204, b""
        self.ratings |= self.new_ratings
        return 200, json.dumps({"ratings": self.new_ratings}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_test: RatingServer

    def setup(self) -> None:
        super().setup()
        self.server_of_test.connections.add(self.connection)

    def finish(self) -> None:
        self.server_of_test.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, text = 401, b""
        else:
            status, text = self.server_of_test.answer(self.path, body, self.headers["Idempotency-Key"])
        try:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if status != 204:
                self.wfile.write(text)
        except ConnectionError:
            pass  # Who asked has gone.

    def log_message(self, *_: object) -> None:
        """Say nothing."""
