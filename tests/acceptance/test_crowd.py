"""Five hundred guests at once, and processes that are killed: nobody loses a place, a name or a point."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.acceptance.stacks import ROOT, Stack, eventually, free_ports
from tests.acceptance.watchers import Watcher, until_all, view_of
from tests.guests import RIGHT, WRONG, Event

pytestmark = pytest.mark.acceptance

CROWD = 500
TWICE_EVERY = 10
AT_ONCE = 100
LOCK_AFTER = 200

HALF = 30
GRACE_SECONDS = 8
SETTINGS = {
    "GRACE_SECONDS": str(GRACE_SECONDS),
    "HEARTBEAT_SECONDS": "10",
    "PONG_SECONDS": "5",
    # The logs of a crowd are long, and this one is kept.
    "LOG_LEVEL": "WARNING",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real processes, started once for this module."""
    running = Stack(tmp_path_factory.mktemp("stack"), SETTINGS, is_measured=False)
    running.start()
    yield running
    running.stop()


# --- (a) all at once


class Door:
    """Where everybody joins at once, and the host locks when so many are in."""

    def __init__(self, stack: Stack, event: Event, client: httpx.AsyncClient) -> None:
        self._stack = stack
        self._event = event
        self._client = client
        self._answers = 0
        self.is_half_in = asyncio.Event()
        self.answers: dict[int, list[httpx.Response]] = {}

    async def join(self, number: int, attempt: str | None) -> Watcher | None:
        """Join as one device, some of which send twice at once; open the socket where there is a place."""
        body = {
            "join_code": self._event.code.lower(),
            "display_name": f"Guest {number}",
            "device_id": secrets.token_hex(16),
        }
        body |= {"attempt": attempt} if attempt else {}
        times = 2 if number % TWICE_EVERY == 0 else 1
        self.answers[number] = await asyncio.gather(*(self._post(body) for _ in range(times)))
        places = [answer.json() for answer in self.answers[number] if answer.status_code in {200, 201}]
        if not places:
            return None
        watcher = Watcher(places[0])
        await watcher.open(self._stack.ws_url)
        return watcher

    async def _post(self, body: dict[str, str]) -> httpx.Response:
        answer = await self._client.post("/v1/sessions/join", json=body)
        self._answers += 1
        if self._answers >= LOCK_AFTER:
            self.is_half_in.set()
        return answer


async def lock(event: Event, door: Door) -> None:
    await door.is_half_in.wait()
    assert (await event.host("lock"))["locked"] is True


async def test_five_hundred_join_at_once_and_the_host_locks_in_the_midst(stack: Stack) -> None:
    event = await Event.made(stack)
    stamp = (await event.rest("GET", f"sessions/by-code/{event.code}")).body["attempt"]
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=180, limits=limits) as client:
        door = Door(stack, event, client)
        # Everyone with an even number has seen the join page before the lock.
        joins = (door.join(number, None if number % 2 else stamp) for number in range(CROWD))
        *came, _ = await asyncio.gather(*joins, lock(event, door))
    watchers = [watcher for watcher in came if watcher is not None]

    for number, answers in door.answers.items():
        for answer in answers:
            assert answer.status_code in {200, 201} or answer.json()["code"] == "session_locked", answer.text
        places = [answer for answer in answers if answer.status_code in {200, 201}]
        assert len({answer.json()["participant_id"] for answer in places}) <= 1, "one place for a device"
        assert sum(answer.status_code == 201 for answer in places) == bool(places), "which is new once"
        assert number % 2 or len(places) == len(answers), "begun before the lock, it counts"
    refused = [number for number, answers in door.answers.items() if answers[0].status_code == 409]
    assert 0 < len(refused) <= CROWD // 2, "the lock fell in the midst"

    try:
        await until_all(watchers, lambda watcher: watcher.has("state_restored"))
        truth = view_of(await event.state())
        assert Counter(name for name, _ in truth.values()) == Counter(w.name for w in watchers)
        assert set(truth) == {watcher.participant_id for watcher in watchers}
        await until_all(watchers, lambda watcher: watcher.view() == truth, within=30)
        for watcher in watchers:
            numbers = watcher.seqs()
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        assert {state for _, state in truth.values()} == {"connected"}
    finally:
        await asyncio.gather(*(watcher.close() for watcher in watchers))


# --- (b) a web process is killed


@contextmanager
def second_web(stack: Stack) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Yield the address of one more web process, and the process."""
    (port,) = free_ports(1)
    lines = Path(f"/proc/{stack.pid_of('web')}/environ").read_bytes().decode().split("\0")
    environment = dict(line.split("=", 1) for line in lines if "=" in line) | {"PORT": str(port)}
    command = [sys.executable, "manage.py", "daphne", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert eventually(lambda: answers(f"http://127.0.0.1:{port}/health/live"), 30)
            yield f"ws://127.0.0.1:{port}", process
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@asynccontextmanager
async def opened(event: Event, *ws_urls: str, each: int) -> AsyncIterator[list[list[Watcher]]]:
    """Yield so many guests at each of some web processes."""
    crowds: list[list[Watcher]] = []
    for url in ws_urls:
        joined = [await event.ask_to_join(f"{len(crowds)}-{number}") for number in range(each)]
        crowds.append([Watcher(answer.body) for answer in joined])
        await asyncio.gather(*(watcher.open(url) for watcher in crowds[-1]))
    everyone = [watcher for crowd in crowds for watcher in crowd]
    await until_all(everyone, lambda watcher: watcher.has("state_restored"))
    try:
        yield crowds
    finally:
        await asyncio.gather(*(watcher.close() for watcher in everyone))


async def test_a_killed_web_process_costs_nobody_a_place_who_comes_back(stack: Stack) -> None:
    event = await Event.made(stack, count=2, seconds=120)
    with second_web(stack) as (url, process):
        async with opened(event, stack.ws_url, url, each=HALF) as (here, there):
            everyone = here + there
            state = await event.host("next")
            question = state["question"]["question_id"]
            await until_all(everyone, lambda watcher: watcher.has("game_state_update"))
            for watcher in everyone[::2]:
                choice = WRONG if watcher.name.endswith("0") else RIGHT
                await watcher.send("answer", question_id=question, choice=choice)
            await until_all(everyone[::2], lambda watcher: watcher.has("answer_result"))
            before = {watcher.name: await event.state(watcher.token) for watcher in everyone}

            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*(watcher.ended() for watcher in there))
            at_once, later, never = there[: HALF // 2], there[HALF // 2 : -1], there[-1]
            await asyncio.gather(*(w.open(stack.ws_url, last_seq=w.last_seq()) for w in at_once))
            await until_all(here, lambda watcher: watcher.has("participant_temporarily_disconnected"))
            await asyncio.gather(*(w.open(stack.ws_url, last_seq=w.last_seq()) for w in later))
            back = at_once + later
            await until_all(back, lambda watcher: len(watcher.of("state_restored")) == 2)
            for watcher in back:
                restored, was = watcher.last_state(), before[watcher.name]
                assert (restored["resumed"], restored["gap"]) == (True, False)
                for part in ("participant_id", "score", "answers", "question", "phase"):
                    assert restored[part] == was[part], part

            staying = here + back
            await until_all(staying, lambda watcher: watcher.has("participant_left"))
            await asyncio.sleep(GRACE_SECONDS / 2)
            for watcher in staying:
                left = [frame["data"] for frame in watcher.of("participant_left")]
                assert left == [{"participant_id": never.participant_id, "reason": "grace_expired"}]
            closed = await event.host("next")
            scores = {row["display_name"]: row["score"] for row in closed["leaderboard"]}
            assert scores == {name: state["score"] for name, state in before.items()}
            await until_all(staying, lambda watcher: watcher.seqs()[-1] == staying[0].seqs()[-1])
            for watcher in staying:
                numbers = watcher.seqs()
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no gap"
                assert watcher.view() == view_of(await event.state())


# --- (c) those who tell the time are killed


async def test_a_game_goes_on_by_its_stored_times_when_worker_and_beat_are_killed(stack: Stack) -> None:
    event = await Event.made(stack, count=2, seconds=6)
    async with opened(event, stack.ws_url, each=3) as ((ann, bob, cem),):
        question = (await event.host("next"))["question"]
        deadline = datetime.fromisoformat(question["deadline"]).timestamp()
        killed = [stack.pid_of(part) for part in ("worker", "beat")]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await ann.send("answer", question_id=question["question_id"], choice=RIGHT)
        await until_all([ann], lambda watcher: watcher.has("answer_result"))
        assert ann.of("answer_result")[0]["data"]["accepted"] is True

        await asyncio.sleep(max(deadline + 0.2 - time.time(), 0))
        await bob.send("answer", question_id=question["question_id"], choice=RIGHT)
        await until_all([bob], lambda watcher: watcher.has("answer_result"))
        assert bob.of("answer_result")[0]["data"]["accepted"] is False, "late, whoever has noticed"

        everyone = (ann, bob, cem)
        await until_all(everyone, lambda watcher: len(watcher.of("game_state_update")) == 2)
        assert not set(killed) & {stack.pid_of("worker"), stack.pid_of("beat")}
        for watcher in everyone:
            closed = watcher.of("game_state_update")[1]["data"]["state"]
            assert (closed["phase"], closed["tally"]) == ("leaderboard", [0, 1, 0])
        assert (await event.host("next"))["question"]["number"] == 2
