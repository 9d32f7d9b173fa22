"""What players and staff may know: preferences, statistics, and why a ticket is not matched."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from matchmaking.domain.explain import RULES
from matchmaking.models import Block, Match, MatchPlayer, Pool, Preferences, Ticket
from matchmaking.services import explain, loop, tickets
from matchmaking.services.explain import MOST_CANDIDATES
from matchmaking.statistics import GAP_EDGES, WAIT_EDGES
from realtime.transport.database import database_now
from tests.factories import (
    Answer,
    Rest,
    confirmed_match,
    connect,
    hear_from,
    notified_match,
    pool,
    queued,
    reserved_match,
)
from tests.partying import queued_party

pytestmark = pytest.mark.django_db

PREFERENCES = "/matchmaking/preferences"
NOTHING: dict[str, list[str]] = {"regions": [], "modes": [], "blocked_users": []}
NOT_AN_ID = ["nonsense", "1", "%00", "-", "9" * 300, "%F0%9F%91%BB"]


def put(name: str, body: object, method: str = "PUT", **claims: Any) -> Answer:
    return Rest(name, **claims).send(method, PREFERENCES, json.dumps(body).encode())


def staff(path: str, **claims: Any) -> Answer:
    return Rest("sue", base="/internal", **({"roles": ["staff"]} | claims)).get(path)


def why(ticket: Ticket, name: str = "ann") -> Any:
    answer = Rest(name).get(f"/matchmaking/queue/{ticket.id}/explain")
    assert answer.status == 200, answer
    return answer.body


# --- preferences


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_who_has_said_nothing_wants_anything(base: str) -> None:
    answer = Rest("ann", base=base).get(PREFERENCES)
    assert (answer.status, answer.body) == (200, NOTHING)
    assert not Preferences.objects.exists()


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_is_put_is_what_is_read(method: str) -> None:
    wanted = {"regions": ["eu", "us-east.1"], "modes": ["hill", "blitz"], "blocked_users": ["mallory", "bob"]}
    answer = put("ann", wanted, method)
    assert (answer.status, answer.body) == (200, wanted)
    assert Rest("ann").get(PREFERENCES).body == wanted
    assert Rest("bob").get(PREFERENCES).body == NOTHING


def test_what_is_put_replaces_all_that_was_there() -> None:
    put("ann", {"regions": ["eu"], "modes": ["blitz"], "blocked_users": ["bob", "cat"]})
    assert put("ann", {"blocked_users": ["cat", "dan"]}).body == NOTHING | {"blocked_users": ["cat", "dan"]}
    assert put("ann", {}).body == NOTHING
    assert Rest("ann").send("PUT", PREFERENCES).body == NOTHING
    assert not Block.objects.exists()


def test_nothing_is_kept_twice_and_nobody_blocks_oneself() -> None:
    answer = put(
        "ann", {"regions": ["eu"] * 3, "modes": ["b", "a", "b"], "blocked_users": ["bob", "ann", "bob"]}
    )
    assert answer.body == {"regions": ["eu"], "modes": ["b", "a"], "blocked_users": ["bob"]}
    assert put("ann", answer.body).body == answer.body


def test_one_user_id_in_two_tenants_has_two_preferences() -> None:
    put("ann", {"regions": ["eu"], "blocked_users": ["bob"]})
    put("ann", {"regions": ["us"]}, tenant_id="acme")
    assert Rest("ann").get(PREFERENCES).body == NOTHING | {"regions": ["eu"], "blocked_users": ["bob"]}
    assert Rest("ann", tenant_id="acme").get(PREFERENCES).body == NOTHING | {"regions": ["us"]}


def test_a_thousand_may_be_blocked_and_one_more_may_not() -> None:
    users = [f"{n:04}-0123-4567-89ab-cdef01234567" for n in range(1001)]
    assert put("ann", {"blocked_users": users[:1000]}).body["blocked_users"] == users[:1000]
    refusal = put("ann", {"blocked_users": users})
    assert list(refusal.body["errors"]) == ["blocked_users"]
    assert Block.objects.count() == 1000


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"regions": "eu"}, "regions"),
        ({"regions": None}, "regions"),
        ({"regions": {"eu": 1}}, "regions"),
        ({"regions": [1]}, "regions[0]"),
        ({"regions": [""]}, "regions[0]"),
        ({"regions": ["e u"]}, "regions[0]"),
        ({"regions": ["eu\n"]}, "regions[0]"),
        ({"regions": ["x" * 65]}, "regions[0]"),
        ({"regions": [f"r{n}" for n in range(33)]}, "regions"),
        ({"modes": [f"m{n}" for n in range(33)]}, "modes"),
        ({"modes": [None]}, "modes[0]"),
        ({"modes": ["duel", ["blitz"]]}, "modes[1]"),
        ({"blocked_users": ["bób"]}, "blocked_users[0]"),
        ({"blocked_users": ["👻"]}, "blocked_users[0]"),
        ({"blocked_users": ["demo:bob"]}, "blocked_users[0]"),
        ({"blocked_users": ["b\x00b"]}, "blocked_users[0]"),
        ({"blocked_users": [float("nan")]}, "body"),
        ({"blocked": ["bob"]}, "blocked"),
        ({"regions": ["eu"], "user_id": "bob"}, "user_id"),
        ([], "body"),
        (None, "body"),
        ("eu", "body"),
    ],
)
def test_a_wrong_field_of_the_preferences_is_named(body: object, field: str, method: str) -> None:
    refusal = put("ann", body, method)
    assert refusal.refusal == (400, "invalid_request")
    assert list(refusal.body["errors"]) == [field]
    assert not Preferences.objects.exists()


def test_preferences_that_are_too_large_are_413() -> None:
    assert put("ann", {"regions": ["x" * 70_000]}).refusal == (413, "invalid_request")


def test_preferences_are_those_of_a_caller() -> None:
    for method in ("GET", "PUT", "POST"):
        assert Rest().send(method, PREFERENCES).refusal == (401, "unauthorized")
    assert Rest("ann").delete(PREFERENCES).status == 405


# --- the join


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("max_gap", b"-1"),
        ("max_gap", b"-1e-17"),
        ("max_gap", b'"50"'),
        ("max_gap", b"true"),
        ("max_gap", b"[50]"),
        ("max_gap", b"NaN"),
        ("max_gap", b"Infinity"),
        ("max_gap", b"1e400"),
        ("max_gap", b"1e300"),
        ("max_gap", b"1e-300"),
        ("max_gap", b"9" * 5000),
        ("latencies", b'{"eu":NaN}'),
        ("latencies", b'{"eu":-Infinity}'),
        ("latencies", b'{"eu":1e5000}'),
        ("latencies", b'{"eu":-0.001}'),
        ("latencies", b'{"eu":1e-300}'),
        ("latencies", b'{"e\\u0000u":1}'),
        ("latencies", b'{"\\ud83d":1}'),
        ("latencies", b'{"eu":null}'),
        ("regions", b'["\\u0000"]'),
        ("regions", b"null"),
    ],
)
def test_an_odd_number_in_a_join_is_400(duel: Pool, field: str, number: bytes) -> None:
    body = b'{"pool_key":"duel","' + field.encode() + b'":' + number + b"}"
    refusal = Rest("ann").send("POST", "/matchmaking/queue", body)
    assert refusal.refusal == (400, "invalid_request")
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("sent", "kept"), [(b"0", 0), (b"-0.0", 0), (b"1e18", 1e18), (b"null", None), (b"7", 7)]
)
def test_a_limit_of_ones_own_is_kept(duel: Pool, sent: bytes, kept: float | None) -> None:
    body = b'{"pool_key":"duel","max_gap":' + sent + b"}"
    assert Rest("ann").send("POST", "/matchmaking/queue", body).status == 201
    assert Ticket.objects.get().max_gap == kept
    hear_from("ann")
    queued("bob", duel)
    tickets.clear_flags(now=database_now())
    loop.advance()
    assert Match.objects.count() == 1


# --- statistics


def was_matched(
    pool: Pool, *, waited: float, seconds_ago: float = 60, foreseen: float | None = None, **columns: Any
) -> None:
    ended_at = database_now() - timedelta(seconds=seconds_ago)
    queued_at = ended_at - timedelta(seconds=waited)
    values = {"status": "MATCHED", "rating": 1500, "ended_at": ended_at, **columns}
    Ticket.objects.create(
        tenant_id=pool.tenant_id,
        user_id=f"player-{uuid4().hex}",
        pool=pool,
        queued_at=queued_at,
        age_from=queued_at,
        estimated_wait=foreseen,
        **values,
    )


def was_played(pool: Pool, *, gap: float, seconds_ago: float = 60, **columns: Any) -> None:
    then = database_now() - timedelta(seconds=seconds_ago)
    values = {"status": "FINISHED", "confirmed_at": then, "finished_at": then, **columns}
    match = Match.objects.create(
        pool=pool,
        tenant_id=pool.tenant_id,
        mode="duel",
        rated=True,
        deadline=then,
        lease_until=then,
        created_at=then,
        **values,
    )
    for team, rating in enumerate((1500 + gap, 1500), start=1):
        MatchPlayer.objects.create(
            match=match,
            tenant_id=pool.tenant_id,
            user_id=f"player-{team}",
            rating=rating,
            team=team,
            is_live=False,
            nonce="",
        )


def was_rolled_back(pool: Pool, reason: str, *, seconds_ago: float = 60) -> None:
    was_played(
        pool, gap=1, seconds_ago=seconds_ago, status="CANCELLED", cancel_reason=reason, confirmed_at=None
    )


def histogram(edges: tuple[float, ...], *counts: int) -> list[dict[str, Any]]:
    return [{"up_to": edge, "count": n} for edge, n in zip((*edges, None), counts, strict=True)]


def test_the_statistics_of_a_small_history_are_those_made_by_hand(duel: Pool) -> None:
    for waited in (0, 5, 5.001, 30, 60, 301):
        was_matched(duel, waited=waited)
    was_matched(duel, waited=500, seconds_ago=3700)
    was_matched(duel, waited=500, status="CANCELLED")
    for gap in (0, 25, 25.5, 399, 401):
        was_played(duel, gap=gap)
    was_played(duel, gap=7, seconds_ago=3700)
    was_rolled_back(duel, "unreachable")
    queued("ann", duel)
    queued("bob", duel)
    reserved_match("ann", "bob")
    queued("cat", duel, is_here=False)
    answer = Rest("ann").get("/matchmaking/statistics")
    assert answer.status == 200
    assert answer.body == {
        "pools": [
            {
                "pool_key": "duel",
                "waiting": 3,
                "average_wait_seconds": pytest.approx((5 + 5.001 + 30 + 60 + 301) / 6, abs=0.001),
                "p95_wait_seconds": 301,
                "matches_last_hour": 5,
                "gap_histogram": histogram(GAP_EDGES, 2, 1, 0, 0, 1, 1),
                "wait_histogram": histogram(WAIT_EDGES, 2, 1, 1, 1, 0, 0, 1),
            }
        ]
    }


def test_the_statistics_of_nothing_are_nothing(duel: Pool) -> None:
    (found,) = Rest("ann").get("/matchmaking/statistics").body["pools"]
    assert found == {
        "pool_key": "duel",
        "waiting": 0,
        "average_wait_seconds": None,
        "p95_wait_seconds": None,
        "matches_last_hour": 0,
        "gap_histogram": histogram(GAP_EDGES, 0, 0, 0, 0, 0, 0),
        "wait_histogram": histogram(WAIT_EDGES, 0, 0, 0, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("count", "p95"), [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (40, 38), (100, 95)]
)
def test_all_but_the_longest_twentieth_of_the_waits_are_within_the_95th_percentile(
    duel: Pool, count: int, p95: float
) -> None:
    for waited in range(1, count + 1):
        was_matched(duel, waited=waited)
    (found,) = Rest("ann").get("/matchmaking/statistics").body["pools"]
    assert found["p95_wait_seconds"] == p95


def test_the_statistics_are_of_ones_own_tenants_open_pools_in_their_order(duel: Pool) -> None:
    theirs = pool(tenant_id="acme")
    pool("first", ordering=0)
    Pool.objects.filter(id=duel.id).update(ordering=1)
    pool("closed", is_active=False)
    was_matched(theirs, waited=9)
    was_played(theirs, gap=9)
    queued("ann", theirs)

    def seen(**claims: Any) -> list[tuple[str, int, int, float | None]]:
        pools = Rest("ann", **claims).get("/matchmaking/statistics").body["pools"]
        names = ("pool_key", "waiting", "matches_last_hour", "average_wait_seconds")
        return [tuple(found[name] for name in names) for found in pools]

    assert seen() == [("first", 0, 0, None), ("duel", 0, 0, None)]
    assert seen(tenant_id="acme") == [("duel", 1, 1, 9)]
    assert seen(tenant_id="nobody") == []
    assert Rest().get("/matchmaking/statistics").refusal == (401, "unauthorized")


def test_a_match_of_the_queue_counts_once_it_is_confirmed(duel: Pool) -> None:
    queued("ann", duel, waited=10, rating=1500)
    queued("bob", duel, waited=20, rating=1530)
    notified_match("ann", "bob")

    def seen() -> tuple[int, int]:
        (found,) = Rest("ann").get("/matchmaking/statistics").body["pools"]
        return found["matches_last_hour"], sum(bucket["count"] for bucket in found["wait_histogram"])

    assert seen() == (0, 0)
    Ticket.objects.all().delete()
    Match.objects.all().delete()
    queued("ann", duel, waited=10, rating=1500)
    queued("bob", duel, waited=20, rating=1530)
    confirmed_match("ann", "bob")
    assert seen() == (1, 2)


# --- why a ticket is not matched


def counts(**of_rule: int) -> dict[str, int]:
    return {rule: of_rule.get(rule, 0) for rule in RULES}


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_an_explanation_counts_whom_each_rule_turns_away(base: str) -> None:
    played = pool(more_modes=["blitz"])
    put("ann", {"modes": ["duel"], "blocked_users": ["mallory"]})
    put("eve", {"modes": ["blitz"]})
    ann = queued("ann", played, rating=1500, regions=["eu"], max_gap=300)
    queued("bob", played, rating=1640)
    queued("cat", played, rating=1900, max_gap=400)
    queued("dan", played, rating=1350, regions=["us"])
    queued("eve", played, rating=1240)
    queued("mallory", played, rating=1500)
    queued("far", played, rating=1100, is_here=False)
    queued("other", pool("blitz"), rating=1500)
    loop.advance()
    answer = Rest("ann", base=base).get(f"/matchmaking/queue/{ann.id}/explain")
    assert answer.status == 200
    assert answer.body == {
        "queue_entry_id": str(ann.id),
        "candidates": 6,
        "turned_away": counts(window=5, max_gap=2, region=1, mode=1, blocked=1, recent=0, absent=1),
        "nearest": {"gap": 140, "fits_in_seconds": pytest.approx(20, abs=1)},
        "reason": "fits_later",
    }


def test_a_recent_opponent_is_counted_until_both_have_waited(duel: Pool) -> None:
    Pool.objects.update(avoid_recent_seconds=1800)
    queued("ann", duel)
    queued("bob", duel)
    confirmed_match("ann", "bob")
    MatchPlayer.objects.update(is_live=False)
    Match.objects.update(status="FINISHED")
    ann = queued("ann", duel, waited=300)
    queued("bob", duel, waited=50)
    loop.advance()
    found = why(ann)
    assert found["turned_away"] == counts(recent=1)
    assert found["nearest"] == {"gap": 0, "fits_in_seconds": pytest.approx(10, abs=1)}
    assert found["reason"] == "fits_later"


def alone(duel: Pool) -> Ticket:
    return queued("ann", duel)


def with_one_who_fits(duel: Pool) -> Ticket:
    queued("bob", duel)
    return queued("ann", duel)


def with_one_who_fits_later(duel: Pool) -> Ticket:
    queued("bob", duel, rating=1601)
    return queued("ann", duel)


def with_one_in_another_region(duel: Pool) -> Ticket:
    queued("bob", duel, regions=["us"])
    return queued("ann", duel, regions=["eu"])


def with_one_who_is_blocked(duel: Pool) -> Ticket:
    put("ann", {"blocked_users": ["bob"]})
    queued("bob", duel)
    return queued("ann", duel)


def with_one_who_is_absent(duel: Pool) -> Ticket:
    queued("bob", duel, is_here=False)
    return queued("ann", duel)


def with_one_beyond_the_cap(duel: Pool) -> Ticket:
    Pool.objects.filter(id=duel.id).update(preset="custom", cap=200)
    queued("bob", duel, rating=2400)
    return queued("ann", duel)


def without_a_connection(duel: Pool) -> Ticket:
    queued("bob", duel)
    return queued("ann", duel, is_here=False)


def while_unreachable(duel: Pool) -> Ticket:
    ann = without_a_connection(duel)
    connect("ann")
    return ann


def while_sitting_out(duel: Pool) -> Ticket:
    queued("bob", duel)
    ann = queued("ann", duel)
    Ticket.objects.filter(id=ann.id).update(not_before=database_now() + timedelta(seconds=9))
    return ann


def while_reserved(duel: Pool) -> Ticket:
    ann = with_one_who_fits(duel)
    reserved_match("ann", "bob")
    return ann


def after_leaving(duel: Pool) -> Ticket:
    ann = with_one_who_fits(duel)
    Rest("ann").delete(f"/matchmaking/queue/{ann.id}")
    return ann


def once_matched(duel: Pool) -> Ticket:
    ann = with_one_who_fits(duel)
    confirmed_match("ann", "bob")
    return ann


def with_one_of_three_who_are_missing(duel: Pool) -> Ticket:
    Pool.objects.update(team_size=2)
    return with_one_who_fits(duel)


NOW = {"gap": 0, "fits_in_seconds": 0}


@pytest.mark.parametrize(
    ("situation", "reason", "candidates", "nearest"),
    [
        (alone, "nobody_waits", 0, None),
        (with_one_who_fits, "fits_now", 1, NOW),
        (with_one_of_three_who_are_missing, "too_few_fit", 1, NOW),
        (with_one_who_fits_later, "fits_later", 1, {"gap": 101, "fits_in_seconds": pytest.approx(10, abs=1)}),
        (with_one_beyond_the_cap, "never_fits", 1, {"gap": 900, "fits_in_seconds": None}),
        (with_one_in_another_region, "nobody_fits", 1, None),
        (with_one_who_is_blocked, "nobody_fits", 1, None),
        (with_one_who_is_absent, "nobody_fits", 1, None),
        (without_a_connection, "no_connection", 1, NOW),
        (while_unreachable, "unreachable", 1, NOW),
        (while_sitting_out, "sitting_out", 1, NOW),
        (while_reserved, "being_matched", 0, None),
        (after_leaving, "ended", 0, None),
        (once_matched, "ended", 0, None),
    ],
)
def test_an_explanation_says_it_in_one_word(
    duel: Pool, situation: Callable[[Pool], Ticket], reason: str, candidates: int, nearest: Any
) -> None:
    ann = situation(duel)
    if reason == "nobody_fits":
        loop.advance()
    found = why(ann)
    assert (found["reason"], found["candidates"], found["nearest"]) == (reason, candidates, nearest)
    assert tuple(found["turned_away"]) == RULES
    assert f"``{reason}``" in str(explain.Explanation.__doc__)


def test_one_is_no_candidate_of_ones_own(duel: Pool) -> None:
    ann = queued("ann", duel, is_here=False, latencies={"eu": 1000})
    bob = queued("bob", duel, regions=["eu"])
    assert why(ann)["turned_away"] == counts(region=1)
    assert why(bob, "bob")["turned_away"] == counts(region=1, absent=1)


def test_every_word_of_an_explanation_is_tested() -> None:
    mark = test_an_explanation_says_it_in_one_word.pytestmark[0]
    told = {f"``{reason}``" for _, reason, *_ in mark.args[1]}
    documented = str(explain.Explanation.__doc__).partition(":")[2]
    assert set(documented.replace(",", " ").replace(".", " ").split()) & told == told
    assert documented.count("``") == 2 * len(told)


def test_the_explanation_of_anybody_elses_ticket_is_the_404_of_a_random_id(duel: Pool) -> None:
    ann = queued("ann", duel)
    random = Rest("ann").get(f"/matchmaking/queue/{uuid4()}/explain")
    assert random.refusal == (404, "queue_entry_not_found")
    others = [Rest("mallory"), Rest("ann", tenant_id="acme"), Rest("sue", roles=["staff"])]
    assert all(other.get(f"/matchmaking/queue/{ann.id}/explain").body == random.body for other in others)
    for malformed in NOT_AN_ID:
        assert Rest("ann").get(f"/matchmaking/queue/{malformed}/explain").body == random.body
    assert Rest().get(f"/matchmaking/queue/{ann.id}/explain").refusal == (401, "unauthorized")
    assert Rest("ann").post(f"/matchmaking/queue/{ann.id}/explain").status == 405


def test_what_an_explanation_tells_will_happen_happens(duel: Pool) -> None:
    ann = queued("ann", duel, waited=8)
    bob = queued("bob", duel, rating=1601)
    seconds = why(ann)["nearest"]["fits_in_seconds"]
    for sooner, count in ((seconds - 2, 0), (3, 1)):
        for ticket in (ann, bob):
            ticket.refresh_from_db()
            ticket.queued_at -= timedelta(seconds=sooner)
            ticket.save()
        loop.advance()
        assert Match.objects.count() == count


@pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])
def test_an_explanation_is_one_look_that_changes_nothing(duel: Pool) -> None:
    ann, _ = queued("ann", duel), queued("bob", duel, rating=1601)
    assert why(ann)["reason"] == "fits_later"
    assert len(staff(f"/tickets/{ann.id}/explain").body["candidates"]) == 1
    assert set(Ticket.objects.values_list("status", flat=True)) == {"SEARCHING"}


# --- staff


@pytest.mark.parametrize(
    "path", ["/queues/summary", "/tickets/01a20460-0000-7000-8000-000000000000/explain", "/tickets/x/explain"]
)
def test_only_staff_look_behind_the_scenes(path: str) -> None:
    assert Rest(base="/internal").get(path).refusal == (401, "unauthorized")
    for roles in ([], ["game_server"], ["Staff"], ["staff "]):
        assert Rest("mallory", base="/internal", roles=roles).get(path).refusal == (403, "forbidden")
    assert staff(path).status in {200, 404}
    assert Rest("sue", base="/internal", roles=["staff"]).post(path).status == 405


def test_a_player_learns_not_even_whether_a_ticket_exists(duel: Pool) -> None:
    ann = queued("ann", duel)
    mallory = Rest("mallory", base="/internal")
    assert mallory.get(f"/tickets/{ann.id}/explain").body == mallory.get("/tickets/x/explain").body


def test_staff_see_how_every_pool_of_every_tenant_does(duel: Pool) -> None:
    theirs = pool("blitz", tenant_id="acme", is_active=False)
    was_matched(theirs, waited=4)
    was_matched(theirs, waited=8, foreseen=10)
    for _ in range(3):
        was_played(theirs, gap=10)
    was_played(theirs, gap=10, seconds_ago=3700)
    was_rolled_back(theirs, "unreachable")
    was_rolled_back(theirs, "unreachable")
    was_rolled_back(theirs, "delivery_failed")
    was_rolled_back(theirs, "delivery_failed", seconds_ago=3700)
    queued("ann", duel, waited=100)
    queued("bob", duel, waited=90)
    reserved_match("ann", "bob")
    queued("cat", duel, waited=30)
    queued("dan", duel, is_here=False)
    nothing = {
        "tickets": 0,
        "foreseen_seconds": None,
        "actual_seconds": None,
        "median_error_seconds": None,
    }
    answer = staff("/queues/summary", tenant_id="umbrella")
    assert answer.status == 200
    assert answer.body == {
        "pools": [
            {
                "tenant_id": "acme",
                "pool_key": "blitz",
                "waiting": 0,
                "reserved": 0,
                "unreachable": 0,
                "oldest_wait_seconds": None,
                "average_wait_seconds": 6,
                "p95_wait_seconds": 8,
                "matches_per_minute": 0.05,
                "failures": {"unreachable": 2, "delivery_failed": 1},
                "forecast": {
                    "tickets": 1,
                    "foreseen_seconds": 10,
                    "actual_seconds": 8,
                    "median_error_seconds": 2,
                },
            },
            {
                "tenant_id": "demo",
                "pool_key": "duel",
                "waiting": 2,
                "reserved": 2,
                "unreachable": 1,
                "oldest_wait_seconds": pytest.approx(102, abs=2.5),
                "average_wait_seconds": None,
                "p95_wait_seconds": None,
                "matches_per_minute": 0,
                "failures": {},
                "forecast": nothing,
            },
        ]
    }


def test_staff_see_an_explanation_candidate_by_candidate_the_nearest_first(duel: Pool) -> None:
    put("bob", {"blocked_users": ["ann"]})
    ann = queued("ann", duel, rating=1500, waited=25, regions=["eu"])
    far = queued("far", duel, rating=1000, is_here=False, waited=7)
    bob = queued("bob", duel, rating=1510)
    cat = queued("cat", duel, rating=1370, regions=["us"])
    loop.advance()
    answer = staff(f"/tickets/{ann.id}/explain", tenant_id="umbrella")
    assert answer.status == 200
    body = answer.body
    waits = [candidate.pop("waited_seconds") for candidate in body["candidates"]]
    assert waits == [pytest.approx(wait, abs=2) for wait in (0, 0, 7)]
    assert body.pop("explanation") == why(ann)
    assert body == {
        "user_id": "ann",
        "rating": 1500,
        "window": 150,
        "candidates": [
            {
                "ticket_id": str(ticket.id),
                "user_id": ticket.user_id,
                "rating": ticket.rating,
                "gap": gap,
                "turned_away_by": turned_away_by,
            }
            for ticket, gap, turned_away_by in (
                (bob, 10, ["blocked"]),
                (cat, 130, ["window", "region"]),
                (far, 500, ["window", "absent"]),
            )
        ],
    }


def test_a_candidate_who_fits_is_turned_away_by_nothing(duel: Pool) -> None:
    ann, bob = queued("ann", duel), queued("bob", duel)
    (candidate,) = staff(f"/tickets/{ann.id}/explain").body["candidates"]
    assert (candidate["ticket_id"], candidate["turned_away_by"]) == (str(bob.id), [])


def test_of_very_many_candidates_staff_see_the_nearest(duel: Pool) -> None:
    now = database_now()
    Ticket.objects.bulk_create(
        Ticket(
            tenant_id="demo",
            user_id=f"player-{n}",
            pool=duel,
            rating=1500 + n,
            queued_at=now,
            age_from=now,
            is_compared=True,
        )
        for n in range(MOST_CANDIDATES + 5)
    )
    body = staff(f"/tickets/{queued('ann', duel).id}/explain").body
    assert [candidate["gap"] for candidate in body["candidates"]] == list(range(MOST_CANDIDATES))
    assert body["explanation"]["candidates"] == MOST_CANDIDATES + 5


@pytest.mark.parametrize(
    ("situation", "reason"), [(while_reserved, "being_matched"), (after_leaving, "ended")]
)
def test_a_ticket_that_searches_no_more_has_no_candidates(
    duel: Pool, situation: Callable[[Pool], Ticket], reason: str
) -> None:
    body = staff(f"/tickets/{situation(duel).id}/explain").body
    assert (body["explanation"]["reason"], body["candidates"]) == (reason, [])


def test_a_ticket_that_does_not_exist_is_404_for_staff(db: None) -> None:
    random = staff("/tickets/01a20460-0000-7000-8000-000000000000/explain")
    assert random.refusal == (404, "queue_entry_not_found")
    assert all(staff(f"/tickets/{malformed}/explain").body == random.body for malformed in NOT_AN_ID)


# --- what was foreseen


def test_what_was_foreseen_at_the_join_is_kept_and_compared_with_what_came(duel: Pool) -> None:
    was_matched(duel, waited=20)
    assert Rest("ann").join().body["estimated_wait_seconds"] == 20
    assert Ticket.objects.get(user_id="ann").estimated_wait == 20
    Ticket.objects.all().delete()
    assert Rest("bob").join().body["estimated_wait_seconds"] is None
    assert Ticket.objects.get(user_id="bob").estimated_wait is None
    Ticket.objects.all().delete()
    for foreseen, waited in ((20.0, 25), (10.0, 9), (30.0, 130), (None, 50)):
        was_matched(duel, waited=waited, foreseen=foreseen)
    was_matched(duel, waited=7, foreseen=500.0, status="TIMED_OUT")
    was_matched(duel, waited=7, foreseen=500.0, seconds_ago=3700)
    (summary,) = staff("/queues/summary").body["pools"]
    assert summary["forecast"] == {
        "tickets": 3,
        "foreseen_seconds": 20,
        "actual_seconds": pytest.approx((25 + 9 + 130) / 3, abs=0.001),
        "median_error_seconds": 5,
    }


def test_what_was_foreseen_does_not_change_while_one_waits(duel: Pool) -> None:
    was_matched(duel, waited=20)
    ann = queued("ann", duel, waited=15)
    was_matched(duel, waited=400)
    ann.refresh_from_db()
    assert ann.estimated_wait == 20


def test_what_is_foreseen_is_that_of_ones_own_ratings(duel: Pool) -> None:
    for _ in range(8):
        was_matched(duel, waited=10, rating=1500)
        was_matched(duel, waited=300, rating=2500)
    assert queued("ann", duel, rating=1550).estimated_wait == 10
    assert queued("bob", duel, rating=2599).estimated_wait == 300
    assert queued("cat", duel, rating=100).estimated_wait == 155


# --- teams


def test_in_a_pool_for_teams_parties_are_counted(db: None) -> None:
    twos = pool("twos", team_size=2)
    party_id = queued_party(twos, "ann", "bob")
    ann = Ticket.objects.get(user_id="ann")
    assert why(ann)["reason"] == "nobody_waits"
    queued("cat", twos, rating=1540)
    told = why(ann)
    assert (told["candidates"], told["reason"], told["nearest"]["gap"]) == (1, "too_few_fit", 40)
    queued_party(twos, "dan", "eve")
    told = why(ann)
    assert (told["candidates"], told["reason"], told["nearest"]["gap"]) == (2, "fits_now", 0)
    Ticket.objects.filter(user_id="eve").update(unreachable_since=database_now())
    told = why(ann)
    assert (told["turned_away"]["absent"], told["reason"]) == (1, "too_few_fit")
    Ticket.objects.filter(party_id=party_id, user_id="bob").update(rating=2100)
    told = why(ann)
    assert told["nearest"]["gap"] == 260, "of the party, whose mean rating counts"


def test_whom_a_member_has_blocked_the_party_does_not_meet(db: None) -> None:
    twos = pool("twos", team_size=2)
    queued_party(twos, "ann", "bob")
    Block.objects.create(tenant_id="demo", user_id="bob", blocked_id="dan")
    queued_party(twos, "cat", "dan")
    loop.advance()
    told = why(Ticket.objects.get(user_id="ann"))
    assert (told["turned_away"]["blocked"], told["reason"]) == (1, "nobody_fits")


def test_staff_see_parties_as_candidates(db: None) -> None:
    twos = pool("twos", team_size=2)
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    ann = Ticket.objects.get(user_id="ann")
    (candidate,) = staff(f"/tickets/{ann.id}/explain").body["candidates"]
    assert (candidate["user_id"], candidate["turned_away_by"]) == ("cat", [])
