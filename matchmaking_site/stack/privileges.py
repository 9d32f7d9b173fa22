"""Who a child process is, and that it never outlives the process that started it.

Everything here runs between fork and exec, so it calls the kernel and nothing else.
"""

import ctypes
import os
import pwd
import signal
import sys
from dataclasses import dataclass

_LINUX = sys.platform == "linux"
# Loaded before any fork: a child between fork and exec must not search for libraries.
_LIBC = ctypes.CDLL(None, use_errno=True) if _LINUX else None

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user that a child becomes.

    ``capability`` is the one privilege it keeps, for paths that the user may not traverse.
    """

    name: str
    uid: int
    gid: int
    capability: int | None = None


def account_of(uid: int) -> Account | None:
    """Look up a user by number; None for a number without a name."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def unprivileged_account() -> Account | None:
    """Return the user that servers fall back to on this machine, or None."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    return None


def become(account: Account) -> None:  # pragma: no cover - between fork and exec
    """Turn this process from root into another user for good."""
    if account.capability is not None:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([account.gid])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if account.capability is not None:
        _keep_only(account.capability)


def die_with_parent(
    parent: int, signal_number: signal.Signals
) -> None:  # pragma: no cover - between fork and exec
    """Have the kernel send this process a signal when the thread that forked it is gone.

    The kernel forgets this on every change of user, so it comes after ``become``.
    """
    if _LINUX:
        _prctl(_PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != parent:  # the parent died before the request was made
            os.kill(os.getpid(), signal.SIGKILL)


def end_with_parent() -> None:
    """Have this process asked to stop when the one that started it is gone."""
    if _LINUX:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _prctl(option: int, *arguments: int) -> None:
    if _LIBC is None:
        raise OSError("only Linux has prctl")
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)][:4]
    if _LIBC.prctl(option, *padded) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_only(capability: int) -> None:  # pragma: no cover - between fork and exec
    """Reduce this process to one capability, and keep that one across exec."""
    if _LIBC is None:
        raise OSError("only Linux has capabilities")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # effective, permitted and inheritable, for the lower and the upper 32 capabilities
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _LIBC.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)
