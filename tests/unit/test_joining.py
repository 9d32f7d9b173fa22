"""Joining an event: codes, names, and the lock."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.domain.joining import (
    CODE_ALPHABET,
    CODE_LENGTH,
    MAX_NAME_KEY_LENGTH,
    clean_code,
    code_in,
    counts_despite_lock,
    name_key,
    new_code,
)

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
MINUTE = timedelta(seconds=60)

# --- codes


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_code_has_six_characters_that_nobody_mistakes_for_one_another(chance: random.Random) -> None:
    code = new_code(chance.choice)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(CODE_ALPHABET)
    assert not set(code) & set("ILO01")
    assert clean_code(code) == clean_code(code.lower()) == code == code_in([code])


@pytest.mark.parametrize(
    "typed",
    ["ABC234", "abc234", " abc 234 ", "ABC-234", "abc\u00a0234", "a.b.c.2.3.4\n"],
    ids=["as given", "small", "spaces", "dash", "hard space", "dots"],
)
def test_a_code_is_read_however_it_was_typed(typed: str) -> None:
    assert clean_code(typed) == "ABC234"


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([], None),
        (["ABC234"], "ABC234"),
        (["abc234"], "ABC234"),
        (["https://play.example/join/ABC234"], "ABC234"),
        (["http://127.0.0.1:8000/join/abc234/"], "ABC234"),
        ([" https://play.example/join/ABC234\n"], "ABC234"),
        (["https://play.example/other/ABC234"], None),
        (["https://play.example/join/ABC2345"], None),
        (["https://play.example/join/ABC234?x=1"], None),
        (["https://play.example/join/"], None),
        (["ftp://play.example/join/ABC234"], None),
        (["ABC 234"], None),
        (["WIFI:S:cafe;;", "https://play.example/join/XYZ789", "ABC234"], "XYZ789"),
    ],
    ids=[
        "nothing",
        "code",
        "small",
        "link",
        "slash",
        "blanks",
        "other page",
        "too long",
        "query",
        "no code",
        "other scheme",
        "space inside",
        "first of many",
    ],
)
def test_a_code_is_found_in_the_first_link_to_join_by(texts: list[str], code: str | None) -> None:
    assert code_in(texts) == code


# --- names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "ANN"),
        ("Straße", "STRASSE"),
        ("\uff21\uff4e\uff4e", "ann"),
        ("é", "e\u0301"),
        ("ﬁn", "FIN"),
        ("²", "2"),
    ],
    ids=["case", "sharp s", "wide", "accent", "ligature", "superscript"],
)
def test_names_that_look_the_same_have_the_same_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_what_nobody_sees_makes_no_other_name() -> None:
    unseen = ("\u200c", "\u200d", "\ufe0e", "\ufe0f")
    assert {name_key(f"An{character}n") for character in unseen} == {name_key("Ann")}


def test_names_that_differ_have_different_keys() -> None:
    assert len({name_key(name) for name in ("Ann", "Anna", "Bob", "Änn", "Ann 2")}) == 5


@settings(deadline=None)
@given(st.text(max_size=64))
def test_a_key_fits_its_column(name: str) -> None:
    assert len(name_key(name)) <= MAX_NAME_KEY_LENGTH


def test_the_key_of_a_name_that_unfolds_into_many_characters_fits_its_column() -> None:
    assert len(name_key("\ufdfa" * 64)) == MAX_NAME_KEY_LENGTH


# --- the lock


@pytest.mark.parametrize(
    ("begun", "now", "counts"),
    [
        (-MOMENT, timedelta(), True),
        (timedelta(), timedelta(), False),
        (MOMENT, MOMENT, False),
        (-MOMENT, MINUTE - MOMENT, True),
        (-MOMENT, MINUTE, False),
        (-MINUTE, timedelta(), True),
        (-MINUTE - MOMENT, timedelta(), False),
    ],
    ids=["before", "with the lock", "after", "a minute", "more", "a minute before", "long before"],
)
def test_a_join_counts_where_it_was_begun_before_the_lock_and_not_long_ago(
    begun: timedelta, now: timedelta, *, counts: bool
) -> None:
    assert counts_despite_lock(begun_at=NOON + begun, locked_at=NOON, now=NOON + now) is counts


def test_a_join_without_a_beginning_does_not_count() -> None:
    assert not counts_despite_lock(begun_at=None, locked_at=NOON, now=NOON)
