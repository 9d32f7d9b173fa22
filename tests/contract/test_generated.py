"""What is generated from the messages is fresh, and no message is left out of it."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from realtime.management.commands.protocol import FILES
from realtime.protocol import messages
from realtime.protocol.messages import SERVER_MESSAGES, AnyClientMessage, ClientMessage, ServerMessage

ROOT = Path(__file__).resolve().parents[2]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "protocol", "--check"],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def declared(base: type) -> set[type]:
    """Return the messages that are declared in the module, found there and not in a list."""
    classes = {member for _, member in inspect.getmembers(messages, inspect.isclass)}
    return {member for member in classes if issubclass(member, base) and member is not base}


def test_the_generated_files_of_the_checkout_are_fresh() -> None:
    run = check(ROOT)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_message_that_was_changed_makes_all_that_tells_of_it_stale(tmp_path: Path) -> None:
    shutil.copy(ROOT / "manage.py", tmp_path)
    for directory in ("matchmaking_site", "challenges", "matchmaking", "realtime", "docs"):
        shutil.copytree(ROOT / directory, tmp_path / directory, ignore=shutil.ignore_patterns("__pycache__"))
    declaration = tmp_path / "realtime/protocol/messages.py"
    declaration.write_text(declaration.read_text().replace('"heartbeat_ack"', '"heartbeat_answer"'))
    run = check(tmp_path)
    assert run.returncode == 1
    assert all(name in run.stderr for name in FILES)


def test_a_generated_file_that_was_edited_or_is_gone_is_named_and_made_anew(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    edited, gone, fresh = FILES
    settings.BASE_DIR = tmp_path
    for name in (edited, fresh):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / edited).write_text((tmp_path / edited).read_text() + "\n")
    (tmp_path / gone).unlink(missing_ok=True)

    with pytest.raises(CommandError) as stale:
        call_command("protocol", check=True)
    assert str(stale.value).partition(": ")[2] == f"{edited}, {gone}"
    assert not (tmp_path / gone).exists()

    call_command("protocol")
    assert capsys.readouterr().out.splitlines() == [f"wrote {edited}", f"wrote {gone}"]
    assert {name: (tmp_path / name).read_text() for name in FILES} == {
        name: (ROOT / name).read_text() for name in FILES
    }
    call_command("protocol", check=True)


def test_every_message_from_the_server_that_is_declared_is_listed() -> None:
    assert declared(ServerMessage) == set(SERVER_MESSAGES)
    assert len(SERVER_MESSAGES) == len(set(SERVER_MESSAGES))


def test_every_message_from_clients_that_is_declared_is_one_that_is_decoded() -> None:
    assert declared(ClientMessage) == set(get_args(AnyClientMessage))


@pytest.mark.parametrize("socket", ["matchmaking", "session"])
def test_on_each_socket_a_type_means_one_message(socket: str) -> None:
    types = [message.type for message in SERVER_MESSAGES if socket in message.sockets]
    assert len(types) == len(set(types))


def test_the_page_tells_of_every_message_in_its_own_words() -> None:
    page = (ROOT / "docs/messages.md").read_text()
    for message in (*SERVER_MESSAGES, *get_args(AnyClientMessage)):
        kind = message.type if issubclass(message, ServerMessage) else message.__struct_config__.tag
        sentence = inspect.getdoc(message)
        assert sentence
        assert any(
            line.startswith(f"| `{kind}`") and line.endswith(f"| {sentence.splitlines()[0]} |")
            for line in page.splitlines()
        ), kind
