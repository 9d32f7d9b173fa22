"""Private directories, and a place for sockets whose path the kernel accepts."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.privileges import Account

# sun_path has 104 bytes on macOS and 108 on Linux, with a closing zero byte.
_SOCKET_PATH_BYTES = 103


def make_private(directory: Path, account: Account | None) -> None:
    """Make a directory that only its owner may enter; refuse one that belongs to somebody else."""
    owner = account.uid if account else os.geteuid()
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        if account and found.st_uid == 0:  # made just now, or by a start that was killed right here
            os.chown(directory, account.uid, account.gid)
            found = directory.lstat()
    except OSError as error:
        raise StackError(f"cannot make {directory}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise StackError(f"{directory} belongs to another user than the one with the number {owner}")
    if stat.S_IMODE(found.st_mode) != 0o700:
        directory.chmod(0o700)


def socket_directory(home: Path, longest_name: str, account: Account | None) -> Path:
    """Return where a service puts its socket: its home, or a short private directory.

    The short one is for paths that are too long, or that neither a URL nor a server's own
    configuration spells without escapes. It follows from the home, so every start finds the same.
    """
    path = str(home / longest_name)
    if len(path.encode()) <= _SOCKET_PATH_BYTES and re.fullmatch(r"[\w./+-]+", path, re.ASCII):
        return home
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"matchmaking-{os.geteuid()}-{digest}"
    if len(str(short / longest_name).encode()) > _SOCKET_PATH_BYTES:
        short = Path("/tmp") / short.name  # noqa: S108 - private, and its owner is checked
    make_private(short, account)
    return short
