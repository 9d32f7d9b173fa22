"""Challenges over REST: every answer, what players are told, and what becomes of tickets."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings

from challenges import tasks
from challenges.models import Challenge
from matchmaking.domain.matches import Cause, Stage
from matchmaking.hosts import breaker
from matchmaking.models import Block, Match, MatchPlayer, Pool, Rating, RatingChange, Ticket
from matchmaking.services import endings, loop
from matchmaking.services.rollback import Failure, roll_back
from matchmaking.statistics import pool_statistics
from realtime.transport.database import database_now
from tests.challenging import CHALLENGES, Loop, accept, arrive, challenge, meanwhile, row, send, until
from tests.factories import (
    Answer,
    Rest,
    acknowledge,
    answer_ping,
    confirmed_match,
    last_told,
    pool,
    queued,
    told,
)

pytestmark = pytest.mark.django_db(
    transaction=True,
    available_apps=[
        "challenges",
        "matchmaking",
        "realtime",
        "django.contrib.auth",
        "django.contrib.contenttypes",
    ],
)


@pytest.fixture(autouse=True, scope="module")
def _permissions_come_back(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the permissions again that go with the rows of these tests: others need them."""
    yield
    with django_db_blocker.unblock():
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
        connection.close()


@pytest.fixture(autouse=True)
def _here(duel: Pool, settings: Settings) -> None:
    """Everybody is there; an accept that waits in vain ends within half a minute."""
    settings.HEALTH_CHECK_SECONDS = settings.ACK_SECONDS = settings.LEASE_SECONDS = 10
    arrive("ann", "bob", "cat")


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def let_expire(challenge_id: str) -> None:
    Challenge.objects.filter(id=challenge_id).update(expires_at=database_now() - timedelta(seconds=1))


def block(who: str, whom: str) -> None:
    Block.objects.create(tenant_id="demo", user_id=who, blocked_id=whom)


def finished(*names: str) -> Match:
    match = confirmed_match(*names)
    endings.finish(match.id, {names[0]: 1, names[1]: 0}, database_now())
    match.refresh_from_db()
    return match


# --- create


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_challenge_has_every_field_and_the_pools_terms(base: str) -> None:
    answer = Rest("ann", base=base).post(CHALLENGES, {"opponent_id": "bob", "pool_key": "duel"})
    assert answer.status == 201
    made = row(answer.body["challenge_id"])
    assert (made.expires_at - made.created_at).total_seconds() == 300
    assert answer.body == {
        "challenge_id": str(made.id),
        "challenger": {"user_id": "ann", "display_name": "Ann"},
        "opponent": {"user_id": "bob", "display_name": "bob"},
        "pool_key": "duel",
        "mode": "duel",
        "time_control": "",
        "rated": True,
        "color_preference": "RANDOM",
        "status": "PENDING",
        "created_at": answer.body["created_at"],
        "expires_at": answer.body["expires_at"],
        "match_id": None,
        "game_id": None,
        "rematch_of": None,
        "url": None,
    }
    assert last_told("ann", "challenge_updated") == answer.body
    assert last_told("bob", "challenge_received") == answer.body
    assert Rest("bob").get(f"{CHALLENGES}/{made.id}").body == answer.body


def test_an_open_one_has_a_link_and_no_opponent(settings: Settings) -> None:
    made = challenge("ann", mode="blitz", time_control="3+2", color_preference="BLACK", expires_in=1_209_600)
    assert made["url"] == f"{settings.PUBLIC_URL}/challenges/{made['challenge_id']}"
    assert made["opponent"] is None
    assert (made["pool_key"], made["mode"], made["time_control"], made["rated"]) == (
        None,
        "blitz",
        "3+2",
        False,
    )
    assert Rest("cat").get(f"{CHALLENGES}/{made['challenge_id']}").body == made


def test_the_opponent_has_the_name_that_it_played_under(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    finished("ann", "bob")
    assert challenge("ann", "bob")["opponent"] == {"user_id": "bob", "display_name": "Bob"}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"opponent_id": "ann"}, "opponent_id"),
        ({"opponent_id": "no body"}, "opponent_id"),
        ({"color_preference": "GREEN"}, "color_preference"),
        ({"color_preference": "white"}, "color_preference"),
        ({"expires_in": 9.9}, "expires_in"),
        ({"expires_in": 1_209_601}, "expires_in"),
        ({"rated": True}, "rated"),
        ({"pool_key": "casual", "rated": True}, "rated"),
        ({"pool_key": "twos"}, "pool_key"),
        ({"pool_key": "duel", "mode": "chess"}, "mode"),
        ({"pool_key": "duel", "time_control": "1+0"}, "time_control"),
        ({"oponent_id": "bob"}, "oponent_id"),
        ({"mode": ""}, "mode"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nothing(wanted: dict[str, Any], field: str) -> None:
    pool("casual", rated=False)
    pool("twos", team_size=2)
    answer = Rest("ann").post(CHALLENGES, wanted)
    assert answer.refusal == (400, "invalid_request")
    assert list(answer.body["errors"]) == [field]
    assert not Challenge.objects.exists()


def test_a_pool_that_is_not_there_closed_or_anothers_is_not_found() -> None:
    pool("closed", is_active=False)
    pool("theirs", tenant_id="other")
    for key in ("nowhere", "closed", "theirs"):
        answer = Rest("ann").post(CHALLENGES, {"opponent_id": "bob", "pool_key": key})
        assert answer.refusal == (404, "pool_not_found")


def test_a_game_in_a_rated_pool_may_be_friendly() -> None:
    assert challenge("ann", "bob", pool_key="duel", rated=False)["rated"] is False


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_who_blocks_and_who_is_blocked_get_the_same_answer(who: str) -> None:
    block(who, "bob" if who == "ann" else "ann")
    answer = Rest("ann").post(CHALLENGES, {"opponent_id": "bob"})
    assert answer.refusal == (409, "cannot_challenge")
    assert answer.body["detail"] == "You cannot challenge this player"
    assert told("bob") == []


def test_the_same_twice_is_refused_and_names_the_first() -> None:
    first = challenge("ann", "bob", pool_key="duel")
    answer = Rest("ann").post(
        CHALLENGES, {"opponent_id": "bob", "pool_key": "duel", "color_preference": "WHITE"}
    )
    assert answer.refusal == (409, "challenge_exists")
    assert answer.body["challenge_id"] == first["challenge_id"]
    challenge("ann", "bob")
    send("cancel", "ann", first["challenge_id"])
    challenge("ann", "bob", pool_key="duel")


def test_ten_wait_for_an_answer_and_not_one_more() -> None:
    first = challenge("ann", expires_in=30)
    for number in range(9):
        challenge("ann", f"player-{number}")
    answer = Rest("ann").post(CHALLENGES, {"opponent_id": "bob"})
    assert answer.refusal == (429, "rate_limited")
    assert 28 <= int(answer.headers["Retry-After"]) <= 30
    let_expire(first["challenge_id"])
    challenge("ann", "bob")


# --- decline, cancel, expire


@pytest.mark.parametrize(
    ("action", "by", "status"), [("decline", "bob", "DECLINED"), ("cancel", "ann", "CANCELLED")]
)
def test_one_that_is_declined_or_cancelled_has_ended_and_both_hear_of_it(
    action: str, by: str, status: str
) -> None:
    made = challenge("ann", "bob")
    answer = send(action, by, made["challenge_id"])
    assert answer.status == 200
    assert answer.body == made | {"status": status}
    assert last_told("ann", "challenge_updated") == last_told("bob", "challenge_updated") == answer.body
    for again, who in (("accept", "bob"), ("decline", "bob"), ("cancel", "ann")):
        assert send(again, who, made["challenge_id"]).refusal == (409, "invalid_challenge_state")


def test_an_action_is_for_the_right_one_of_the_two() -> None:
    made = challenge("ann", "bob")["challenge_id"]
    assert send("decline", "ann", made).refusal == (409, "invalid_challenge_state")
    assert send("cancel", "bob", made).refusal == (409, "invalid_challenge_state")
    assert send("accept", "ann", made).refusal == (409, "cannot_accept_challenge")
    assert row(made).status == "PENDING"


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
def test_others_other_tenants_and_ids_that_are_none_find_nothing(action: str) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    opened = challenge("ann")["challenge_id"]
    for found in (
        send(action, "cat", made),
        Rest("bob", tenant_id="other").post(f"{CHALLENGES}/{made}/{action}"),
        Rest("bob", tenant_id="other").post(f"{CHALLENGES}/{opened}/{action}"),
        send(action, "bob", str(uuid4())),
        send(action, "bob", "nonsense"),
    ):
        assert found.refusal == (404, "challenge_not_found")
    assert Rest("cat").get(f"{CHALLENGES}/{made}").refusal == (404, "challenge_not_found")
    assert Rest("cat").get(f"{CHALLENGES}/nonsense").refusal == (404, "challenge_not_found")


@pytest.mark.parametrize(("action", "by"), [("accept", "bob"), ("decline", "bob"), ("cancel", "ann")])
def test_nothing_counts_past_its_time_swept_or_not(action: str, by: str) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    let_expire(made)
    assert send(action, by, made).refusal == (409, "invalid_challenge_state")
    tasks.expire()
    assert row(made).status == "EXPIRED"
    assert last_told("ann", "challenge_updated") == last_told("bob", "challenge_updated")
    assert last_told("bob", "challenge_updated")["status"] == "EXPIRED"
    assert send(action, by, made).refusal == (409, "invalid_challenge_state")
    tasks.expire()
    assert kinds("bob") == ["challenge_received", "challenge_updated"]


def test_what_still_has_time_is_left_alone_by_the_task() -> None:
    made = challenge("ann", "bob")["challenge_id"]
    tasks.expire()
    assert row(made).status == "PENDING"


# --- lists, and what one is in


def test_lists_have_all_of_ones_own_newest_first_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("challenges.api.PAGE_SIZE", 2)
    ids = [challenge("ann", name)["challenge_id"] for name in ("bob", "cat", "dan")]
    send("cancel", "ann", ids[0])
    first = Rest("ann").get(f"{CHALLENGES}/outgoing").body
    assert [each["challenge_id"] for each in first["results"]] == [ids[2], ids[1]]
    second = Rest("ann").get(first["next"]).body
    assert [(each["challenge_id"], each["status"]) for each in second["results"]] == [(ids[0], "CANCELLED")]
    assert second["next"] is None
    assert [each["challenge_id"] for each in Rest("cat").get(f"{CHALLENGES}/incoming").body["results"]] == [
        ids[1]
    ]
    assert Rest("ann").get(f"{CHALLENGES}/incoming").body == {"results": [], "next": None}
    assert Rest("cat", tenant_id="other").get(f"{CHALLENGES}/incoming").body["results"] == []
    assert Rest("ann").get(f"{CHALLENGES}/outgoing?cursor=x").refusal == (400, "invalid_request")


def test_active_has_the_challenges_that_wait(django_assert_max_num_queries: Callable[..., Any]) -> None:
    made, opened = challenge("ann", "bob"), challenge("ann")
    late = challenge("cat", "bob")["challenge_id"]
    let_expire(late)
    active = Rest("ann").get("/matchmaking/active").body["challenges"]
    assert active == {"incoming": [], "outgoing": [opened, made]}
    assert Rest("bob").get("/matchmaking/active").body["challenges"] == {"incoming": [made], "outgoing": []}
    with django_assert_max_num_queries(10):
        Rest("bob").get("/matchmaking/active")


# --- accept


def test_accepting_answers_when_the_game_is_on() -> None:
    made = challenge("ann", "bob", pool_key="duel", color_preference="BLACK")
    answer = accept("bob", made["challenge_id"])
    assert answer.status == 200, answer
    match = Match.objects.get()
    assert answer.body == made | {
        "status": "ACCEPTED",
        "match_id": str(match.id),
        "game_id": match.game_id,
        "opponent": {"user_id": "bob", "display_name": "Bob"},
    }
    assert (match.status, match.is_arranged, match.rated, match.pool and match.pool.key) == (
        "CONFIRMED",
        True,
        True,
        "duel",
    )
    assert {seat.user_id: seat.color for seat in match.players.all()} == {"ann": "black", "bob": "white"}
    found = next(event.data for event in told("ann") if event.type == "match_found")
    assert (found["queue_entry_id"], found["pool_key"]) == (None, "duel")
    assert kinds("ann") == ["challenge_updated", "match_found", "match_ready", "challenge_updated"]
    assert kinds("bob") == ["challenge_received", "match_found", "match_ready", "challenge_updated"]
    assert last_told("ann", "challenge_updated") == last_told("bob", "challenge_updated") == answer.body
    assert Rest("bob").get("/matchmaking/active").body["challenges"] == {"incoming": [], "outgoing": []}
    assert send("accept", "bob", made["challenge_id"]).refusal == (409, "invalid_challenge_state")


def test_without_a_pool_nobodys_rating_counts() -> None:
    made = challenge("ann", "bob")
    assert accept("bob", made["challenge_id"]).status == 200
    match = Match.objects.get()
    assert (match.pool, match.rated, match.quality) == (None, False, None)
    assert {seat.rating for seat in match.players.all()} == {1500}
    assert next(e.data for e in told("ann") if e.type == "match_found")["pool_key"] is None
    endings.finish(match.id, {"ann": 1, "bob": 0}, database_now())
    assert not RatingChange.objects.exists()


def test_in_a_pool_both_have_their_ratings_of_it_and_they_change(duel: Pool) -> None:
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=duel, value=1900)
    assert accept("bob", challenge("ann", "bob", pool_key="duel")["challenge_id"]).status == 200
    match = Match.objects.get()
    assert {seat.user_id: seat.rating for seat in match.players.all()} == {"ann": 1900, "bob": 1500}
    endings.finish(match.id, {"ann": 1, "bob": 0}, database_now())
    assert RatingChange.objects.count() == 2


def test_the_statistics_of_a_pool_are_those_of_its_queue(duel: Pool) -> None:
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=duel, value=2900)
    assert accept("bob", challenge("ann", "bob", pool_key="duel")["challenge_id"]).status == 200
    assert pool_statistics("demo", now=database_now())[0].matches_last_hour == 0


def test_colours_without_a_wish_are_balanced_by_history(duel: Pool) -> None:
    had: list[str | None] = []
    for _ in range(4):
        assert accept("bob", challenge("ann", "bob")["challenge_id"]).status == 200
        match = Match.objects.latest("id")
        had.append(match.players.get(user_id="ann").color)
        endings.finish(match.id, None, database_now())
    assert had[0] != had[1]
    assert had[2] != had[3]


def test_who_takes_an_open_one_is_its_opponent() -> None:
    made = challenge("ann")
    answer = accept("cat", made["challenge_id"])
    assert answer.body["opponent"] == {"user_id": "cat", "display_name": "Cat"}
    assert kinds("cat") == ["match_found", "match_ready", "challenge_updated"]
    assert send("accept", "bob", made["challenge_id"]).refusal == (409, "invalid_challenge_state")
    assert [c["status"] for c in Rest("cat").get(f"{CHALLENGES}/incoming").body["results"]] == ["ACCEPTED"]


@pytest.mark.parametrize("frozen", ["ann", "bob"])
def test_who_does_not_answer_the_ping_leaves_it_pending(frozen: str, settings: Settings) -> None:
    settings.HEALTH_CHECK_SECONDS = 0.3
    made = challenge("ann", "bob")["challenge_id"]
    answer = accept("bob", made, frozen)
    assert answer.refusal == (409, "cannot_accept_challenge")
    assert (
        answer.body["detail"] == f"{'You' if frozen == 'bob' else 'The other player'} did not answer in time"
    )
    assert (row(made).status, row(made).match_id) == ("PENDING", None)
    assert last_told(frozen, "match_cancelled")["reason"] == "you_unreachable"
    seat = MatchPlayer.objects.get(user_id=frozen)
    assert (seat.is_cause, seat.outcome, seat.is_live) == (True, "", False)
    settings.HEALTH_CHECK_SECONDS = 10
    assert accept("bob", made).status == 200


def test_who_does_not_acknowledge_leaves_it_pending(settings: Settings) -> None:
    settings.ACK_SECONDS = 0.3
    made = challenge("ann", "bob")["challenge_id"]
    assert accept("bob", made, deaf=["ann"]).refusal == (409, "cannot_accept_challenge")
    assert (row(made).status, row(made).match_id) == ("PENDING", None)
    assert last_told("bob", "match_cancelled")["requeued"] is False


@pytest.mark.parametrize(("by", "to"), [("ann", "nobody"), ("nobody", "bob")])
def test_who_has_no_connection_makes_no_match(by: str, to: str) -> None:
    made = challenge(by, to)["challenge_id"]
    answer = send("accept", to, made)
    assert answer.refusal == (409, "cannot_accept_challenge")
    expected = "You have no open connection" if to == "nobody" else "The other player is not there"
    assert answer.body["detail"] == expected
    assert row(made).status == "PENDING"
    assert not Match.objects.exists()


@pytest.mark.parametrize("busy", ["ann", "bob"])
def test_who_is_in_a_game_cannot_play_another(busy: str, duel: Pool) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    queued(busy, duel)
    queued("cat", duel)
    match = confirmed_match(busy, "cat")
    assert send("accept", "bob", made).refusal == (409, "cannot_accept_challenge")
    assert row(made).status == "PENDING"
    endings.finish(match.id, None, database_now())
    assert accept("bob", made).status == 200


@pytest.mark.parametrize("busy", ["ann", "bob"])
def test_who_is_being_matched_cannot_play_another(busy: str, duel: Pool) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    queued(busy, duel)
    queued("cat", duel)
    loop.advance()
    assert send("accept", "bob", made).refusal == (409, "cannot_accept_challenge")
    assert Ticket.objects.get(user_id=busy).status == "RESERVED"
    assert row(made).status == "PENDING"


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_who_has_blocked_the_other_since_meets_nobody(who: str) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    block(who, "bob" if who == "ann" else "ann")
    assert send("accept", "bob", made).refusal == (409, "cannot_accept_challenge")
    assert not Match.objects.exists()


def test_a_pool_that_was_closed_since_makes_no_match(duel: Pool) -> None:
    made = challenge("ann", "bob", pool_key="duel")["challenge_id"]
    Pool.objects.update(is_active=False)
    assert send("accept", "bob", made).refusal == (409, "cannot_accept_challenge")


def test_while_the_game_host_is_down_accepting_is_not_available(settings: Settings) -> None:
    settings.GAME_HOST = "http://127.0.0.1:9"
    settings.BREAKER_FAILURES = 1
    breaker.Breaker("game-host").failed()
    made = challenge("ann", "bob")["challenge_id"]
    assert send("accept", "bob", made).refusal == (503, "matchmaking_unavailable")
    assert (row(made).status, Match.objects.count()) == ("PENDING", 0)


def test_a_game_host_that_fails_makes_accepting_not_available(settings: Settings) -> None:
    settings.GAME_HOST = "http://127.0.0.1:9"
    settings.GAME_HOST_TIMEOUT_SECONDS = 0.5
    made = challenge("ann", "bob")["challenge_id"]
    assert accept("bob", made).refusal == (503, "matchmaking_unavailable")
    assert (row(made).status, row(made).match_id) == ("PENDING", None)


def test_an_accept_that_nobody_carries_out_is_answered_in_the_end(settings: Settings) -> None:
    settings.HEALTH_CHECK_SECONDS = settings.ACK_SECONDS = settings.LEASE_SECONDS = 0.1
    made = challenge("ann", "bob")["challenge_id"]
    answer = send("accept", "bob", made)
    assert answer.refusal == (409, "cannot_accept_challenge")
    assert "unusually long" in answer.body["detail"]
    loop.advance()
    assert Match.objects.get().cancel_reason == Cause.INTERNAL_ERROR
    assert (row(made).status, row(made).match_id) == ("PENDING", None)


# --- while it is being accepted


def being_accepted(by: str, challenge_id: str) -> tuple[Any, list[Answer], Match]:
    thread, answers = meanwhile(lambda: send("accept", by, challenge_id))
    until(lambda: Match.objects.filter(status="PROPOSED").exists())
    return thread, answers, Match.objects.get(status="PROPOSED")


def test_while_one_is_being_accepted_nothing_else_is_done_with_it_and_it_shows_no_match() -> None:
    made = challenge("ann")["challenge_id"]
    thread, answers, match = being_accepted("bob", made)
    assert send("accept", "cat", made).refusal == (409, "cannot_accept_challenge")
    assert send("cancel", "ann", made).refusal == (409, "invalid_challenge_state")
    let_expire(made)
    tasks.expire()
    seen = Rest("cat").get(f"{CHALLENGES}/{made}").body
    assert (seen["status"], seen["match_id"], seen["opponent"]) == ("PENDING", None, None)
    roll_back(match.id, Failure(Cause.STAFF), now=database_now())
    thread.join()
    assert answers[0].refusal == (409, "cannot_accept_challenge")
    tasks.expire()
    assert row(made).status == "EXPIRED"


def test_after_a_roll_back_an_open_one_is_for_whoever_comes_again() -> None:
    made = challenge("ann")["challenge_id"]
    thread, _, match = being_accepted("bob", made)
    roll_back(match.id, Failure(Cause.INTERNAL_ERROR), now=database_now())
    thread.join()
    assert (row(made).opponent_id, row(made).status) == (None, "PENDING")
    assert accept("cat", made).body["opponent"]["user_id"] == "cat"


# --- tickets


@pytest.mark.parametrize("pool_key", ["duel", "blitz"])
def test_a_searching_player_leaves_the_queue_for_the_game(duel: Pool, pool_key: str) -> None:
    pool("blitz")
    ann, bob = queued("ann", duel), queued("bob", duel, rating=2900)
    made = challenge("ann", "bob", pool_key=pool_key)["challenge_id"]
    thread, answers, match = being_accepted("bob", made)
    for ticket in (ann, bob):
        ticket.refresh_from_db()
        assert (ticket.status, ticket.match_id) == ("RESERVED", match.id)
    loop.advance()
    answer_ping(match, "ann", "bob")
    loop.advance()
    match.refresh_from_db()
    assert match.stage == Stage.NOTIFYING
    acknowledge(match, "ann", "bob")
    loop.advance()
    thread.join()
    assert answers[0].status == 200
    for ticket in (ann, bob):
        ticket.refresh_from_db()
        assert (ticket.status, ticket.cancel_reason) == ("CANCELLED", "user_request")
        cancelled = next(e.data for e in told(ticket.user_id) if e.type == "queue_cancelled")
        assert cancelled == {"queue_entry_id": str(ticket.id), "reason": "user_request"}
        found = next(e.data for e in told(ticket.user_id) if e.type == "match_found")
        assert found["queue_entry_id"] == str(ticket.id)
    assert kinds("ann")[-3:] == ["queue_cancelled", "match_ready", "challenge_updated"]


def test_after_a_roll_back_a_searching_player_is_back_at_its_place(duel: Pool) -> None:
    ann = queued("ann", duel, waited=50)
    made = challenge("ann", "bob")["challenge_id"]
    thread, _, match = being_accepted("bob", made)
    roll_back(match.id, Failure(Cause.UNREACHABLE, frozenset({"bob"})), now=database_now())
    thread.join()
    queued_at = ann.queued_at
    ann.refresh_from_db()
    assert (ann.status, ann.queued_at, ann.unreachable_since) == ("SEARCHING", queued_at, None)
    assert last_told("ann", "match_cancelled")["requeued"] is True
    assert last_told("bob", "match_cancelled")["requeued"] is False


def test_who_leaves_the_queue_meanwhile_takes_the_match_back(duel: Pool) -> None:
    ann = queued("ann", duel)
    made = challenge("ann", "bob")["challenge_id"]
    thread, answers, _ = being_accepted("bob", made)
    assert Rest("ann").delete(f"/matchmaking/queue/{ann.id}").status == 200
    thread.join()
    assert answers[0].refusal == (409, "cannot_accept_challenge")
    assert last_told("bob", "match_cancelled")["reason"] == "opponent_cancelled"
    assert row(made).status == "PENDING"


def test_nobody_joins_while_a_challenge_of_theirs_is_being_accepted(duel: Pool) -> None:
    made = challenge("ann", "bob")["challenge_id"]
    thread, _, match = being_accepted("bob", made)
    assert Rest("ann").join().refusal == (409, "active_game_exists")
    roll_back(match.id, Failure(Cause.INTERNAL_ERROR), now=database_now())
    thread.join()
    assert Rest("ann").join().status == 201


# --- others that wait


def test_of_two_that_cross_the_other_one_is_cancelled_and_the_rest_waits_on() -> None:
    mine, theirs = challenge("ann", "bob"), challenge("bob", "ann", mode="blitz")
    waiting = [
        challenge("ann", "cat"),
        challenge("ann"),
        challenge("cat", "ann"),
        challenge("ann", "bob", mode="x"),
    ]
    assert accept("bob", mine["challenge_id"]).status == 200
    assert row(theirs["challenge_id"]).status == "CANCELLED"
    assert {row(each["challenge_id"]).status for each in waiting} == {"PENDING"}
    ends = [e.data for e in told("bob") if e.type == "challenge_updated"]
    assert theirs | {"status": "CANCELLED"} in ends
    assert send("accept", "ann", waiting[2]["challenge_id"]).refusal == (409, "cannot_accept_challenge")


# --- rematch


def test_a_rematch_is_the_same_game_with_colours_swapped(duel: Pool) -> None:
    assert (
        accept(
            "bob", challenge("ann", "bob", pool_key="duel", color_preference="WHITE")["challenge_id"]
        ).status
        == 200
    )
    match = Match.objects.get()
    path = f"/matchmaking/matches/{match.id}/rematch"
    assert Rest("ann").post(path).refusal == (409, "match_not_finished")
    endings.finish(match.id, {"ann": 1, "bob": 0}, database_now())
    answer = Rest("ann").post(path)
    assert answer.status == 201
    assert answer.body["rematch_of"] == str(match.id)
    assert answer.body["color_preference"] == "BLACK"
    assert answer.body["opponent"] == {"user_id": "bob", "display_name": "Bob"}
    assert (answer.body["pool_key"], answer.body["rated"]) == ("duel", True)
    assert last_told("bob", "challenge_received") == answer.body
    again = Rest("ann").post(path)
    assert again.refusal == (409, "challenge_exists")
    assert again.body["challenge_id"] == answer.body["challenge_id"]
    assert Rest("cat").post(path).refusal == (404, "not_found")
    assert Rest("ann").post("/matchmaking/matches/nonsense/rematch").refusal == (404, "not_found")


def test_who_presses_second_accepts_the_first_ones_rematch(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = finished("ann", "bob")
    path = f"/matchmaking/matches/{match.id}/rematch"
    asked = Rest("ann").post(path).body
    with Loop():
        answer = Rest("bob").post(path)
    assert answer.status == 201
    assert (answer.body["challenge_id"], answer.body["status"]) == (asked["challenge_id"], "ACCEPTED")
    colors = {seat.user_id: seat.color for seat in match.players.all()}
    new = Match.objects.latest("id")
    assert {seat.user_id: seat.color for seat in new.players.all()} == {
        "ann": colors["bob"],
        "bob": colors["ann"],
    }
    assert Match.objects.filter(status="CONFIRMED").count() == 1


def test_a_rematch_that_nobody_answered_in_time_keeps_no_other_from_being_asked_for(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = finished("ann", "bob")
    path = f"/matchmaking/matches/{match.id}/rematch"
    first = Rest("ann").post(path).body["challenge_id"]
    let_expire(first)
    second = Rest("bob").post(path)
    assert (second.status, second.body["status"]) == (201, "PENDING")
    assert row(first).status == "EXPIRED"


def test_a_match_that_was_rolled_back_has_no_rematch_and_a_blocked_player_gets_none(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = finished("ann", "bob")
    block("bob", "ann")
    path = f"/matchmaking/matches/{match.id}/rematch"
    assert Rest("ann").post(path).refusal == (409, "cannot_challenge")
    Match.objects.update(status="CANCELLED")
    assert Rest("ann").post(path).refusal == (409, "match_not_finished")
