"""Who is silent for 35 s leaves the queue, out of a match in the making, too; and nobody sooner."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from matchmaking.models import Match, Pool, Ticket
from matchmaking.services import leaving, tickets
from matchmaking.services.sweep import sweep
from realtime.transport import faults, presence
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from realtime.transport.presence_writer import PulseReport
from tests.factories import (
    Told,
    address,
    as_process,
    caller,
    close_socket,
    fall_silent,
    last_heard,
    last_told,
    notified_match,
    open_socket,
    pool,
    queued,
    refresh,
    reserved_match,
    service_is_well,
    told,
)

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

STALE = 35
SLACK = 2  # how slow a machine may be between two lines
SECOND = timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _well(_clean_valkey: None) -> None:
    service_is_well()


@pytest.fixture
def ann(duel: Pool) -> Ticket:
    """Ann has waited for ten minutes less a little, and has just opened her socket."""
    ticket = queued("ann", duel, waited=500)
    open_socket("ann")
    return ticket


@pytest.fixture
def bob(duel: Pool, ann: Ticket) -> Ticket:
    ticket = queued("bob", duel, waited=400)
    open_socket("bob")
    return ticket


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(id=ticket.id)


def statuses(*of: Ticket) -> list[str]:
    return [fresh(ticket).status for ticket in of]


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def swept(process: str = "web-1", *, later: timedelta = timedelta()) -> int:
    """Sweep beside a web process that has told all it knows just now."""
    if process:
        fall_silent(process, seconds_ago=0)
    return sweep(now=database_now() + later)


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return what was logged of one kind."""
    return [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == event]


# --- out of the queue


def test_the_ticket_of_a_silent_player_ends_and_it_is_told_and_logged(
    ann: Ticket, bob: Ticket, caplog: pytest.LogCaptureFixture
) -> None:
    last_heard("ann", seconds_ago=STALE)
    heard_at = presence.heard_at([address("ann")], now=database_now())[address("ann")]
    assert swept() == 1
    ended = fresh(ann)
    assert (ended.status, ended.cancel_reason) == ("CANCELLED", "connection_timeout")
    assert ended.ended_at is not None
    assert told("ann")[1:] == [
        Told("queue_cancelled", {"queue_entry_id": str(ann.id), "reason": "connection_timeout"})
    ]
    (line,) = lines(caplog, "player_stale")
    assert line["level"] == "warning"
    assert (line["user"], line["tenant"], line["ticket"]) == ("ann", "demo", str(ann.id))
    assert line["waited"] == pytest.approx(500, abs=SLACK)
    assert abs((type(heard_at).fromisoformat(line["heard_at"]) - heard_at).total_seconds()) < SLACK
    assert statuses(bob) == ["SEARCHING"]
    assert kinds("bob") == ["queue_joined"]
    assert swept() == 0, "a ticket ends once"
    assert kinds("ann") == ["queue_joined", "queue_cancelled"]


def test_a_player_is_not_stale_before_its_time(ann: Ticket) -> None:
    last_heard("ann", seconds_ago=STALE - SLACK)
    assert swept() == 0
    assert statuses(ann) == ["SEARCHING"]


@pytest.mark.parametrize(("misses", "limit"), [(1, 20), (3, 50)])
def test_the_time_follows_from_the_settings(
    ann: Ticket, settings: Settings, misses: int, limit: float
) -> None:
    settings.MISSED_HEARTBEATS = misses
    last_heard("ann", seconds_ago=limit - SLACK)
    assert swept() == 0
    last_heard("ann", seconds_ago=limit)
    assert swept() == 1


def test_who_joined_by_rest_without_a_socket_is_stale_35_s_after_joining_to_the_microsecond(
    duel: Pool,
) -> None:
    joined_at = queued("ann", duel, is_here=False).queued_at
    fall_silent("web-1", seconds_ago=0)
    assert sweep(now=joined_at + STALE * SECOND - MOMENT) == 0
    assert sweep(now=joined_at + STALE * SECOND) == 1
    assert last_told("ann", "queue_cancelled")["reason"] == "connection_timeout"


def test_who_joins_by_rest_is_not_stale_for_an_old_sign_of_life(duel: Pool) -> None:
    last_heard("ann", seconds_ago=3000)
    ticket = queued("ann", duel, waited=STALE - SLACK, is_here=False)
    assert swept() == 0
    assert statuses(ticket) == ["SEARCHING"]
    Ticket.objects.update(queued_at=F("queued_at") - SLACK * SECOND)
    assert swept() == 1


def test_who_was_heard_from_before_it_joined_has_the_whole_time_from_joining(duel: Pool) -> None:
    last_heard("ann", seconds_ago=40)
    queued("ann", duel, waited=10)
    assert swept() == 0


def test_a_sign_of_life_on_any_connection_counts_for_all(ann: Ticket) -> None:
    open_socket("ann", "phone")
    last_heard("ann", seconds_ago=100)
    dead = PulseReport(
        address=address("ann"), connection_id="socket-of-ann", ping_age=6, pong_age=100, missed=2
    )
    as_process("web-1", lambda web: web.refresh({address("ann"): 1.0}, [dead]))
    assert swept() == 0
    last_heard("ann", seconds_ago=STALE)
    assert swept() == 1


def test_a_closed_socket_ends_no_ticket_and_gives_no_more_time(ann: Ticket) -> None:
    last_heard("ann", seconds_ago=STALE - SLACK)
    close_socket("ann")
    assert swept() == 0
    last_heard("ann", seconds_ago=STALE)
    assert swept() == 1


def test_the_same_user_id_of_another_tenant_is_somebody_else(ann: Ticket) -> None:
    other = pool("duel", tenant_id="other")
    theirs = queued("ann", other, waited=100)
    assert swept() == 1
    assert statuses(ann, theirs) == ["SEARCHING", "CANCELLED"]


def test_six_hundred_who_are_stale_at_once_all_leave(duel: Pool) -> None:
    now = database_now()
    Ticket.objects.bulk_create(
        Ticket(
            tenant_id="demo",
            user_id=f"user-{n}",
            display_name="Somebody",
            pool=duel,
            queued_at=now - 100 * SECOND,
            age_from=now - 100 * SECOND,
            rating=1500,
        )
        for n in range(600)
    )
    assert tickets.TICKETS_PER_TRANSACTION < 600
    assert swept() == 600
    assert not Ticket.objects.filter(status__in=Ticket.LIVE).exists()
    assert {kinds(f"user-{n}")[0] for n in range(600)} == {"queue_cancelled"}


def test_somebody_who_leaves_while_it_is_swept_is_told_the_reason_of_its_own(
    ann: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_heard("ann", seconds_ago=STALE)
    end = tickets.end_searching

    def leave_first(*args: Any, **kwargs: Any) -> list[Ticket]:
        monkeypatch.undo()
        leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
        return end(*args, **kwargs)

    monkeypatch.setattr(tickets, "end_searching", leave_first)
    swept()
    assert fresh(ann).cancel_reason == "user_request"
    assert kinds("ann") == ["queue_joined", "queue_cancelled"]


# --- out of a match in the making


@pytest.mark.parametrize("stage", ["verifying", "notifying"])
def test_the_match_of_a_stale_player_is_taken_back_and_its_opponent_keeps_its_place(
    ann: Ticket, bob: Ticket, stage: str
) -> None:
    match = (reserved_match if stage == "verifying" else notified_match)("ann", "bob")
    refresh("web-1", "bob")
    last_heard("ann", seconds_ago=STALE)
    assert swept() == 1
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "unreachable")
    assert (fresh(ann).status, fresh(ann).cancel_reason) == ("CANCELLED", "connection_timeout")
    assert kinds("ann")[-2:] == ["match_cancelled", "queue_cancelled"]
    assert [e.data["reason"] for e in told("ann")[-2:]] == ["you_unreachable", "connection_timeout"]
    after = fresh(bob)
    assert (after.status, after.queued_at, after.unreachable_since) == ("SEARCHING", bob.queued_at, None)
    assert last_told("bob", "match_cancelled") == {
        "match_id": str(match.id),
        "reason": "opponent_unreachable",
        "requeued": True,
        "queue_entry_id": str(bob.id),
        "position": 2,
    }


def test_two_stale_players_of_one_match_are_both_told_that_they_were_unreachable(
    ann: Ticket, bob: Ticket
) -> None:
    reserved_match("ann", "bob")
    for name in ("ann", "bob"):
        last_heard(name, seconds_ago=STALE)
    assert swept() == 2
    assert statuses(ann, bob) == ["CANCELLED", "CANCELLED"]
    for name in ("ann", "bob"):
        assert [e.data["reason"] for e in told(name)[-2:]] == ["you_unreachable", "connection_timeout"]
    assert Match.objects.get().status == "CANCELLED"


def test_a_match_that_is_confirmed_while_it_is_swept_stays(
    ann: Ticket, bob: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = reserved_match("ann", "bob")
    last_heard("ann", seconds_ago=STALE)
    bereft = faults.bereft_at

    def confirmed_meanwhile(*args: Any, **kwargs: Any) -> Any:
        Match.objects.filter(id=match.id).update(status="CONFIRMED", stage="done")
        Ticket.objects.update(status="MATCHED")
        return bereft(*args, **kwargs)

    monkeypatch.setattr(faults, "bereft_at", confirmed_meanwhile)
    swept()
    match.refresh_from_db()
    assert match.status == "CONFIRMED"
    assert statuses(ann, bob) == ["MATCHED", "MATCHED"]
