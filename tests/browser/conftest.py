"""Chromium, and windows in it, each with one person; and a network between them and the service."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.acceptance.stacks import Stack

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
IS_FOR_PICTURES = "SCREENSHOTS" in os.environ
PATIENT_QUIZ = {
    "QUIZ_LOBBY_SECONDS": "3" if IS_FOR_PICTURES else "1",
    "QUIZ_QUESTION_SECONDS": "20" if IS_FOR_PICTURES else "120",
    "QUIZ_LEADERBOARD_SECONDS": "4" if IS_FOR_PICTURES else "1",
    "QUIZ_DUEL_QUESTIONS": "3",
}
"""A question stays open until everybody has answered, so that a slow machine changes nothing; pictures shall
show what people see."""
TIMEOUT_MS = 15_000

expect.set_options(timeout=TIMEOUT_MS)

OpenWindow = Callable[..., Page]
Picture = Callable[..., None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real processes, with a grace period that a test can wait for."""
    running = Stack(
        tmp_path_factory.mktemp("stack"), PATIENT_QUIZ | {"GRACE_SECONDS": "10"}, is_measured=False
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def launch(playwright: Playwright, *flags: str) -> Browser:
    """Start Chromium; without one on this machine, the test is left out."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        reason = f"none of {', '.join(CHROMIUM_NAMES)} is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI leaves nothing out, and {reason}")
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = launch(playwright)
    yield chromium
    chromium.close()


@contextmanager
def windows(browser: Browser, base_url: str) -> Iterator[OpenWindow]:
    """Open pages in windows of their own, as in browsers of their own; in the end no script has failed."""
    contexts: list[BrowserContext] = []
    failures: list[str] = []

    def open_one(path: str = "/", **look: Any) -> Page:
        context = browser.new_context(**({"base_url": base_url} | look))
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        context.on("weberror", lambda failure: failures.append(str(failure.error)))
        page = context.new_page()
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert failures == []


@pytest.fixture
def open_window(browser: Browser, stack: Stack) -> Iterator[OpenWindow]:
    with windows(browser, stack.base_url) as open_one:
        yield open_one


@pytest.fixture
def picture() -> Picture:
    """Save a picture of a window for the documentation, where SCREENSHOTS names a folder.

    ``SCREENSHOTS=docs/images .venv/bin/pytest tests/browser -k "again or whole or making or denied or
    challenged or taken_back or rematch or accepted or two_parties"`` makes them all anew.
    """
    folder = os.environ.get("SCREENSHOTS")

    def save(page: Page, name: str, after_seconds: float = 1) -> None:
        if folder:
            page.mouse.move(1, 1)
            page.wait_for_timeout(after_seconds * 1000)  # 1 s: transitions end
            page.screenshot(path=Path(folder) / f"{name}.png")

    return save
