"""An event from its making to its result: the host's page, and phones that join by its code."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow, Picture
from tests.browser.events import QUESTIONS, TITLE, code_on, join, make_event, people, place_of
from tests.browser.screens import LOOKS, NARROWEST, answer, choices, heading, press, scrolls_sideways, sign_in

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", LOOKS)
def test_an_event_from_its_making_to_its_result(open_window: OpenWindow, picture: Picture, look: str) -> None:
    host = open_window("/host", **LOOKS[look])
    code = make_event(host)
    expect(host.get_by_role("img", name="QR code")).to_be_visible()
    natural_width = host.locator("#qr").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert natural_width > 0

    pia = open_window("/join", **LOOKS[look])
    picture(pia, f"event-join-{look}")
    pia.get_by_label("Code").fill(f" {code[:3].lower()} {code[3:].lower()} ")
    press(pia, "Continue")
    expect(heading(pia, TITLE)).to_be_visible()
    assert pia.url.endswith(f"/join/{code}")
    join(pia, "Pia")
    quentin = open_window(f"/join/{code}")
    join(quentin, "Quentin")
    for page in (host, pia, quentin):
        expect(people(page)).to_have_count(2)
    picture(host, f"event-host-lobby-{look}")
    picture(pia, f"event-lobby-{look}")

    press(host, "Start")
    expect(heading(host, QUESTIONS[0]["text"])).to_be_visible()
    answer(pia, 1)
    expect(host.get_by_text("1 of 2 answered")).to_be_visible()
    picture(host, f"event-host-question-{look}")
    picture(pia, f"event-question-{look}")
    answer(quentin, 0)
    for page in (host, pia, quentin):  # when all have answered, the question closes by itself
        expect(page.get_by_text("Answer 1 of 2")).to_be_visible()
        assert not scrolls_sideways(page)
    expect(place_of(pia)).to_contain_text("1.")
    expect(pia.get_by_text(re.compile(r"^You are 1st of 2 with \d+ points\.$"))).to_be_visible()
    picture(host, f"event-host-leaderboard-{look}")
    picture(pia, f"event-leaderboard-{look}")

    press(host, "Next question")
    expect(heading(pia, QUESTIONS[1]["text"])).to_be_visible()
    press(host, "Close the question")
    press(host, "Show the result")
    expect(heading(pia, "You have won!")).to_be_visible()
    expect(heading(quentin, "You came 2nd")).to_be_visible()
    expect(host.get_by_role("list", name="The first three").get_by_text("Pia")).to_be_visible()
    picture(host, f"event-host-result-{look}")
    picture(pia, f"event-result-{look}")


def test_the_lock_is_seen_at_once_and_who_was_there_before_still_gets_in(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    early = open_window(f"/join/{code}")
    expect(early.get_by_label("Your name")).to_be_visible()
    press(host, "Lock joining")
    expect(host.get_by_text("Joining is locked: nobody else gets in.")).to_be_visible()
    expect(early.get_by_text("The host has just locked joining.").first).to_be_visible()
    late = open_window(f"/join/{code}")
    expect(late.get_by_text("The host has locked joining.").first).to_be_visible()
    expect(late.get_by_label("Your name")).to_be_hidden()
    join(early, "Early")
    expect(early.get_by_text("Joining is locked: nobody else gets in.")).to_be_visible()
    expect(people(host)).to_have_text([re.compile("Early")])
    press(host, "Unlock joining")
    expect(early.get_by_text("Joining is locked")).to_be_hidden()
    join(late, "Late")
    expect(people(host)).to_have_count(2)


def test_another_name_is_seen_by_all_at_once_and_nobody_has_two_of_one(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    pia, quentin = open_window(f"/join/{code}"), open_window(f"/join/{code}")
    join(pia, "Pia")
    quentin.get_by_label("Your name").fill("pia")
    press(quentin, "Join")
    expect(quentin.get_by_role("alert").filter(has_text="choose another")).to_be_visible()
    expect(quentin.get_by_label("Your name")).to_be_focused()
    join(quentin, "Quentin")
    press(pia, "Change")
    pia.get_by_label("Your new name").fill("quentin")
    press(pia, "Save")
    expect(pia.get_by_role("alert").filter(has_text="choose another")).to_be_visible()
    pia.get_by_label("Your new name").fill("Pippa <b>")
    press(pia, "Save")
    for page in (host, pia, quentin):
        expect(people(page).filter(has_text="Pippa <b>")).to_have_count(1)


def test_who_comes_late_is_in_with_the_leaderboard(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    pia = open_window(f"/join/{code}")
    join(pia, "Pia")
    press(host, "Start")
    answer(pia, 1)
    expect(host.get_by_role("button", name="Next question")).to_be_visible()
    late = open_window(f"/join/{code}")
    expect(late.get_by_text("Already under way: you can still join")).to_be_visible()
    late.get_by_label("Your name").fill("Late")
    press(late, "Join")
    expect(late.get_by_text("Answer 1 of 2")).to_be_visible()
    expect(place_of(late)).to_contain_text("Late")
    expect(place_of(host, "Late")).to_be_visible()
    press(host, "Next question")
    answer(late, 1)
    press(host, "Finish")
    expect(host.get_by_text("Everybody sees the result")).to_be_visible()
    host.get_by_role("dialog").get_by_role("button", name="Finish").click()
    result = re.compile("^(You came 2nd|You have won!|You share the first place)$")
    for page in (late, pia):
        expect(page.get_by_role("heading", level=1)).to_have_text(result)
        expect(page.get_by_role("listitem")).to_have_count(2)


def test_tabs_that_were_closed_find_their_event_again(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    pia = open_window(f"/join/{code}")
    join(pia, "Pia")
    pia.close()
    expect(people(host).filter(has_text="not here right now")).to_have_count(1)
    again = pia.context.new_page()
    again.goto(f"/join/{code}")
    expect(again.get_by_text("You are Pia")).to_be_visible()
    expect(people(host)).to_have_text([re.compile("^Pia$")])
    second = pia.context.new_page()
    second.goto(f"/join/{code}")
    expect(second.get_by_text("You are Pia")).to_be_visible()
    expect(again.get_by_text("You went on in another window.").first).to_be_visible()

    host.close()
    back = host.context.new_page()
    back.goto("/host")
    back.get_by_role("link", name=TITLE).click()
    expect(people(back)).to_have_count(1)
    assert code_on(back) == code
    press(back, "Start")
    expect(heading(second, QUESTIONS[0]["text"])).to_be_visible()


def test_who_leaves_an_event_may_join_again(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    pia = open_window(f"/join/{code}")
    join(pia, "Pia")
    press(pia, "Leave the event")
    pia.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(heading(pia, "You have left the event")).to_be_visible()
    expect(people(host)).to_have_count(0)
    pia.get_by_role("link", name="Join again").click()
    join(pia, "Pia")
    expect(people(host)).to_have_count(1)


def test_back_and_forward_lead_through_the_join_pages(open_window: OpenWindow) -> None:
    host = open_window("/host")
    code = make_event(host)
    pia = open_window("/join")
    pia.get_by_label("Code").fill("AAAAAA")
    press(pia, "Continue")
    expect(pia.get_by_text("There is no event with the code AAAAAA.")).to_be_visible()
    pia.get_by_label("Code").fill(code)
    press(pia, "Continue")
    expect(heading(pia, TITLE)).to_be_visible()
    pia.go_back()
    expect(heading(pia, "Join an event")).to_be_visible()
    pia.go_forward()
    expect(heading(pia, TITLE)).to_be_visible()


def test_a_file_of_questions_is_refused_in_words(open_window: OpenWindow) -> None:
    host = open_window("/host")
    sign_in(host, "Hanna")
    press(host, "Make the event")
    expect(host.get_by_role("alert").filter(has_text="Please type a title.")).to_be_visible()
    host.get_by_label("Title").fill(TITLE)
    host.get_by_role("radio", name="My own").check()
    press(host, "Make the event")
    expect(host.get_by_role("alert").filter(has_text="choose a file")).to_be_visible()
    for content, complaint in (
        (b"[{", "is not JSON"),
        (
            json.dumps([{"text": "?", "choices": ["a", "a"], "answer": 0}]).encode(),
            "two choices are the same",
        ),
    ):
        host.get_by_label("Your file").set_input_files(
            {"name": "quiz.json", "mimeType": "application/json", "buffer": content}
        )
        press(host, "Make the event")
        expect(host.get_by_role("alert").filter(has_text=complaint)).to_be_visible()


def test_an_event_fits_the_narrowest_phone(open_window: OpenWindow) -> None:
    host = open_window("/host", **NARROWEST)
    code = make_event(host)
    assert not scrolls_sideways(host)
    pia = open_window(f"/join/{code}", **NARROWEST)
    join(pia, "Wolfeschlegelsteinhausenbergerdorff")
    assert not scrolls_sideways(pia)
    press(host, "Start")
    answer(pia, 1)
    expect(host.get_by_text("Answer 1 of 2")).to_be_visible()
    assert not scrolls_sideways(host)
    assert not scrolls_sideways(pia)
    assert choices(pia).count() == len(QUESTIONS[0]["choices"])
