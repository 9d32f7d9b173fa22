"""The ready check: all accept in time and the match is confirmed, or who did not loses its ticket alone."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from matchmaking.domain.matches import Cause, Stage
from matchmaking.models import Absence, Match, Pool, Ticket
from matchmaking.services import loop
from matchmaking.services.rollback import Failure, roll_back_all
from realtime.transport.database import database_now
from tests.factories import (
    Rest,
    acknowledge,
    confirmed_match,
    connect,
    last_told,
    let_pass,
    notified_match,
    queued,
    reserved_match,
    told,
)
from tests.integration.conftest import Pushes
from tests.integration.threads import together

pytestmark = pytest.mark.django_db(transaction=True)
ACCEPT_SECONDS = 20.0


@pytest.fixture
def pool(duel: Pool) -> Pool:
    duel.accept_seconds = ACCEPT_SECONDS
    duel.save()
    return duel


@pytest.fixture
def match(pool: Pool) -> Match:
    """Ann has waited for longer than Bob, Cas for less than both; Ann and Bob are told of a match."""
    queued("ann", pool, waited=30)
    queued("bob", pool, waited=20)
    return notified_match("ann", "bob")


@pytest.fixture
def waiting(match: Match) -> Match:
    """Both have acknowledged, and nobody has accepted."""
    acknowledge(match, "ann", "bob")
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.stage) == ("AWAITING_ACCEPTANCE", Stage.ACCEPTING)
    return match


def answer(name: str, match: Match, what: str = "accept") -> tuple[int, str]:
    got = Rest(name).post(f"/matchmaking/matches/{match.id}/{what}", None)
    return (got.status, got.body.get("code", got.body.get("status")))


def now_of(match: Match) -> str:
    loop.advance()
    match.refresh_from_db()
    return match.status


def ticket(name: str) -> Ticket:
    return Ticket.objects.filter(user_id=name).latest("id")


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


# --- all accept


def test_who_is_told_of_the_match_is_told_how_long_it_may_take(match: Match) -> None:
    assert last_told("ann", "match_found")["accept_within_ms"] == 20_000
    assert Rest("ann").get("/matchmaking/pools").body["results"][0]["accept_seconds"] == ACCEPT_SECONDS


def test_without_a_ready_check_nobody_is_asked(duel: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    match = notified_match("ann", "bob")
    assert "accept_within_ms" not in last_told("ann", "match_found")
    assert answer("ann", match) == (409, "not_awaiting_acceptance")
    acknowledge(match, "ann", "bob")
    assert now_of(match) == "CONFIRMED"


def test_it_is_confirmed_once_all_have_accepted(waiting: Match) -> None:
    assert answer("ann", waiting) == (200, "AWAITING_ACCEPTANCE")
    assert now_of(waiting) == "AWAITING_ACCEPTANCE"
    assert answer("bob", waiting)[0] == 200
    assert now_of(waiting) == "CONFIRMED"
    assert ticket("ann").status == ticket("bob").status == "MATCHED"
    assert waiting.players.filter(acknowledged_at=None).count() == 0
    assert kinds("ann")[-1] == "match_ready"


def test_accepting_counts_from_match_found_on_and_implies_the_acknowledgement(match: Match) -> None:
    assert answer("ann", match)[0] == 200
    assert answer("bob", match)[0] == 200
    assert now_of(match) == "CONFIRMED"
    assert match.players.filter(acknowledged_at=None).count() == 0


def test_who_has_acknowledged_and_who_has_accepted_wait_together(match: Match) -> None:
    answer("ann", match)
    acknowledge(match, "bob")
    assert now_of(match) == "AWAITING_ACCEPTANCE"
    answer("bob", match)
    assert now_of(match) == "CONFIRMED"


def test_accepting_twice_is_accepting_once(waiting: Match) -> None:
    answer("ann", waiting)
    at = waiting.players.get(user_id="ann").accepted_at
    assert answer("ann", waiting)[0] == 200
    assert waiting.players.get(user_id="ann").accepted_at == at


def test_all_hear_how_many_have_accepted(waiting: Match, pushes: Pushes) -> None:
    pushes.new()
    answer("bob", waiting)
    counted = [push for push in pushes.new() if "match_acceptance" in str(push)]
    assert {name for name in ("ann", "bob") if f"player:demo:{name}" in str(counted)} == {"ann", "bob"}
    assert '\\"accepted\\":1,\\"needed\\":2' in str(counted) or '"accepted":1,"needed":2' in str(counted)


def test_while_it_waits_it_is_in_what_one_is_in(waiting: Match) -> None:
    assert Rest("ann").get("/matchmaking/active").body["match"]["status"] == "AWAITING_ACCEPTANCE"


# --- somebody does not


def test_who_declines_loses_the_ticket_and_the_other_one_is_back_at_its_place(waiting: Match) -> None:
    before = ticket("ann").queued_at
    assert answer("bob", waiting, "decline") == (200, "CANCELLED")
    assert (ticket("bob").status, ticket("bob").cancel_reason) == ("CANCELLED", "declined")
    assert kinds("bob")[-2:] == ["match_cancelled", "queue_cancelled"]
    cancelled, ended = (event.data for event in told("bob")[-2:])
    assert (cancelled["reason"], cancelled["requeued"]) == ("you_declined", False)
    assert ended["reason"] == "declined"
    assert (ticket("ann").status, ticket("ann").queued_at) == ("SEARCHING", before)
    back = last_told("ann", "match_cancelled")
    assert (back["reason"], back["requeued"], back["position"]) == ("opponent_declined", True, 1)
    waiting.refresh_from_db()
    assert (waiting.cancel_reason, waiting.game_cancel_due) == ("declined", True)
    assert not Absence.objects.exists()


def test_declining_is_possible_before_the_acknowledgements_and_after_having_accepted(match: Match) -> None:
    answer("bob", match)
    assert answer("bob", match, "decline") == (200, "CANCELLED")
    assert ticket("bob").cancel_reason == "declined"


def test_who_lets_the_time_run_out_has_declined_and_that_is_noted(waiting: Match) -> None:
    answer("ann", waiting)
    connect("bob")
    let_pass(waiting, ACCEPT_SECONDS - 1)
    assert now_of(waiting) == "AWAITING_ACCEPTANCE"
    let_pass(waiting, 1.5)
    assert answer("bob", waiting) == (409, "not_awaiting_acceptance"), "too late"
    assert now_of(waiting) == "CANCELLED"
    assert (ticket("bob").cancel_reason, ticket("ann").status) == ("declined", "SEARCHING")
    assert [(a.user_id, a.kind) for a in Absence.objects.all()] == [("bob", "not_accepted")]


def test_who_leaves_the_queue_leaves_the_match(waiting: Match) -> None:
    assert Rest("bob").delete(f"/matchmaking/queue/{ticket('bob').id}").status == 200
    assert last_told("bob", "queue_cancelled")["reason"] == "user_request"
    assert last_told("ann", "match_cancelled")["reason"] == "opponent_cancelled"
    assert ticket("ann").status == "SEARCHING"


def test_a_missing_acknowledgement_is_no_decline(match: Match) -> None:
    answer("ann", match)
    late = settings.ACK_SECONDS + 1
    match.players.filter(user_id="ann").update(accepted_at=F("accepted_at") - timedelta(seconds=late))
    let_pass(match, late)
    assert now_of(match) == "CANCELLED"
    assert match.cancel_reason == "delivery_failed"
    assert ticket("bob").status == "SEARCHING"


def test_a_worker_that_dies_leaves_nothing_stuck(waiting: Match) -> None:
    Match.objects.filter(id=waiting.id).update(lease_until=database_now() - timedelta(seconds=1))
    assert now_of(waiting) == "CANCELLED"
    assert waiting.cancel_reason == "internal_error"
    assert {ticket("ann").status, ticket("bob").status} <= {"SEARCHING", "RESERVED"}, "matched anew, perhaps"


def test_accepting_and_declining_at_once_have_one_end(waiting: Match) -> None:
    answer("ann", waiting)
    together(lambda: answer("bob", waiting), lambda: answer("bob", waiting, "decline"), loop.advance)
    status = now_of(waiting)
    assert status in {"CONFIRMED", "CANCELLED"}
    assert ticket("ann").status == ("MATCHED" if status == "CONFIRMED" else "SEARCHING")
    assert ticket("bob").status == ("MATCHED" if status == "CONFIRMED" else "CANCELLED")


# --- refusals


@pytest.mark.parametrize("what", ["accept", "decline"])
def test_a_match_of_others_or_of_nobody_is_not_found(waiting: Match, what: str) -> None:
    assert answer("mallory", waiting, what) == (404, "not_found")
    stranger = Rest("ann", tenant_id="other")
    assert stranger.post(f"/matchmaking/matches/{waiting.id}/{what}", None).refusal == (404, "not_found")
    assert Rest("ann").post(f"/matchmaking/matches/nonsense/{what}", None).refusal == (404, "not_found")


@pytest.mark.parametrize("what", ["accept", "decline"])
def test_before_match_found_and_after_the_end_nothing_is_awaited(pool: Pool, what: str) -> None:
    for name in ("ann", "bob"):
        queued(name, pool)
    early = reserved_match("ann", "bob")
    assert answer("ann", early, what) == (409, "not_awaiting_acceptance")
    Match.objects.filter(id=early.id).update(lease_until=database_now() - timedelta(seconds=1))
    assert now_of(early) == "CANCELLED"
    assert answer("ann", early, what) == (409, "not_awaiting_acceptance")


def test_a_confirmed_match_is_not_declined_any_more(duel: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    match = confirmed_match("ann", "bob")
    Match.objects.filter(id=match.id).update(accept_seconds=20)
    assert answer("ann", match, "decline") == (409, "not_awaiting_acceptance")


def test_who_has_accepted_in_time_is_not_put_out_by_somebody_who_had_looked_before(waiting: Match) -> None:
    answer("bob", waiting)
    seen = Failure(Cause.DECLINED, frozenset({"bob"}), Stage.ACCEPTING)
    assert roll_back_all({waiting.id: seen}, now=database_now()) == []
    answer("ann", waiting)
    assert now_of(waiting) == "CONFIRMED"
