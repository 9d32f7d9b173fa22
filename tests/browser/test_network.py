"""A duel over networks that break, and an event of many over networks that keep breaking."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.stacks import Stack, eventually
from tests.browser.conftest import PATIENT_QUIZ, OpenWindow, windows
from tests.browser.networks import Network
from tests.browser.screens import answer, choices, expect_duel, heading, meet, own_score, players

pytestmark = pytest.mark.browser

CUT_SECONDS = 20
PARTICIPANTS = 20
LINKS = 4
QUESTIONS: list[dict[str, Any]] = [
    {
        "text": f"Which is the letter number {number}?",
        "choices": ["A", "B", "C"],
        "answer": number % 3,
        "seconds": 60,
    }
    for number in range(3)
]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """The service, with the grace period that it comes with, behind links."""
    stack = Stack(tmp_path_factory.mktemp("stack"), dict(PATIENT_QUIZ), is_measured=False)
    behind = Network(stack.port, LINKS)
    stack.environment |= {"PUBLIC_URL": behind.origins[0], "ALLOWED_ORIGINS": ",".join(behind.origins)}
    stack.start()
    yield behind
    behind.close()
    stack.stop()


@pytest.fixture
def open_window(browser: Browser, network: Network) -> Iterator[OpenWindow]:
    with windows(browser, network.origins[0]) as open_one:
        yield open_one


def test_a_duel_survives_a_network_that_is_gone_for_20_s(open_window: OpenWindow, network: Network) -> None:
    ada, ben = open_window(base_url=network.origins[0]), open_window(base_url=network.origins[1])
    meet(ada, ben)
    answer(ada, 0)
    ben.keyboard.press("1")
    expect_duel(ada, "Ben", number=2)
    answer(ada, 1)
    score, question = own_score(ada), ada.locator("#quiz-title").inner_text()
    network.break_off(0)
    broken_at = time.monotonic()
    expect(ada.get_by_text("Connection lost.").first).to_be_visible()
    expect(ada.get_by_text("Your place is kept for")).to_be_visible()
    expect(players(ben).get_by_text("Connection lost")).to_be_visible()
    expect(ben.get_by_text("Ada has lost the connection. The game goes on.")).to_be_visible()
    ben.wait_for_timeout(1000 * (CUT_SECONDS - (time.monotonic() - broken_at)))
    network.restore(0)
    try_now = ada.get_by_role("button", name="Try now")
    expect(try_now.or_(players(ada).get_by_text("Connected").nth(1)).first).to_be_visible()
    if try_now.is_visible():
        try_now.click()
    expect_duel(ada, "Ben", number=2)
    expect(ada.get_by_role("region", name="Connection")).to_be_hidden()
    expect(choices(ada).nth(1)).to_contain_text("Your answer")
    assert (own_score(ada), ada.locator("#quiz-title").inner_text()) == (score, question)
    expect_duel(ben, "Ada", number=2)
    scores_of_ada = players(ben).get_by_role("listitem").filter(has_text="Ada").locator(".player-score")
    answer(ben, 2)
    expect(scores_of_ada).to_have_text(str(score))
    expect_duel(ada, "Ben", number=3)


def test_an_answer_given_without_a_connection_arrives_with_the_next_one(
    open_window: OpenWindow, network: Network
) -> None:
    ada, ben = open_window(base_url=network.origins[0]), open_window(base_url=network.origins[1])
    meet(ada, ben)
    network.break_off(0)
    expect(ada.get_by_text("Connection lost.").first).to_be_visible()
    choices(ada).nth(2).click()
    expect(choices(ada).nth(2)).to_contain_text("Sending…")
    network.restore(0)
    expect(choices(ada).nth(2)).to_contain_text("Your answer", timeout=30_000)
    ben.keyboard.press("1")
    expect_duel(ada, "Ben", number=2)


def test_a_slow_network_is_only_slow(open_window: OpenWindow, network: Network) -> None:
    ada, ben = open_window(base_url=network.origins[2]), open_window(base_url=network.origins[1])
    meet(ada, ben)
    network.delay(2, 0.4)
    answer(ada, 0)
    ben.keyboard.press("1")
    expect_duel(ada, "Ben", number=2)
    expect(ada.get_by_role("region", name="Connection")).to_be_hidden()
    network.delay(2, 0)


def test_20_participants_whose_networks_keep_breaking_end_with_the_servers_scores(
    browser: Browser, network: Network
) -> None:
    chance = random.Random(20)
    with windows(browser, network.origins[0]) as open_one:
        host = Host(open_one())
        names = [f"Player {number}" for number in range(1, PARTICIPANTS + 1)]
        pages = {
            name: _join(open_one, network.origins[number % LINKS], host.code, name)
            for number, name in enumerate(names)
        }
        for number in range(1, len(QUESTIONS) + 1):
            host.go_on()
            for page in pages.values():
                if chance.random() < 0.25:
                    network.cut(chance.randrange(LINKS))
                _choose(page, chance.randrange(3), number)
            assert eventually(lambda: host.state()["phase"] == "leaderboard", 30), host.state()
        network.cut(chance.randrange(LINKS))
        host.go_on()
        standing = [
            [f"{row['rank']}.", row["display_name"], str(row["score"])] for row in host.state()["leaderboard"]
        ]
        assert len(standing) == PARTICIPANTS
        for name, page in pages.items():
            expect(page.locator("#final li").nth(PARTICIPANTS - 1)).to_be_visible(timeout=30_000)
            assert _board(page) == standing, name


class Host:
    """The host of an event, by REST."""

    def __init__(self, page: Page) -> None:
        self._page = page
        guest = page.request.post("/v1/auth/guest", data={"display_name": "Hanna"}).json()
        self._headers = {"Authorization": f"Bearer {guest['access']}"}
        made = self._post("/v1/sessions", {"title": "Letters", "questions": QUESTIONS})
        self._path, self.code = f"/v1/sessions/{made['session_id']}", made["join_code"]

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._page.request.get(self._path, headers=self._headers).json()
        return state

    def go_on(self) -> None:
        """Open the next question, or show the result."""
        self._post(f"{self._path}/next", {})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._page.request.post(path, data=body, headers=self._headers)
        assert answer.ok, answer.text()
        parsed: dict[str, Any] = answer.json()
        return parsed


def _join(open_one: OpenWindow, origin: str, code: str, name: str) -> Page:
    page = open_one(f"/join/{code}", base_url=origin, viewport={"width": 320, "height": 480})
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(heading(page, "Letters")).to_be_visible()
    return page


def _choose(page: Page, index: int, number: int) -> None:
    """Answer, whatever the network does just now: the page sends it as soon as it can."""
    expect(page.locator("#quiz-number")).to_have_text(f"Question {number} of {len(QUESTIONS)}")
    choices(page).nth(index).click()


def _board(page: Page) -> list[list[str]]:
    rows: list[list[str]] = page.locator("#final").evaluate(
        """list => [...list.children].map(row => {
            const [rank, name, score] = row.children;
            return [rank.textContent, name.firstChild.textContent, score.textContent];
        })"""
    )
    return rows
