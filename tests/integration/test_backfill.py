"""A running match gets another player in the place of one who is gone, or nobody is moved."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from matchmaking.domain.backfill import HEAD_START_SECONDS
from matchmaking.models import Absence, Backfill, Block, Match, MatchPlayer, Pool, Ticket
from matchmaking.services import conflicts, endings, loop
from realtime.models import GameSession
from realtime.services import participants
from realtime.transport.database import database_now
from tests.factories import (
    Answer,
    Rest,
    acknowledge,
    answer_ping,
    confirmed_match,
    last_told,
    let_pass,
    queued,
    told,
)
from tests.rooms import arrive

pytestmark = pytest.mark.django_db(transaction=True)
PLAYS = (True, "confirmed")


@pytest.fixture
def running(duel: Pool) -> Match:
    """Ann and Bob play, and Bob is gone."""
    for name in ("ann", "bob"):
        queued(name, duel)
    return confirmed_match("ann", "bob")


def ask(match: Match | str, user_id: str = "bob", **claims: Any) -> Answer:
    server = Rest("server", **({"roles": ["game_server"]} | claims))
    match_id = match.id if isinstance(match, Match) else match
    return server.post(f"/matchmaking/matches/{match_id}/backfill", {"user_id": user_id})


def filling() -> Match:
    """Return the match that is to bring somebody in, pinged."""
    loop.advance()
    return Match.objects.get(fills__isnull=False, status__in=["PROPOSED", "AWAITING_ACCEPTANCE"])


def told_of_it(name: str) -> Match:
    match = filling()
    answer_ping(match, name)
    loop.advance()
    match.refresh_from_db()
    return match


def lead_in(name: str) -> Match:
    match = told_of_it(name)
    acknowledge(match, name)
    loop.advance()
    match.refresh_from_db()
    return match


def seats(match: Match) -> dict[str, tuple[bool, str]]:
    return {p.user_id: (p.is_live, p.outcome) for p in match.players.all()}


def status_of(backfill: Answer) -> str:
    return Backfill.objects.get(id=backfill.body["backfill_id"]).status


# --- what a game server is answered


def test_asking_is_answered_at_once_and_asking_again_is_the_same_request(running: Match) -> None:
    first = ask(running)
    assert first.status == 202
    assert first.body == {
        "backfill_id": first.body["backfill_id"],
        "match_id": str(running.id),
        "user_id": "bob",
        "status": "SEARCHING",
    }
    assert ask(running).body == first.body
    assert Backfill.objects.count() == 1


def test_who_is_no_game_server_is_refused(running: Match) -> None:
    assert ask(running, roles=[]).refusal == (403, "forbidden")
    assert ask(running, roles=["staff"]).refusal == (403, "forbidden")


def test_a_match_of_nobody_or_of_another_tenant_is_not_found(running: Match) -> None:
    assert ask("nonsense").refusal == (404, "not_found")
    assert ask(str(Backfill().id)).refusal == (404, "not_found")
    assert ask(running, tenant_id="other").refusal == (404, "not_found")


def test_only_a_player_of_a_running_match_can_be_replaced(running: Match) -> None:
    assert ask(running, "mallory").refusal == (409, "cannot_backfill")
    endings.end_by_staff([running.id], now=database_now())
    assert ask(running).refusal == (409, "cannot_backfill")


# --- somebody comes


def test_the_player_that_comes_is_verified_told_and_then_in_the_running_game(
    running: Match, duel: Pool
) -> None:
    asked = ask(running)
    ticket = queued("cas", duel, waited=5)
    match = told_of_it("cas")
    found = last_told("cas", "match_found")
    (opponent,) = found["opponents"]
    assert (opponent["user_id"], found["game_id"]) == ("ann", running.game_id)
    seat = running.players.get(user_id="bob")
    assert (found["color"], found["team"]) == (seat.color, seat.team)
    assert seats(running)["bob"] == PLAYS, "until the other one is there"
    acknowledge(match, "cas")
    loop.advance()
    ready = last_told("cas", "match_ready")
    assert (ready["game_id"], ready["session_id"]) == (running.game_id, str(running.session_id))
    assert seats(running) == {
        "ann": PLAYS,
        "bob": (False, "replaced"),
        "cas": PLAYS,
    }
    ticket.refresh_from_db()
    assert ticket.status == Ticket.Status.MATCHED
    assert status_of(asked) == "FILLED"
    session = GameSession.objects.get(match_id=running.id)
    left = dict(session.participants.values_list("user_id", "left_reason"))
    assert (left["bob"], left["cas"]) == ("left", "")
    assert session.finished_at is None
    active = Rest("cas").get("/matchmaking/active").body
    assert (active["match"]["match_id"], active["session_id"]) == (str(running.id), str(session.id))
    listed = Rest("cas").get("/matchmaking/matches").body["results"]
    assert [match["match_id"] for match in listed] == [str(running.id)]
    assert Rest("bob").join().status == 201


def test_the_result_is_of_those_who_stayed(running: Match, duel: Pool) -> None:
    ask(running)
    queued("cas", duel, waited=5)
    lead_in("cas")
    server = Rest("server", roles=["game_server"])

    def report(*names: str) -> int:
        scores = [{"user_id": name, "score": rank} for rank, name in enumerate(names)]
        body = {"outcome": scores, "finished_at": "2030-01-01T12:00:00Z"}
        return server.post(f"/matchmaking/matches/{running.id}/result", body).status

    assert report("ann", "bob") == 400
    assert report("ann", "cas") == 200
    running.refresh_from_db()
    assert {c.user_id for c in running.rating_changes.all()} == {"ann", "cas"}


def test_the_one_who_waits_longest_of_those_who_fit_comes(running: Match, duel: Pool) -> None:
    ask(running)
    queued("far", duel, rating=2500, waited=300)
    queued("new", duel, rating=1590, waited=1)
    queued("old", duel, rating=1450, waited=100)
    assert [p.user_id for p in filling().players.all()] == ["old"]


def test_who_never_meets_somebody_there_does_not_come(running: Match, duel: Pool) -> None:
    Block.objects.create(tenant_id="demo", user_id="ann", blocked_id="cas")
    ask(running)
    queued("cas", duel, waited=5)
    loop.advance()
    assert not Match.objects.filter(fills__isnull=False).exists()


def test_who_was_replaced_is_not_brought_back_into_the_same_game(running: Match, duel: Pool) -> None:
    ask(running)
    queued("cas", duel, waited=5)
    lead_in("cas")
    ask(running, "cas")
    queued("bob", duel, waited=5)
    loop.advance()
    assert Backfill.objects.get(user_id="cas").status == "SEARCHING"


# --- the priority of those who wait


@pytest.mark.parametrize(("waited", "is_taken"), [(HEAD_START_SECONDS + 30, False), (1, True)])
def test_nobody_who_has_waited_longer_loses_its_match_to_a_running_one(
    running: Match, duel: Pool, waited: float, is_taken: bool
) -> None:
    for name in ("dan", "eve"):
        queued(name, duel, waited=waited)
    asked = ask(running)
    loop.advance()
    assert status_of(asked) == ("RESERVED" if is_taken else "SEARCHING")
    together = Match.objects.filter(players__user_id="dan").filter(players__user_id="eve")
    assert together.exists() is not is_taken


# --- it fails


def test_who_does_not_answer_is_flagged_and_the_place_is_still_open(running: Match, duel: Pool) -> None:
    asked = ask(running)
    ticket = queued("cas", duel, waited=5)
    match = filling()
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    assert last_told("cas", "match_cancelled")["reason"] == "you_unreachable"
    ticket.refresh_from_db()
    assert ticket.status == Ticket.Status.SEARCHING
    assert ticket.unreachable_since is not None
    assert status_of(asked) == "SEARCHING"
    assert seats(running) == {"ann": PLAYS, "bob": PLAYS}


def test_where_the_game_ends_meanwhile_the_player_is_back_at_its_place(running: Match, duel: Pool) -> None:
    asked = ask(running)
    ticket = queued("cas", duel, waited=5)
    match = told_of_it("cas")
    endings.end_by_staff([running.id], now=database_now())
    acknowledge(match, "cas")
    loop.advance()
    cancelled = last_told("cas", "match_cancelled")
    assert cancelled["reason"] == "opponent_cancelled"
    assert (cancelled["requeued"], cancelled["position"]) == (True, 1)
    queued_at = ticket.queued_at
    ticket.refresh_from_db()
    assert (ticket.status, ticket.queued_at, ticket.unreachable_since) == ("SEARCHING", queued_at, None)
    assert status_of(asked) == "CANCELLED"
    assert "match_ready" not in [event.type for event in told("cas")]


def test_who_leaves_meanwhile_leaves_the_place_open(running: Match, duel: Pool) -> None:
    asked = ask(running)
    ticket = queued("cas", duel, waited=5)
    told_of_it("cas")
    assert Rest("cas").delete(f"/matchmaking/queue/{ticket.id}").status == 200
    assert status_of(asked) == "SEARCHING"


def test_a_worker_that_dies_leaves_nothing_stuck(running: Match, duel: Pool) -> None:
    asked = ask(running)
    ticket = queued("cas", duel, waited=5)
    match = filling()
    Match.objects.filter(id=match.id).update(lease_until=database_now() - timedelta(seconds=1))
    loop.advance()
    ticket.refresh_from_db()
    assert ticket.status == Ticket.Status.SEARCHING or MatchPlayer.objects.filter(is_live=True, user_id="cas")
    assert status_of(asked) in {"SEARCHING", "RESERVED"}
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "internal_error")


def test_who_is_replaced_is_not_held_to_account_and_the_game_goes_by_who_stayed(
    running: Match, duel: Pool
) -> None:
    ask(running)
    queued("cas", duel, waited=5)
    lead_in("cas")
    assert not Absence.objects.exists()
    session = GameSession.objects.get(match_id=running.id)
    arrive(session, "ann", "cas", now=database_now())
    participants.leave(session.id, "ann", now=database_now())
    running.refresh_from_db()
    assert running.status == "FINISHED"
    assert running.result is not None
    assert sorted(running.result["outcome"], key=lambda each: each["user_id"]) == [
        {"user_id": "ann", "score": 0},
        {"user_id": "cas", "score": 1},
    ]
    shown = Rest("ann").get(f"/matchmaking/matches/{running.id}").body["players"]
    assert [player["user_id"] for player in shown] == ["ann", "cas"]


def test_while_another_worker_looks_nobody_counts_as_left_over(
    running: Match, duel: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(running)
    queued("cas", duel, waited=5)
    monkeypatch.setattr(conflicts, "try_pool_lock", lambda _pool_id: False)
    loop.advance()
    assert not Match.objects.filter(fills__isnull=False).exists()
