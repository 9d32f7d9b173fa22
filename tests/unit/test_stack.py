"""What the one command reads from the environment, and where it puts its sockets."""

import json
import os
import resource
import tempfile
from pathlib import Path

import pytest

from matchmaking_site.stack.claims import claim_data_directory, make_data_directory, raise_file_limit
from matchmaking_site.stack.console import Lines
from matchmaking_site.stack.directories import make_private, socket_directory
from matchmaking_site.stack.environment import load_secrets, parts_environment, read_options
from matchmaking_site.stack.errors import StackError

SERVICES = {"DATABASE_URL": "postgresql://embedded", "REDIS_URL": "unix:///embedded"}


def test_nothing_set_means_this_machine_alone() -> None:
    options = read_options({})
    assert (options.host, options.port, options.flower_host, options.flower_port) == (
        "127.0.0.1",
        8000,
        "127.0.0.1",
        5555,
    )
    assert options.embeds_postgres
    assert options.embeds_valkey
    assert options.data_dir == Path.cwd() / ".data"


@pytest.mark.parametrize(
    ("host", "password", "flower_host"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("::1", "", "::1"),
        ("localhost", "", "localhost"),
        ("0.0.0.0", "", "127.0.0.1"),
        ("play.example", "", "127.0.0.1"),
        ("0.0.0.0", "root:secret", "0.0.0.0"),
    ],
)
def test_flower_leaves_this_machine_only_with_a_password(host: str, password: str, flower_host: str) -> None:
    assert read_options({"HOST": host, "FLOWER_BASIC_AUTH": password}).flower_host == flower_host


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8 000", "٨٠٠٠"])
def test_a_port_is_a_number_from_1_to_65535(port: str) -> None:
    with pytest.raises(StackError, match='"PORT" must be a port'):
        read_options({"PORT": port})


def test_two_parts_cannot_share_a_port() -> None:
    with pytest.raises(StackError, match="both 5555"):
        read_options({"PORT": "5555"})


def test_an_embedded_run_lets_the_browser_use_either_name_of_the_machine(tmp_path: Path) -> None:
    options = read_options({"DATA_DIR": str(tmp_path), "PORT": "9000"})
    environment = parts_environment(options, {"SECRET_KEY": ""}, SERVICES)
    assert environment["ALLOWED_ORIGINS"] == "http://127.0.0.1:9000,http://localhost:9000"
    assert environment["PUBLIC_URL"] == "http://127.0.0.1:9000"
    assert environment["GUEST_LOGIN"] == "true"
    assert environment["SECRET_KEY"] == load_secrets(tmp_path)["SECRET_KEY"]


def test_a_public_address_is_allowed_as_host_and_origin(tmp_path: Path) -> None:
    options = read_options({"DATA_DIR": str(tmp_path), "HOST": "::"})
    environment = parts_environment(options, {"PUBLIC_URL": "https://play.example/"}, SERVICES)
    assert environment["ALLOWED_HOSTS"] == "127.0.0.1,localhost,[::1],play.example"
    assert environment["ALLOWED_ORIGINS"].split(",")[0] == "https://play.example"


def test_what_is_given_stays_as_it_is(tmp_path: Path) -> None:
    given = {"GUEST_LOGIN": "false", "JWT_SIGNING_KEY": "mine", "ALLOWED_ORIGINS": "https://mine.example"}
    environment = parts_environment(read_options({"DATA_DIR": str(tmp_path)}), given, SERVICES)
    assert given.items() <= environment.items()


def test_without_an_embedded_service_no_secret_is_made(tmp_path: Path) -> None:
    environment = parts_environment(read_options({"DATA_DIR": str(tmp_path)}), {}, {})
    assert not {"SECRET_KEY", "JWT_SIGNING_KEY", "ADMIN_PASSWORD", "GUEST_LOGIN"} & environment.keys()
    assert not list(tmp_path.iterdir())


def test_secrets_are_made_once_and_differ(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    assert first["SECRET_KEY"] != first["JWT_SIGNING_KEY"]


def test_a_secret_that_is_new_joins_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"SECRET_KEY": "old"}))
    assert load_secrets(tmp_path)["SECRET_KEY"] == "old"
    assert len(load_secrets(tmp_path)["JWT_SIGNING_KEY"]) >= 32


def test_broken_secrets_are_an_error_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(StackError, match="cannot read"):
        load_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{"


@pytest.mark.parametrize("name", ["x" * 120, "with space", "percent%2F", "ünï", "com,ma"])
def test_a_path_that_no_socket_or_url_can_have_gets_a_short_private_one(name: str, tmp_path: Path) -> None:
    home = tmp_path / name
    short = socket_directory(home, "valkey.sock", None)
    try:
        assert short == socket_directory(home, "valkey.sock", None)
        assert short.parent == Path(tempfile.gettempdir())
        assert short.stat().st_mode & 0o777 == 0o700
    finally:
        short.rmdir()


def test_an_ordinary_path_holds_its_own_sockets() -> None:
    home = Path("/srv/matchmaking/.data/valkey")
    assert socket_directory(home, "valkey.sock", None) == home


def test_a_planted_link_is_no_private_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(StackError, match="belongs to another user"):
        make_private(tmp_path / "link", None)


def test_a_directory_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    make_private(tmp_path / "open", None)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot make DATA_DIR"):
        make_data_directory(tmp_path / "file")


def test_the_data_are_claimed_once(tmp_path: Path) -> None:
    shared = claim_data_directory(tmp_path)
    with pytest.raises(StackError, match=f"in use by process {os.getpid()}"):
        claim_data_directory(tmp_path)
    os.close(shared)


def test_a_player_is_not_refused_for_want_of_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 65_536)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_lines_are_cut_at_their_ends_whatever_the_chunks() -> None:
    lines = Lines()
    assert lines.feed(b"one\r\ntw") == ["one"]
    assert lines.feed(b"o\n\xff") == ["two"]
    assert lines.close() == ["�"]
    assert lines.close() == []


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    lines = Lines()
    assert [len(line) for line in lines.feed(b"x" * 70_000)] == [70_000]
    assert lines.close() == []
