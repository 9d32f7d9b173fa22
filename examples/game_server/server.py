"""HTTP: from bytes to a call and from its answer back to bytes, one thread for each connection."""

import hmac
import json
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from examples.game_server.bodies import BadInput
from examples.game_server.routes import routes_of
from examples.game_server.service import Answer, Request, Service

MAX_BODY_BYTES = 64 * 1024
MAX_DISCARDED_BYTES = 1024 * 1024
DISCARD_SECONDS = 0.5


class Refused(Exception):
    """An answer that ends a request early."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.answer = Answer(status, {"error": why})


class Server(ThreadingHTTPServer):
    """The listening socket, with what every request needs."""

    daemon_threads = True  # A connection that idles must not keep the process alive.
    request_queue_size = 256  # The default of 5 makes a burst of connections wait for a second.

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.service = Service()
        self.token = token
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection and the requests on it, one after the other."""

    server: Server
    protocol_version = "HTTP/1.1"
    # What is taken for the version of a request line without one; with 0.9 the refusal would be bare.
    default_request_version = "HTTP/1.0"
    disable_nagle_algorithm = True  # Head and body go out separately, and must not wait for each other.
    timeout = 75

    def handle(self) -> None:
        """Serve until either side closes; that callers give up while we are late is what we are for."""
        with suppress(ConnectionError):
            super().handle()

    def answer(self) -> None:
        """Answer one request, whatever it is."""
        try:
            answer = self._answer(self._read_body())
        except Refused as refused:
            answer = refused.answer
        except BadInput as error:
            answer = Answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        if answer.is_dropped:
            self.close_connection = True
        else:
            self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - http.server's names

    def _answer(self, body: bytes) -> Answer:
        routes = routes_of(self.path.partition("?")[0])
        if not routes:
            self._check_token()
            raise Refused(HTTPStatus.NOT_FOUND, "no such path")
        route, parameters = routes.get(self.command, (None, {}))
        if route is None or route.needs_token:
            self._check_token()
        if route is None:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"only {', '.join(routes)}")
        key, host = self.headers.get("Idempotency-Key", ""), self.headers.get("Host", "")
        return route.call(self.server.service, Request(parameters, body, key, host))

    def _check_token(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        # In constant time, so that nobody learns the token letter by letter; headers arrive as Latin-1.
        is_right = hmac.compare_digest(token.encode("latin-1", "replace"), self.server.token.encode())
        if scheme.lower() != "bearer" or not is_right:
            raise Refused(HTTPStatus.UNAUTHORIZED, "wrong or missing token")

    def _read_body(self) -> bytes:
        """Return the body, which is read even where it is not looked at: the next request comes behind it."""
        text = self.headers.get("Content-Length", "0")
        is_length = text.isascii() and text.isdigit() and len(text) < 20
        if "Transfer-Encoding" in self.headers or not is_length:
            self._discard()
            raise BadInput("the body needs a Content-Length")
        if int(text) > MAX_BODY_BYTES:
            self._discard()
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise ConnectionError("the caller closed in the middle of a body")
        return body

    def _discard(self) -> None:
        """Read on a little before closing: unread bytes would reset the connection, and lose the answer."""
        self.close_connection = True
        self.connection.settimeout(DISCARD_SECONDS)
        with suppress(TimeoutError):
            self.rfile.read(MAX_DISCARDED_BYTES)

    def _send(self, answer: Answer) -> None:
        has_body = answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        if self.close_connection:
            self.send_header("Connection", "close")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if has_body:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer in JSON what http.server refuses by itself: broken request lines, unknown methods."""
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else code
        self._send(Answer(status, {"error": message or explain or "not understood"}))

    def log_message(self, *_: object) -> None:
        """Say nothing: what came is told by ``GET /calls``, and what is left on stderr is a bug."""
