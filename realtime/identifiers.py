"""Identifiers of rows and messages: UUIDv7, so that they sort by the time that they were made."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """Return a new UUIDv7."""
    return UUID(int=uuid_utils.uuid7().int)


def parse_id(text: str) -> UUID | None:
    """Return the id that ``text`` spells, or None: a malformed id is no different from an unknown one."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
