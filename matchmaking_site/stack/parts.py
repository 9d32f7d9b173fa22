"""What a part of the stack is, and how its process is started."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from matchmaking_site.stack.privileges import Account, become, die_with_parent


@dataclass(frozen=True, kw_only=True)
class Part:
    """One program: how it starts, how one knows that it is ready, how it ends."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    account: Account | None = None
    stdin: bytes = b""
    # Files of a service are for its own user alone; the others keep the mask they were given.
    umask: int = -1
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 2.0
    # A service is never hurried: it has something to write down.
    holds_data: bool = False
    # A part that does without tables starts while they are brought up to date.
    needs_tables: bool = True
    # Added to the niceness of the supervisor.
    nice: int = 0
    # A quiet part's output is shown only if it fails.
    quiet: bool = False
    # What the kernel sends when the supervisor itself is killed.
    orphan_signal: signal.Signals = signal.SIGKILL
    # Asked with the process id.
    is_ready: Callable[[int], bool] | None = None


def spawn(part: Part, *, output: int | IO[bytes], inherit: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a part in a session of its own, to die with this process.

    Call it from the main thread: the kernel ties the child's life to the thread that forked it.
    """
    parent = os.getpid()

    def before_exec() -> None:  # pragma: no cover - between fork and exec
        os.nice(part.nice)
        if part.account is not None:
            become(part.account)
        # After becoming the user, since only some users may enter the directory.
        os.chdir(part.directory)
        die_with_parent(parent, part.orphan_signal)

    process = subprocess.Popen(
        part.argv,
        env=dict(part.environment),
        stdin=subprocess.PIPE if part.stdin else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=inherit,
        umask=part.umask,
        preexec_fn=before_exec,  # noqa: PLW1509 - the supervisor has no threads
    )
    if process.stdin is not None:
        process.stdin.write(part.stdin)
        process.stdin.close()
    return process
