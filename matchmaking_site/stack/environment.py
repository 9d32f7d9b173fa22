"""What the environment asks of the stack, and what the parts get to see of it."""

import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from matchmaking_site.stack.errors import StackError

_SECRETS_FILE = "secrets.json"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The stack's own part of the environment."""

    data_dir: Path
    host: str
    port: int
    flower_host: str
    flower_port: int
    embeds_postgres: bool
    embeds_valkey: bool

    @property
    def local_host(self) -> str:
        """The web server's address as a program on this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a lookup, no bind

    @property
    def local_url(self) -> str:
        """The page as somebody on this machine reaches it."""
        return f"http://{_in_url(self.local_host)}:{self.port}"

    @property
    def flower_url(self) -> str:
        """Flower as somebody on this machine reaches it."""
        host = self.local_host if self.flower_host == self.host else self.flower_host
        return f"http://{_in_url(host)}:{self.flower_port}"


def read_options(environment: Mapping[str, str]) -> Options:
    """Read the stack's variables; an empty one counts as not set."""
    host = environment.get("HOST") or "127.0.0.1"
    # Flower stops and starts workers for whoever asks: without a password it is for this machine alone.
    flower_host = host if _is_loopback(host) or environment.get("FLOWER_BASIC_AUTH") else "127.0.0.1"
    options = Options(
        data_dir=Path(environment.get("DATA_DIR") or ".data").absolute(),
        host=host,
        port=_port(environment, "PORT", 8000),
        flower_host=flower_host,
        flower_port=_port(environment, "FLOWER_PORT", 5555),
        embeds_postgres=not environment.get("DATABASE_URL"),
        embeds_valkey=not environment.get("REDIS_URL"),
    )
    if options.port == options.flower_port:
        raise StackError(f"PORT and FLOWER_PORT are both {options.port}: set one of them to another port")
    return options


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise StackError(f'Environment variable "{name}" must be a port from 1 to 65535, not {text!r}')
    return int(text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def load_secrets(data_dir: Path) -> dict[str, str]:
    """Return the secrets of this DATA_DIR, made once."""
    file = data_dir / _SECRETS_FILE
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError) as error:
        raise StackError(f"cannot read {file}: {error}") from None
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
    }
    if made.keys() - found.keys():
        found = made | found
        _write_whole(file, json.dumps(found, indent=2))
    return found


def _write_whole(file: Path, text: str) -> None:
    """Write a private file so that a crash leaves the old one or the new one."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(file)


def parts_environment(
    options: Options, environment: Mapping[str, str], services: dict[str, str]
) -> dict[str, str]:
    """Return the environment of web, worker, beat and Flower.

    ``services`` holds the addresses of what is embedded. Only with something embedded are secrets
    made, and are guests let in, without being asked for.
    """
    fixed = {
        "HOST": options.host,
        "PORT": str(options.port),
        "FLOWER_PORT": str(options.flower_port),
        "DATA_DIR": str(options.data_dir),
        "PYTHONUNBUFFERED": "1",
    }
    defaults: dict[str, str] = (
        _own_defaults(options, environment.get("PUBLIC_URL") or options.local_url) if services else {}
    )
    given = {name: value for name, value in environment.items() if value or name not in defaults}
    return defaults | given | fixed | services


def _own_defaults(options: Options, public_url: str) -> dict[str, str]:
    # A browser on this machine may know the page by any of these names.
    hosts = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        urlsplit(public_url).hostname or "",
        _in_url(options.local_host),
    ]
    names = [
        public_url.rstrip("/"),
        *(f"http://{host}:{options.port}" for host in ("127.0.0.1", "localhost")),
    ]
    return load_secrets(options.data_dir) | {
        "GUEST_LOGIN": "true",
        "PUBLIC_URL": public_url,
        "ALLOWED_HOSTS": ",".join(dict.fromkeys(filter(None, hosts))),
        "ALLOWED_ORIGINS": ",".join(dict.fromkeys([*names, options.local_url])),
    }
