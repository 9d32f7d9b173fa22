"""Players and the real processes, with the clocks that users get."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from websockets.exceptions import InvalidHandshake

from tests.acceptance.stacks import ROOT, Stack, clean_environment
from tests.players import Frame, Player, token_for
from tests.realtime.test_matchmaking_socket import asked

pytestmark = pytest.mark.acceptance


class LonePlayer:
    """A player in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", output: IO[str]) -> None:
        self.process = process
        self._output = output

    def until(self, kind: str) -> Frame:
        """Return the next frame of a kind; the process's end, and only that, ends the wait."""
        for line in self._output:
            frame: Frame = json.loads(line)
            if frame["type"] == kind:
                return frame
        raise AssertionError(f"the player ended before {kind}")

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def lone_player(stack: Stack, name: str, pool_key: str) -> Iterator[LonePlayer]:
    token = token_for(name, key=stack.jwt_signing_key)
    command = [sys.executable, "-m", "tests.acceptance.lone_player", stack.ws_url, token, pool_key]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield LonePlayer(process, process.stdout)
        finally:
            process.kill()


async def test_two_real_clients_are_matched(stack: Stack) -> None:
    with lone_player(stack, "ann", "duel") as ann, lone_player(stack, "bob", "duel") as bob:
        hers, his = await asyncio.gather(
            asyncio.to_thread(ann.until, "match_ready"), asyncio.to_thread(bob.until, "match_ready")
        )
    assert hers["data"] == his["data"]


async def test_a_frozen_client_is_never_confirmed_and_its_partner_keeps_its_place(stack: Stack) -> None:
    with lone_player(stack, "frozen", "blitz") as frozen:
        joined = await asyncio.to_thread(frozen.until, "queue_joined")
        frozen.freeze()
        async with Player(stack.ws_url, token_for("alive", key=stack.jwt_signing_key)) as alive:
            entry = (await alive.join("blitz"))["data"]
            cancelled = (await alive.next("match_cancelled"))["data"]
            assert cancelled["reason"] == "opponent_unreachable"
            assert cancelled["requeued"] is True
            assert alive.of("match_found", "match_ready") == []

            back = await asked(stack, f"matchmaking/queue/{entry['queue_entry_id']}", alive)
            assert (back["status"], back["queued_at"]) == ("SEARCHING", entry["queued_at"])

            await asyncio.sleep(3)
            assert len(alive.of("ping")) == 1, "the frozen one is not offered again"

            frozen.thaw()
            told = await asyncio.to_thread(frozen.until, "match_cancelled")
            assert told["data"]["reason"] == "you_unreachable"
            assert told["data"]["queue_entry_id"] == joined["data"]["queue_entry_id"]
            await asyncio.gather(
                alive.next("match_ready", within=20), asyncio.to_thread(frozen.until, "match_ready")
            )


async def test_tickets_survive_a_killed_web_process(stack: Stack) -> None:
    eve = Player(stack.ws_url, token_for("eve", key=stack.jwt_signing_key))
    async with eve:
        entry = (await eve.join("casual"))["data"]
        os.kill(stack.pid_of("web"), signal.SIGKILL)
        await eve.closed()
        seen = len(eve.frames)
        for _ in range(300):
            try:
                await eve.connect("?last_seq=1")
                break
            except (OSError, InvalidHandshake):
                await asyncio.sleep(0.1)
        restored = await eve.next("state_restored", since=seen)
        assert restored["data"]["ticket"]["queued_at"] == entry["queued_at"]
        async with Player(stack.ws_url, token_for("fay", key=stack.jwt_signing_key)) as fay:
            await fay.join("casual")
            await asyncio.gather(eve.next("match_ready", since=seen), fay.next("match_ready"))
