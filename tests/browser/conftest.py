"""Chromium, and windows in it, each with one player."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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

OpenWindow = Callable[..., Page]
Picture = Callable[..., None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real processes, with a grace period that a test can wait for."""
    running = Stack(tmp_path_factory.mktemp("stack"), {"GRACE_SECONDS": "10"})
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        reason = f"none of {', '.join(CHROMIUM_NAMES)} is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI leaves nothing out, and {reason}")
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_window(browser: Browser, stack: Stack) -> Iterator[OpenWindow]:
    """Open the page in a window of its own, as in a browser of its own; in the end no script has failed."""
    contexts = []
    failures: list[str] = []

    def open_one(**look: Any) -> Page:
        context = browser.new_context(base_url=stack.base_url, **look)
        contexts.append(context)
        context.set_default_timeout(15_000)
        context.on("weberror", lambda failure: failures.append(str(failure.error)))
        page = context.new_page()
        page.goto("/")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert failures == []


@pytest.fixture
def picture() -> Picture:
    """Save a picture of a window for the documentation, where SCREENSHOTS names a folder.

    ``SCREENSHOTS=docs/images .venv/bin/python -m pytest tests/browser -k meet`` makes them all anew.
    """
    folder = os.environ.get("SCREENSHOTS")

    def save(page: Page, name: str, after_seconds: float = 1) -> None:
        if folder:
            page.mouse.move(1, 1)
            page.wait_for_timeout(after_seconds * 1000)  # 1 s: transitions end
            page.screenshot(path=Path(folder) / f"play-{name}.png")

    return save
