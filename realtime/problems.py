"""Errors over HTTP: RFC 9457 problem details, and the JSON of requests and answers."""

from typing import Any, TypeVar, cast

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.protocol.codec import decode_body, encode_json
from realtime.protocol.errors import (
    DomainError,
    Forbidden,
    InternalError,
    InvalidRequest,
    NotFound,
    Unauthorized,
    Unavailable,
)
from realtime.transport.database import OUTAGES

log = structlog.get_logger(__name__)

T = TypeVar("T")

STATUS_OF_KIND: dict[str, int] = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "missing": 404,
    "method": 405,
    "conflict": 409,
    "too_large": 413,
    "limited": 429,
    "internal": 500,
    "unavailable": 503,
}
PROBLEM_JSON = "application/problem+json"


class JSONRenderer(BaseRenderer):
    """Answers are JSON, whatever the client says it accepts."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, _media_type: str | None = None, _context: Any = None) -> bytes:
        """Encode an answer; no answer is an empty body."""
        return b"" if data is None else encode_json(data).encode()


class JSONParser(BaseParser):
    """Requests are JSON, whatever the client calls it; views decode them as the type that they expect."""

    media_type = "*/*"

    def parse(self, stream: Any, _media_type: str | None = None, _context: Any = None) -> Any:
        """Return the body as it came."""
        return stream.read()


class OneFormat(BaseContentNegotiation):
    """There is one parser and one renderer."""

    def select_parser(self, _request: Request, parsers: Any) -> Any:
        """Return the only parser."""
        return parsers[0]

    def select_renderer(self, _request: Request, renderers: Any, _suffix: str | None = None) -> Any:
        """Return the only renderer."""
        return renderers[0], renderers[0].media_type


def raw_body_of(request: Request) -> bytes:
    """Return the body of a request as it came."""
    return cast("bytes", request.data or b"")


def body_of(request: Request, kind: type[T]) -> T:
    """Decode the body of a request as ``kind``; raise `InvalidRequest` where it is not."""
    return decode_body(raw_body_of(request), kind)


def problem(error: DomainError) -> dict[str, Any]:
    """Return a refusal as problem details."""
    return {
        "type": "about:blank",
        "title": error.title,
        "status": STATUS_OF_KIND[error.kind],
        **error.problem(),
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a refusal as a problem; None for a bug, which Django logs whole and `server_error` answers."""
    view = context["view"]
    if isinstance(error, OUTAGES):
        log.error("service_unavailable", view=type(view).__name__, error=str(error))
        error = Unavailable()
    refusal = error if isinstance(error, DomainError) else _refusal_of(error)
    if refusal is None:
        return None
    headers = {}
    if isinstance(refusal, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_seconds" in refusal.members:
        headers["Retry-After"] = str(refusal.members["retry_after_seconds"])
    body = problem(refusal)
    return Response(body, status=body["status"], headers=headers, content_type=PROBLEM_JSON)


class MethodNotAllowed(InvalidRequest):
    """The route exists, and not for this method."""

    title = "This method is not allowed here"
    kind = "method"


def _refusal_of(error: Exception) -> DomainError | None:
    match error:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthorized()
        case exceptions.PermissionDenied():
            return Forbidden()
        case exceptions.NotFound() | Http404():
            return NotFound()
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(field="method")
        case exceptions.APIException():
            return InvalidRequest(str(error.detail), field="request")
        case _:
            return None


def _problem_response(error: DomainError) -> HttpResponse:
    body = problem(error)
    return HttpResponse(encode_json(body), status=body["status"], content_type=PROBLEM_JSON)


def page_not_found(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a route that does not exist."""
    del exception
    return _problem_response(NotFound())


def bad_request(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request that Django finds suspicious."""
    del exception
    return _problem_response(InvalidRequest(field="request"))


def server_error(_request: HttpRequest) -> HttpResponse:
    """Answer a bug in one word: the log has the rest."""
    return _problem_response(InternalError())
