"""What each call does: the contract's three, and those by which a test looks in and interferes."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import uuid4

from examples.game_server.bodies import BadInput, read_new_game, read_object
from examples.game_server.faults import NO_FAULTS, read_faults
from examples.game_server.games import Game, Games, MatchCancelled, NewGame


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as far as HTTP has no more part in it; ``parameters`` come from the path."""

    parameters: Mapping[str, str]
    body: bytes = b""
    idempotency_key: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON object, or nothing at all when it is dropped."""

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    is_dropped: bool = False


class Service:
    """All state behind one lock, which is never held while anything waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._games = Games()
        self._faults = NO_FAULTS
        self._calls: Counter[str] = Counter(create=0, cancel=0, active=0)
        self._creates: Counter[str] = Counter()

    # --- the contract

    def create(self, request: Request) -> Answer:
        """Make the match's game, or return the one that it has."""
        wanted = read_new_game(request.body)
        if request.idempotency_key != wanted.match_id:
            raise BadInput("Idempotency-Key must be the match_id")
        effect = partial(self._create, wanted, host=request.host)
        return self._call("create", effect, match_id=wanted.match_id)

    def _create(self, wanted: NewGame, *, host: str) -> Answer:
        try:
            game, is_new = self._games.create(wanted, game_id=str(uuid4()), now=time.monotonic())
        except MatchCancelled:
            return Answer(409, {"error": "the match was cancelled"})
        # By the name that we were called by, since that is one that leads here.
        link = {"join_url": f"http://{host}/play/{game.game_id}"} if host else {}
        return Answer(201 if is_new else 200, {"game_id": game.game_id} | link)

    def cancel(self, request: Request) -> Answer:
        """End the match's game, and never make one again."""
        return self._call("cancel", partial(self._cancel, **request.parameters))

    def _cancel(self, match_id: str) -> Answer:
        if self._games.cancel(match_id, now=time.monotonic()):
            return Answer(204)
        return Answer(404, {"error": "the match has no game, and will have none"})

    def active(self, request: Request) -> Answer:
        """Say which game a user is playing."""
        return self._call("active", partial(self._active, **request.parameters))

    def _active(self, tenant_id: str, user_id: str) -> Answer:
        game = self._games.active(tenant_id, user_id)
        return Answer(200, {"game_id": game.game_id if game else None})

    def _call(self, name: str, effect: Callable[[], Answer], *, match_id: str | None = None) -> Answer:
        """Count a call, and let the faults of the moment befall it."""
        with self._lock:
            self._calls[name] += 1
            if match_id is not None:
                self._creates[match_id] += 1
            chance = random.random()  # noqa: S311 - no secret is made of it
            faults = self._faults.for_call(name, chance=chance)
            failed = faults.fail_status
            answer = effect() if failed is None else Answer(failed, {"error": "told to fail"})
        time.sleep(faults.delay_seconds)
        return replace(answer, is_dropped=faults.drop)

    # --- for tests, and for people who watch

    def set_faults(self, request: Request) -> Answer:
        """Misbehave from now on, in these ways and no others."""
        faults = read_faults(read_object(request.body))
        with self._lock:
            self._faults = faults
        return Answer(204)

    def heal(self, _: Request) -> Answer:
        """Behave from now on; calls that are being delayed stay so."""
        with self._lock:
            self._faults = NO_FAULTS
        return Answer(204)

    def list_games(self, _: Request) -> Answer:
        """Tell all that is known, to be compared with what the service says of its matches."""
        with self._lock:
            games = [_show(game) for game in self._games.all()]
            cancelled = self._games.cancelled_matches(now=time.monotonic())
        return Answer(200, {"games": games, "cancelled_match_ids": cancelled})

    def finish(self, request: Request) -> Answer:
        """End a game as its players would."""
        with self._lock:
            game = self._games.finish(request.parameters["game_id"])
            return Answer(200, _show(game)) if game else Answer(404, {"error": "no such game"})

    def count_calls(self, _: Request) -> Answer:
        """Tell how often each call came, those that a fault befell included."""
        with self._lock:
            return Answer(200, {"calls": dict(self._calls), "creates_by_match": dict(self._creates)})

    def play(self, request: Request) -> Answer:
        """Be where ``join_url`` leads; here a real server would let its players in."""
        with self._lock:
            game = self._games.get(request.parameters["game_id"])
            if game is None:
                return Answer(404, {"error": "no such game"})
            return Answer(200, {"game_id": game.game_id, "state": game.state})


def _show(game: Game) -> dict[str, object]:
    return {
        "game_id": game.game_id,
        "match_id": game.wanted.match_id,
        "tenant_id": game.wanted.tenant_id,
        "user_ids": list(game.wanted.user_ids),
        "state": game.state,
    }
