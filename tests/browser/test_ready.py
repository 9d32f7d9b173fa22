"""The ready check on the page: both accept and play; one declines, and the other one waits on."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow, Picture
from tests.browser.screens import (
    LOOKS,
    expect_duel,
    expect_searching,
    find_a_match,
    heading,
    leave_the_game,
    press,
    scrolls_sideways,
    sign_in,
)

pytestmark = pytest.mark.browser


def be_asked(*people: tuple[Page, str]) -> None:
    """Let both sign in, queue with ready check, and be found."""
    for page, name in people:
        sign_in(page, name)
        page.get_by_role("radio", name="ready check").check()
        find_a_match(page)
    for page, _ in people:
        expect(heading(page, "Are you ready?")).to_be_visible()


def test_a_match_begins_when_both_have_accepted(open_window: OpenWindow, picture: Picture) -> None:
    ada, ben = open_window(**LOOKS["dark"]), open_window(**LOOKS["phone"])
    be_asked((ada, "Ada"), (ben, "Ben"))
    panel = ben.get_by_role("alertdialog", name="Are you ready?")
    expect(panel).to_be_focused()
    expect(panel.get_by_role("timer")).to_have_text(re.compile(r"^(1?\d|20)$"))
    expect(ben.get_by_role("button", name="Leave the queue")).to_be_hidden()
    press(ada, "Accept")
    expect(heading(ada, "You are ready")).to_be_visible()
    expect(ada.get_by_role("button", name="Decline")).to_be_hidden()
    expect(panel).to_contain_text("1 of 2 have accepted")
    expect(ben.get_by_role("status")).to_contain_text("1 of 2 have accepted")
    picture(ben, "play-ready-phone", after_seconds=0.5)
    assert not scrolls_sideways(ben)
    ben.keyboard.press("Tab")
    ben.keyboard.press("Enter")
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")
    leave_the_game(ada)


def test_who_declines_leaves_and_the_other_one_keeps_the_place(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window()
    be_asked((ada, "Ada"), (ben, "Ben"))
    press(ada, "Accept")
    press(ben, "Decline")
    expect(ben.get_by_text("You did not accept the match").first).to_be_visible()
    expect(heading(ben, "What would you like to play?")).to_be_focused()
    expect_searching(ada)
    expect(
        ada.get_by_text("Your opponent declined the match. You are back in the queue").first
    ).to_be_visible()
    press(ada, "Leave the queue")


def test_a_reload_finds_the_ready_check_again(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window()
    be_asked((ada, "Ada"), (ben, "Ben"))
    ben.reload()
    press(ada, "Accept")
    press(ben, "Accept")
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")
    leave_the_game(ben)
