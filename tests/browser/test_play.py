"""The page at `/`, by two people in two windows, on the real system."""

import os
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from tests.acceptance.stacks import Stack, eventually
from tests.browser.conftest import OpenWindow
from tests.browser.screens import (
    LOOKS,
    NARROWEST,
    answer,
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


def seconds_waited(page: Page) -> int:
    minutes, seconds = page.get_by_role("timer").inner_text().split(":")
    return int(minutes) * 60 + int(seconds)


def is_served(page: Page) -> bool:
    try:
        return page.request.get("/health/live", timeout=2000).ok
    except PlaywrightError:
        return False


def test_a_reload_while_searching_keeps_the_place_and_the_time(open_window: OpenWindow) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    find_a_match(ada)
    expect(ada.get_by_role("timer")).to_have_text(re.compile(r"00:0[2-9]"))
    expect(ada.get_by_text("Nobody else waits here yet.")).to_be_visible()
    ada.reload()
    expect_searching(ada)
    assert seconds_waited(ada) >= 2
    ada.get_by_role("button", name="Leave the queue").click()
    expect(ada.get_by_text("You have left the queue.").first).to_be_visible()


def test_who_signs_out_is_forgotten(open_window: OpenWindow) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    press(ada, "Change name")
    expect(heading(ada, "Find somebody to play with")).to_be_visible()
    ada.reload()
    expect(heading(ada, "Find somebody to play with")).to_be_visible()


def test_nobody_is_sent_to_somebody_who_has_gone(open_window: OpenWindow) -> None:
    gone = open_window()
    sign_in(gone, "Gone")
    find_a_match(gone)
    expect_searching(gone)
    gone.close()

    ada = open_window()
    sign_in(ada, "Ada")
    find_a_match(ada)
    expect_searching(ada)
    titles = ada.evaluate_handle("""() => {
        const seen = new Set();
        new MutationObserver(() => seen.add(document.title))
            .observe(document.querySelector("title"), {childList: true, subtree: true, characterData: true});
        return seen;
    }""")
    expect(ada.get_by_role("timer")).to_have_text(re.compile(r"00:0[89]"))
    expect_searching(ada)
    assert not [title for title in titles.evaluate("seen => [...seen]") if "Searching" not in title]

    ben = open_window()
    sign_in(ben, "Ben")
    find_a_match(ben)
    expect_duel(ada, "Ben")


def test_a_server_that_dies_is_survived_with_the_place_in_the_queue(
    open_window: OpenWindow, stack: Stack
) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    find_a_match(ada)
    expect(ada.get_by_role("timer")).to_have_text(re.compile(r"00:0[2-9]"))
    os.kill(stack.pid_of("web"), signal.SIGKILL)
    expect(ada.get_by_text("Connection lost.").first).to_be_visible()
    assert eventually(lambda: is_served(ada), 30)
    ada.evaluate("dispatchEvent(new Event('online'))")  # its own tries may be over on a slow machine
    expect(ada.get_by_role("region", name="Connection")).to_be_hidden()
    expect_searching(ada)
    assert seconds_waited(ada) >= 3
    ada.get_by_role("button", name="Leave the queue").click()
    expect(ada.get_by_text("You have left the queue.").first).to_be_visible()


def test_a_lost_network_is_told_and_its_return_restores_everything(open_window: OpenWindow) -> None:
    ada = open_window()
    sign_in(ada, "Ada")
    find_a_match(ada)
    expect_searching(ada)
    ada.context.set_offline(offline=True)
    expect(ada.get_by_text("Connection lost.").first).to_be_visible()
    expect(ada.get_by_text(re.compile(r"Next try in \d s"))).to_be_visible()
    expect(ada.get_by_text("your place is kept for a short while only")).to_be_visible()
    ada.context.set_offline(offline=False)
    expect(ada.get_by_role("region", name="Connection")).to_be_hidden()
    expect_searching(ada)
    assert seconds_waited(ada) >= 5
    ada.get_by_role("button", name="Leave the queue").click()
    expect(ada.get_by_text("You have left the queue.").first).to_be_visible()


@pytest.mark.parametrize("look", [LOOKS["phone"], NARROWEST], ids=["phone", "narrowest"])
def test_nothing_is_wider_than_a_phone(open_window: OpenWindow, look: dict[str, Any]) -> None:
    ada, ben = open_window(**look), open_window()

    def expect_fit() -> None:
        assert not scrolls_sideways(ada)

    expect_fit()
    long_name = "Wolfeschlegelsteinhausenbergerdorff"
    sign_in(ada, long_name)
    expect_fit()
    find_a_match(ada)
    expect_searching(ada)
    expect_fit()
    sign_in(ben, "Ben")
    find_a_match(ben)
    expect_duel(ben, long_name)
    expect_duel(ada, "Ben")
    expect_fit()
    answer(ada)
    expect_fit()
    leave_the_game(ada)
    expect_fit()


def test_the_keyboard_alone_is_enough(open_window: OpenWindow) -> None:
    ada = open_window()
    press = ada.keyboard.press
    expect(heading(ada, "Find somebody to play with")).to_be_visible()
    for _ in range(3):  # the link to the content, the brand, the name
        press("Tab")
    ada.keyboard.type("Ada")
    press("Enter")
    expect(heading(ada, "What would you like to play?")).to_be_focused()
    expect(ada.get_by_role("radio").first).to_be_checked()
    press("Tab")
    expect(ada.get_by_role("button", name="Change name")).to_be_focused()
    press("Tab")
    expect(ada.get_by_role("button", name="Copy your id")).to_be_focused()
    press("Tab")
    expect(ada.get_by_role("radio").first).to_be_focused()
    press("ArrowDown")
    expect(ada.get_by_role("radio").nth(1)).to_be_checked()
    press("Tab")
    expect(ada.get_by_role("button", name="Find a match")).to_be_focused()
    press("Enter")
    expect(heading(ada, "Searching for an opponent")).to_be_focused()
    press("Tab")
    expect(ada.get_by_role("button", name="Leave the queue")).to_be_focused()
    press("Enter")
    expect(heading(ada, "What would you like to play?")).to_be_focused()
    expect(ada.get_by_role("status")).to_have_text("You have left the queue.")


def test_a_name_that_is_no_name_is_refused_in_words(open_window: OpenWindow) -> None:
    ada = open_window()
    ada.get_by_label("Your name").fill("   ")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_role("alert").filter(has_text="Please type a name.")).to_be_visible()
    expect(ada.get_by_label("Your name")).to_be_focused()
    ada.get_by_label("Your name").fill("\u200b")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_role("alert").filter(has_text="at least one visible character")).to_be_visible()


def test_without_guests_a_token_opens_the_page_and_a_bad_one_does_not(open_window: OpenWindow) -> None:
    ada = open_window()
    answer = ada.request.post("/v1/auth/guest", data={"display_name": "Åsa"})
    token = answer.json()["access"]

    def no_guests(route: Route) -> None:
        route.fulfill(status=404, json={"status": 404, "code": "not_found", "detail": "No guests here"})

    ada.route("**/v1/auth/guest", no_guests)
    ada.get_by_label("Your name").fill("Ada")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_text("switched off on this server")).to_be_visible()
    field = ada.get_by_label("Access token")
    field.fill("not a token")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_role("alert").filter(has_text="does not look like a token")).to_be_visible()
    field.fill(token[:-4] + "AAAA")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_role("alert").filter(has_text="Please sign in again")).to_be_visible()
    field.fill(f" {token}\n")
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_text("You play as Åsa.")).to_be_visible()
