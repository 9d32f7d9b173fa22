"""A match comes about in two phases, or not at all.

Rule, in words: a match is reserved; all its players are pinged and all must answer in time; then a game is
asked for; then all are told and all must acknowledge in time; where there is a ready check, all must accept;
then it is confirmed. Whatever fails, and whatever nobody took up within its lease, takes the whole back.
``decide`` says what a match that looks so and so should do next. It is level-triggered: asked twice, or after
a crash, it says the same again.

::

    RESERVED ──ping──▶ VERIFYING ──all answered──▶ CREATING ──game──▶ NOTIFYING ──all acknowledged──▶ DONE
        │                  │                           │                  │
        └── lease ─────────┴── a ping unanswered ──────┴── lease, host ───┴── an ack missing ──▶ roll back

With a ready check NOTIFYING leads on to ACCEPTING, and that to DONE once all have accepted; a player who has
accepted has acknowledged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LATE_NEWS = timedelta(seconds=0.15)
"""An answer given in time may be so long on its way from a web process; before that nobody is to blame."""
LATEST_NEWS = timedelta(seconds=1)
"""So long after a deadline nobody is waited for any more, whose web process has not said that this is all."""


class Stage(StrEnum):
    """Which step the match waits for."""

    RESERVED = "reserved"
    VERIFYING = "verifying"
    CREATING = "creating"
    NOTIFYING = "notifying"
    ACCEPTING = "accepting"
    DONE = "done"


class Cause(StrEnum):
    """Why a match is rolled back."""

    UNREACHABLE = "unreachable"
    DELIVERY_FAILED = "delivery_failed"
    LEFT = "left"
    DECLINED = "declined"
    GAME_SERVICE_UNAVAILABLE = "game_service_unavailable"
    STAFF = "staff"
    INTERNAL_ERROR = "internal_error"


class Step(StrEnum):
    """What a match should do now."""

    WAIT = "wait"
    PING = "ping"
    CREATE = "create"
    RESEND = "resend"
    AWAIT = "await"
    CONFIRM = "confirm"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class PlayerView:
    """What is known of one player: when it answered the ping, acknowledged ``match_found`` and accepted.

    None: not yet, or not at all. What it accepted was in time. Of an answer given after ``known_until``
    nobody has heard yet; None: nothing is known.
    """

    user_id: str
    answered_at: datetime | None
    acknowledged_at: datetime | None
    known_until: datetime | None
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MatchView:
    """What is known of one match in flight.

    Players answer until ``deadline``; at ``retry_at`` a step is taken again, if at all; a stage that no
    worker took up before ``lease_until`` is nobody's fault. ``are_answers_kept`` is False where answers given
    since the stage began may have been lost; then silence is nobody's fault, either. ``has_ready_check``:
    its players have to accept it as well.
    """

    stage: Stage
    deadline: datetime
    lease_until: datetime
    retry_at: datetime | None
    players: Sequence[PlayerView]
    are_answers_kept: bool = True
    has_ready_check: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A step; when it is to roll back, with the cause and the users who are the cause."""

    step: Step
    cause: Cause | None = None
    causers: frozenset[str] = frozenset()


def decide(match: MatchView, now: datetime) -> Decision:
    """Return what ``match`` should do at ``now``. An answer in time counts, whenever it is read."""
    if now >= match.lease_until:
        return Decision(Step.ROLL_BACK, Cause.INTERNAL_ERROR)
    match match.stage:
        case Stage.RESERVED:
            # Who reserved it pings at once; any other takes over when that did not happen.
            is_due = match.retry_at is None or now >= match.retry_at
            return Decision(Step.PING if is_due else Step.WAIT)
        case Stage.VERIFYING:
            answered = {player.user_id: player.answered_at for player in match.players}
            return _when_all(answered, match, now, then=Step.CREATE, otherwise=Cause.UNREACHABLE)
        case Stage.NOTIFYING:
            # Who has accepted has heard of it, whether or when an acknowledgement came.
            acknowledged = {p.user_id: p.acknowledged_at for p in match.players if p.accepted_at is None}
            then = Step.AWAIT if match.has_ready_check and _unready(match) else Step.CONFIRM
            return _when_all(acknowledged, match, now, then=then, otherwise=Cause.DELIVERY_FAILED)
        case Stage.ACCEPTING:
            return _when_ready(match, now)
        case _:
            return Decision(Step.WAIT)


def _when_all(
    heard: dict[str, datetime | None], match: MatchView, now: datetime, *, then: Step, otherwise: Cause
) -> Decision:
    missing = frozenset(user for user, at in heard.items() if at is None or at > match.deadline)
    if not missing:
        return Decision(then)
    if now >= match.deadline + LATE_NEWS:
        if not match.are_answers_kept:
            return Decision(Step.ROLL_BACK, Cause.INTERNAL_ERROR)
        silent = frozenset(p.user_id for p in match.players if _is_known(p, match.deadline)) & missing
        if silent == missing:
            return Decision(Step.ROLL_BACK, otherwise, silent)
        if now >= match.deadline + LATEST_NEWS:
            cause = otherwise if silent else Cause.INTERNAL_ERROR
            return Decision(Step.ROLL_BACK, cause, silent)
    if match.retry_at is not None and now >= match.retry_at:
        return Decision(Step.RESEND)
    return Decision(Step.WAIT)


def _when_ready(match: MatchView, now: datetime) -> Decision:
    unready = _unready(match)
    if not unready:
        return Decision(Step.CONFIRM)
    if now >= match.deadline + LATE_NEWS:
        return Decision(Step.ROLL_BACK, Cause.DECLINED, unready)
    return Decision(Step.WAIT)


def _unready(match: MatchView) -> frozenset[str]:
    return frozenset(player.user_id for player in match.players if player.accepted_at is None)


def _is_known(player: PlayerView, at: datetime) -> bool:
    return player.known_until is not None and player.known_until >= at


_REASONS: dict[Cause, tuple[str, str]] = {
    # cause: what the causer is told, what the others are told
    Cause.UNREACHABLE: ("you_unreachable", "opponent_unreachable"),
    Cause.DELIVERY_FAILED: ("delivery_failed", "delivery_failed"),
    Cause.LEFT: ("", "opponent_cancelled"),
    Cause.DECLINED: ("you_declined", "opponent_declined"),
    Cause.GAME_SERVICE_UNAVAILABLE: ("game_service_unavailable", "game_service_unavailable"),
    Cause.STAFF: ("cancelled_by_staff", "cancelled_by_staff"),
    Cause.INTERNAL_ERROR: ("internal_error", "internal_error"),
}


def may_have_game(stage: Stage) -> bool:
    """Return whether a game may exist at the host for a match in flight at ``stage``, answered for or not."""
    return stage in {Stage.CREATING, Stage.NOTIFYING, Stage.ACCEPTING}


@dataclass(frozen=True, slots=True)
class Fate:
    """What a roll-back means for one player: whether its ticket searches again, and whether it is flagged.

    ``reason`` is what ``match_cancelled`` says; empty for one who left, and is told that its ticket ended.
    """

    keeps_place: bool
    is_flagged: bool
    reason: str


def fate_of(user_id: str, *, cause: Cause, causers: Collection[str]) -> Fate:
    """Return what a roll-back means for a player of the match."""
    return Fate(
        keeps_place=keeps_place(user_id, cause=cause, causers=causers),
        is_flagged=is_flagged(user_id, cause=cause, causers=causers),
        reason=reason_for(user_id, cause=cause, causers=causers),
    )


def reason_for(user_id: str, *, cause: Cause, causers: Collection[str]) -> str:
    """Return the ``reason`` of ``match_cancelled`` for one player; empty where it is told otherwise."""
    to_causer, to_others = _REASONS[cause]
    return to_causer if user_id in causers else to_others


def keeps_place(user_id: str, *, cause: Cause, causers: Collection[str]) -> bool:
    """Return whether the player's ticket searches again after the roll-back: all but who left or declined."""
    return cause not in {Cause.LEFT, Cause.DECLINED} or user_id not in causers


def is_flagged(user_id: str, *, cause: Cause, causers: Collection[str]) -> bool:
    """Return whether the player counts as unreachable from now on, until heard from."""
    return cause in {Cause.UNREACHABLE, Cause.DELIVERY_FAILED} and user_id in causers


HOST_PAUSE_SECONDS = 2.0
"""Players whose game the host refused sit out so long, lest they are told so many times a second."""


def sit_out_seconds(failures: int) -> float:
    """Return how long a player sits out after so many failures in a row: 0, 2, 4, 8, 16, 30, 30 … s.

    The first failure costs nothing, so that one bad moment is forgiven.
    """
    return 0.0 if failures < 2 else float(min(2 ** (failures - 1), 30))
