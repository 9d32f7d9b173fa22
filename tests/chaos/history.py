"""What everybody saw and did, in one order: the only thing that the checker knows of a run.

One observation a line, as JSON. Times are seconds since the run began, by one steady clock of one process;
``began_at`` is the wall clock of that moment, by which the database's times are brought to the same scale.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Data = dict[str, Any]

NEMESIS = "nemesis"
HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that happened: when, to whom, what."""

    at: float
    who: str
    kind: str
    data: Data = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at:9.3f} {self.who:<12} {self.kind} {json.dumps(self.data)}"


class History:
    """Writes observations down the moment they are made."""

    def __init__(self, path: Path) -> None:
        self.observations: list[Observation] = []
        self.began_at = time.time()
        self._zero = time.monotonic()
        self._file = path.open("w")
        self.record(HARNESS, "began", wall_clock=self.began_at)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._zero

    def record(self, who: str, kind: str, **data: Any) -> Observation:
        """Note what just happened."""
        seen = Observation(round(self.now, 4), who, kind, data)
        self.observations.append(seen)
        self._file.write(json.dumps([seen.at, who, kind, data]) + "\n")
        return seen

    def close(self) -> None:
        """Have all of it on disk."""
        self._file.close()


def load(lines: Iterable[str]) -> list[Observation]:
    """Read a history back."""
    return [Observation(*json.loads(line)) for line in lines]
