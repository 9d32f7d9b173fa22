"""Root starts it: PostgreSQL refuses root, so another user must get at its programs and its data."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.postgres import installed_programs
from matchmaking_site.stack.postgres_account import settle
from matchmaking_site.stack.privileges import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _locked_programs(directory: Path) -> Path:
    """Return the programs as only root can reach them."""
    programs = installed_programs()
    package, locked = programs.parent, directory / "locked"
    locked.mkdir(mode=0o700)
    (locked / package.name).symlink_to(package)
    (locked / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    return locked / package.name / programs.name


def test_the_user_has_a_name_and_no_privilege(open_directory: Path) -> None:
    account, programs = settle(open_directory / "postgres", installed_programs())
    assert account is not None
    assert account.uid != 0
    assert account.capability is None
    assert programs == installed_programs()
    assert (open_directory / "postgres").stat().st_uid == account.uid


def test_the_next_start_takes_the_owner_of_the_data(open_directory: Path) -> None:
    (open_directory / "postgres").mkdir(mode=0o700)
    os.chown(open_directory / "postgres", 1, 1)
    account, _ = settle(open_directory / "postgres", installed_programs())
    assert account is not None
    assert account.uid == 1


def test_data_below_a_closed_directory_cost_one_privilege(open_directory: Path) -> None:
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    account, _ = settle(closed / "postgres", installed_programs())
    assert account is not None
    assert account.capability in {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE}


def test_programs_below_a_closed_directory_are_copied_once(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_directory))
    locked = _locked_programs(open_directory)
    _, copied = settle(open_directory / "postgres", locked)
    made = (copied / "bin" / "postgres").stat().st_mtime_ns, copied.stat().st_ctime_ns
    assert copied.is_relative_to(open_directory)
    _, again = settle(open_directory / "postgres", locked)
    assert again == copied
    assert made == ((copied / "bin" / "postgres").stat().st_mtime_ns, copied.stat().st_ctime_ns)


def test_programs_that_nobody_can_be_given_are_an_error(
    open_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StackError, match="start this as an ordinary user"):
        settle(open_directory / "postgres", _locked_programs(open_directory))


def test_a_planted_copy_is_not_run(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_directory))
    locked = _locked_programs(open_directory)
    _, copied = settle(open_directory / "postgres", locked)
    os.chown(copied.parents[1], 1, 1)
    with pytest.raises(StackError, match="start this as an ordinary user"):
        settle(open_directory / "postgres", locked)
