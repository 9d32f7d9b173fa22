"""A match comes about when all have answered, acknowledged and, where asked, accepted; else not at all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from matchmaking.domain.matches import (
    LATE_NEWS,
    Cause,
    Decision,
    MatchView,
    PlayerView,
    Stage,
    Step,
    decide,
    is_flagged,
    keeps_place,
    may_have_game,
    reason_for,
    sit_out_seconds,
)
from realtime.protocol.parts import MatchCancelReason

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
WAIT, PING, CREATE = Decision(Step.WAIT), Decision(Step.PING), Decision(Step.CREATE)
RESEND, CONFIRM, AWAIT = Decision(Step.RESEND), Decision(Step.CONFIRM), Decision(Step.AWAIT)
LOST = Decision(Step.ROLL_BACK, Cause.INTERNAL_ERROR)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else at(seconds)


def view(
    stage: Stage,
    *,
    answers: tuple[float | None, ...] = (None, None),
    acknowledgements: tuple[float | None, ...] = (None, None),
    deadline: float = 2,
    lease: float = 15,
    retry: float | None = None,
    known: tuple[float | None, ...] = (99, 99),
    accepted: tuple[float | None, ...] = (None, None),
    asks: bool = False,
) -> MatchView:
    heard = zip(("ann", "bob"), answers, acknowledgements, known, accepted, strict=True)
    players = [PlayerView(name, *map(maybe, times)) for name, *times in heard]
    return MatchView(stage, at(deadline), at(lease), maybe(retry), players, has_ready_check=asks)


def roll_back(cause: Cause, *causers: str) -> Decision:
    return Decision(Step.ROLL_BACK, cause, frozenset(causers))


# --- each stage by itself


@pytest.mark.parametrize(
    ("retry", "now", "decision"),
    [(None, 0, PING), (1, 0, WAIT), (1, 0.999, WAIT), (1, 1, PING), (1, 9, PING)],
)
def test_a_reserved_match_is_pinged_once_it_is_due(
    retry: float | None, now: float, decision: Decision
) -> None:
    assert decide(view(Stage.RESERVED, retry=retry), at(now)) == decision


@pytest.mark.parametrize("now", [0, 2, 14.999])
@pytest.mark.parametrize("stage", [Stage.CREATING, Stage.DONE])
def test_a_match_that_waits_for_its_host_or_is_done_waits(stage: Stage, now: float) -> None:
    assert decide(view(stage, retry=0), at(now)) == WAIT


SITUATIONS = [
    # heard from each, now, next try, and what is decided or who is missing: nobody is the step forward
    ((None, None), 0, None, WAIT),
    ((1, None), 1.999, None, WAIT),
    ((None, None), 1, 1, RESEND),
    ((1, None), 1, 0.5, RESEND),
    ((1, None), 1, 1.001, WAIT),
    ((1, 1.5), 1.5, None, ()),
    ((1, 1.5), 1.5, 0.5, ()),
    ((1, 2), 2, None, ()),
    ((1, 2), 9, None, ()),
    ((1, 2.000001), 9, None, ("bob",)),
    ((1, None), 2.149, None, WAIT),
    ((1, None), 2.15, None, ("bob",)),
    ((None, 1), 2.15, 1, ("ann",)),
    ((None, None), 2.15, None, ("ann", "bob")),
    ((2.5, 2.5), 3, None, ("ann", "bob")),
    ((2.5, None), 14.999, None, ("ann", "bob")),
]


@pytest.mark.parametrize(("heard", "now", "retry", "expected"), SITUATIONS)
def test_a_match_is_created_when_all_answered_in_time_and_taken_back_when_not(
    heard: tuple[float | None, ...], now: float, retry: float | None, expected: Decision | tuple[str, ...]
) -> None:
    decision = decide(view(Stage.VERIFYING, answers=heard, retry=retry), at(now))
    assert decision == _expected(expected, CREATE, Cause.UNREACHABLE)


@pytest.mark.parametrize(("heard", "now", "retry", "expected"), SITUATIONS)
def test_a_match_is_confirmed_when_all_acknowledged_in_time_and_taken_back_when_not(
    heard: tuple[float | None, ...], now: float, retry: float | None, expected: Decision | tuple[str, ...]
) -> None:
    # Answers of an earlier stage are no acknowledgements.
    match = view(Stage.NOTIFYING, answers=(0, 0), acknowledgements=heard, retry=retry)
    assert decide(match, at(now)) == _expected(expected, CONFIRM, Cause.DELIVERY_FAILED)


def _expected(expected: Decision | tuple[str, ...], forward: Decision, cause: Cause) -> Decision:
    if isinstance(expected, Decision):
        return expected
    return roll_back(cause, *expected) if expected else forward


# --- the ready check


@pytest.mark.parametrize(
    ("acknowledged", "accepted", "now", "decision"),
    [
        ((1, 1), (None, None), 1, AWAIT),
        ((1, 1), (1, None), 1, AWAIT),
        ((1, None), (None, None), 1, WAIT),
        ((1, 1), (1, 1), 1, CONFIRM),
        # Who has accepted has acknowledged, even where no acknowledgement comes, or one that is late.
        ((1, None), (None, 1), 1, AWAIT),
        ((None, None), (1, 1), 1, CONFIRM),
        ((None, None), (1, None), 1, WAIT),
        ((None, None), (1, None), 2.15, roll_back(Cause.DELIVERY_FAILED, "bob")),
        ((None, 2.05), (1, 2.05), 2.15, CONFIRM),
        ((1, None), (None, 2.05), 2.15, AWAIT),
    ],
)
def test_once_all_have_acknowledged_a_match_with_a_ready_check_waits_for_those_who_have_not_accepted(
    acknowledged: tuple[float | None, ...],
    accepted: tuple[float | None, ...],
    now: float,
    decision: Decision,
) -> None:
    match = view(Stage.NOTIFYING, acknowledgements=acknowledged, accepted=accepted, asks=True)
    assert decide(match, at(now)) == decision


def test_without_a_ready_check_nobody_is_waited_for_who_has_acknowledged() -> None:
    assert decide(view(Stage.NOTIFYING, acknowledgements=(1, 1)), at(1)) == CONFIRM


@pytest.mark.parametrize(
    ("accepted", "now", "expected"),
    [
        ((None, None), 19.999, WAIT),
        ((3, None), 19.999, WAIT),
        ((3, 4), 4, CONFIRM),
        ((3, 19.999), 34, CONFIRM),  # however late a worker reads it
        ((3, None), 20.149, WAIT),
        ((3, None), 20.15, roll_back(Cause.DECLINED, "bob")),
        ((None, 3), 34.999, roll_back(Cause.DECLINED, "ann")),
        ((None, None), 20.15, roll_back(Cause.DECLINED, "ann", "bob")),
        ((3, 4), 35, LOST),
        ((None, None), 35, LOST),
    ],
)
def test_a_ready_check_ends_when_all_have_accepted_or_its_time_is_over(
    accepted: tuple[float | None, ...], now: float, expected: Decision
) -> None:
    match = view(Stage.ACCEPTING, accepted=accepted, deadline=20, lease=35, asks=True)
    assert decide(match, at(now)) == expected
    # It is asked in PostgreSQL alone: what Redis has lost, or not told yet, is nobody's excuse.
    unheard = [replace(player, known_until=None) for player in match.players]
    assert decide(replace(match, are_answers_kept=False, players=unheard), at(now)) == expected


# --- all of them at once


def all_views(stage: Stage) -> Iterator[tuple[MatchView, datetime]]:
    """Every match of two players, each heard from in time, at the last moment, late or never, at any time."""
    heard = (1, 2, 2.5, None)
    for answers, acknowledgements in product(product(heard, heard), product(heard, heard)):
        for now, retry, lease in product((0, 1.999, 2, 2.149, 2.15, 3, 7, 8), (None, 0.5, 9), (1, 2.5, 8)):
            match = view(stage, answers=answers, acknowledgements=acknowledgements, retry=retry, lease=lease)
            yield match, at(now)


def missing(match: MatchView, heard: str) -> set[str]:
    times = {player.user_id: getattr(player, heard) for player in match.players}
    return {user for user, time in times.items() if time is None or time > match.deadline}


@pytest.mark.parametrize("stage", Stage)
def test_whatever_nobody_took_up_within_its_lease_is_an_error_of_ours_and_nobodys_fault(stage: Stage) -> None:
    for match, now in all_views(stage):
        assert (decide(match, now) == LOST) == (now >= match.lease_until)


@pytest.mark.parametrize("stage", Stage)
def test_a_match_goes_forward_exactly_when_all_were_heard_from_in_time(stage: Stage) -> None:
    for match, now in all_views(stage):
        in_lease = now < match.lease_until
        step = decide(match, now).step
        assert (step is Step.CREATE) == (
            in_lease and stage is Stage.VERIFYING and not missing(match, "answered_at")
        )
        assert (step is Step.CONFIRM) == (
            in_lease and stage is Stage.NOTIFYING and not missing(match, "acknowledged_at")
        )


@pytest.mark.parametrize(
    ("stage", "heard", "cause"),
    [
        (Stage.VERIFYING, "answered_at", Cause.UNREACHABLE),
        (Stage.NOTIFYING, "acknowledged_at", Cause.DELIVERY_FAILED),
    ],
)
def test_who_is_missing_after_the_deadline_and_nobody_else_is_the_cause(
    stage: Stage, heard: str, cause: Cause
) -> None:
    for match, now in all_views(stage):
        decision = decide(match, now)
        late = missing(match, heard)
        if match.lease_until > now >= match.deadline + LATE_NEWS and late:
            assert decision == Decision(Step.ROLL_BACK, cause, frozenset(late))
        else:
            assert decision.causers == frozenset()
            assert decision.cause in {None, Cause.INTERNAL_ERROR}


@pytest.mark.parametrize("stage", Stage)
def test_asked_again_or_with_its_players_in_another_order_a_match_says_the_same(stage: Stage) -> None:
    for match, now in all_views(stage):
        turned = replace(match, players=match.players[::-1])
        assert decide(match, now) == decide(match, now) == decide(turned, now)


@pytest.mark.parametrize("stage", Stage)
def test_only_a_roll_back_has_a_cause(stage: Stage) -> None:
    for match, now in all_views(stage):
        decision = decide(match, now)
        assert (decision.cause is not None) == (decision.step is Step.ROLL_BACK)


# --- from the reservation to the end


PING_SECONDS, ACK_SECONDS, LEASE_SECONDS = 2, 2, 6


@dataclass
class Behaviour:
    """After how many seconds a player answers the ping and acknowledges; None: never."""

    answers_after: float | None
    acknowledges_after: float | None


def play(players: tuple[Behaviour, ...], worker_runs_at: list[float]) -> tuple[Decision, Stage]:
    """Let a worker that runs at these times carry a match to its end, and read what players did meanwhile."""
    stage, began, deadline, lease = Stage.RESERVED, 0.0, 0.0, float(LEASE_SECONDS)

    def heard(after: float | None, *, in_stage: Stage, now: float) -> float | None:
        return None if after is None or stage is not in_stage or began + after > now else began + after

    for now in worker_runs_at:
        match = view(
            stage,
            answers=tuple(heard(p.answers_after, in_stage=Stage.VERIFYING, now=now) for p in players),
            acknowledgements=tuple(
                heard(p.acknowledges_after, in_stage=Stage.NOTIFYING, now=now) for p in players
            ),
            deadline=deadline,
            lease=lease,
        )
        decision = decide(match, at(now))
        if decision.step in {Step.CONFIRM, Step.ROLL_BACK}:
            return decision, stage
        if decision.step in {Step.PING, Step.CREATE}:
            # The host answers at once, so a created match is at once notified.
            stage = Stage.VERIFYING if decision.step is Step.PING else Stage.NOTIFYING
            seconds = PING_SECONDS if stage is Stage.VERIFYING else ACK_SECONDS
            began, deadline, lease = now, now + seconds, now + LEASE_SECONDS
    raise AssertionError(f"a match is stuck in {stage}")


REACTIONS = [Behaviour(*after) for after in product((0.5, 2, 2.5, None), (0.5, 2, 2.5, None))]
EVERY_SECOND = [float(second) for second in range(20)]
RARELY = [0.0, 0.5, 3.0, 3.5, 7.0, 12.0]


@pytest.mark.parametrize("worker_runs_at", [EVERY_SECOND, RARELY])
def test_a_match_ends_confirmed_by_all_or_is_taken_back_with_those_who_were_missing(
    worker_runs_at: list[float],
) -> None:
    for players in product(REACTIONS, repeat=2):
        named = dict(zip(("ann", "bob"), players, strict=True))
        silent = {n for n, p in named.items() if p.answers_after is None or p.answers_after > PING_SECONDS}
        deaf = {
            n for n, p in named.items() if p.acknowledges_after is None or p.acknowledges_after > ACK_SECONDS
        }
        end = play(players, worker_runs_at)
        if silent:
            assert end == (roll_back(Cause.UNREACHABLE, *silent), Stage.VERIFYING)
        elif deaf:
            assert end == (roll_back(Cause.DELIVERY_FAILED, *deaf), Stage.NOTIFYING)
        else:
            assert end == (CONFIRM, Stage.NOTIFYING)


def test_a_worker_that_comes_back_after_the_lease_takes_the_match_back_for_nobodys_fault() -> None:
    for players in product(REACTIONS, repeat=2):
        assert play(players, [LEASE_SECONDS]) == (LOST, Stage.RESERVED)
        assert play(players, [0, LEASE_SECONDS]) == (LOST, Stage.VERIFYING)


# --- what a roll-back means for each player


@pytest.mark.parametrize(
    ("cause", "to_causer", "to_others"),
    [
        (Cause.UNREACHABLE, "you_unreachable", "opponent_unreachable"),
        (Cause.DELIVERY_FAILED, "delivery_failed", "delivery_failed"),
        (Cause.LEFT, "", "opponent_cancelled"),
        (Cause.DECLINED, "you_declined", "opponent_declined"),
        (Cause.GAME_SERVICE_UNAVAILABLE, "game_service_unavailable", "game_service_unavailable"),
        (Cause.STAFF, "cancelled_by_staff", "cancelled_by_staff"),
        (Cause.INTERNAL_ERROR, "internal_error", "internal_error"),
    ],
)
def test_each_player_is_told_the_reason_that_concerns_it(
    cause: Cause, to_causer: str, to_others: str
) -> None:
    assert reason_for("ann", cause=cause, causers={"ann"}) == to_causer
    assert reason_for("bob", cause=cause, causers={"ann"}) == to_others
    assert reason_for("ann", cause=cause, causers=set()) == to_others


@pytest.mark.parametrize("cause", Cause)
def test_every_reason_is_one_that_the_protocol_knows(cause: Cause) -> None:
    told = {reason_for(user, cause=cause, causers={"ann"}) for user in ("ann", "bob")}
    assert told - {""} <= set(get_args(MatchCancelReason))
    assert ("" in told) == (cause is Cause.LEFT)


@pytest.mark.parametrize("cause", Cause)
def test_everyone_keeps_the_place_in_the_queue_but_those_who_left_or_declined(cause: Cause) -> None:
    leaves = cause in {Cause.LEFT, Cause.DECLINED}
    assert keeps_place("ann", cause=cause, causers={"ann"}) == (not leaves)
    assert keeps_place("bob", cause=cause, causers={"ann"})


@pytest.mark.parametrize("cause", Cause)
def test_only_those_who_did_not_answer_or_acknowledge_count_as_unreachable(cause: Cause) -> None:
    is_silence = cause in {Cause.UNREACHABLE, Cause.DELIVERY_FAILED}
    assert is_flagged("ann", cause=cause, causers={"ann"}) == is_silence
    assert not is_flagged("bob", cause=cause, causers={"ann"})


@pytest.mark.parametrize("stage", Stage)
def test_a_game_may_be_at_the_host_from_when_it_was_asked_for_until_the_match_is_decided(
    stage: Stage,
) -> None:
    assert may_have_game(stage) == (stage in {Stage.CREATING, Stage.NOTIFYING, Stage.ACCEPTING})


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 0), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (1000, 30)],
)
def test_a_player_sits_out_longer_with_every_failure_but_the_first(failures: int, seconds: float) -> None:
    assert sit_out_seconds(failures) == seconds


@pytest.mark.parametrize("stage", [Stage.VERIFYING, Stage.NOTIFYING])
def test_silence_is_nobodys_fault_where_answers_may_have_been_lost(stage: Stage) -> None:
    match = replace(view(stage, answers=(None, 1), acknowledgements=(None, 1)), are_answers_kept=False)
    assert decide(match, match.deadline + LATE_NEWS) == LOST


@pytest.mark.parametrize("stage", [Stage.VERIFYING, Stage.NOTIFYING])
@pytest.mark.parametrize(
    ("known", "heard", "now", "causers"),
    [
        ((1.9, 1.9), (None, None), 2.999, None),
        ((1.9, 1.9), (None, None), 3, ()),
        ((None, None), (None, None), 2.999, None),
        ((None, None), (None, None), 3, ()),
        ((2, 1.9), (None, None), 2.999, None),
        ((2, 1.9), (None, None), 3, ("ann",)),
        ((2, 2), (None, None), 2.15, ("ann", "bob")),
        ((2, None), (None, 1), 2.15, ("ann",)),
        ((1.9, 9), (None, 1), 2.999, None),
        ((1.9, 9), (None, 1), 3, ()),
    ],
)
def test_nobody_is_blamed_of_whom_it_is_not_known_whether_the_answer_is_on_its_way(
    stage: Stage,
    known: tuple[float | None, ...],
    heard: tuple[float | None, ...],
    now: float,
    causers: tuple[str, ...] | None,
) -> None:
    match = view(stage, answers=heard, acknowledgements=heard, known=known)
    cause = Cause.UNREACHABLE if stage is Stage.VERIFYING else Cause.DELIVERY_FAILED
    expected = WAIT if causers is None else roll_back(cause, *causers) if causers else LOST
    assert decide(match, at(now)) == expected
