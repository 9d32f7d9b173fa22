"""Challenges, for tests beside a real database: made, and accepted while the loop is driven by hand."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from challenges.models import Challenge
from matchmaking.domain.matches import Stage
from matchmaking.models import Match
from matchmaking.services import loop
from tests.factories import Answer, Rest, acknowledge, answer_ping, connect

CHALLENGES = "/matchmaking/challenges"


def challenge(by: str, opponent: str | None = None, **fields: Any) -> dict[str, Any]:
    """Let a player challenge another, or without one whoever comes; return the challenge."""
    wanted = fields if opponent is None else {"opponent_id": opponent, **fields}
    made = Rest(by).post(CHALLENGES, wanted)
    assert made.status == 201, made
    body: dict[str, Any] = made.body
    return body


def send(action: str, by: str, challenge_id: str) -> Answer:
    return Rest(by).post(f"{CHALLENGES}/{challenge_id}/{action}")


def row(challenge_id: str) -> Challenge:
    return Challenge.objects.get(id=challenge_id)


def arrive(*names: str) -> None:
    for name in names:
        connect(name)


class Loop:
    """The worker's loop in a thread of its own, with players who answer, or do not."""

    def __init__(self, *silent: str, deaf: Sequence[str] = ()) -> None:
        self._silent, self._deaf = silent, deaf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.errors: list[Exception] = []

    def __enter__(self) -> "Loop":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        assert self.errors == []

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                loop.advance()
                for match in Match.objects.filter(status=Match.Status.PROPOSED):
                    self._answer(match)
                time.sleep(0.01)
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def _answer(self, match: Match) -> None:
        names = [seat.user_id for seat in match.players.all()]
        if match.stage == Stage.VERIFYING:
            answer_ping(match, *(name for name in names if name not in self._silent))
        elif match.stage == Stage.NOTIFYING:
            acknowledge(match, *(name for name in names if name not in self._deaf))


def meanwhile(work: Callable[[], Answer]) -> tuple[threading.Thread, list[Answer]]:
    """Begin something in another thread, whose answer comes later."""
    answers: list[Answer] = []

    def run() -> None:
        try:
            answers.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def accept(by: str, challenge_id: str, *silent: str, deaf: Sequence[str] = ()) -> Answer:
    """Let a player accept while the loop runs and everybody answers but these."""
    with Loop(*silent, deaf=deaf):
        return send("accept", by, challenge_id)


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
