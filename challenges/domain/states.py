"""A challenge waits for an answer, and gets one at most.

Rule, in words: who was challenged accepts or declines, who challenges cancels, time expires it. Accepting
takes a moment, since both players are asked whether they are there: meanwhile it is pending still, and nobody
else can do anything with it. No answer counts after ``expires_at``, whoever has noticed that.

::

                     ┌──accept──▶ being verified ──confirmed──▶ ACCEPTED
                     │                  │
    (none) ──▶ PENDING ◀──roll-back─────┘
                     │──decline──▶ DECLINED
                     │──cancel───▶ CANCELLED
                     └──time─────▶ EXPIRED
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from challenges.domain.errors import CannotAcceptChallenge, InvalidChallengeState

MAX_PENDING = 10
"""So many challenges of one player may wait for an answer, so that nobody floods others."""


class Status(StrEnum):
    """Where a challenge is."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Action(StrEnum):
    """What a player does to a challenge."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known of a challenge; an open one is for whoever takes it, ``opponent_id`` is who did."""

    status: Status
    challenger_id: str
    opponent_id: str | None
    is_open: bool
    is_being_accepted: bool
    expires_at: datetime


def may_see(challenge: View, user_id: str) -> bool:
    """Return whether a challenge is there for a user."""
    return challenge.is_open or user_id in {challenge.challenger_id, challenge.opponent_id}


def refuse(challenge: View, action: Action, *, by: str, now: datetime) -> None:
    """Raise `InvalidChallengeState` or `CannotAcceptChallenge` where ``by`` may not do this now."""
    if challenge.status is not Status.PENDING or now >= challenge.expires_at:
        raise InvalidChallengeState
    if action is Action.ACCEPT:
        _refuse_accepting(challenge, by=by)
    elif action is Action.DECLINE and by != challenge.opponent_id:
        raise InvalidChallengeState("Only who was challenged can decline")
    elif action is Action.CANCEL and by != challenge.challenger_id:
        raise InvalidChallengeState("Only who has made a challenge can cancel it")
    elif challenge.is_being_accepted:
        raise InvalidChallengeState("This challenge is being accepted right now")


def _refuse_accepting(challenge: View, *, by: str) -> None:
    if by == challenge.challenger_id:
        raise CannotAcceptChallenge("This challenge is your own")
    if challenge.is_being_accepted:
        raise CannotAcceptChallenge("This challenge is being accepted right now")


def expires_at(expires_in: float | None, *, default_seconds: float, now: datetime) -> datetime:
    """Return until when a challenge made ``now`` waits for an answer."""
    return now + timedelta(seconds=default_seconds if expires_in is None else expires_in)
