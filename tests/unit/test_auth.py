"""Names that are shown and addresses that events go to."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.models import Event, Stream
from realtime.protocol.parts import Identifier
from realtime.transport.auth import MAX_NAME_LENGTH, Caller, clean_name, player_address

RIGHT_TO_LEFT_OVERRIDE, ZERO_WIDTH_SPACE, ZERO_WIDTH_JOINER = "\u202e", "\u200b", "\u200d"
IDENTIFIER_CHARACTERS = "ABCXYZabcxyz0123456789_.-"
identifiers = st.text(IDENTIFIER_CHARACTERS, min_size=1, max_size=64)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Ann", "Ann"),
        ("Ann Lee", "Ann Lee"),
        ("  Ann \t\n Lee  ", "Ann Lee"),
        ("Zoë Ødegård", "Zoë Ødegård"),
        ("李小龙", "李小龙"),
        ("سارة", "سارة"),
        ("♞ 🎲", "♞ 🎲"),
        ("<b>Ann</b> & Co.", "<b>Ann</b> & Co."),
        ("", ""),
        (" \t\r\n", ""),
        ("\x00", ""),
        ("An\x00n", "An n"),
        ("Ann\x1b[31m", "Ann [31m"),
        ("Ann\x7f\x85", "Ann"),
        (f"Ann{RIGHT_TO_LEFT_OVERRIDE}eeL", "Ann eeL"),
        ("\u2067Ann\u2069", "Ann"),
        (f"{ZERO_WIDTH_SPACE}Ann{ZERO_WIDTH_JOINER}", "Ann"),
        (ZERO_WIDTH_SPACE * 10, ""),
        ("\ufeffAnn", "Ann"),
        ("Ann\u00a0\u2003Lee", "Ann Lee"),
        ("Ann\u2028Lee\u2029", "Ann Lee"),
        ("\ud800Ann", "Ann"),
        ("\ue000Ann", "Ann"),
    ],
)
def test_a_name_is_shown_without_what_cannot_be_seen(written: str, shown: str) -> None:
    assert clean_name(written) == shown


def test_a_long_name_is_cut_and_never_ends_with_a_space() -> None:
    assert clean_name("x" * 64) == "x" * 64
    assert clean_name("x" * 10_000) == "x" * MAX_NAME_LENGTH == "x" * 64
    assert clean_name("x" * 63 + " " + "y" * 10) == "x" * 63
    assert clean_name("\u200b" * 1000 + "Ann") == "Ann"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
@example("x" * 63 + "\u3000y")
def test_any_text_becomes_a_clean_name_and_a_clean_name_stays_as_it_is(text: str) -> None:
    name = clean_name(text)
    assert len(name) <= MAX_NAME_LENGTH
    assert name.isprintable()
    assert name == name.strip()
    assert "  " not in name
    assert clean_name(name) == name
    assert "\x00" not in name
    name.encode()


@settings(deadline=None)
@given(identifiers, identifiers, identifiers, identifiers)
@example("a", "b.c", "a.b", "c")
@example("a", "b-c", "a-b", "c")
def test_two_players_have_one_address_only_if_they_are_the_same(
    tenant: str, user: str, other_tenant: str, other_user: str
) -> None:
    same_address = player_address(tenant, user) == player_address(other_tenant, other_user)
    assert same_address == ((tenant, user) == (other_tenant, other_user))


def test_no_identifier_can_hold_the_colon_that_parts_an_address() -> None:
    pattern = Identifier.__metadata__[0].pattern  # type: ignore[attr-defined]  # Annotated has it
    assert ":" not in pattern.replace("(?:", "")
    assert player_address("demo", "ann") == "player:demo:ann"


def test_a_caller_has_the_address_of_its_tenant_and_user() -> None:
    caller = Caller(
        tenant_id="demo",
        user_id="ann",
        display_name="Ann",
        priority_seconds=0,
        roles=frozenset(),
        expires_at=datetime(2024, 5, 1, tzinfo=UTC),
    )
    assert caller.address == player_address("demo", "ann")
    assert caller.is_authenticated


@pytest.mark.parametrize("table", [Event, Stream])
def test_the_longest_address_fits_its_column(table: type[Event | Stream]) -> None:
    longest = player_address("t" * 64, "u" * 64)
    assert len(longest) <= (table._meta.get_field("address").max_length or 0)
