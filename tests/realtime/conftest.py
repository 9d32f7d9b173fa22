"""A service whose clocks run fast, and players who come to it."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.stacks import Stack
from tests.players import Player, token_for

FAST = {
    "HEARTBEAT_SECONDS": "1.2",
    "PONG_SECONDS": "0.4",
    "HEALTH_CHECK_SECONDS": "0.8",
    "ACK_SECONDS": "0.8",
    "LEASE_SECONDS": "4",
    "GRACE_SECONDS": "1.5",
    "QUEUE_UPDATE_SECONDS": "0.3",
    "SLOW_READER_SECONDS": "1",
    "QUIZ_LOBBY_SECONDS": "0.5",
    "QUIZ_LEADERBOARD_SECONDS": "0.5",
    "QUIZ_DUEL_QUESTIONS": "3",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real processes, started once for a module."""
    running = Stack(tmp_path_factory.mktemp("stack"), FAST)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def player(stack: Stack, request: pytest.FixtureRequest) -> Callable[..., Player]:
    """Make players whose names are this test's own: ``player("ann")``."""
    test = f"{abs(hash(request.node.name)) % 10**8}"

    def make(name: str, *, path: str = "/ws/matchmaking/", silent: bool = False, **claims: object) -> Player:
        token = token_for(f"{name}-{test}", key=stack.jwt_signing_key, **claims)  # type: ignore[arg-type]
        return Player(stack.ws_url, token, path=path, silent=silent)

    return make
