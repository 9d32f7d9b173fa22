"""Who may join an event: codes, names, and whether a join began before the host locked."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

CODE_LENGTH = 6
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without I, L, O, 0 and 1, which are read for one another from a screen far away."""

ATTEMPT_SECONDS = 60
MAX_PARTICIPANTS = 500
MAX_NAME_KEY_LENGTH = 256
"""One character may unfold into eighteen."""


_UNSEEN = "\u200c\u200d\ufe0e\ufe0f"
"""Joiners and the choice between a sign's forms: names may have them, and nobody sees them."""


def new_code(choice: Callable[[Sequence[str]], str]) -> str:
    """Return a code to join by, of characters drawn by ``choice``."""
    return "".join(choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def clean_code(text: str) -> str:
    """Return a code as it was given out, from how somebody typed it."""
    return "".join(character for character in text.upper() if character.isalnum())


def code_in(texts: Sequence[str]) -> str | None:
    """Return the code of the first text that is a link to join by, or a code itself."""
    for text in texts:
        found = re.fullmatch(r"(?:https?://[^/\s]+/join/)?([A-Za-z0-9]+)/?", text.strip())
        if found and len(found[1]) == CODE_LENGTH:
            return found[1].upper()
    return None


def name_key(name: str) -> str:
    """Return what two names have in common that people cannot tell apart by case or form."""
    visible = "".join(character for character in name if character not in _UNSEEN)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return folded[:MAX_NAME_KEY_LENGTH]


def counts_despite_lock(*, begun_at: datetime | None, locked_at: datetime, now: datetime) -> bool:
    """Return whether a join still counts after the lock: it was begun before it, and not long ago."""
    return (
        begun_at is not None and begun_at < locked_at and now - begun_at <= timedelta(seconds=ATTEMPT_SECONDS)
    )
