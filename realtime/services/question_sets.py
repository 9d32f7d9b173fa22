"""Where questions come from: the set that comes along, and a tenant's own."""

import functools
import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from realtime.domain.errors import BadQuestions
from realtime.domain.questions import Draft, faults, numbered
from realtime.models import QuestionSet
from realtime.protocol.codec import decode_body, encode_json
from realtime.protocol.errors import InvalidRequest

BUILT_IN = "general"
_FILE = Path(__file__).resolve().parent.parent / "question_sets" / f"{BUILT_IN}.json"

log = structlog.get_logger(__name__)

_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Listed:
    """A set to choose."""

    key: str
    title: str
    questions: int


@functools.cache
def _built_in() -> tuple[str, Sequence[Draft]]:
    content = json.loads(_FILE.read_text(encoding="utf-8"))
    return content["title"], checked(content["questions"])


def checked(questions: Any) -> Sequence[Draft]:
    """Return questions of any origin as drafts; raise `InvalidRequest` with what is wrong with them."""
    return drafts_in(encode_json(questions).encode())


def from_json(text: bytes) -> Any:
    """Return an uploaded list of questions as it is kept; raise `InvalidRequest` like `checked`."""
    drafts_in(text)
    return json.loads(text)


def drafts_in(text: bytes) -> Sequence[Draft]:
    """Return a JSON list of questions as drafts."""
    return without_faults(decode_body(text, list[Draft]))


def without_faults(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Return questions of the right form; raise `BadQuestions` where they make no sense."""
    if found := faults(drafts):
        raise BadQuestions(found)
    return drafts


def listed(tenant_id: str) -> list[Listed]:
    """Return the sets that a tenant may choose from."""
    title, drafts = _built_in()
    own = QuestionSet.objects.filter(tenant_id=tenant_id)
    return [
        Listed(BUILT_IN, title, len(drafts)),
        *(Listed(each.key, each.title, len(each.questions)) for each in own),
    ]


def for_event(tenant_id: str, key: str | None) -> list[dict[str, Any]]:
    """Return the questions of a set, all of them, in their order; the built-in one without a key."""
    own = QuestionSet.objects.filter(tenant_id=tenant_id, key=key).first() if key else None
    if own is None and key not in {None, BUILT_IN}:
        raise InvalidRequest("There is no such question set", field="question_set")
    drafts = checked(own.questions) if own else _built_in()[1]
    return as_kept(drafts)


def for_duels(tenant_ids: Collection[str]) -> dict[str, Sequence[Draft]]:
    """Return the set that duels of each tenant draw from: its own for that, or the built-in one."""
    own = QuestionSet.objects.filter(tenant_id__in=tenant_ids, is_for_duels=True)
    return dict.fromkeys(tenant_ids, _built_in()[1]) | {each.tenant_id: _sound(each) for each in own}


def _sound(question_set: QuestionSet) -> Sequence[Draft]:
    """Return a set's questions; where they are none, as no form would take them, the built-in ones."""
    try:
        return checked(question_set.questions)
    except InvalidRequest as refusal:
        log.warning("question_set_not_valid", set=str(question_set.id), faults=refusal.texts())
        return _built_in()[1]


def drawn(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """Return some questions for a duel, drawn at random."""
    return as_kept(_chance.sample(drafts, min(settings.QUIZ_DUEL_QUESTIONS, len(drafts))))


def as_kept(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """Return questions as a session keeps them."""
    return numbered(drafts, seconds=settings.QUIZ_QUESTION_SECONDS)
