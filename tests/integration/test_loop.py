"""The loop, step by step: each stage, each way out of it, and what every player is told."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db.models import F
from pytest_django import Settings

from matchmaking import tasks
from matchmaking.domain.errors import ActiveGameExists, CannotCancel
from matchmaking.domain.matches import Cause, Stage
from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.services import endings, leaving, loop, matches, tickets
from matchmaking.services.rollback import Failure, roll_back
from realtime import tasks as session_tasks
from realtime.models import Event, GameSession, Participant
from realtime.protocol.parts import RatingChange
from realtime.services import participants, rooms, sessions
from realtime.services.sessions import NewSession
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.factories import (
    acknowledge,
    address,
    all_heard,
    answer_ping,
    caller,
    confirmed_match,
    connect,
    excuse,
    has_told_all,
    hear_from,
    last_told,
    let_pass,
    match_of,
    notified_match,
    pool,
    queued,
    reserved_match,
    told,
)
from tests.integration.conftest import Pushes

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])


@pytest.fixture
def ann(duel: Pool) -> Ticket:
    """Ann has waited longest."""
    return queued("ann", duel, waited=9)


@pytest.fixture
def bob(duel: Pool, ann: Ticket) -> Ticket:
    return queued("bob", duel, waited=6)


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(id=ticket.id)


def leave(name: str) -> None:
    leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def cancellations(name: str) -> list[tuple[str, bool]]:
    """Return the ``match_cancelled`` that a player got, as (reason, requeued)."""
    return [(e.data["reason"], e.data["requeued"]) for e in told(name) if e.type == "match_cancelled"]


def end_match(match: Match) -> None:
    endings.finish(match.id, None, database_now())


def fail_to_answer(*names: str) -> None:
    """Let the time of the present match's health check pass; all but these players have answered in time."""
    match = Match.objects.latest("id")
    others = [seat.user_id for seat in match.players.all() if seat.user_id not in names]
    answer_ping(match, *others, seconds_ago=settings.HEALTH_CHECK_SECONDS)
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)


# --- from two tickets to a match


def test_two_who_fit_are_reserved_and_pinged(ann: Ticket, bob: Ticket, pushes: Pushes) -> None:
    loop.advance()
    match = match_of("ann", "bob")
    assert (match.status, match.stage) == ("PROPOSED", Stage.VERIFYING)
    assert [fresh(t).status for t in (ann, bob)] == ["RESERVED", "RESERVED"]
    assert [fresh(t).match_id for t in (ann, bob)] == [match.id, match.id]
    assert 0 < (match.deadline - database_now()).total_seconds() <= settings.HEALTH_CHECK_SECONDS
    sent = {p["address"]: p["token"] for p in pushes.new() if p["frame"].startswith('{"type":"ping"')}
    assert sent == {address(seat.user_id): seat.nonce for seat in match.players.all()}
    assert len(set(sent.values())) == 2
    assert kinds("ann") == kinds("bob") == ["queue_joined"]


def test_a_loop_without_news_changes_nothing(ann: Ticket, bob: Ticket, pushes: Pushes) -> None:
    reserved_match("ann", "bob")
    before = Match.objects.values().get()
    pushes.new()
    loop.advance()
    assert Match.objects.values().get() == before
    assert pushes.new() == []


def test_when_both_have_answered_both_are_told_of_the_match(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann")
    loop.advance()
    assert kinds("ann") == ["queue_joined"]
    answer_ping(match, "bob")
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.stage) == ("PROPOSED", Stage.NOTIFYING)
    colors = {seat.user_id: seat.color for seat in match.players.all()}
    assert set(colors.values()) == {"white", "black"}
    for name, ticket, other, team in (("ann", ann, "bob", 1), ("bob", bob, "ann", 2)):
        assert last_told(name, "match_found") == {
            "match_id": str(match.id),
            "game_id": match.game_id,
            "queue_entry_id": str(ticket.id),
            "pool_key": "duel",
            "opponents": [{"user_id": other, "display_name": other.title(), "rating": 1500}],
            "color": colors[name],
            "team": team,
            "ack_within_ms": settings.ACK_SECONDS * 1000,
        }
    assert GameSession.objects.get().started_at is None


def test_when_both_have_acknowledged_the_match_is_confirmed_and_the_game_is_on(
    ann: Ticket, bob: Ticket
) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "ann")
    loop.advance()
    assert kinds("ann")[-1] == "match_found"
    acknowledge(match, "bob")
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.stage) == ("CONFIRMED", Stage.DONE)
    assert match.confirmed_at is not None
    assert [fresh(t).status for t in (ann, bob)] == ["MATCHED", "MATCHED"]
    assert fresh(ann).ended_at is not None
    session = GameSession.objects.get(match_id=match.id)
    assert (session.id, str(session.id)) == (match.session_id, match.game_id)
    assert session.started_at is not None
    assert session.finished_at is None
    assert set(session.participants.values_list("user_id", flat=True)) == {"ann", "bob"}
    ready = {"match_id": str(match.id), "game_id": match.game_id, "session_id": str(session.id)}
    assert last_told("ann", "match_ready") == last_told("bob", "match_ready") == ready
    assert not Event.objects.filter(pushed_at=None).exists()


def test_the_answer_to_another_ping_or_of_another_player_does_not_count(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    nonces = dict(match.players.values_list("user_id", "nonce"))
    match.players.filter(user_id="ann").update(nonce=nonces["bob"])
    answer_ping(match, "ann")
    match.players.filter(user_id="ann").update(nonce="another")
    answer_ping(match, "bob")
    loop.advance()
    match.refresh_from_db()
    assert match.stage == Stage.VERIFYING


# --- a ping unanswered


def test_a_small_pool_is_looked_at_before_a_large_one(duel: Pool) -> None:
    small, empty = pool("small"), pool("empty")
    for name in ("ann", "bob", "cat"):
        queued(name, duel)
    queued("dan", small)
    assert tickets.pools_searching() == [small.id, duel.id]
    assert empty.id not in tickets.pools_searching()


@pytest.mark.parametrize("stage", ["verifying", "notifying"])
def test_silence_after_valkey_has_lost_its_data_is_nobodys_fault(
    ann: Ticket, bob: Ticket, valkey: redis.Redis, stage: str
) -> None:
    match = reserved_match("ann", "bob") if stage == "verifying" else notified_match("ann", "bob")
    valkey.flushall()
    has_told_all()
    loop.advance()
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "internal_error")
    for before in (ann, bob):
        after = fresh(before)
        assert (after.queued_at, after.unreachable_since, after.failures) == (before.queued_at, None, 0)
        assert after.match_id not in {None, match.id}, "they are tried again at once"


def test_when_nobody_answers_both_keep_their_place_and_neither_is_reserved_until_heard_from(
    ann: Ticket, bob: Ticket
) -> None:
    match = reserved_match("ann", "bob")
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason, match.game_cancel_due) == ("CANCELLED", "unreachable", False)
    for before, name, place in ((ann, "ann", 1), (bob, "bob", 2)):
        after = fresh(before)
        assert (after.status, after.match_id, after.queued_at) == ("SEARCHING", None, before.queued_at)
        assert after.unreachable_since is not None
        assert last_told(name, "match_cancelled") == {
            "match_id": str(match.id),
            "reason": "you_unreachable",
            "requeued": True,
            "queue_entry_id": str(before.id),
            "position": place,
        }
    loop.tick()
    assert Match.objects.count() == 1
    hear_from("ann")
    loop.tick()
    assert Match.objects.count() == 1, "one alone is not enough"
    hear_from("bob")
    loop.tick()
    assert Match.objects.count() == 2


def test_who_answered_keeps_its_rank_and_plays_a_third_at_once(ann: Ticket, bob: Ticket, duel: Pool) -> None:
    match = reserved_match("ann", "bob")
    cat = queued("cat", duel, waited=3)
    queued("far", duel, waited=600, rating=9000)
    answer_ping(match, "bob", seconds_ago=settings.HEALTH_CHECK_SECONDS)
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    assert cancellations("ann") == [("you_unreachable", True)]
    assert cancellations("bob") == [("opponent_unreachable", True)]
    assert last_told("bob", "match_cancelled")["position"] == 3
    assert (fresh(bob).queued_at, fresh(bob).unreachable_since) == (bob.queued_at, None)
    again = match_of("bob", "cat")
    assert fresh(cat).match_id == fresh(bob).match_id == again.id


@pytest.mark.parametrize(("late_by", "counts"), [(-3, True), (3, False)])
def test_an_answer_counts_up_to_the_deadline_whenever_it_is_read(
    ann: Ticket, bob: Ticket, late_by: float, counts: bool
) -> None:
    match = reserved_match("ann", "bob")
    deadline = database_now() - timedelta(seconds=10)
    Match.objects.update(deadline=deadline)
    answer_ping(match, "bob", seconds_ago=30)
    answer_ping(match, "ann", seconds_ago=10 - late_by)
    loop.advance()
    assert (kinds("ann")[-1] == "match_found") is counts
    assert cancellations("ann") == ([] if counts else [("you_unreachable", True)])


def test_a_second_answer_that_comes_too_late_takes_nothing_away(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann", "bob", seconds_ago=settings.HEALTH_CHECK_SECONDS)
    answer_ping(match, "ann", "bob")
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    assert kinds("ann") == kinds("bob") == ["queue_joined", "match_found"]


def test_who_answered_too_late_is_heard_from_all_the_same_once_it_says_more(ann: Ticket, bob: Ticket) -> None:
    connect("ann")
    connect("bob")
    reserved_match("ann", "bob")
    fail_to_answer("ann", "bob")
    loop.advance()
    answer_ping(match_of("ann", "bob"), "ann", "bob")
    loop.tick()
    assert Match.objects.count() == 2


def test_who_is_excused_and_has_no_socket_is_not_reserved_before_it_is_back(ann: Ticket, bob: Ticket) -> None:
    tickets.note_gone(caller("ann"), at=database_now())
    excuse("ann")
    loop.tick()
    assert fresh(ann).status == "SEARCHING"
    connect("ann")
    loop.tick()
    assert fresh(ann).status == "RESERVED"


def test_who_fails_again_and_again_sits_out_longer_and_longer(duel: Pool) -> None:
    ann = queued("ann", duel)
    waits = []
    for n in range(7):
        queued(f"other-{n}", duel)
        hear_from("ann")
        loop.tick()
        assert fresh(ann).status == "RESERVED", n
        fail_to_answer("ann")
        before = database_now()
        loop.advance()
        not_before = fresh(ann).not_before
        assert not_before is not None
        waits.append(round((not_before - before).total_seconds()))
        Ticket.objects.filter(id=ann.id).update(not_before=F("not_before") - timedelta(seconds=60))
        Ticket.objects.exclude(id=ann.id).delete()
        MatchPlayer.objects.update(is_live=False)
        Match.objects.update(status="CANCELLED", stage=Stage.DONE)
    assert waits == [0, 2, 4, 8, 16, 30, 30]


def test_who_sits_out_is_not_reserved_though_it_was_heard_from(ann: Ticket, bob: Ticket) -> None:
    Ticket.objects.filter(id=ann.id).update(not_before=database_now() + timedelta(seconds=2))
    loop.tick()
    assert not Match.objects.exists()
    Ticket.objects.filter(id=ann.id).update(not_before=database_now())
    loop.tick()
    assert Match.objects.count() == 1


def test_a_confirmed_match_forgives_former_failures(ann: Ticket, bob: Ticket) -> None:
    Ticket.objects.filter(id=ann.id).update(failures=3)
    confirmed_match("ann", "bob")
    assert fresh(ann).failures == 0


# --- an acknowledgement missing


def test_match_found_is_sent_once_more_to_whom_it_seems_to_have_missed(
    ann: Ticket, bob: Ticket, pushes: Pushes
) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "bob")
    first = {p["address"]: p for p in pushes.new() if p["frame"].startswith('{"type":"match_found"')}
    let_pass(match, settings.ACK_SECONDS / 2)
    loop.advance()
    (again,) = pushes.new()
    assert again == first[address("ann")] | {"again": True}
    loop.advance()
    assert pushes.new() == [], "once"
    acknowledge(match, "ann")
    loop.advance()
    match.refresh_from_db()
    assert match.status == "CONFIRMED"


def test_without_an_acknowledgement_the_match_is_taken_back_and_its_game_cancelled(
    ann: Ticket, bob: Ticket
) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "bob", seconds_ago=settings.ACK_SECONDS)
    let_pass(match, settings.ACK_SECONDS + 1)
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason, match.game_cancel_due) == (
        "CANCELLED",
        "delivery_failed",
        True,
    )
    assert cancellations("ann") == cancellations("bob") == [("delivery_failed", True)]
    assert fresh(ann).unreachable_since is not None
    assert fresh(bob).unreachable_since is None
    assert (fresh(ann).queued_at, fresh(bob).queued_at) == (ann.queued_at, bob.queued_at)
    loop.tick()
    assert_game_is_cancelled_for_good(match)


def test_an_acknowledgement_after_the_deadline_does_not_count(ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "ann", "bob")
    let_pass(match, settings.ACK_SECONDS + 5)
    loop.advance()
    assert cancellations("ann") == cancellations("bob") == [("delivery_failed", True)]
    assert not Match.objects.filter(status="CONFIRMED").exists()


def assert_game_is_cancelled_for_good(match: Match) -> None:
    match.refresh_from_db()
    assert not match.game_cancel_due
    session = GameSession.objects.get(match_id=match.id)
    assert (session.phase, session.finished_at is None) == ("finished", False)
    again = NewSession("demo", match.id, [("ann", "Ann"), ("bob", "Bob")])
    assert sessions.create_sessions([again], now=database_now()) == {}
    assert GameSession.objects.filter(match_id=match.id).count() == 1


# --- leaving


def to_reserved(match: Match) -> None:
    Match.objects.filter(id=match.id).update(stage=Stage.RESERVED)


def to_creating(match: Match) -> None:
    assert matches._claim_for_creation(all_heard(match), now=database_now())


def to_notifying(match: Match) -> None:
    answer_ping(match, "ann", "bob")
    loop.advance()


def to_half_acknowledged(match: Match) -> None:
    to_notifying(match)
    acknowledge(match, "ann")


STAGES = [
    pytest.param(to_reserved, False, id="reserved"),
    pytest.param(lambda match: None, False, id="verifying"),
    pytest.param(to_creating, True, id="creating"),
    pytest.param(to_notifying, True, id="notifying"),
    pytest.param(to_half_acknowledged, True, id="half acknowledged"),
]


@pytest.mark.parametrize(("go_on", "has_game"), STAGES)
def test_who_leaves_in_any_stage_ends_its_own_ticket_alone(
    ann: Ticket, bob: Ticket, go_on: Callable[[Match], None], has_game: bool
) -> None:
    match = reserved_match("ann", "bob")
    go_on(match)
    leave("ann")
    match.refresh_from_db()
    assert (match.status, match.stage, match.cancel_reason) == ("CANCELLED", Stage.DONE, "left")
    assert last_told("ann", "queue_cancelled") == {"queue_entry_id": str(ann.id), "reason": "user_request"}
    assert cancellations("ann") == []
    assert last_told("bob", "match_cancelled") == {
        "match_id": str(match.id),
        "reason": "opponent_cancelled",
        "requeued": True,
        "queue_entry_id": str(bob.id),
        "position": 1,
    }
    assert (fresh(ann).status, fresh(ann).cancel_reason) == ("CANCELLED", "user_request")
    healthy = fresh(bob)
    assert (healthy.status, healthy.queued_at, healthy.unreachable_since, healthy.failures) == (
        "SEARCHING",
        bob.queued_at,
        None,
        0,
    )
    assert match.game_cancel_due is has_game
    loop.tick()
    if has_game:
        assert_game_is_cancelled_for_good(match)
    else:
        assert not GameSession.objects.exists()


def test_who_was_left_plays_a_third_at_its_old_rank(ann: Ticket, bob: Ticket, duel: Pool) -> None:
    reserved_match("ann", "bob")
    queued("cat", duel)
    leave("ann")
    loop.advance()
    match_of("bob", "cat")


def test_an_answer_to_a_match_that_was_taken_back_brings_nothing_back(ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    leave("ann")
    acknowledge(match, "ann", "bob")
    loop.tick()
    match.refresh_from_db()
    assert match.status == "CANCELLED"
    assert not Match.objects.filter(status="CONFIRMED").exists()
    assert "match_ready" not in kinds("bob")


# --- faults that are nobody's


@pytest.mark.parametrize(("go_on", "has_game"), STAGES)
def test_a_stage_that_no_worker_took_up_is_nobodys_fault(
    ann: Ticket, bob: Ticket, go_on: Callable[[Match], None], has_game: bool
) -> None:
    match = reserved_match("ann", "bob")
    go_on(match)
    let_pass(match, settings.ACK_SECONDS + settings.LEASE_SECONDS)
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "internal_error")
    assert cancellations("ann") == cancellations("bob") == [("internal_error", True)]
    for before in (ann, bob):
        after = fresh(before)
        assert (after.queued_at, after.unreachable_since, after.failures) == (before.queued_at, None, 0)
        assert after.match_id not in {None, match.id}, "both are there, and play each other"
    loop.tick()
    if has_game:
        assert_game_is_cancelled_for_good(match)


def test_even_answers_in_time_do_not_save_a_match_whose_lease_has_run_out(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann", "bob")
    Match.objects.update(lease_until=database_now())
    loop.advance()
    assert cancellations("ann") == cancellations("bob") == [("internal_error", True)]


def test_another_worker_pings_what_was_reserved_by_one_that_died(
    ann: Ticket, bob: Ticket, duel: Pool, pushes: Pushes
) -> None:
    in_a_moment = database_now() + timedelta(seconds=20)
    matches.reserve(duel, [((ann.id,), (bob.id,))], now=in_a_moment, rng=loop._rng)
    loop.advance()
    assert Match.objects.get().stage == Stage.RESERVED, "the one that reserved it may still be about to"
    let_pass(Match.objects.get(), 20 + matches.TAKE_OVER_SECONDS)
    loop.advance()
    assert Match.objects.get().stage == Stage.VERIFYING
    assert {push["address"] for push in pushes.new()} == {address("ann"), address("bob")}


def test_a_game_that_the_host_refuses_takes_the_match_back(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    sessions.cancel_session("demo", match.id, now=database_now())
    answer_ping(match, "ann", "bob")
    loop.advance()
    for name in ("ann", "bob"):
        assert cancellations(name) == [("game_service_unavailable", True)]
        assert "match_found" not in kinds(name)
    assert fresh(ann).unreachable_since is None


def test_a_match_whose_ticket_was_taken_away_is_not_confirmed(ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "ann", "bob")
    Ticket.objects.filter(id=ann.id).update(status="CANCELLED", cancel_reason="staff")
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "internal_error")
    assert cancellations("ann") == [("internal_error", False)]
    assert cancellations("bob") == [("internal_error", True)]
    assert fresh(ann).status == "CANCELLED"


def test_a_match_is_taken_back_once(ann: Ticket, bob: Ticket) -> None:
    match = reserved_match("ann", "bob")
    failure = Failure(Cause.INTERNAL_ERROR)
    first, second = (roll_back(match.id, failure, now=database_now()) for _ in range(2))
    assert (first, second) == (True, False)
    assert cancellations("ann") == [("internal_error", True)]


def test_a_confirmed_match_cannot_be_taken_back_or_left(ann: Ticket, bob: Ticket) -> None:
    match = confirmed_match("ann", "bob")
    assert not roll_back(match.id, Failure(Cause.INTERNAL_ERROR), now=database_now())
    with pytest.raises(CannotCancel):
        leaving.leave(caller("ann"), str(ann.id), origin=NO_ORIGIN, now=database_now())
    match.refresh_from_db()
    assert match.status == "CONFIRMED"


# --- who may be reserved


def test_who_joined_by_rest_without_a_socket_waits_for_one(ann: Ticket, duel: Pool) -> None:
    bob = queued("bob", duel, is_here=False)
    loop.tick()
    assert not Match.objects.exists()
    connect("bob")
    loop.tick()
    assert fresh(bob).match_id == match_of("ann", "bob").id


def test_who_joined_by_rest_beside_an_open_socket_is_reserved_at_once(ann: Ticket, duel: Pool) -> None:
    connect("bob")
    queued("bob", duel, is_here=False)
    loop.advance()
    match_of("ann", "bob")


def test_a_socket_of_a_dead_process_is_no_socket(ann: Ticket, duel: Pool, valkey: redis.Redis) -> None:
    connect("bob")
    valkey.delete("mm:process:web-1")  # its lease has run out
    queued("bob", duel, is_here=False)
    loop.advance()
    assert not Match.objects.exists()


def test_the_closing_of_the_last_socket_keeps_a_ticket_from_being_reserved(ann: Ticket, bob: Ticket) -> None:
    tickets.note_gone(caller("bob"), at=database_now())
    loop.tick()
    assert not Match.objects.exists()
    tickets.note_heard(caller("bob"))
    loop.advance()
    match_of("ann", "bob")


def test_a_socket_that_closed_before_the_ticket_was_made_says_nothing_of_it(ann: Ticket, bob: Ticket) -> None:
    tickets.note_gone(caller("bob"), at=database_now() - timedelta(seconds=60))
    loop.advance()
    match_of("ann", "bob")


def test_who_was_heard_from_before_its_last_socket_closed_is_gone_all_the_same(
    ann: Ticket, bob: Ticket
) -> None:
    Ticket.objects.filter(id=bob.id).update(unreachable_since=database_now() - timedelta(seconds=1))
    hear_from("bob")
    tickets.note_gone(caller("bob"), at=database_now())
    loop.tick()
    assert not Match.objects.exists()


# --- who plays whom


@pytest.mark.parametrize(("waited", "fits"), [(0, False), (30, False), (40, True)])
def test_ratings_far_apart_meet_when_both_have_waited_long_enough(
    duel: Pool, waited: float, fits: bool
) -> None:
    queued("ann", duel, rating=1500, waited=waited)
    queued("bob", duel, rating=1700, waited=400)
    loop.advance()
    assert Match.objects.exists() is fits


def test_the_oldest_is_served_first(duel: Pool) -> None:
    queued("cat", duel, waited=1)
    queued("ann", duel, waited=3)
    queued("bob", duel, waited=2)
    loop.advance()
    match_of("ann", "bob")


def test_a_priority_counts_in_the_age_order(duel: Pool) -> None:
    queued("ann", duel, waited=30)
    queued("bob", duel, waited=20)
    queued("vip", duel, waited=0, priority=25)
    loop.advance()
    match_of("ann", "vip")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [(["eu"], ["us"], False), (["eu", "us"], ["us", "asia"], True), ([], ["us"], True), ([], [], True)],
)
def test_players_meet_where_both_would_play(duel: Pool, one: list[str], other: list[str], meet: bool) -> None:
    queued("ann", duel, regions=one)
    queued("bob", duel, regions=other)
    loop.advance()
    assert Match.objects.exists() is meet


def test_pools_and_tenants_do_not_mix(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", pool("blitz"))
    queued("cat", pool(tenant_id="acme"))
    loop.advance()
    assert not Match.objects.exists()


def test_who_waits_in_a_closed_pool_is_still_matched(ann: Ticket, bob: Ticket) -> None:
    Pool.objects.update(is_active=False)
    loop.advance()
    match_of("ann", "bob")


def test_a_ticket_that_left_drops_its_pair_and_nothing_else(duel: Pool) -> None:
    a, b, c, d = (queued(name, duel).id for name in ("ann", "bob", "cat", "dan"))
    leave("bob")
    reserved = matches.reserve(duel, [((a,), (b,)), ((c,), (d,))], now=database_now(), rng=loop._rng)
    assert reserved == [match_of("cat", "dan").id]
    assert set(Ticket.objects.filter(status="SEARCHING").values_list("user_id", flat=True)) == {"ann"}


def test_a_player_who_is_in_a_match_already_drops_its_pair_and_nothing_else(duel: Pool) -> None:
    queued("ann", duel)
    queued("eve", duel)
    confirmed_match("ann", "eve")
    Ticket.objects.filter(user_id="ann").update(status="SEARCHING", ended_at=None, match=None)
    a = Ticket.objects.get(user_id="ann").id
    b, c, d = (queued(name, duel).id for name in ("bob", "cat", "dan"))
    reserved = loop._reserve(duel, [((a,), (b,)), ((c,), (d,))])
    assert reserved == [match_of("cat", "dan").id]
    assert Ticket.objects.get(id=b).status == "SEARCHING"
    queued("fay", duel)
    loop.advance()
    match_of("bob", "fay")
    assert Ticket.objects.get(id=a).status == "SEARCHING", "nor is it chosen again, in another's place"


def test_more_pairs_than_a_batch_holds_all_get_through(duel: Pool, settings: Settings) -> None:
    settings.MATCH_PAIRS_PER_BATCH = 2
    names = [f"player-{n}" for n in range(10)]
    for name in names:
        queued(name, duel)
    loop.advance()
    assert Match.objects.filter(stage=Stage.VERIFYING).count() == 5
    for match in Match.objects.all():
        answer_ping(match, *names)
    loop.advance()
    assert Match.objects.filter(stage=Stage.NOTIFYING).count() == 5
    for match in Match.objects.all():
        acknowledge(match, *names)
    loop.advance()
    assert Match.objects.filter(status="CONFIRMED").count() == 5


# --- a pool that is broken


@pytest.fixture
def broken() -> Pool:
    """A pool, the first in every order, whose rule cannot be run."""
    first = pool("aaa")
    for name in ("mallory", "trudy"):
        queued(name, first)
    Pool.objects.filter(id=first.id).update(radius=-1)
    return first


def test_a_broken_pool_stops_no_other_from_matching(broken: Pool, ann: Ticket, bob: Ticket) -> None:
    loop.advance()
    match_of("ann", "bob")


def test_a_broken_pool_stops_no_other_from_being_told_its_place(
    broken: Pool, ann: Ticket, pushes: Pushes, valkey: redis.Redis
) -> None:
    loop.tick()
    assert [push["address"] for push in pushes.new()] == [address("ann")]
    assert valkey.exists("mm:tick")


def test_a_broken_pool_still_leads_its_matches_on(duel: Pool, ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    acknowledge(match, "ann", "bob")
    Pool.objects.update(radius=-1)
    loop.advance()
    match.refresh_from_db()
    assert match.status == "CONFIRMED"


# --- what those who wait are told


def test_those_who_wait_are_told_their_place_and_not_again_too_soon(
    duel: Pool, pushes: Pushes, valkey: redis.Redis
) -> None:
    ann = queued("ann", duel)
    queued("far", duel, waited=20, rating=9000)
    pushes.new()
    loop.tick()
    loop.tick()
    told_now = pushes.new()
    assert [push["address"] for push in told_now] == [address("far"), address("ann")]
    kind, _, data = told_now[1]["latest_of"].partition(" ")
    place = {
        "queue_entry_id": str(ann.id),
        "position": 2,
        "estimated_wait": None,
        "waiting": 2,
        "rating_window": 100.0,
    }
    assert (kind, json.loads(data)) == ("queue_update", place)
    assert told_now[1]["seq"] is None
    turn = f"mm:turn:update:{duel.id}"
    assert 0 < valkey.pttl(turn) <= settings.QUEUE_UPDATE_SECONDS * 1000
    valkey.delete(turn)  # as if that time had gone by
    loop.tick()
    assert [push["latest_of"] for push in pushes.new()] == [push["latest_of"] for push in told_now]


# --- being called


def test_many_who_join_at_once_call_the_loop_once(ann: Ticket, bob: Ticket, valkey: redis.Redis) -> None:
    assert valkey.llen("matchmaking") == 1
    tasks.advance()
    match_of("ann", "bob")
    before = valkey.llen("matchmaking")
    leave("ann")
    assert valkey.llen("matchmaking") == before + 1, "what comes after the loop began needs a new call"


def test_the_tasks_of_the_beat_do_what_is_due(ann: Ticket, bob: Ticket) -> None:
    tasks.tick()
    match = match_of("ann", "bob")
    answer_ping(match, "ann", "bob")
    tasks.tick()
    acknowledge(match_of("ann", "bob"), "ann", "bob")
    tasks.tick()
    Participant.objects.update(dropped_at=F("dropped_at") - timedelta(seconds=31))
    Event.objects.update(created_at=F("created_at") - timedelta(seconds=301))
    session_tasks.expire_grace()
    session_tasks.purge_events()
    match.refresh_from_db()
    assert match.status == "FINISHED"
    assert set(Event.objects.values_list("type", flat=True)) == {
        "participant_left",
        "game_state_update",
        "game_over",
    }


# --- the end of a match


def test_when_a_player_leaves_the_session_the_match_ends_and_both_may_queue_again(
    ann: Ticket, bob: Ticket, duel: Pool
) -> None:
    match = confirmed_match("ann", "bob")
    assert match.session_id is not None
    with pytest.raises(ActiveGameExists):
        queued("bob", duel)
    participants.leave(match.session_id, "ann", now=database_now())
    match.refresh_from_db()
    assert (match.status, match.result, match.finished_at is None) == ("FINISHED", None, False)
    assert not MatchPlayer.objects.filter(is_live=True).exists()
    queued("ann", duel)
    queued("bob", duel)
    loop.advance()
    match_of("ann", "bob")


@pytest.mark.parametrize(("dropped_ago", "is_over"), [(29.9, False), (30.0, True), (31.0, True)])
def test_a_player_has_30_seconds_to_come_back(
    ann: Ticket, bob: Ticket, dropped_ago: float, is_over: bool
) -> None:
    match = confirmed_match("ann", "bob")
    session = match.session_id
    assert session is not None
    now = database_now()
    for name in ("ann", "bob"):
        participants.arrive(session, name, connection_id=f"{name}-1", now=now)
    participants.drop(session, "ann", connection_id="ann-1", is_last=True, now=now)
    participants.expire_grace(now=now + timedelta(seconds=dropped_ago))
    match.refresh_from_db()
    assert (match.status == "FINISHED") is is_over
    assert (Participant.objects.get(user_id="ann").connection_state == "disconnected") is is_over
    assert Participant.objects.get(user_id="bob").connection_state == "connected"
    assert participants.expire_grace(now=now + timedelta(seconds=60)) == (0 if is_over else 1)
    assert participants.expire_grace(now=now + timedelta(seconds=90)) == 0
    types = list(Event.objects.filter(address=f"session:{session}").values_list("type", flat=True))
    assert (types.count("participant_left"), types.count("game_over")) == (1, 1)


def test_who_comes_back_within_the_grace_period_has_lost_nothing(ann: Ticket, bob: Ticket) -> None:
    session = confirmed_match("ann", "bob").session_id
    assert session is not None
    now = database_now()
    participants.arrive(session, "ann", connection_id="old", now=now)
    participants.drop(session, "ann", connection_id="old", is_last=True, now=now)
    participants.arrive(session, "ann", connection_id="new", now=now + timedelta(seconds=29))
    participants.drop(session, "ann", connection_id="old", is_last=True, now=now + timedelta(seconds=29))
    Participant.objects.filter(user_id="bob").update(dropped_at=now + timedelta(seconds=60))
    assert participants.expire_grace(now=now + timedelta(seconds=60)) == 0
    types = list(Event.objects.filter(address=f"session:{session}").values_list("type", flat=True))
    assert types == [
        "participant_joined",
        "participant_temporarily_disconnected",
        "participant_reconnected",
    ]


def test_who_never_comes_loses_its_place_after_the_grace_period(ann: Ticket, bob: Ticket) -> None:
    match = confirmed_match("ann", "bob")
    assert match.confirmed_at is not None
    assert participants.expire_grace(now=match.confirmed_at + timedelta(seconds=29)) == 0
    assert participants.expire_grace(now=match.confirmed_at + timedelta(seconds=31)) == 2
    match.refresh_from_db()
    assert match.status == "FINISHED"


def test_only_a_confirmed_match_can_end(ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    end_match(match)
    match.refresh_from_db()
    assert match.status == "PROPOSED"
    assert MatchPlayer.objects.filter(is_live=True).count() == 2


def test_what_was_seen_in_an_earlier_stage_does_not_roll_back_a_match_that_has_gone_on(
    ann: Ticket, bob: Ticket
) -> None:
    match = notified_match("ann", "bob")
    seen_before = Failure(Cause.UNREACHABLE, frozenset({"ann"}), Stage.VERIFYING)
    assert not roll_back(match.id, seen_before, now=database_now())
    match.refresh_from_db()
    assert (match.status, match.stage) == ("PROPOSED", Stage.NOTIFYING)
    assert {fresh(ticket).status for ticket in (ann, bob)} == {"RESERVED"}


def test_the_players_time_begins_when_they_are_told(ann: Ticket, bob: Ticket) -> None:
    match = notified_match("ann", "bob")
    told_at = Event.objects.filter(type="match_found").latest("seq").created_at
    assert match.deadline - told_at == timedelta(seconds=settings.ACK_SECONDS)


def test_a_session_that_fails_stops_no_other_from_ending(duel: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for pair in (("ann", "bob"), ("cas", "dan")):
        for name in pair:
            queued(name, duel)
        made.append(confirmed_match(*pair))
    bad, good = made

    def refuse(match_id: UUID, _outcome: object, _now: datetime) -> dict[str, RatingChange]:
        if match_id == bad.id:
            raise ValueError("broken on purpose")
        return {}

    monkeypatch.setattr(rooms, "session_finished_listeners", [refuse, *rooms.session_finished_listeners])
    participants.expire_grace(now=database_now() + timedelta(seconds=60))
    assert {m.id: m.status for m in Match.objects.all()} == {bad.id: "CONFIRMED", good.id: "FINISHED"}
    monkeypatch.undo()
    participants.expire_grace(now=database_now() + timedelta(seconds=60))
    bad.refresh_from_db()
    assert bad.status == "FINISHED"
