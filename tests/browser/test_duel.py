"""A duel from the search to its result, by two people in two windows, on the real system."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow, Picture
from tests.browser.screens import (
    LOOKS,
    answer,
    choices,
    expect_duel,
    expect_searching,
    find_a_match,
    heading,
    leave_the_game,
    meet,
    own_score,
    players,
    press,
    scrolls_sideways,
    sign_in,
)

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", LOOKS)
def test_two_who_meet_play_and_the_one_who_stays_finds_another(
    open_window: OpenWindow, picture: Picture, look: str
) -> None:
    ada, ben = open_window(**LOOKS[look]), open_window()
    sign_in(ada, "Ada")
    picture(ada, f"play-pools-{look}")
    sign_in(ben, "Ben")
    find_a_match(ada)
    expect_searching(ada)
    expect(ada.get_by_text("±100")).to_be_visible()
    picture(ada, f"play-searching-{look}", after_seconds=8)
    find_a_match(ben)
    expect(heading(ada, "You are playing Ben")).to_be_visible()
    picture(ada, f"play-room-{look}", after_seconds=0.4)
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")
    picture(ada, f"play-question-{look}")

    leave_the_game(ada)
    expect(ada.get_by_text("Who leaves loses.").first).to_be_visible()
    expect(heading(ben, "You have won")).to_be_visible()
    expect(ben.get_by_text("Ada left the game.").first).to_be_visible()

    # One match does not take a new player out of the circle of others.
    cas = open_window()
    sign_in(cas, "Cas")
    find_a_match(cas)
    press(ben, "Find another match")
    expect_duel(ben, "Cas")
    expect_duel(cas, "Ben")
    press(ada, "Find another match")
    expect_searching(ada)


@pytest.mark.parametrize("look", LOOKS)
def test_a_whole_duel_is_played_to_its_result(open_window: OpenWindow, picture: Picture, look: str) -> None:
    ada, ben = open_window(**LOOKS[look]), open_window()
    meet(ada, ben)
    for number in range(1, 4):
        expect_duel(ada, "Ben", number=number)
        answer(ada, 0)
        expect(ada.locator("#verdict")).to_have_text(re.compile(r"^(Right! \d+ points|Wrong)\.$"))
        assert not scrolls_sideways(ada)
        expect_duel(ben, "Ada", number=number)
        ben.keyboard.press("2")
        expect(ada.get_by_text(f"Answer {number} of 3")).to_be_visible()
        if number == 1:
            picture(ada, f"play-answer-{look}", after_seconds=0.6)
    scores = {}
    for page, name in ((ada, "Ada"), (ben, "Ben")):
        standing = page.get_by_role("list", name="Standing")
        own = standing.get_by_role("listitem").filter(has_text="(you)")
        expect(own).to_contain_text(name)
        scores[name] = int(own.locator(".board-score").inner_text())
        expect(standing.get_by_role("listitem")).to_have_count(2)
    expect(heading(ada, _result(scores["Ada"], scores["Ben"], "Ben"))).to_be_visible()
    expect(heading(ben, _result(scores["Ben"], scores["Ada"], "Ada"))).to_be_visible()
    picture(ada, f"play-result-{look}")


def _result(own: int, others: int, opponent: str) -> str:
    if own == others:
        return "A draw"
    return "You have won" if own > others else f"{opponent} has won"


def test_a_reload_in_a_duel_is_a_short_absence_and_score_and_answer_come_back(
    open_window: OpenWindow,
) -> None:
    ada, ben = open_window(), open_window()
    meet(ada, ben)
    answer(ben, 1)
    score = own_score(ben)
    ben.goto("about:blank")
    expect(players(ada).get_by_text(re.compile(r"Connection lost, (10|\d).s left"))).to_be_visible()
    ben.go_back()
    expect_duel(ben, "Ada")
    expect_duel(ada, "Ben")
    expect(choices(ben).nth(1)).to_contain_text("Your answer")
    assert own_score(ben) == score


def test_who_does_not_come_back_has_lost_and_the_other_one_has_won(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window()
    meet(ada, ben)
    ben.context.set_offline(offline=True)
    expect(ben.get_by_text("Connection lost.").first).to_be_visible()
    expect(ben.get_by_text(re.compile(r"Your place is kept for \d+ s\."))).to_be_visible()
    expect(heading(ada, "You have won")).to_be_visible(timeout=40_000)
    expect(ada.get_by_text("Ben did not come back.").first).to_be_visible()
    ben.context.set_offline(offline=False)
    expect(heading(ben, "You have lost")).to_be_visible()
    press(ada, "Choose another pool")
    expect(ada.get_by_role("button", name="Find a match")).to_be_enabled()


def test_the_same_player_in_a_second_window_goes_on_there_and_may_come_back(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window()
    meet(ada, ben)
    with ada.expect_popup() as opened:
        ada.evaluate("window.open('/', '_blank')")  # a copy of this tab, with what it keeps
    copy = opened.value
    expect_duel(copy, "Ben")
    expect(ada.get_by_text("You went on in another window.").first).to_be_visible()
    press(ada, "Continue here")
    expect_duel(ada, "Ben")
    expect(copy.get_by_text("You went on in another window.").first).to_be_visible()
    copy.close()
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")


def test_a_tab_that_was_closed_and_is_opened_again_finds_its_duel(open_window: OpenWindow) -> None:
    ada, ben = open_window(), open_window()
    meet(ada, ben)
    answer(ada)
    score = own_score(ada)
    browser_of_ada = ada.context
    ada.close()
    expect(players(ben).get_by_text(re.compile("Connection lost"))).to_be_visible()
    again = browser_of_ada.new_page()
    again.goto("/")
    expect_duel(again, "Ben")
    expect(choices(again).nth(0)).to_contain_text("Your answer")
    assert own_score(again) == score
    expect_duel(ben, "Ada")


def test_two_windows_of_one_browser_are_two_players(open_window: OpenWindow) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    second = ada.context.new_page()
    second.goto("/")
    expect(heading(second, "Find somebody to play with")).to_be_visible()
    sign_in(second, "Ben")
    find_a_match(ada)
    find_a_match(second)
    expect_duel(ada, "Ben")
    expect_duel(second, "Ada")
    leave_the_game(ada)

    ada.close()
    second.close()
    names = []
    for _ in range(2):
        again = ada.context.new_page()
        again.goto("/")
        expect(again.locator("#who-name")).to_have_text(re.compile("Ada|Ben"))
        names.append(again.locator("#who-name").inner_text())
    assert sorted(names) == ["Ada", "Ben"]
