"""One live ticket, one live match: whoever comes at the same time, on connections of their own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Count

from matchmaking.domain.errors import ActiveGameExists, AlreadyInQueue, CannotCancel
from matchmaking.domain.matches import Cause
from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.services import endings, leaving, loop, matches, tickets
from matchmaking.services.rollback import Failure, roll_back
from realtime.models import Event, GameSession
from realtime.protocol.messages import JoinQueueData
from realtime.transport.database import database_now, violated_constraint
from realtime.transport.events import NO_ORIGIN, Origin
from tests.factories import (
    acknowledge,
    all_heard,
    answer_ping,
    caller,
    confirmed_match,
    notified_match,
    pool,
    queued,
    reserved_match,
    told,
)
from tests.integration.threads import raised, together

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

ROUNDS = 5


def join(name: str) -> object:
    here = Origin(f"socket-of-{name}")
    return tickets.join(caller(name), JoinQueueData(pool_key="duel"), origin=here, now=database_now())


def leave(name: str) -> object:
    return leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def assert_one_at_most() -> None:
    """Check I1, and that nobody has a live ticket beside a live match that is not the ticket's own."""
    per_user = Ticket.objects.filter(status__in=Ticket.LIVE).values("user_id").annotate(n=Count("id"))
    assert not per_user.filter(n__gt=1).exists()
    seats = MatchPlayer.objects.filter(is_live=True)
    assert not seats.values("user_id").annotate(n=Count("id")).filter(n__gt=1).exists()
    for ticket in Ticket.objects.filter(status__in=Ticket.LIVE):
        playing = seats.filter(user_id=ticket.user_id)
        assert {seat.match_id for seat in playing} == ({ticket.match_id} - {None}), "a ticket beside a match"
    for match in Match.objects.filter(status__in=["PROPOSED", "CONFIRMED"]):
        assert match.players.filter(is_live=True).count() == 2


def assert_every_ticket_ended_once() -> None:
    """Check I3 by what players were told: as many ends as tickets that have ended."""
    for name in set(Ticket.objects.values_list("user_id", flat=True)):
        ended = Ticket.objects.filter(user_id=name).exclude(status__in=Ticket.LIVE)
        ends = [event for event in told(name) if event.type in {"queue_cancelled", "match_ready"}]
        assert len(ends) == ended.count()


def test_twenty_joins_of_one_user_make_one_ticket(duel: Pool) -> None:
    results = together(*[partial(join, "ann")] * 20)
    ticket = Ticket.objects.get()
    assert raised(results, AlreadyInQueue) == 19
    refusals = [result for result in results if isinstance(result, AlreadyInQueue)]
    assert all(refusal.members["queue_entry_id"] == str(ticket.id) for refusal in refusals)
    assert [event.type for event in told("ann")] == ["queue_joined"]


def test_joins_of_many_users_do_not_hinder_each_other(duel: Pool) -> None:
    results = together(*[partial(join, f"player-{n}") for n in range(20)])
    assert raised(results, Exception) == 0
    assert Ticket.objects.filter(status="SEARCHING").count() == 20


def test_a_join_that_races_a_leave_finds_room_or_is_refused(duel: Pool) -> None:
    for _ in range(ROUNDS):
        join("ann")
        joined, left = together(partial(join, "ann"), partial(leave, "ann"))
        assert not isinstance(left, Exception)
        assert not isinstance(joined, Exception) or isinstance(joined, AlreadyInQueue)
        assert_one_at_most()
        assert_every_ticket_ended_once()
        if not isinstance(joined, Exception):
            leave("ann")


def test_many_leaves_at_once_end_a_ticket_once(duel: Pool) -> None:
    ticket = str(queued("ann", duel).id)
    results = together(
        *[lambda: leaving.leave(caller("ann"), ticket, origin=NO_ORIGIN, now=database_now())] * 8
    )
    assert raised(results, CannotCancel) == 7
    assert [event.type for event in told("ann")] == ["queue_joined", "queue_cancelled"]


def test_many_leaves_at_once_of_both_players_take_a_match_back_once(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    reserved_match("ann", "bob")
    results = together(*[partial(leave, "ann"), partial(leave, "bob")])
    assert raised(results, Exception) == 0
    assert set(Ticket.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert_one_at_most()
    assert_every_ticket_ended_once()
    assert sum(event.type == "match_cancelled" for name in ("ann", "bob") for event in told(name)) == 1


def test_a_join_that_races_the_confirmation_never_makes_a_ticket_beside_a_match(duel: Pool) -> None:
    for _ in range(ROUNDS):
        queued("ann", duel)
        queued("bob", duel)
        match = notified_match("ann", "bob")
        works: list[Callable[[], Any]] = [partial(join, "ann")] * 3
        works.append(lambda m=match: matches.confirm(all_heard(m), now=database_now()))  # type: ignore[misc]
        *joined, confirmed = together(*works)
        assert confirmed == [match.id]
        assert raised(joined, AlreadyInQueue) + raised(joined, ActiveGameExists) == 3, joined
        assert_one_at_most()
        endings.finish(match.id, None, database_now())


def test_a_leave_that_races_the_confirmation_wins_or_loses_whole(duel: Pool) -> None:
    for _ in range(ROUNDS):
        queued("ann", duel)
        queued("bob", duel)
        match = notified_match("ann", "bob")
        confirm = partial(matches.confirm, all_heard(match), now=database_now())
        left, _ = together(partial(leave, "ann"), confirm)
        match.refresh_from_db()
        assert match.status == ("CONFIRMED" if isinstance(left, Exception) else "CANCELLED"), left
        assert_one_at_most()
        assert_every_ticket_ended_once()
        endings.finish(match.id, None, database_now())
        Ticket.objects.filter(status__in=Ticket.LIVE).delete()


def test_a_leave_that_races_a_roll_back_ends_the_ticket_once_and_frees_the_other(duel: Pool) -> None:
    for _ in range(ROUNDS):
        queued("ann", duel)
        bob = queued("bob", duel)
        match = reserved_match("ann", "bob")
        failure = Failure(Cause.UNREACHABLE, frozenset({"ann"}))
        left, _ = together(partial(leave, "ann"), partial(roll_back, match.id, failure, now=database_now()))
        assert not isinstance(left, Exception), left
        bob.refresh_from_db()
        assert bob.status == "SEARCHING"
        assert_one_at_most()
        assert_every_ticket_ended_once()
        assert sum(event.type == "match_cancelled" for event in told("bob")) == 1
        for model in (Ticket, MatchPlayer, Event):
            model.objects.all().delete()


def test_two_loops_at_once_never_put_a_ticket_into_two_matches(duel: Pool) -> None:
    for n in range(12):
        queued(f"player-{n}", duel)
    assert raised(together(*[partial(loop.advance_pool, duel.id)] * 4), Exception) == 0
    loop.advance()
    assert Match.objects.count() == 6
    assert Ticket.objects.filter(status="RESERVED").count() == 12
    assert_one_at_most()


def test_the_same_pairs_reserved_twice_at_once_are_reserved_once(duel: Pool) -> None:
    made = [queued(f"player-{n}", duel).id for n in range(6)]
    straight = [((a,), (b,)) for a, b in zip(made[::2], made[1::2], strict=True)]
    crossed = [((made[0],), (made[3],)), ((made[2],), (made[1],)), ((made[4],), (made[5],))]
    works = [
        partial(matches.reserve, duel, pairs, now=database_now(), rng=loop._rng)
        for pairs in (straight, crossed, straight[::-1])
    ]
    assert raised(together(*works), Exception) == 0
    assert_one_at_most()
    assert set(Ticket.objects.values_list("status", flat=True)) == {"RESERVED"}


def test_two_confirmations_at_once_confirm_once(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = notified_match("ann", "bob")
    results = together(*[partial(matches.confirm, all_heard(match), now=database_now())] * 4)
    assert sorted(map(str, results)) == sorted([str([match.id]), "[]", "[]", "[]"])
    assert [event.type for event in told("ann")].count("match_ready") == 1
    assert GameSession.objects.get().finished_at is None


def test_four_loops_at_once_lead_every_pair_to_exactly_one_confirmed_match(duel: Pool) -> None:
    names = [f"player-{n}" for n in range(8)]
    for name in names:
        queued(name, duel)
    together(*[loop.tick] * 4)
    for match in Match.objects.all():
        answer_ping(match, *names)
    assert raised(together(*[partial(loop.advance_pool, duel.id)] * 4), Exception) == 0
    loop.advance()
    for match in Match.objects.all():
        acknowledge(match, *names)
    assert raised(together(*[partial(loop.advance_pool, duel.id)] * 4), Exception) == 0
    loop.advance()
    assert set(Match.objects.values_list("status", flat=True)) == {"CONFIRMED"}
    assert Match.objects.count() == GameSession.objects.count() == 4
    for name in names:
        assert [event.type for event in told(name)] == ["queue_joined", "match_found", "match_ready"]
    assert_one_at_most()


# --- the database itself


def violated(work: Callable[[], object]) -> str | None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        work()
    return violated_constraint(caught.value)


def test_the_database_refuses_a_second_live_ticket(duel: Pool) -> None:
    ann = queued("ann", duel)
    second = Ticket(
        tenant_id="demo",
        user_id="ann",
        pool=pool("blitz"),
        queued_at=ann.queued_at,
        age_from=ann.age_from,
        rating=1,
    )
    assert violated(second.save) == "one_live_ticket_per_player"
    second.status = "CANCELLED"
    second.save()
    second.status = "SEARCHING"
    assert violated(second.save) == "one_live_ticket_per_player"


def test_the_database_refuses_a_second_live_match_and_a_second_seat(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    confirmed_match("ann", "bob")
    queued("cat", duel)
    queued("dan", duel)
    match = reserved_match("cat", "dan")
    seat = MatchPlayer(
        match=match, tenant_id="demo", user_id="ann", display_name="Ann", rating=1, team=1, nonce=""
    )
    assert violated(seat.save) == "one_live_match_per_player"
    seat.is_live = False
    seat.save()
    seat.pk = None
    assert violated(partial(seat.save, force_insert=True)) == "player_once_per_match"


def test_the_database_refuses_a_reserved_ticket_without_a_match(duel: Pool) -> None:
    ann = queued("ann", duel)
    rows = Ticket.objects.filter(id=ann.id)
    assert violated(lambda: rows.update(status="RESERVED")) == "reserved_ticket_has_match"


def test_the_database_refuses_a_pool_key_twice_in_a_tenant(duel: Pool) -> None:
    assert violated(pool) == "pool_key_once_per_tenant"
    assert pool(tenant_id="acme").key == "duel"
