"""Joining by the camera of a phone, which is here a film of a QR picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import segno
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.acceptance.stacks import Stack
from tests.browser.conftest import OpenWindow, Picture, launch, windows
from tests.browser.events import TITLE, join, make_event
from tests.browser.screens import LOOKS, heading, press

pytestmark = pytest.mark.browser

CAMERA = "--use-fake-device-for-media-stream"
WIDTH, HEIGHT = 640, 480


@contextmanager
def camera_windows(playwright: Playwright, stack: Stack, film: Path | None) -> Iterator[OpenWindow]:
    """Windows of a browser whose camera shows a film, the same picture for ever."""
    flags = [CAMERA] + ([f"--use-file-for-fake-video-capture={film}"] if film else [])
    chromium = launch(playwright, *flags)
    with windows(chromium, stack.base_url) as open_one:
        yield open_one
    chromium.close()


def film_of(text: str, path: Path) -> Path:
    """Write a film (Y4M) in which somebody holds a QR picture into the camera."""
    code = np.array([list(row) for row in segno.make_qr(text, error="m").matrix_iter(border=4, scale=8)])
    frame = np.full((HEIGHT, WIDTH), 120, np.uint8)
    top, left = (HEIGHT - code.shape[0]) // 2, (WIDTH - code.shape[1]) // 2
    frame[top : top + code.shape[0], left : left + code.shape[1]] = np.where(code, 30, 225)
    colours = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + b"FRAME\n" + frame.tobytes() + colours.tobytes())
    return path


SILENT = "navigator.permissions.query = () => Promise.reject(new TypeError())"
"""Makes a browser one that does not tell when a permission is given."""


def test_a_camera_that_is_denied_is_explained_and_once_allowed_finds_the_code(
    playwright: Playwright, browser: Browser, stack: Stack, tmp_path: Path, picture: Picture
) -> None:
    with windows(browser, stack.base_url) as open_one:
        code = make_event(open_one("/host"))
        film = film_of(f"{stack.base_url}/join/{code}", tmp_path / "film.y4m")
        with camera_windows(playwright, stack, film) as open_with_camera:
            told = open_with_camera("/join", **LOOKS["phone"])
            expect_guide(told)
            picture(told, "event-camera-denied-phone")
            told.context.grant_permissions(["camera"])
            expect(heading(told, TITLE)).to_be_visible()  # the browser has told the page
            assert told.url.endswith(f"/join/{code}")
            join(told, "Told")

            silent = open_with_camera("/join", **LOOKS["phone"])
            silent.add_init_script(SILENT)
            silent.reload()
            expect_guide(silent)
            press(silent, "Try the camera again")
            expect(silent.get_by_role("heading", name="Allow the camera")).to_be_visible()
            silent.context.grant_permissions(["camera"])
            press(silent, "Try the camera again")
            expect(heading(silent, TITLE)).to_be_visible()


def expect_guide(phone: Page) -> None:
    """The camera is denied, and the page says how to allow it in this browser, and in others on demand."""
    press(phone, "Scan the picture")
    expect(phone.get_by_role("heading", name="Allow the camera")).to_be_visible()
    expect(phone.get_by_text("Chrome or Edge on a computer")).to_be_visible()
    expect(phone.get_by_text("Safari on iPhone and iPad")).to_be_hidden()
    phone.get_by_text("Other browsers").click()
    expect(phone.get_by_text("Safari on iPhone and iPad")).to_be_visible()
    phone.get_by_text("Other browsers").click()


def test_the_camera_stops_when_it_is_not_looked_through(
    playwright: Playwright, stack: Stack, tmp_path: Path
) -> None:
    film = film_of("nothing that is a code", tmp_path / "film.y4m")
    with camera_windows(playwright, stack, film) as open_one:
        phone = open_one("/join", permissions=["camera"])
        press(phone, "Scan the picture")
        expect(phone.get_by_text("Hold the picture that the host shows into the frame.").last).to_be_visible()
        assert phone.evaluate("document.querySelector('#video').srcObject.active")
        track = phone.evaluate_handle("document.querySelector('#video').srcObject.getTracks()[0]")
        press(phone, "Type the code instead")
        expect(phone.get_by_label("Code")).to_be_focused()
        assert track.evaluate("track => track.readyState") == "ended"
        assert phone.evaluate("document.querySelector('#video').srcObject") is None
