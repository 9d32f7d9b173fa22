"""The ready check: all accept in time and play, or it is off, and only who did not accept loses its place."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F

from matchmaking.domain.matches import Stage
from matchmaking.models import Absence, Match, Pool, Ticket
from matchmaking.selectors import positions
from matchmaking.services import leaving, loop, staff
from matchmaking.services.sweep import sweep
from matchmaking.timeline import timeline
from realtime.identifiers import new_id
from realtime.models import GameSession
from realtime.transport import faults
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.factories import (
    Answer,
    Rest,
    acknowledge,
    address,
    caller,
    connect,
    fall_silent,
    last_heard,
    last_told,
    let_pass,
    notified_match,
    open_socket,
    pool,
    queued,
    reserved_match,
    service_is_well,
    told,
)
from tests.integration.conftest import Pushes
from tests.partying import queued_party

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
OVER = SECONDS + 1  # a moment later, an answer in time may still be on its way
NOT_AWAITED = (409, "not_awaiting_acceptance")


@pytest.fixture
def ready(db: None) -> Pool:
    return pool("ready", accept_seconds=SECONDS)


@pytest.fixture
def told_match(ready: Pool) -> Match:
    """Ann and Bob, who has waited less, have been told of a match; nobody has acknowledged it."""
    queued("ann", ready, waited=9)
    queued("bob", ready, waited=6)
    return notified_match("ann", "bob")


@pytest.fixture
def asked(told_match: Match) -> Match:
    """Ann and Bob have acknowledged a match, and have to accept it."""
    return acknowledged_by_all(told_match)


def acknowledged_by_all(match: Match) -> Match:
    acknowledge(match, *match.players.values_list("user_id", flat=True))
    loop.advance()
    match.refresh_from_db()
    assert match.stage == Stage.ACCEPTING
    return match


def answer(name: str, verb: str, match: Match | str, **claims: Any) -> Answer:
    match_id = match.id if isinstance(match, Match) else match
    return Rest(name, **claims).post(f"/matchmaking/matches/{match_id}/{verb}")


def accept(name: str, match: Match) -> None:
    response = answer(name, "accept", match)
    assert response.status == 200, response


def decline(name: str, match: Match) -> None:
    response = answer(name, "decline", match)
    assert response.status == 200, response


def state(match: Match) -> tuple[str, str]:
    match.refresh_from_db()
    return match.status, match.stage


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def ticket_of(name: str) -> tuple[str, str | None]:
    ticket = Ticket.objects.filter(user_id=name).latest("id")
    return ticket.status, ticket.cancel_reason


def off_for(name: str) -> tuple[str, bool]:
    """Return the reason of the only ``match_cancelled`` of a player, and whether it was queued again."""
    (off,) = [event.data for event in told(name) if event.type == "match_cancelled"]
    return off["reason"], off["requeued"]


def assert_out(name: str, match: Match) -> None:
    """Check that a player has lost its ticket for not accepting, and was told so."""
    assert ticket_of(name) == ("CANCELLED", "declined")
    assert kinds(name)[-2:] == ["match_cancelled", "queue_cancelled"]
    assert off_for(name) == ("you_declined", False)
    off = told(name)[-2].data
    assert (off["match_id"], off["position"]) == (str(match.id), None)
    assert last_told(name, "queue_cancelled")["reason"] == "declined"
    assert match.players.get(user_id=name).outcome == "declined"


def assert_back(name: str, match: Match, reason: str = "opponent_declined") -> None:
    """Check that a player searches again, and was told so."""
    assert ticket_of(name) == ("SEARCHING", None)
    assert kinds(name)[-1] == "match_cancelled"
    assert off_for(name) == (reason, True)
    assert match.players.get(user_id=name).outcome == "requeued"


def counts(pushes: Pushes) -> list[tuple[str, int, int]]:
    """Return the new ``match_acceptance``: to whom, how many of how many."""
    sent = [(push["address"], json.loads(push["frame"])) for push in pushes.new()]
    assert all("seq" not in frame and "id" not in frame for _, frame in sent if _is_count(frame))
    return sorted((to, f["data"]["accepted"], f["data"]["needed"]) for to, f in sent if _is_count(f))


def _is_count(frame: dict[str, Any]) -> bool:
    return bool(frame["type"] == "match_acceptance")


# --- all accept


def test_a_match_that_all_have_acknowledged_waits_until_all_have_accepted(
    told_match: Match, pushes: Pushes
) -> None:
    match = told_match
    assert told("ann")[-1].data["accept_within_ms"] == SECONDS * 1000
    acknowledge(match, "ann")
    loop.advance()
    assert state(match) == ("PROPOSED", "notifying")
    acknowledge(match, "bob")
    loop.advance()
    assert state(match) == ("AWAITING_ACCEPTANCE", "accepting")
    assert match.told_at is not None
    assert (match.deadline - match.told_at).total_seconds() == SECONDS
    assert (match.lease_until - match.deadline).total_seconds() == settings.LEASE_SECONDS
    assert match.players.filter(acknowledged_at=None).count() == 0
    before = Match.objects.values().get()
    loop.advance()
    assert Match.objects.values().get() == before
    pushes.new()

    accept("ann", match)
    assert counts(pushes) == [(address("ann"), 1, 2), (address("bob"), 1, 2)]
    loop.advance()
    assert state(match) == ("AWAITING_ACCEPTANCE", "accepting")
    accept("bob", match)
    assert counts(pushes) == [(address("ann"), 2, 2), (address("bob"), 2, 2)]
    loop.advance()
    assert state(match) == ("CONFIRMED", "done")
    for name in ("ann", "bob"):
        assert kinds(name) == ["queue_joined", "match_found", "match_ready"]
        assert ticket_of(name) == ("MATCHED", None)
    assert GameSession.objects.get().finished_at is None
    lines = [entry.what for entry in timeline(match)]
    assert [line.split(" after ")[0] for line in lines[-3:]] == ["Ann accepted", "Bob accepted", "confirmed"]


def test_accepting_before_anybody_has_acknowledged_is_enough(told_match: Match) -> None:
    accept("ann", told_match)
    loop.advance()
    assert state(told_match) == ("PROPOSED", "notifying")
    accept("bob", told_match)
    loop.advance()
    assert state(told_match) == ("CONFIRMED", "done")
    for seat in told_match.players.all():
        assert seat.acknowledged_at == seat.accepted_at is not None


def test_who_accepts_needs_no_acknowledgement(told_match: Match) -> None:
    accept("ann", told_match)
    acknowledge(told_match, "bob", seconds_ago=10)
    let_pass(told_match, 25)  # past the time for an acknowledgement
    loop.advance()
    assert state(told_match) == ("AWAITING_ACCEPTANCE", "accepting")
    accept("bob", told_match)
    loop.advance()
    assert state(told_match) == ("CONFIRMED", "done")


def test_who_accepts_too_late_to_acknowledge_is_in_time_to_accept(told_match: Match) -> None:
    let_pass(told_match, 21)
    for name in ("ann", "bob"):
        accept(name, told_match)
    loop.advance()
    assert state(told_match) == ("CONFIRMED", "done")


def test_who_neither_acknowledges_nor_accepts_has_not_got_the_message(told_match: Match) -> None:
    accept("ann", told_match)
    let_pass(told_match, 22)
    loop.advance()
    assert state(told_match) == ("CANCELLED", "done")
    assert_back("ann", told_match, "delivery_failed")
    assert ticket_of("bob") == ("SEARCHING", None)
    assert not Absence.objects.exists()


def test_match_found_is_not_sent_again_to_who_has_accepted(told_match: Match, pushes: Pushes) -> None:
    accept("ann", told_match)
    let_pass(told_match, 10)
    pushes.new()
    loop.advance()
    found = [push["address"] for push in pushes.new() if '"match_found"' in push["frame"]]
    assert found == [address("bob")]


def test_accepting_again_is_the_same_and_counts_once(asked: Match, pushes: Pushes) -> None:
    accept("ann", asked)
    at = asked.players.get(user_id="ann").accepted_at
    pushes.new()
    response = answer("ann", "accept", asked)
    assert (response.status, response.body["status"]) == (200, "AWAITING_ACCEPTANCE")
    assert response.body["match_id"] == str(asked.id)
    assert asked.players.get(user_id="ann").accepted_at == at
    assert counts(pushes) == []
    loop.advance()
    assert state(asked) == ("AWAITING_ACCEPTANCE", "accepting")


# --- somebody does not


@pytest.mark.parametrize("has_accepted", [False, True])
@pytest.mark.parametrize("stage", ["notifying", "accepting"])
def test_a_decline_ends_it_at_once_and_the_others_keep_their_place(
    told_match: Match, stage: str, has_accepted: bool
) -> None:
    match = told_match if stage == "notifying" else acknowledged_by_all(told_match)
    connect("bob")
    cat = queued("cat", match.pool, waited=7)  # type: ignore[arg-type]  # there is one
    ann = Ticket.objects.get(user_id="ann")
    if has_accepted:
        for name in ("ann", "bob"):
            accept(name, match)
    response = answer("bob", "decline", match)
    assert (response.status, response.body["status"]) == (200, "CANCELLED")
    assert state(match) == ("CANCELLED", "done")
    assert (match.cancel_reason, match.failed_stage) == ("declined", stage)
    assert_out("bob", match)
    assert_back("ann", match)
    again = Ticket.objects.get(user_id="ann")
    assert (again.queued_at, again.age_from, again.failures) == (ann.queued_at, ann.age_from, 0)
    assert told("ann")[-1].data["position"] == 1
    assert positions([again.id, cat.id]) == {again.id: 1, cat.id: 2}
    assert not Absence.objects.exists(), "who says no may"


def test_who_lets_the_time_run_out_loses_its_ticket_and_who_accepted_keeps_it(asked: Match) -> None:
    for name in ("ann", "bob"):
        connect(name)
    accept("ann", asked)
    let_pass(asked, OVER)
    loop.advance()
    assert state(asked) == ("CANCELLED", "done")
    assert (asked.cancel_reason, asked.failed_stage) == ("declined", "accepting")
    assert_out("bob", asked)
    assert_back("ann", asked)
    assert list(Absence.objects.values_list("user_id", "kind", "match_id")) == [
        ("bob", "not_accepted", asked.id)
    ]


def test_just_before_the_end_of_its_time_a_ready_check_waits(asked: Match) -> None:
    let_pass(asked, SECONDS - 5)
    loop.advance()
    assert state(asked) == ("AWAITING_ACCEPTANCE", "accepting")
    for name in ("ann", "bob"):
        accept(name, asked)
    loop.advance()
    assert state(asked) == ("CONFIRMED", "done")


def test_nobody_accepts_and_both_are_out(asked: Match) -> None:
    let_pass(asked, OVER)
    loop.advance()
    assert_out("ann", asked)
    assert_out("bob", asked)


def test_who_had_no_connection_when_the_time_ran_out_is_not_absent(asked: Match) -> None:
    connect("ann")
    let_pass(asked, OVER)
    loop.advance()
    assert list(Absence.objects.values_list("user_id", flat=True)) == ["ann"]


def test_who_may_have_been_kept_from_accepting_by_a_fault_of_ours_is_not_absent(asked: Match) -> None:
    service_is_well()
    for name in ("ann", "bob"):
        open_socket(name)
    let_pass(asked, OVER)
    faults.note_fault()  # half a minute after they were told
    loop.advance()
    assert_out("ann", asked)
    assert not Absence.objects.exists()


def test_who_lost_its_web_process_meanwhile_is_not_absent(asked: Match) -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", process="web-1")
    open_socket("bob", process="web-2")
    fall_silent("web-2", seconds_ago=60)
    faults.note_dead_processes()
    open_socket("bob", "another", process="web-1")
    let_pass(asked, OVER)
    loop.advance()
    assert list(Absence.objects.values_list("user_id", flat=True)) == ["ann"]


def test_the_game_that_was_made_is_cancelled_after_a_decline(asked: Match) -> None:
    decline("ann", asked)
    assert Match.objects.get().game_cancel_due
    assert GameSession.objects.get().finished_at is None
    loop.tick()
    assert not Match.objects.get().game_cancel_due
    assert GameSession.objects.get().finished_at is not None


def test_who_leaves_the_queue_meanwhile_takes_the_match_back_as_at_any_time(asked: Match) -> None:
    leaving.leave(caller("bob"), None, origin=NO_ORIGIN, now=database_now())
    assert state(asked) == ("CANCELLED", "done")
    assert asked.cancel_reason == "left"
    assert ticket_of("bob") == ("CANCELLED", "user_request")
    assert kinds("bob")[-2:] == ["match_found", "queue_cancelled"]
    assert_back("ann", asked, "opponent_cancelled")


def test_staff_take_a_match_back_that_waits_to_be_accepted(asked: Match) -> None:
    assert staff.end_matches([asked.id], now=database_now()) == 1
    for name in ("ann", "bob"):
        assert_back(name, asked, "cancelled_by_staff")


def test_who_is_silent_for_too_long_is_unreachable_though_it_has_accepted(asked: Match) -> None:
    service_is_well()
    for name in ("ann", "bob"):
        open_socket(name)
    accept("bob", asked)
    long_ago = F("queued_at") - timedelta(seconds=60)
    Ticket.objects.update(queued_at=long_ago, age_from=long_ago)
    last_heard("bob", seconds_ago=36)
    fall_silent("web-1", seconds_ago=0)
    assert sweep(now=database_now()) == 1
    assert state(asked) == ("CANCELLED", "done")
    assert asked.cancel_reason == "unreachable"
    assert_back("ann", asked, "opponent_unreachable")
    assert ticket_of("bob") == ("CANCELLED", "connection_timeout")


def test_the_party_of_who_declines_goes_along(db: None) -> None:
    twos = pool("twos", team_size=2, accept_seconds=SECONDS)
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    match = acknowledged_by_all(notified_match("ann", "bob", "cat", "dan"))
    accept("bob", match)
    decline("ann", match)
    for name, why in (("ann", "you_declined"), ("bob", "opponent_declined")):
        assert ticket_of(name) == ("CANCELLED", "declined")
        assert off_for(name) == (why, False)
    for name in ("cat", "dan"):
        assert ticket_of(name) == ("SEARCHING", None)
        assert off_for(name) == ("opponent_declined", True)


def test_all_of_two_teams_have_to_accept(db: None, pushes: Pushes) -> None:
    twos = pool("twos", team_size=2, accept_seconds=SECONDS)
    names = ("ann", "bob", "cat", "dan")
    for name in names:
        queued(name, twos)
    match = acknowledged_by_all(notified_match(*names))
    for name in names[:3]:
        accept(name, match)
        loop.advance()
    assert state(match) == ("AWAITING_ACCEPTANCE", "accepting")
    pushes.new()
    accept("dan", match)
    assert counts(pushes) == [(address(name), 4, 4) for name in names]
    loop.advance()
    assert state(match) == ("CONFIRMED", "done")


# --- refused


@pytest.fixture(params=["accept", "decline"])
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_match_of_others_is_not_found(asked: Match, verb: str) -> None:
    for stranger, claims in (("mallory", {}), ("ann", {"tenant_id": "acme"})):
        assert answer(stranger, verb, asked, **claims).status == 404
    for unknown in (str(new_id()), "42", "x" * 200):
        assert answer("ann", verb, unknown).status == 404
    assert state(asked) == ("AWAITING_ACCEPTANCE", "accepting")
    assert asked.players.filter(accepted_at=None).count() == 2


def test_a_pool_without_a_ready_check_asks_nobody(duel: Pool, verb: str) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    match = notified_match("ann", "bob")
    assert "accept_within_ms" not in told("ann")[-1].data
    assert answer("ann", verb, match).refusal == NOT_AWAITED
    assert state(match) == ("PROPOSED", "notifying")
    acknowledge(match, "ann", "bob")
    loop.advance()
    assert state(match) == ("CONFIRMED", "done")


def test_nobody_accepts_what_it_was_not_told_of(ready: Pool, verb: str) -> None:
    for name in ("ann", "bob"):
        queued(name, ready)
    match = reserved_match("ann", "bob")
    for stage in (Stage.RESERVED, Stage.VERIFYING, Stage.CREATING):
        Match.objects.filter(id=match.id).update(stage=stage)
        assert answer("ann", verb, match).refusal == NOT_AWAITED
    assert match.players.filter(accepted_at=None).count() == 2


@pytest.mark.parametrize("stage", ["notifying", "accepting"])
def test_nobody_answers_after_its_time(told_match: Match, stage: str, verb: str) -> None:
    match = told_match if stage == "notifying" else acknowledged_by_all(told_match)
    let_pass(match, OVER)
    assert answer("ann", verb, match).refusal == NOT_AWAITED
    assert match.players.get(user_id="ann").accepted_at is None
    assert state(match)[1] == stage


def test_a_match_that_is_on_or_off_is_answered_already(asked: Match, verb: str) -> None:
    for name in ("ann", "bob"):
        accept(name, asked)
    loop.advance()
    assert answer("ann", verb, asked).refusal == NOT_AWAITED
    assert state(asked) == ("CONFIRMED", "done")


def test_a_match_that_was_declined_is_off(asked: Match, verb: str) -> None:
    decline("bob", asked)
    for name in ("ann", "bob"):
        assert answer(name, verb, asked).refusal == NOT_AWAITED
    assert kinds("bob").count("queue_cancelled") == 1


def test_a_ready_check_that_a_pool_gets_meanwhile_is_for_its_next_match(duel: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    match = notified_match("ann", "bob")
    Pool.objects.update(accept_seconds=SECONDS)
    acknowledge(match, "ann", "bob")
    loop.advance()
    assert state(match) == ("CONFIRMED", "done")
