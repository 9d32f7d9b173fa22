"""Which path and method lead to which call."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from examples.game_server.bodies import BadInput
from examples.game_server.service import Answer, Request, Service


@dataclass(frozen=True, slots=True)
class Route:
    """One call; a name in braces stands for one part of the path."""

    method: str
    path: str
    call: Callable[[Service, Request], Answer]
    needs_token: bool = True

    def match(self, path: str) -> dict[str, str] | None:
        """Return the named parts of a path that this route has, percent-decoded."""
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), path)
        return found and {name: _decode(part) for name, part in found.groupdict().items()}


ROUTES = (
    Route("POST", "/internal/games", Service.create),
    Route("DELETE", "/internal/games/by-match/{match_id}", Service.cancel),
    Route("GET", "/internal/users/{tenant_id}/{user_id}/active-game", Service.active),
    Route("PUT", "/faults", Service.set_faults),
    Route("DELETE", "/faults", Service.heal),
    Route("GET", "/games", Service.list_games),
    Route("POST", "/games/{game_id}/finish", Service.finish),
    Route("GET", "/calls", Service.count_calls),
    # Players have no token of the service.
    Route("GET", "/play/{game_id}", Service.play, needs_token=False),
)


def routes_of(path: str) -> dict[str, tuple[Route, dict[str, str]]]:
    """Return the routes of a path by method, each with the path's named parts."""
    found = ((route, route.match(path)) for route in ROUTES)
    return {route.method: (route, parts) for route, parts in found if parts is not None}


def _decode(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise BadInput("the path is not UTF-8") from error
