"""Parties: how many fit into one, what it is doing, and who leads it next."""

from collections.abc import Sequence
from enum import StrEnum

MAX_MEMBERS = 10
MAX_INVITATIONS = 20
"""So many may be invited to a party at a time and not have joined."""


class Status(StrEnum):
    """What a party is doing; it follows from its members, and is kept nowhere."""

    IDLE = "IDLE"
    QUEUED = "QUEUED"
    PLAYING = "PLAYING"
    DISBANDED = "DISBANDED"


def status_of(*, is_disbanded: bool, is_queued: bool, is_playing: bool) -> Status:
    """Return what a party is doing: in a match where any member is, in a queue while it has tickets."""
    if is_disbanded:
        return Status.DISBANDED
    if is_playing:
        return Status.PLAYING
    return Status.QUEUED if is_queued else Status.IDLE


def leader_after(leader: str, members: Sequence[str]) -> str:
    """Return who leads once somebody has left; ``members`` stay, in the order in which they joined.

    The longest-standing one follows a leader who has left; where nobody stays, nobody does.
    """
    return leader if leader in members or not members else members[0]
