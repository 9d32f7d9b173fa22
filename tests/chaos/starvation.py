"""When the machine did not run what was ready to run: what was late then was not late by anybody's fault.

The kernel counts for each thread how long it stood in line for a processor. Slow code is not excused by it:
who computes does not stand in line.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.history import HARNESS, History
from tests.chaos.members import Member

SAMPLE_SECONDS = 0.5
STARVED_SHARE = 0.5
"""Of the time, for one thread. Two cores with ten busy processes come to a tenth of it now and then."""


async def watch(history: History, members: Iterable[Member]) -> None:
    """Note, for ever, each moment in which one of these processes, or this one, was kept waiting."""
    before: dict[Path, int] = {}
    while True:
        began = history.now
        await asyncio.sleep(SAMPLE_SECONDS)
        seconds = history.now - began
        waited = _waits(["self", *(str(member.pid) for member in members)])
        longest = max((waited[thread] - before.get(thread, waited[thread]) for thread in waited), default=0)
        before = waited
        if longest / 1e9 > STARVED_SHARE * seconds:
            history.record(HARNESS, "starved", seconds=round(seconds, 3), waited=round(longest / 1e9, 3))


def _waits(pids: Iterable[str]) -> dict[Path, int]:
    """Return how long each thread has stood in line since it began, in nanoseconds."""
    found = {}
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                found[thread] = int(thread.read_text().split()[1])
            except (OSError, IndexError):  # it has ended, or this kernel does not count
                continue
    return found
