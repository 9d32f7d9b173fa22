"""All the rules of a pool, from the join to the match: who meets whom, and who never does."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from django.db import DataError, transaction
from django.db.models import F

from matchmaking import tasks
from matchmaking.domain.pool_rules import NOT_PLAYABLE, REGION_SLOTS
from matchmaking.models import Block, Conflict, Match, MatchPlayer, Pool, Region, Ticket
from matchmaking.services import columns, conflicts, endings, leaving, loop, matches, pairs, preferences
from matchmaking.services.wishes import MOST_MS, region_row
from realtime.protocol.parts import Preferences
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.factories import Rest, caller, confirmed_match, pool, queued
from tests.integration.threads import raised, together

pytestmark = pytest.mark.django_db

on_connections_of_their_own = pytest.mark.django_db(
    transaction=True, available_apps=["matchmaking", "realtime"]
)

ROUNDS = 5
HELD_SECONDS = 0.3
"""For so long a transaction stays open beside another that must wait for it."""


def meetings() -> list[set[str]]:
    """Look once; return who has met so far."""
    loop.advance()
    return [
        set(match.players.values_list("user_id", flat=True)) for match in Match.objects.order_by("created_at")
    ]


def likes(name: str, tenant_id: str = "demo", **wanted: list[str]) -> None:
    preferences.put(caller(name, tenant_id=tenant_id), Preferences(**wanted))


def leave(name: str) -> None:
    leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def let_wait(seconds: float, *names: str) -> None:
    wait = timedelta(seconds=seconds)
    rows = Ticket.objects.filter(user_id__in=names, status__in=Ticket.LIVE)
    rows.update(queued_at=F("queued_at") - wait, age_from=F("age_from") - wait)


# --- regions


@pytest.mark.parametrize(
    ("ann", "bob", "meet"),
    [
        (["eu"], ["eu"], True),
        (["eu"], ["us"], False),
        (["eu", "us"], ["asia", "us"], True),
        ([], ["us"], True),
        ([], [], True),
    ],
)
def test_two_meet_in_a_region_that_both_name_and_who_names_none_plays_anywhere(
    duel: Pool, ann: list[str], bob: list[str], meet: bool
) -> None:
    queued("ann", duel, waited=100, regions=ann)
    queued("bob", duel, waited=100, regions=bob)
    assert meetings() == ([{"ann", "bob"}] if meet else [])


@pytest.mark.parametrize(("latency", "waited", "meet"), [(80, 0, True), (100, 5, False), (100, 10, True)])
def test_a_region_opens_once_the_wait_allows_its_latency(
    duel: Pool, latency: float, waited: float, meet: bool
) -> None:
    queued("ann", duel, waited=waited, latencies={"eu": latency})
    queued("bob", duel, regions=["eu"])
    assert meetings() == ([{"ann", "bob"}] if meet else [])


def test_a_latency_counts_for_both(duel: Pool) -> None:
    queued("ann", duel, waited=100, latencies={"eu": 100})
    queued("bob", duel, latencies={"eu": 100})
    assert meetings() == []
    let_wait(10, "bob")
    assert meetings() == [{"ann", "bob"}]


def test_a_region_never_opens_beyond_the_cap_of_its_pool() -> None:
    capped = pool(latency_cap_ms=90)
    queued("ann", capped, waited=500, latencies={"eu": 91})
    queued("bob", capped, waited=500, regions=["eu"])
    assert meetings() == []


def test_who_names_regions_plays_in_no_other_that_it_has_measured(duel: Pool) -> None:
    queued("ann", duel, regions=["eu"], latencies={"eu": 10, "us": 10})
    queued("bob", duel, regions=["us"])
    assert meetings() == []
    queued("cat", duel, latencies={"us": 10})
    assert meetings() == [{"bob", "cat"}]


def test_a_region_is_what_its_pool_calls_so(duel: Pool) -> None:
    """The slots of two pools have nothing to do with each other."""
    blitz = pool("blitz")
    queued("ann", blitz, regions=["us"])
    queued("bob", blitz, regions=["eu"])
    queued("cat", duel, regions=["eu"])
    queued("dan", duel, regions=["us"])
    queued("eve", duel, regions=["us"])
    assert meetings() == [{"dan", "eve"}]


def test_without_regions_a_join_takes_those_of_the_preferences(duel: Pool) -> None:
    likes("ann", regions=["eu"])
    likes("bob", regions=["us"])
    queued("ann", duel)
    queued("bob", duel)
    assert Ticket.objects.get(user_id="ann").regions == ["eu"]
    assert meetings() == []
    queued("cat", duel, regions=["us"])
    assert meetings() == [{"bob", "cat"}]


def test_the_regions_of_a_join_go_before_the_preferences(duel: Pool) -> None:
    likes("ann", regions=["eu"])
    queued("ann", duel, regions=["us"])
    queued("bob", duel, regions=["us"])
    assert meetings() == [{"ann", "bob"}]


def test_the_preferences_of_another_tenant_are_somebody_elses(duel: Pool) -> None:
    likes("ann", "acme", regions=["mars"])
    assert queued("ann", duel).latencies_ms is None


def test_more_regions_than_slots_share_them_and_equal_names_always_meet(duel: Pool) -> None:
    names = [f"region-{n}" for n in range(96)]
    for n in range(3):
        queued(f"all-{n}", duel, rating=5000 * (n + 1), regions=names[32 * n : 32 * n + 32])
    assert sorted(Region.objects.values_list("slot", flat=True)) == list(range(64))
    queued("ann", duel, regions=["region-70"])
    queued("bob", duel, regions=["region-71"])
    assert meetings() == []
    queued("cat", duel, regions=["region-71"])
    assert meetings() == [{"bob", "cat"}]
    queued("dan", duel, regions=[names[crc32(b"region-70") % 64]])
    assert {"ann", "dan"} in meetings(), "decided too kindly, never too harshly"


def test_a_join_that_is_refused_leaves_no_region_behind(duel: Pool) -> None:
    queued("ann", duel)
    assert Rest("ann").join(regions=["nowhere"]).refusal == (409, "already_in_queue")
    assert not Region.objects.exists()


def test_a_latency_beyond_what_a_slot_holds_is_a_very_long_one(duel: Pool) -> None:
    row = region_row(duel, [], {"eu": 100_000, "us": 32_768, "asia": 80.4, "mars": 0})
    assert row is not None
    assert np.frombuffer(row, "<i2").tolist() == [MOST_MS, MOST_MS, 80, 0] + [NOT_PLAYABLE] * 60


@on_connections_of_their_own
def test_regions_that_are_named_at_once_for_the_first_time_get_slots_of_their_own(duel: Pool) -> None:
    names = [f"region-{n}" for n in range(8)]
    results = together(*[partial(region_row, duel, [name, "eu"], {}) for name in names])
    assert raised(results, Exception) == 0
    assert sorted(duel.regions.values_list("slot", flat=True)) == list(range(9))


# --- modes


@pytest.mark.parametrize(
    ("ann", "bob", "mode"),
    [
        ([], [], "duel"),
        (["blitz"], [], "blitz"),
        (["blitz", "hill"], ["hill"], "hill"),
        (["hill", "blitz"], ["hill", "blitz"], "blitz"),
        (["duel", "hill"], ["hill", "duel"], "duel"),
        (["blitz"], ["hill"], None),
        (["nonsense"], ["hill"], "hill"),
        (["nonsense", "blitz"], ["hill"], None),
        (["nonsense"], ["nonsense"], "duel"),
    ],
)
def test_two_play_the_first_of_the_pools_modes_that_both_want(
    ann: list[str], bob: list[str], mode: str | None
) -> None:
    played = pool(more_modes=["blitz", "hill"])
    likes("ann", modes=ann)
    likes("bob", modes=bob)
    queued("ann", played, waited=300)
    queued("bob", played, waited=300)
    assert meetings() == ([{"ann", "bob"}] if mode else [])
    assert [match.mode for match in Match.objects.all()] == ([mode] if mode else [])


def test_the_mode_of_the_match_is_what_its_players_read() -> None:
    played = pool(more_modes=["blitz"])
    likes("ann", modes=["blitz"])
    queued("ann", played)
    queued("bob", played)
    match = confirmed_match("ann", "bob")
    assert Rest("bob").get(f"/matchmaking/matches/{match.id}").body["mode"] == "blitz"


def test_a_mode_and_a_region_have_to_be_shared_together() -> None:
    played = pool(more_modes=["blitz"])
    likes("ann", modes=["blitz"], regions=["eu"])
    likes("bob", modes=["blitz"], regions=["us"])
    likes("cat", modes=["duel"], regions=["eu"])
    likes("dan", modes=["blitz"], regions=["us", "eu"])
    for name in ("ann", "bob", "cat"):
        queued(name, played, waited=300)
    assert meetings() == []
    queued("dan", played)
    assert meetings() == [{"ann", "dan"}]


def test_a_pool_of_one_mode_asks_nobody_which(duel: Pool) -> None:
    likes("ann", modes=["blitz"])
    likes("bob", modes=["hill"])
    queued("ann", duel)
    queued("bob", duel)
    assert meetings() == [{"ann", "bob"}]


# --- a limit of one's own


@pytest.mark.parametrize("strict", ["ann", "bob"])
def test_a_limit_of_ones_own_is_hard_however_long_both_wait(duel: Pool, strict: str) -> None:
    limits = {strict: 50.0}
    queued("ann", duel, waited=599, rating=1500, max_gap=limits.get("ann"))
    queued("bob", duel, waited=598, rating=1551, max_gap=limits.get("bob"))
    assert meetings() == []
    queued("cat", duel, rating=1450 if strict == "ann" else 1601)
    assert meetings() == [{strict, "cat"}]


def test_a_limit_of_nothing_at_all_is_one_too(duel: Pool) -> None:
    queued("ann", duel, waited=300, rating=1500, max_gap=0)
    queued("bob", duel, waited=300, rating=1500.5)
    queued("cat", duel, rating=1500)
    assert meetings() == [{"ann", "cat"}]


def test_a_limit_opens_no_window(duel: Pool) -> None:
    queued("ann", duel, rating=1500, max_gap=1e18)
    queued("bob", duel, rating=1601, max_gap=1e18)
    assert meetings() == []


# --- blocks


@pytest.mark.parametrize(("blocker", "blocked"), [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("first", ["ann", "bob"])
def test_two_never_meet_whoever_of_them_blocks_and_whoever_comes_first(
    duel: Pool, blocker: str, blocked: str, first: str
) -> None:
    likes(blocker, blocked_users=[blocked])
    queued(first, duel, waited=599)
    assert meetings() == []
    queued("bob" if first == "ann" else "ann", duel, waited=598)
    assert meetings() == []
    queued("cat", duel)
    assert len(meetings()) == 1
    assert {"ann", "bob"} not in meetings()


def test_a_block_counts_for_those_who_wait_already(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel, rating=1700)
    assert meetings() == []
    likes("ann", blocked_users=["bob"])
    let_wait(300, "ann", "bob")
    assert meetings() == []


def test_once_the_block_is_gone_they_meet_while_both_still_wait(duel: Pool) -> None:
    likes("ann", blocked_users=["bob", "dan"])
    queued("ann", duel)
    queued("bob", duel)
    assert meetings() == []
    likes("ann", blocked_users=["dan"])
    assert meetings() == [{"ann", "bob"}]


def test_a_block_of_the_other_stays_when_ones_own_is_gone(duel: Pool) -> None:
    likes("ann", blocked_users=["bob"])
    likes("bob", blocked_users=["ann"])
    queued("ann", duel)
    queued("bob", duel)
    assert meetings() == []
    likes("ann")
    assert meetings() == []
    likes("bob")
    assert meetings() == [{"ann", "bob"}]


def test_a_block_in_another_tenant_says_nothing_here(duel: Pool) -> None:
    likes("ann", "acme", blocked_users=["bob"])
    likes("ann", blocked_users=["dan"])
    queued("ann", duel)
    queued("bob", duel)
    assert meetings() == [{"ann", "bob"}]


def test_a_block_that_is_put_after_the_look_keeps_the_pair_apart(duel: Pool) -> None:
    ann, bob = queued("ann", duel, waited=1), queued("bob", duel)
    found = pairs.find(duel, now=database_now()) or []
    assert found == [((ann.id,), (bob.id,))]
    likes("bob", blocked_users=["ann"])
    assert matches.reserve(duel, found, now=database_now(), rng=random.Random(1)) == []
    assert meetings() == []


def test_who_has_not_been_compared_yet_is_not_to_be_had(duel: Pool) -> None:
    ann = queued("ann", duel)
    Ticket.objects.filter(id=ann.id).update(is_compared=False)
    assert len(columns.read(duel, now=database_now())) == 0
    assert columns.read(duel, now=database_now(), reachable_only=False).id_of(0) == ann.id


def test_who_blocks_a_thousand_meets_one_of_the_others(duel: Pool) -> None:
    likes("ann", blocked_users=[f"player-{n}" for n in range(1000)])
    queued("ann", duel)
    for n in (0, 999, 1000):
        queued(f"player-{n}", duel, rating=1500 + n / 50)
    assert {"ann", "player-1000"} in meetings()


# --- opponents of the last while


@pytest.fixture
def careful(db: None) -> Pool:
    """A pool where one does not meet the same opponent again within half an hour."""
    return pool(avoid_recent_seconds=1800)


def have_met(*names: str, minutes_ago: float = 0) -> Match:
    match = confirmed_match(*names)
    endings.finish(match.id, None, database_now())
    ago = timedelta(minutes=minutes_ago)
    Match.objects.filter(id=match.id).update(confirmed_at=F("confirmed_at") - ago)
    return match


def after_a_match(pool: Pool, *, minutes_ago: float = 0) -> None:
    queued("ann", pool)
    queued("bob", pool)
    have_met("ann", "bob", minutes_ago=minutes_ago)


def test_who_has_just_been_met_is_avoided_and_anybody_else_is_not(careful: Pool) -> None:
    after_a_match(careful)
    queued("ann", careful, waited=2)
    queued("bob", careful, waited=1)
    assert len(meetings()) == 1
    queued("cat", careful)
    assert meetings()[1:] == [{"ann", "cat"}]


@pytest.mark.parametrize(
    ("ann", "bob", "again"), [(61, 60, True), (55, 599, False), (599, 55, False), (600, 61, True)]
)
def test_they_meet_again_once_both_have_waited_a_minute(
    careful: Pool, ann: float, bob: float, again: bool
) -> None:
    after_a_match(careful)
    queued("ann", careful, waited=ann)
    queued("bob", careful, waited=bob)
    assert len(meetings()) == 1 + again


def test_they_meet_again_in_the_middle_of_their_wait(careful: Pool) -> None:
    after_a_match(careful)
    queued("ann", careful, waited=10)
    queued("bob", careful)
    assert len(meetings()) == 1
    let_wait(60, "ann", "bob")
    assert meetings() == [{"ann", "bob"}] * 2


@pytest.mark.parametrize(("minutes_ago", "again"), [(29, False), (31, True)])
def test_an_opponent_of_long_ago_is_no_recent_one(careful: Pool, minutes_ago: float, again: bool) -> None:
    after_a_match(careful, minutes_ago=minutes_ago)
    likes("ann", blocked_users=["dan"])
    queued("ann", careful)
    queued("bob", careful)
    assert len(meetings()) == 1 + again


def test_a_match_that_was_taken_back_was_no_meeting(careful: Pool) -> None:
    queued("ann", careful)
    queued("bob", careful)
    assert len(meetings()) == 1
    leave("ann")
    queued("ann", careful)
    assert len(meetings()) == 2


def test_a_pool_that_avoids_nobody_lets_two_meet_at_once(duel: Pool) -> None:
    after_a_match(duel)
    queued("ann", duel)
    queued("bob", duel)
    assert len(meetings()) == 2


def test_a_block_of_a_recent_opponent_never_relaxes(careful: Pool) -> None:
    after_a_match(careful)
    likes("ann", blocked_users=["bob"])
    queued("ann", careful, waited=599)
    queued("bob", careful, waited=599)
    assert len(meetings()) == 1
    likes("ann")
    assert len(meetings()) == 2


# --- priority


@pytest.mark.parametrize(("waited", "chosen"), [(59, "vip"), (61, "ann")])
def test_a_priority_is_so_many_seconds_of_head_start(duel: Pool, waited: float, chosen: str) -> None:
    queued("ann", duel, waited=waited, rating=1550, regions=["eu"])
    queued("vip", duel, priority=60, rating=1450, regions=["us"])
    queued("eve", duel, rating=1500)
    assert meetings() == [{chosen, "eve"}]


def test_a_priority_opens_neither_window_nor_region_nor_another_opponent(careful: Pool) -> None:
    after_a_match(careful)
    likes("ann", blocked_users=["dan"])
    queued("ann", careful, priority=600, latencies={"eu": 100})
    queued("bob", careful, priority=600, regions=["eu"])
    queued("cat", careful, priority=600, rating=1601)
    queued("dan", careful, priority=600, regions=["eu"], max_gap=50, rating=1449)
    queued("eve", careful, priority=600, regions=["eu"], rating=1398)
    assert meetings()[1:] == []


# --- on connections of their own


def held(work: Callable[[], Any], has_begun: threading.Event) -> None:
    """Do the work in a transaction that stays open for a while."""
    with transaction.atomic():
        work()
        has_begun.set()
        time.sleep(HELD_SECONDS)


def after(has_begun: threading.Event, work: Callable[[], Any]) -> Any:
    assert has_begun.wait(10)
    return work()


@on_connections_of_their_own
def test_two_who_join_at_once_with_a_block_between_them_never_meet(duel: Pool) -> None:
    likes("ann", blocked_users=["bob"])
    for _ in range(ROUNDS):
        results = together(partial(queued, "ann", duel), partial(queued, "bob", duel), loop.advance)
        assert raised(results, Exception) == 0
        assert meetings() == []
        leave("ann")
        leave("bob")


@on_connections_of_their_own
@pytest.mark.parametrize("joins", ["ann", "bob"])
def test_a_block_that_is_put_while_one_of_the_two_joins_keeps_them_apart(duel: Pool, joins: str) -> None:
    waits = "bob" if joins == "ann" else "ann"
    queued(waits, duel)
    has_begun = threading.Event()

    def block() -> None:
        likes("ann", blocked_users=["bob"])
        loop.advance()

    results = together(
        partial(held, partial(queued, joins, duel), has_begun), partial(after, has_begun, block)
    )
    assert raised(results, Exception) == 0
    assert meetings() == []


@on_connections_of_their_own
def test_a_block_that_is_being_written_during_a_look_keeps_them_apart(duel: Pool) -> None:
    likes("ann", blocked_users=["dan"])
    queued("ann", duel)
    queued("bob", duel)
    has_begun = threading.Event()
    put = partial(likes, "ann", blocked_users=["dan", "bob"])
    results = together(
        partial(held, put, has_begun),
        partial(after, has_begun, lambda: pairs.find(duel, now=database_now())),
    )
    assert not any(results)
    assert meetings() == []


@on_connections_of_their_own
def test_a_block_that_goes_during_a_look_leaves_nothing_behind(duel: Pool) -> None:
    likes("ann", blocked_users=["bob"])
    queued("ann", duel)
    queued("bob", duel)
    has_begun = threading.Event()
    look = partial(pairs.find, duel, now=database_now())
    results = together(partial(held, look, has_begun), partial(after, has_begun, partial(likes, "ann")))
    assert raised(results, Exception) == 0
    assert meetings() == [{"ann", "bob"}]


@on_connections_of_their_own
def test_two_who_put_the_same_preferences_at_once_leave_them_once(duel: Pool) -> None:
    queued("ann", duel)
    for n in range(ROUNDS):
        put = partial(likes, "ann", regions=["eu"], blocked_users=[f"foe-{n}", "bob"])
        assert raised(together(put, put, put, loop.advance), Exception) == 0
        assert set(Block.objects.values_list("blocked_id", flat=True)) == {f"foe-{n}", "bob"}


@on_connections_of_their_own
def test_blocks_joins_and_looks_at_once_wait_for_each_other_and_none_for_ever(duel: Pool) -> None:
    foes = ["ann", "bob", "cat"]
    for name in foes:
        likes(name, blocked_users=foes)
        queued(name, duel)
    for n in range(ROUNDS):
        joins = [partial(queued, f"new-{n}-{m}", duel, rating=5000 * (n + 1) + 1000 * m) for m in (0, 1)]
        puts = [partial(likes, name, blocked_users=[*foes, f"new-{n}-0"]) for name in foes]
        assert raised(together(*joins, *puts, loop.advance, loop.advance), Exception) == 0
    assert meetings() == []


# --- what is kept


def test_the_conflicts_of_who_waits_no_more_are_forgotten(duel: Pool) -> None:
    likes("ann", blocked_users=["bob", "cat"])
    for name in ("ann", "bob", "cat"):
        queued(name, duel, rating={"cat": 5000}.get(name))
    meetings()
    assert Conflict.objects.count() == 2
    leave("bob")
    tasks.sweep()
    assert {c.one.user_id for c in Conflict.objects.all()} | {
        c.other.user_id for c in Conflict.objects.all()
    } == {"ann", "cat"}
    leave("ann")
    conflicts.forget_ended()
    assert not Conflict.objects.exists()


def test_who_is_in_no_conflict_costs_no_comparison(duel: Pool) -> None:
    likes("ann", blocked_users=["bob"])
    are_compared = {name: queued(name, duel).is_compared for name in ("ann", "bob", "cat")}
    assert are_compared == {"ann": False, "bob": False, "cat": True}


# --- the columns


def slowly_read(pool: Pool, *, now: datetime, reachable_only: bool) -> list[tuple[Any, ...]]:
    """Read the same with Django's own rows, one by one."""
    found = []
    for ticket in sorted(Ticket.objects.filter(pool=pool), key=lambda t: (t.age_from, t.id)):
        is_free = (
            ticket.is_compared
            and ticket.unreachable_since is None
            and (ticket.not_before is None or ticket.not_before <= now)
            and not MatchPlayer.objects.filter(
                tenant_id=ticket.tenant_id, user_id=ticket.user_id, is_live=True
            ).exists()
        )
        if ticket.status == "SEARCHING" and (is_free or not reachable_only):
            row = np.zeros(REGION_SLOTS, "<i2") if ticket.latencies_ms is None else ticket.latencies_ms
            max_gap = float("inf") if ticket.max_gap is None else ticket.max_gap
            waited = (now - ticket.queued_at).total_seconds()
            latencies = np.frombuffer(bytes(row), "<i2").tolist()
            found.append((ticket.id, ticket.rating, waited, max_gap, ticket.modes, latencies))
    return found


def some_tickets(pool: Pool, rng: random.Random, *, has_regions: bool) -> None:
    now = database_now()
    busy = Match.objects.create(
        pool=pool, tenant_id="demo", mode="duel", rated=True, deadline=now, lease_until=now, created_at=now
    )
    for n in range(40):
        queued_at = now - timedelta(microseconds=rng.randrange(600_000_000))
        latencies = {name: rng.choice([0, 79.6, 32_768]) for name in ("eu", "us") if rng.random() < 0.5}
        status = rng.choice(["SEARCHING"] * 5 + ["RESERVED", "CANCELLED", "MATCHED"])
        Ticket.objects.create(
            tenant_id="demo",
            user_id=f"player-{n}",
            pool=pool,
            status=status,
            match=busy if status == "RESERVED" else None,
            queued_at=queued_at,
            age_from=queued_at - timedelta(seconds=rng.choice([0, 0, 600])),
            rating=rng.choice([1500, 0.1 + 0.2, -1e18, rng.gauss(1500, 300)]),
            latencies_ms=region_row(pool, [], latencies) if has_regions else None,
            modes=rng.randrange(1, 256),
            max_gap=rng.choice([None, 0, 50.5, 1e18]),
            is_compared=rng.random() < 0.8,
            unreachable_since=rng.choice([None, None, None, now]),
            not_before=rng.choice([None, None, now - timedelta(seconds=1), now + timedelta(seconds=1)]),
        )
        if rng.random() < 0.2:
            MatchPlayer.objects.create(
                match=busy, tenant_id="demo", user_id=f"player-{n}", rating=1, team=1, nonce=""
            )


@pytest.mark.parametrize("has_regions", [True, False])
@pytest.mark.parametrize("reachable_only", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_columns_are_what_the_rows_say(
    duel: Pool, seed: int, reachable_only: bool, has_regions: bool
) -> None:
    some_tickets(duel, random.Random(seed), has_regions=has_regions)
    now = database_now()
    read = columns.read(duel, now=now, reachable_only=reachable_only)
    expected = slowly_read(duel, now=now, reachable_only=reachable_only)
    assert (read.latencies_ms is not None) is has_regions
    latencies = np.zeros((len(read), REGION_SLOTS)) if read.latencies_ms is None else read.latencies_ms
    assert len(expected) > 3
    assert [
        (read.id_of(i), read.rating[i], read.waited[i], read.max_gap[i], read.modes[i], latencies[i].tolist())
        for i in range(len(read))
    ] == [(id_, rating, pytest.approx(waited, abs=1e-6), *rest) for id_, rating, waited, *rest in expected]
    assert read.index_of() == {row[0].bytes: i for i, row in enumerate(expected)}


def test_an_empty_pool_has_empty_columns(duel: Pool) -> None:
    assert len(columns.read(duel, now=database_now())) == 0
    assert pairs.find(duel, now=database_now()) == []


def test_who_names_the_pools_first_region_in_the_middle_of_a_look_waits_for_the_next(duel: Pool) -> None:
    ann, bob = queued("ann", duel, regions=["eu"]), queued("bob", duel)
    Region.objects.all().delete()
    read = columns.read(duel, now=database_now())
    assert [read.id_of(i) for i in range(len(read))] == [bob.id]
    duel.regions.create(name="eu", slot=0)
    assert set(columns.read(duel, now=database_now()).index_of()) == {ann.id.bytes, bob.id.bytes}


def test_what_goes_wrong_with_a_copy_is_the_databases_error(db: None) -> None:
    with pytest.raises(DataError), transaction.atomic():
        columns.copied("SELECT 1 / %(zero)s", {"zero": 0}, [("one", ">i4")])


# --- pools are rows


def test_a_pool_that_is_a_row_and_nothing_else_is_matched() -> None:
    for tenant_id, key in (("acme", "xyzzy"), ("umbrella", "xyzzy"), ("acme", "plugh")):
        made = pool(key, tenant_id=tenant_id)
        queued(f"{key}-1", made)
        queued(f"{key}-2", made)
    loop.tick()
    assert Match.objects.count() == 3
    assert {(m.pool.tenant_id, m.tenant_id) for m in Match.objects.select_related("pool") if m.pool} == {
        ("acme", "acme"),
        ("umbrella", "umbrella"),
    }


def test_in_a_pool_that_was_closed_who_waits_is_still_matched(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    Pool.objects.update(is_active=False)
    assert meetings() == [{"ann", "bob"}]


def test_a_rule_that_staff_change_counts_from_the_next_look(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel, rating=1700)
    assert meetings() == []
    Pool.objects.update(radius=200)
    assert meetings() == [{"ann", "bob"}]


def test_a_block_that_comes_between_the_look_and_the_reservation_counts_whoever_looks_meanwhile(
    duel: Pool,
) -> None:
    ann, bob = queued("ann", duel), queued("bob", duel)
    stale = pairs.find(duel, now=database_now()) or []
    assert stale == [((ann.id,), (bob.id,))]
    preferences.put(caller("ann"), Preferences(blocked_users=["bob"]))
    assert pairs.find(duel, now=database_now()) == [], "another worker's look"
    assert matches.reserve(duel, stale, now=database_now(), rng=random.Random(1)) == []
