"""What hosts and participants of an event do on their pages, in the words of the tests."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.screens import heading, press, sign_in

TITLE = "Friday quiz"
QUESTIONS: list[dict[str, Any]] = [
    {
        "text": "Which planet is the largest?",
        "choices": ["Mars", "Jupiter", "Venus", "Earth"],
        "answer": 1,
        "seconds": 30,
    },
    {"text": "How many minutes has a day?", "choices": ["1200", "1440"], "answer": 1, "seconds": 60},
]


def make_event(host: Page, questions: object = QUESTIONS) -> str:
    """Make an event with questions of one's own, and return its code."""
    sign_in(host, "Hanna")
    host.get_by_label("Title").fill(TITLE)
    host.get_by_role("radio", name="My own").check()
    host.get_by_label("Your file").set_input_files(
        {"name": "quiz.json", "mimeType": "application/json", "buffer": json.dumps(questions).encode()}
    )
    press(host, "Make the event")
    expect(heading(host, TITLE)).to_be_visible()
    return code_on(host)


def code_on(host: Page) -> str:
    code = host.locator("#join-code")
    expect(code).to_have_text(re.compile(r"^[A-Z0-9]{6}$"))
    return code.inner_text()


def join(page: Page, name: str) -> None:
    """Take a place, on the join page of an event."""
    page.get_by_label("Your name").fill(name)
    press(page, "Join")
    expect(page.get_by_text(f"You are {name}")).to_be_visible()


def people(page: Page) -> Locator:
    return page.locator("#people li")


def place_of(page: Page, row: str = "(you)") -> Locator:
    return page.get_by_role("listitem").filter(has_text=row)
