"""Parties on the page: invitations, who is there, the leader, and two against two, on the real system."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenWindow, Picture
from tests.browser.screens import (
    LOOKS,
    expect_searching,
    find_a_match,
    heading,
    open_section,
    own_id,
    players,
    press,
    scrolls_sideways,
    sign_in,
)

pytestmark = pytest.mark.browser


def members(page: Page) -> Locator:
    return page.get_by_role("list", name="Members of the party").get_by_role("listitem")


def invitations(page: Page) -> Locator:
    return page.get_by_role("list", name="Invitations to parties").get_by_role("listitem")


def make_party(page: Page) -> None:
    open_section(page, "Party")
    press(page, "Make a party")
    expect(members(page)).to_have_count(1)


def invite(leader: Page, other: Page) -> None:
    leader.get_by_label("Invite a player by id").fill(own_id(other))
    press(leader, "Invite")
    expect(leader.get_by_text("Invited. They are here as soon as they join.")).to_be_visible()
    expect(invitations(other)).to_have_count(1)


def team_up(leader: Page, other: Page) -> None:
    make_party(leader)
    invite(leader, other)
    press(other, "Join")
    expect(members(leader)).to_have_count(2)


def test_two_parties_play_two_against_two(open_window: OpenWindow, picture: Picture) -> None:
    ada, ben, cas, dan = (open_window(**look) for look in (LOOKS["dark"], LOOKS["phone"], {}, {}))
    for page, name in ((ada, "Ada"), (ben, "Ben"), (cas, "Cas"), (dan, "Dan")):
        sign_in(page, name)
    make_party(ada)
    invite(ada, ben)
    expect(invitations(ben)).to_contain_text("Ada invites you to a party")
    expect(ben.get_by_role("status")).to_have_text("Ada invites you to a party.")
    ben.reload()  # an invitation is not forgotten
    press(ben, "Join")
    expect(members(ada).filter(has_text="Ben")).to_contain_text("Connected")
    expect(ada.get_by_text("Ben joined the party.").first).to_be_visible()
    ada.get_by_role("radio", name="Two against two").check()
    members(ada).last.scroll_into_view_if_needed()
    picture(ada, "play-party-dark")
    expect(ben.get_by_text("You are in a party: Ada searches for all of you.")).to_be_visible()
    expect(ben.get_by_role("button", name="Find a match")).to_be_disabled()
    assert not scrolls_sideways(ben)

    team_up(cas, dan)
    cas.get_by_role("radio", name="Two against two").check()
    find_a_match(ada)
    expect_searching(ben)
    find_a_match(cas)
    for page, opponents in ((ada, "Cas|Dan"), (ben, "Cas|Dan"), (cas, "Ada|Ben"), (dan, "Ada|Ben")):
        title = re.compile(rf"^You are playing ({opponents}) and ({opponents})$")
        expect(
            page.get_by_role("heading", name=title).or_(page.get_by_text("Question 1 of")).first
        ).to_be_visible()
        expect(players(page).get_by_text("Connected")).to_have_count(4)


def test_a_party_says_who_is_there_and_the_leader_sends_away(open_window: OpenWindow) -> None:
    ada, ben, cas = open_window(), open_window(), open_window()
    for page, name in ((ada, "Ada"), (ben, "Ben"), (cas, "Cas")):
        sign_in(page, name)
    team_up(ada, ben)
    expect(members(ben).filter(has_text="Ada")).to_contain_text("(leader)")
    expect(ben.get_by_role("button", name="Remove")).to_be_hidden()
    browser_of_ben = ben.context
    ben.close()
    bens_place = members(ada).filter(has_text="Ben")
    expect(bens_place.get_by_text("Not connected")).to_be_visible()
    ben = browser_of_ben.new_page()
    ben.goto("/")
    expect(bens_place.get_by_text("Connected", exact=True)).to_be_visible()

    make_party(cas)
    invite(cas, ben)
    press(ben, "Join")
    refusal = invitations(ben).get_by_role("alert")
    expect(refusal).to_have_text("You are in a party already. Leave it first.")
    press(ben, "Decline")
    expect(invitations(ben)).to_have_count(0)

    press(ada, "Remove")
    expect(members(ada)).to_have_count(1)
    expect(ben.get_by_text("You are not in the party any more.").first).to_be_visible()
    invite(ada, ben)
    press(ben, "Join")
    press(ada, "Leave the party")
    expect(members(ben)).to_have_count(1)
    expect(members(ben)).to_contain_text("(you, leader)")
    expect(ben.get_by_role("button", name="Find a match")).to_be_enabled()
    expect(heading(ada, "What would you like to play?")).to_be_visible()
