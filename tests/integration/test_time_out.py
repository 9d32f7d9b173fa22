"""A ticket that has searched for ten minutes times out, unless it is just being matched."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F
from pytest_django import Settings

from matchmaking.models import Match, Pool, Ticket
from matchmaking.services import loop, tickets
from realtime.transport.database import database_now
from realtime.transport.events import Outgoing
from tests.factories import (
    Told,
    answer_ping,
    hear_from,
    last_told,
    let_pass,
    pool,
    queued,
    reserved_match,
    told,
)

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

LIMIT = 600
SLACK = 2  # how slow a machine may be between two lines


@pytest.fixture
def ann(duel: Pool) -> Ticket:
    """Ann has waited for as long as one may."""
    return queued("ann", duel, waited=LIMIT)


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(id=ticket.id)


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def test_who_has_searched_for_ten_minutes_is_told_that_the_time_is_over(ann: Ticket) -> None:
    loop.tick()
    ended = fresh(ann)
    assert (ended.status, ended.cancel_reason) == ("TIMED_OUT", "timed_out")
    assert ended.ended_at is not None
    assert told("ann")[1:] == [
        Told("queue_cancelled", {"queue_entry_id": str(ann.id), "reason": "timed_out"})
    ]
    loop.tick()
    assert kinds("ann") == ["queue_joined", "queue_cancelled"], "once"


def test_nobody_times_out_sooner_not_by_a_microsecond(duel: Pool) -> None:
    ticket = queued("ann", duel)
    over = ticket.queued_at + timedelta(seconds=LIMIT)
    assert tickets.time_out(duel.id, now=over - timedelta(microseconds=1)) == 0
    assert tickets.time_out(duel.id, now=over) == 1


def test_the_limit_is_a_setting(duel: Pool, settings: Settings) -> None:
    settings.MAX_QUEUE_SECONDS = 30
    short, long = queued("ann", duel, waited=30 - SLACK), queued("far", duel, waited=30, rating=9000)
    loop.tick()
    assert [fresh(ticket).status for ticket in (short, long)] == ["SEARCHING", "TIMED_OUT"]


def test_a_reserved_ticket_stays_until_it_is_back(ann: Ticket, duel: Pool) -> None:
    Ticket.objects.update(queued_at=F("queued_at") + timedelta(seconds=300))
    bob = queued("bob", duel, waited=1)
    match = reserved_match("ann", "bob")
    Ticket.objects.filter(id=ann.id).update(queued_at=F("queued_at") - timedelta(seconds=300))
    loop.tick()
    assert fresh(ann).status == "RESERVED"
    answer_ping(match, "ann", seconds_ago=settings.HEALTH_CHECK_SECONDS)
    let_pass(match, settings.HEALTH_CHECK_SECONDS + 1)
    loop.advance()
    hear_from("ann")
    loop.tick()
    assert (fresh(ann).status, fresh(bob).status) == ("TIMED_OUT", "SEARCHING")
    assert kinds("ann")[-2:] == ["match_cancelled", "queue_cancelled"]
    assert Match.objects.count() == 1


def test_a_head_start_in_the_age_order_is_no_time_waited(duel: Pool) -> None:
    favoured = queued("ann", duel, waited=LIMIT - 100, priority=600)
    assert favoured.age_from < database_now() - timedelta(seconds=LIMIT)
    loop.tick()
    assert fresh(favoured).status == "SEARCHING"
    Ticket.objects.update(queued_at=F("queued_at") - timedelta(seconds=100))
    loop.tick()
    assert fresh(favoured).status == "TIMED_OUT"


def test_who_times_out_does_so_in_its_own_pool_alone(ann: Ticket) -> None:
    assert tickets.time_out(pool("blitz").id, now=database_now()) == 0
    assert fresh(ann).status == "SEARCHING"


def test_a_pool_that_fails_stops_no_others_time_outs(ann: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    queued("mallory", pool("aaa"), waited=LIMIT)
    queued("trudy", pool("zzz"), waited=LIMIT)
    event_of = tickets.cancelled_event

    def broken(ticket: Ticket, **members: object) -> Outgoing:
        if ticket.user_id != "ann":
            raise ValueError("broken on purpose")
        return event_of(ticket)

    monkeypatch.setattr(tickets, "cancelled_event", broken)
    loop.tick()
    assert fresh(ann).status == "TIMED_OUT"
    assert dict(Ticket.objects.exclude(id=ann.id).values_list("user_id", "status")) == {
        "mallory": "SEARCHING",
        "trudy": "SEARCHING",
    }
    assert kinds("mallory") == ["queue_joined"]


def test_more_than_a_transaction_holds_time_out_a_tick_later(duel: Pool) -> None:
    before = database_now() - timedelta(seconds=LIMIT)
    Ticket.objects.bulk_create(
        Ticket(
            tenant_id="demo",
            user_id=f"user-{n}",
            display_name="Somebody",
            pool=duel,
            queued_at=before,
            age_from=before,
            rating=1500,
            unreachable_since=before,
        )
        for n in range(tickets.TICKETS_PER_TRANSACTION + 10)
    )
    loop.tick()
    loop.tick()
    assert not Ticket.objects.exclude(status="TIMED_OUT").exists()
    assert last_told("user-0", "queue_cancelled")["reason"] == "timed_out"
