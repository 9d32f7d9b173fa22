"""QR pictures: what a host shows is read again by a camera, and no picture breaks anything."""

import io
import re

import pytest
import segno
import zxingcpp
from PIL import Image, ImageDraw

from realtime import pictures
from tests.factories import Answer, Rest, _http, token
from tests.rooms import ParticipantRest, duel_session, hosted_event, joined

pytestmark = pytest.mark.django_db


def jpeg(image: Image.Image, quality: int = 80) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


def qr_png(text: str) -> Image.Image:
    file = io.BytesIO()
    segno.make_qr(text, error="m").save(file, kind="png", scale=8, border=4)
    return Image.open(file).convert("RGB")


def drawn(svg: str) -> Image.Image:
    """Draw a picture of segno's: a white square, and one path of horizontal strokes, by its commands."""
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert box
    path = re.search(r'<path[^>]*stroke="#000"[^>]*d="([^"]*)"', svg) or re.search(
        r'd="([^"]*)"[^>]*stroke="#000"', svg
    )
    assert path, svg[:300]
    image = Image.new("L", (int(box[1]) * 6, int(box[2]) * 6), 255)
    pen = ImageDraw.Draw(image)
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", path[1]):
        values = [float(number) for number in re.findall(r"-?\d*\.?\d+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            top = (y - 0.5) * 6
            pen.rectangle((x * 6, top, (x + values[0]) * 6 - 1, top + 5), fill=0)
            x += values[0]
    return image


def scan(picture: bytes) -> Answer:
    return Rest().send("POST", "/sessions/scan", picture)


# --- the host's picture


def test_the_hosts_picture_says_the_link_to_join_by() -> None:
    event = hosted_event("hanna")
    url = f"/v1/sessions/{event.id}/qr.svg"
    response = _http().get(url, headers={"authorization": f"Bearer {token('hanna')}"})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/svg+xml")
    svg = response.content.decode()
    assert "<script" not in svg
    link = Rest("hanna").get(f"/sessions/{event.id}").body["session"]["join_url"]
    assert link.endswith(f"/join/{event.join_code}")
    assert [found.text for found in zxingcpp.read_barcodes(drawn(svg))] == [link]
    assert scan(jpeg(drawn(svg))).body == {"join_code": event.join_code}


def test_a_participant_may_show_it_to_the_next_one_and_a_duel_has_none() -> None:
    event = hosted_event("hanna")
    place = joined(event, "ann")
    shown = _http().get(f"/v1/sessions/{event.id}/qr.svg", headers={"authorization": f"Bearer {place.token}"})
    assert shown.status_code == 200
    assert ParticipantRest(place).get(f"/sessions/{duel_session().id}/qr.svg").status == 401
    assert Rest("ann").get(f"/sessions/{duel_session().id}/qr.svg").refusal == (404, "not_found")


# --- the camera's picture


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://play.example/join/ABC234", "ABC234"),
        ("abc234", "ABC234"),
        ("https://other.example/", None),
        ("WIFI:S:cafe;;", None),
    ],
    ids=["link", "code", "other link", "no link"],
)
def test_a_camera_sees_the_code_in_a_picture(text: str, code: str | None) -> None:
    answer = scan(jpeg(qr_png(text)))
    assert (answer.status, answer.body) == (200, {"join_code": code})


def test_a_crooked_and_coarse_picture_is_read_as_well() -> None:
    page = Image.new("RGB", (640, 480), "grey")
    page.paste(
        qr_png("https://play.example/join/ABC234").rotate(12, expand=True, fillcolor="white"), (90, 40)
    )
    assert scan(jpeg(page, quality=25)).body == {"join_code": "ABC234"}


def test_in_a_picture_without_a_code_none_is_seen() -> None:
    assert scan(jpeg(Image.new("RGB", (640, 480), "white"))).body == {"join_code": None}


def huge(width: int, height: int) -> bytes:
    """Return a small JPEG that says of itself that it is huge."""
    picture = jpeg(Image.new("L", (8, 8)))
    frame = picture.index(b"\xff\xc0") + 5
    return picture[:frame] + height.to_bytes(2) + width.to_bytes(2) + picture[frame + 4 :]


def png() -> bytes:
    file = io.BytesIO()
    qr_png("ABC234").save(file, "PNG")
    return file.getvalue()


BROKEN = {
    "nothing": b"",
    "text": b"join me",
    "json": b'{"join_code": "ABC234"}',
    "another format": png(),
    "cut off": jpeg(qr_png("ABC234"))[:900],
    "header alone": b"\xff\xd8\xff\xe0",
    "too large": huge(1281, 1281),
    "much too large": huge(12_000, 12_000),
    "as large as can be": huge(65_000, 65_000),
    "no size": huge(0, 0),
}


@pytest.mark.parametrize("picture", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_jpeg_of_a_camera_is_refused(picture: bytes) -> None:
    answer = scan(picture)
    assert answer.refusal == (400, "invalid_request")
    assert list(answer.body["errors"]) == ["body"]


def test_the_largest_picture_is_read() -> None:
    page = Image.new("L", (1280, 1280), 255)
    page.paste(qr_png("ABC234").convert("L"), (300, 300))
    assert pictures.texts_in_jpeg(jpeg(page)) == ["ABC234"]
