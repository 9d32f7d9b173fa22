"""What makes questions a set, and how a session keeps them."""

import json
from pathlib import Path

import msgspec
import pytest

from realtime.domain.questions import MAX_QUESTIONS, Draft, faults, kept, numbered
from realtime.domain.quiz import Question

FILES = sorted((Path(__file__).resolve().parents[2] / "realtime" / "question_sets").glob("*.json"))


def draft(text: str = "Which?", *choices: str, answer: int = 0, seconds: float | None = None) -> Draft:
    return Draft(text=text, choices=list(choices) or ["this", "that"], answer=answer, seconds=seconds)


def test_questions_that_make_sense_have_no_faults() -> None:
    assert faults([draft(), draft("Now?", "a", "b", "c", "d", "e", "f", answer=5)]) == []
    assert faults([draft()] * MAX_QUESTIONS) == []


@pytest.mark.parametrize("count", [0, MAX_QUESTIONS + 1])
def test_a_set_has_a_question_and_not_too_many(count: int) -> None:
    assert faults([draft()] * count) == ["A set has 1 to 100 questions"]


def test_every_fault_of_every_question_is_told_with_its_number() -> None:
    bad = draft("  ", "same", " SAME ", " ", answer=3)
    assert faults([draft(), bad, draft(answer=2)]) == [
        "Question 2: its text is blank",
        "Question 2: a choice is blank",
        "Question 2: two choices are the same",
        "Question 2: the answer 3 is not the index of a choice, 0 to 2",
        "Question 3: the answer 2 is not the index of a choice, 0 to 1",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},
        {"text": "x" * 501},
        {"choices": ["alone"]},
        {"choices": list("abcdefg")},
        {"choices": ["", "b"]},
        {"choices": ["a", "b" * 201]},
        {"answer": -1},
        {"answer": "0"},
        {"seconds": 4.9},
        {"seconds": 301},
        {"points": 5},
    ],
    ids=[
        "no text",
        "long text",
        "one choice",
        "seven choices",
        "empty choice",
        "long choice",
        "negative answer",
        "answer in words",
        "too short",
        "too long",
        "unknown",
    ],
)
def test_a_question_of_the_wrong_form_is_not_read(change: dict[str, object]) -> None:
    question = {"text": "Which?", "choices": ["this", "that"], "answer": 0, "seconds": 5}
    assert msgspec.convert(question, Draft) == draft(seconds=5)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(question | change, Draft)


def test_a_session_keeps_questions_numbered_and_trimmed_with_their_seconds() -> None:
    rows = numbered([draft(" Which? ", " this", "that "), draft(answer=1, seconds=7.5)], seconds=15)
    assert rows[0] == {"id": "q1", "text": "Which?", "choices": ["this", "that"], "answer": 0, "seconds": 15}
    assert (rows[1]["id"], rows[1]["seconds"]) == ("q2", 7.5)
    assert kept(json.loads(json.dumps(rows)))[1] == Question(
        id="q2", text="Which?", choices=("this", "that"), answer=1, seconds=7.5
    )


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_sets_that_come_along_make_sense_and_ask_nothing_twice(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    drafts = msgspec.convert(content["questions"], list[Draft])
    assert content["title"]
    assert faults(drafts) == []
    assert len({each.text for each in drafts}) == len(drafts)
