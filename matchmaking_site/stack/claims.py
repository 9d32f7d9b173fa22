"""What a run claims for itself before it starts anything: DATA_DIR, its ports, enough open files."""

import errno
import fcntl
import os
import resource
import socket
import time
from pathlib import Path

from matchmaking_site.stack.environment import Options
from matchmaking_site.stack.errors import StackError

# The kernel ends the parts of a killed run within moments; PostgreSQL may write a last checkpoint.
_LEFT_OVER_SECONDS = 8.0

# Every player's socket is an open file, and many systems begin with 1024 for each process.
_OPEN_FILES = 65_536


def make_data_directory(data_dir: Path) -> None:
    """Make DATA_DIR: for its owner alone, but that root's PostgreSQL, another user, passes through."""
    try:
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot make DATA_DIR {data_dir}: {error.strerror}") from None
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise StackError(f"cannot write to DATA_DIR {data_dir}: it belongs to another user")


def claim_data_directory(data_dir: Path) -> int:
    """Take DATA_DIR for this run, and return the file descriptor that every part must inherit.

    There are two locks. The supervisor's own says at once that a second run is one too many. The one
    that all parts hold says when the last process of a killed run is gone.
    """
    own = _open(data_dir / "supervisor.lock")
    if not _locks(own):
        holder = os.pread(own, 32, 0).decode().strip()
        raise StackError(
            f"DATA_DIR {data_dir} is in use by process {holder}: stop that one, or set another DATA_DIR"
        )
    os.ftruncate(own, 0)
    os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
    shared = _open(data_dir / "parts.lock")
    deadline = time.monotonic() + _LEFT_OVER_SECONDS
    while not _locks(shared):
        if time.monotonic() > deadline:
            raise StackError(f"processes of a killed run still use DATA_DIR {data_dir}: stop them first")
        time.sleep(0.05)
    return shared


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StackError(f"cannot open {file}: {error.strerror}") from None


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StackError(f"cannot lock a file in DATA_DIR: {error.strerror}") from None
    return True


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_ports(options: Options) -> None:
    """Refuse a port that somebody listens on."""
    _check_port("PORT", options.host, options.port)
    _check_port("FLOWER_PORT", options.flower_host, options.flower_port)


def _check_port(name: str, host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StackError(f'Environment variable "HOST": {host!r} is no address ({error.strerror})') from None
    family, kind, protocol, _, address = found[0]
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise StackError(f"port {port} on {host} {reason}: set {name} to another one") from None
