"""What people do on the pages and see there, in the words of the tests."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1100, "height": 760}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 760}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 780}, "device_scale_factor": 2, "has_touch": True},
}
NARROWEST: dict[str, Any] = {"viewport": {"width": 320, "height": 640}}


def heading(page: Page, text: str) -> Locator:
    return page.get_by_role("heading", level=1, name=text)


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    press(page, "Continue")
    expect(page.get_by_role("radio").first).to_be_checked()


def find_a_match(page: Page) -> None:
    press(page, "Find a match")


def expect_searching(page: Page) -> None:
    expect(heading(page, "Searching for an opponent")).to_be_visible()


def players(page: Page) -> Locator:
    return page.get_by_role("list", name="Players")


def expect_duel(page: Page, opponent: str, *, number: int = 1) -> None:
    """Both are there, and a question is open."""
    expect(page.get_by_text(re.compile(rf"^Question {number} of \d+$"))).to_be_visible()
    expect(players(page).get_by_text(opponent, exact=True)).to_be_visible()
    expect(players(page).get_by_text("Connected")).to_have_count(2)


def meet(ada: Page, ben: Page) -> None:
    sign_in(ada, "Ada")
    sign_in(ben, "Ben")
    find_a_match(ada)
    find_a_match(ben)
    expect_duel(ada, "Ben")
    expect_duel(ben, "Ada")


def choices(page: Page) -> Locator:
    return page.get_by_role("list", name="Choices").get_by_role("button")


def answer(page: Page, index: int = 0) -> None:
    """Answer, and see that the server has the answer."""
    choices(page).nth(index).click()
    expect(choices(page).nth(index)).to_contain_text("Your answer")


def play_to_the_end(ada: Page, ben: Page) -> None:
    """Answer everything; without saying what is right, so either may win."""
    for number in range(1, 4):
        expect_duel(ada, "Ben", number=number)
        answer(ada, 0)
        expect_duel(ben, "Ada", number=number)
        answer(ben, 1)
    for page in (ada, ben):
        expect(page.get_by_role("list", name="Standing")).to_be_visible()


def own_id(page: Page) -> str:
    """Return the id by which others challenge or invite who is in the lobby."""
    shown = page.locator("#own-id")
    expect(shown).to_have_text(re.compile("^guest-"))
    return shown.inner_text()


def open_section(page: Page, title: str) -> None:
    page.get_by_role("heading", name=title).click()


def own_score(page: Page) -> int:
    """Return one's own points, in a duel."""
    row = players(page).get_by_role("listitem").filter(has_text="(you)")
    return int(row.locator(".player-score").inner_text())


def leave_the_game(page: Page) -> None:
    press(page, "Leave the game")
    press(page, "Leave and lose")
    expect(heading(page, "You have left the game")).to_be_visible()


def scrolls_sideways(page: Page) -> bool:
    overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return bool(page.evaluate(overflow))
