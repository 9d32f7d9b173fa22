"""Where games run: the port to the game host, the built-in one, and a live-game service over HTTP."""

import functools

from django.conf import settings

from matchmaking.hosts.builtin import BuiltinHost
from matchmaking.hosts.port import Game, GameHost, GameRequest, Place, Question, Seat
from matchmaking.hosts.remote import RemoteHost, states
from matchmaking.remote.calls import finish_calls

__all__ = [
    "Game",
    "GameHost",
    "GameRequest",
    "Place",
    "Question",
    "Seat",
    "finish_calls",
    "game_host",
    "states",
]


def game_host() -> GameHost:
    """Return the host that the settings name."""
    if settings.GAME_HOST == "builtin":
        return BuiltinHost()
    return _remote_host(settings.GAME_HOST, settings.GAME_HOST_TOKEN)


@functools.cache
def _remote_host(base_url: str, token: str) -> RemoteHost:
    return RemoteHost(base_url, token)
