"""What a set of questions has to be like."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from realtime.domain.quiz import Question

MAX_QUESTIONS = 100
QUESTION_ID = "q"
"""A question's id is this and its number in the session."""

MIN_CHOICES = 2
MAX_CHOICES = 6


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question as somebody writes it: ``answer`` is the index of the right one of 2 to 6 ``choices``.

    ``seconds`` is how long it is open, 5 to 300; without it, as long as the service's settings say.
    """

    text: Annotated[str, Meta(min_length=1, max_length=500)]
    choices: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=200)]],
        Meta(min_length=MIN_CHOICES, max_length=MAX_CHOICES),
    ]
    answer: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=5, le=300)] | None = None


def faults(drafts: Sequence[Draft]) -> list[str]:
    """Return what is wrong with questions whose form is right, a line for each fault."""
    if not 1 <= len(drafts) <= MAX_QUESTIONS:
        return [f"A set has 1 to {MAX_QUESTIONS} questions"]
    return [
        f"Question {number}: {fault}" for number, draft in enumerate(drafts, 1) for fault in _faults(draft)
    ]


def _faults(draft: Draft) -> list[str]:
    found = []
    if not draft.text.strip():
        found.append("its text is blank")
    if not all(choice.strip() for choice in draft.choices):
        found.append("a choice is blank")
    if len({choice.strip().casefold() for choice in draft.choices}) < len(draft.choices):
        found.append("two choices are the same")
    if draft.answer >= len(draft.choices):
        found.append(f"the answer {draft.answer} is not the index of a choice, 0 to {len(draft.choices) - 1}")
    return found


def numbered(drafts: Sequence[Draft], *, seconds: float) -> list[dict[str, Any]]:
    """Return questions as a session keeps them, with an id each and the time that they are open."""
    return [
        {
            "id": f"{QUESTION_ID}{number}",
            "text": draft.text.strip(),
            "choices": [choice.strip() for choice in draft.choices],
            "answer": draft.answer,
            "seconds": draft.seconds or seconds,
        }
        for number, draft in enumerate(drafts, 1)
    ]


def kept(rows: Sequence[dict[str, Any]]) -> list[Question]:
    """Return the questions that a session has kept."""
    return [Question(**{**row, "choices": tuple(row["choices"])}) for row in rows]
