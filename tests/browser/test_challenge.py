"""Challenges, links, rematches and ratings on the page, by people in two windows, on the real system."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenWindow, Picture
from tests.browser.screens import (
    LOOKS,
    NARROWEST,
    expect_duel,
    heading,
    leave_the_game,
    open_section,
    own_id,
    play_to_the_end,
    press,
    scrolls_sideways,
    sign_in,
)

pytestmark = pytest.mark.browser

NO_MARKUP = "<img src=x onerror=fail()>"


def requests(page: Page) -> Locator:
    return page.get_by_role("list", name="Challenges to you").get_by_role("listitem")


def waiting(page: Page) -> Locator:
    """Return one's own challenges that wait for an answer."""
    return page.get_by_role("list", name="Waiting for an answer").get_by_role("listitem")


def challenge(page: Page, opponent_id: str) -> None:
    page.get_by_label("The other player's id").fill(opponent_id)
    press(page, "Send the challenge")


def enter(page: Page, name: str) -> None:
    """Sign in on the page of a link."""
    expect(heading(page, "You are challenged")).to_be_visible()
    page.get_by_label("Your name").fill(name)
    press(page, "Continue")


def open_challenge(page: Page) -> str:
    """Make one, and return its link."""
    open_section(page, "Challenge a player")
    press(page, "Make an open challenge")
    link = waiting(page).get_by_role("link").get_attribute("href")
    assert link is not None
    return link


def test_who_is_challenged_hears_it_at_once_declines_one_and_plays_the_next(
    open_window: OpenWindow, picture: Picture
) -> None:
    ada, ben = open_window(**LOOKS["light"]), open_window()
    sign_in(ada, "Ada")
    sign_in(ben, "Ben")
    open_section(ben, "Challenge a player")
    ben.get_by_label("Your colour").select_option("Black")
    challenge(ben, own_id(ada))
    expect(waiting(ben)).to_contain_text("You play black")
    expect(requests(ada)).to_contain_text("Ben challenges you")
    expect(requests(ada)).to_contain_text(re.compile(r"Duel.*Rated.*You play white.*\d:\d\d left"))
    expect(ada.get_by_role("status")).to_have_text("Ben challenges you.")
    expect(ada).to_have_title("Ben challenges you · Matchmaking")
    picture(ada, "play-challenged-light")
    assert not scrolls_sideways(ada)

    press(ada, "Decline")
    expect(requests(ada)).to_have_count(0)
    expect(heading(ada, "What would you like to play?")).to_be_focused()
    expect(ben.get_by_text("The other player has declined your challenge.").first).to_be_visible()
    expect(waiting(ben)).to_have_count(0)

    challenge(ben, own_id(ada))
    press(ada, "Accept")
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")
    leave_the_game(ada)


def test_what_is_refused_is_told_in_words(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window(**NARROWEST)
    sign_in(ada, "Ada")
    sign_in(ben, "Ben")
    open_section(ben, "Challenge a player")
    press(ben, "Send the challenge")
    alerts = ben.get_by_role("alert")
    expect(alerts.filter(has_text="Whom? Type an id")).to_be_visible()
    challenge(ben, own_id(ben))
    expect(alerts.filter(has_text="You cannot challenge yourself.")).to_be_visible()
    challenge(ben, own_id(ada))
    expect(requests(ada)).to_have_count(1)
    challenge(ben, own_id(ada))
    expect(alerts.filter(has_text="You have asked this player for this game already")).to_be_visible()
    assert not scrolls_sideways(ben)

    ben.close()
    press(ada, "Accept")
    expect(requests(ada).get_by_role("alert")).to_have_text(
        re.compile(r"^The other player (is not there|did not answer in time)\. The challenge waits on\.$")
    )
    press(ada, "Decline")
    expect(requests(ada)).to_have_count(0)


def test_an_open_link_is_taken_by_a_guest_and_tells_others_that_it_is_gone(open_window: OpenWindow) -> None:
    ada = open_window()
    sign_in(ada, NO_MARKUP)
    link = open_challenge(ada)
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(ada, "Copy the link")
    expect(ada.get_by_role("button", name="Copied")).to_be_visible()
    assert ada.evaluate("navigator.clipboard.readText()") == link

    ben = open_window(link, **LOOKS["phone"])
    enter(ben, "Ben")
    expect(heading(ben, f"{NO_MARKUP} challenges you")).to_be_visible()
    assert ben.locator("img").count() == 0
    expect(ben.get_by_role("button", name="Decline")).to_be_hidden()
    assert not scrolls_sideways(ben)
    press(ben, "Accept the challenge")
    expect_duel(ben, NO_MARKUP)
    expect_duel(ada, "Ben")
    assert ada.locator("img").count() == 0
    assert not ben.url.endswith(link)
    leave_the_game(ben)

    cas = open_window(link)
    enter(cas, "Cas")
    expect(heading(cas, "Somebody else was faster")).to_be_visible()
    press(cas, "Play something else")
    expect(heading(cas, "What would you like to play?")).to_be_visible()


def test_a_link_says_that_it_was_taken_back_or_never_was(open_window: OpenWindow, picture: Picture) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    link = open_challenge(ada)
    ben = open_window(link, **LOOKS["phone"])
    enter(ben, "Ben")
    expect(heading(ben, "Ada challenges you")).to_be_visible()
    picture(ben, "play-link-phone")
    press(ada, "Withdraw")
    expect(waiting(ada)).to_have_count(0)
    press(ben, "Accept the challenge")
    expect(heading(ben, "This challenge is off")).to_be_visible()
    expect(ben.get_by_role("button", name="Accept the challenge")).to_be_hidden()
    ben.goto("/challenges/0")
    expect(heading(ben, "There is no such challenge")).to_be_visible()
    ada.goto(link)
    expect(heading(ada, "You have taken this challenge back")).to_be_visible()


def test_a_rematch_is_one_game_also_where_both_ask_at_once_and_the_rating_has_its_chart(
    open_window: OpenWindow, picture: Picture
) -> None:
    ada, ben = open_window(**LOOKS["dark"]), open_window(**LOOKS["phone"])
    sign_in(ada, "Ada")
    sign_in(ben, "Ben")
    open_section(ada, "Challenge a player")
    challenge(ada, own_id(ben))
    press(ben, "Accept")
    play_to_the_end(ada, ben)

    press(ben, "Rematch")
    expect(requests(ada)).to_contain_text("Ben wants a rematch")
    press(ben, "Withdraw the rematch")
    expect(ada.get_by_text("Ben has taken the rematch back.").first).to_be_visible()

    # Neither waits for the other's question: both are on their way at once.
    for page in (ada, ben):
        page.evaluate("setTimeout(() => document.getElementById('rematch').click(), 1000)")
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")
    leave_the_game(ada)
    expect(heading(ben, "You have won")).to_be_visible()
    for page in (ada, ben):
        expect(page.get_by_role("button", name="Rematch", exact=True)).to_be_visible()
        press(page, "Choose another pool")
        open_section(page, "Your ratings")
        chart = page.get_by_role("img", name=re.compile(r"^Rating in Duel: from 1500 to \d+ over 2 matches"))
        expect(chart).to_be_visible()
        expect(page.get_by_text("Provisional", exact=True)).to_be_visible()
        page.get_by_text("As a table").click()
        expect(page.get_by_role("row")).to_have_count(3)
        assert not scrolls_sideways(page)
    press(ada, "Ben")
    expect(ada.get_by_label("The other player's id")).to_have_value(re.compile("^guest-"))
    ben.get_by_text("As a table").scroll_into_view_if_needed()
    picture(ben, "play-ratings-phone")
