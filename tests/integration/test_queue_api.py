"""The queue over REST: every answer, field by field, and nothing of anybody else."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from matchmaking.models import Match, MatchPlayer, Pool, Rating, Ticket
from matchmaking.selectors import RECENT_TICKETS
from realtime.identifiers import new_id
from realtime.transport.database import database_now
from tests.factories import (
    Rest,
    confirmed_match,
    last_told,
    match_of,
    notified_match,
    pool,
    queued,
    reserved_match,
    told,
)

pytestmark = pytest.mark.django_db

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NOT_AN_ID = ["nonsense", "1", "%00", "-", "00000000-0000-0000-0000-00000000000g", "9" * 300, "%F0%9F%91%BB"]


def entry(ticket: Ticket | str) -> str:
    return f"/matchmaking/queue/{ticket.id if isinstance(ticket, Ticket) else ticket}"


# --- join


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_who_joins_gets_a_ticket(duel: Pool, base: str) -> None:
    answer = Rest("ann", base=base).join()
    assert answer.status == 201
    assert UUID7.fullmatch(answer.body.pop("queue_entry_id"))
    assert RFC_3339_UTC.fullmatch(answer.body.pop("queued_at"))
    assert answer.body == {
        "pool_key": "duel",
        "status": "SEARCHING",
        "waited_seconds": 0,
        "rating": 1500,
        "rating_window": 100,
        "position": 1,
        "estimated_wait_seconds": None,
        "match_id": None,
        "game_id": None,
        "cancel_reason": None,
    }


def test_the_ticket_is_what_queue_joined_tells_the_sockets(duel: Pool) -> None:
    answer = Rest("ann").join()
    assert last_told("ann", "queue_joined") == answer.body


def test_a_ticket_keeps_all_that_the_player_asked_for(duel: Pool) -> None:
    wanted: dict[str, Any] = {
        "regions": ["eu", "us-east.1"],
        "latencies": {"eu": 12.5, "us-east.1": 0},
        "metadata": {"a": [1]},
    }
    answer = Rest("ann").join(**wanted)
    row = Ticket.objects.get(id=answer.body["queue_entry_id"])
    assert {name: getattr(row, name) for name in wanted} == wanted


def test_a_ticket_has_the_rating_of_its_own_pool(duel: Pool) -> None:
    blitz = pool("blitz")
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=duel, value=1723.5)
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=blitz, value=900)
    assert Rest("ann").join().body["rating"] == 1723.5


def test_who_is_in_a_queue_joins_no_other_and_is_told_which(duel: Pool) -> None:
    pool("blitz")
    first = Rest("ann").join().body["queue_entry_id"]
    for key in ("duel", "blitz"):
        again = Rest("ann").join(key)
        assert again.refusal == (409, "already_in_queue")
        assert again.body["queue_entry_id"] == first
    assert Ticket.objects.count() == 1


def test_who_is_reserved_is_in_a_queue(duel: Pool) -> None:
    ann = queued("ann", duel)
    queued("bob", duel)
    reserved_match("ann", "bob")
    again = Rest("ann").join()
    assert again.refusal == (409, "already_in_queue")
    assert again.body["queue_entry_id"] == str(ann.id)


def test_who_has_left_may_join_again(duel: Pool) -> None:
    ann = Rest("ann")
    first = ann.join().body["queue_entry_id"]
    ann.delete(entry(first))
    again = ann.join()
    assert again.status == 201
    assert again.body["queue_entry_id"] != first


def test_who_is_in_a_match_cannot_join_and_no_ticket_is_left_behind(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    confirmed_match("ann", "bob")
    before = told("ann")
    assert Rest("ann").join().refusal == (409, "active_game_exists")
    assert not Ticket.objects.filter(user_id="ann", status__in=Ticket.LIVE).exists()
    assert told("ann") == before


def test_a_pool_that_is_unknown_closed_or_of_another_tenant_is_the_same_404(duel: Pool) -> None:
    pool("closed", is_active=False)
    pool("theirs", tenant_id="acme")
    refusals = [Rest("ann").join(key) for key in ("nonsense", "closed", "theirs", "Duel", "д" * 64)]
    assert {refusal.refusal for refusal in refusals} == {(404, "pool_not_found")}
    assert all(refusal.body == refusals[0].body for refusal in refusals)


def test_one_user_id_in_two_tenants_is_two_users(duel: Pool) -> None:
    pool(tenant_id="acme")
    assert Rest("ann").join().status == 201
    theirs = Rest("ann", tenant_id="acme").join()
    assert theirs.status == 201
    assert theirs.body["position"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"pool_key": None}, "pool_key"),
        ({"pool_key": ""}, "pool_key"),
        ({"pool_key": "x" * 65}, "pool_key"),
        ({"pool_key": ["duel"]}, "pool_key"),
        ({"colour": "white"}, "colour"),
        ({"regions": "eu"}, "regions"),
        ({"regions": [1]}, "regions[...]"),
        ({"regions": ["e u"]}, "regions[...]"),
        ({"regions": ["eu\n"]}, "regions[...]"),
        ({"regions": ["x" * 65]}, "regions[...]"),
        ({"regions": ["eu"] * 33}, "regions"),
        ({"latencies": ["eu"]}, "latencies"),
        ({"latencies": {"eu": "fast"}}, "latencies[...]"),
        ({"latencies": {"eu": -1}}, "latencies[...]"),
        ({"latencies": {"eu": 100_001}}, "latencies[...]"),
        ({"latencies": {"eu": True}}, "latencies[...]"),
        ({"latencies": {"": 1}}, "latencies"),
        ({"latencies": {f"r{n}": 1 for n in range(33)}}, "latencies"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"text": "x" * 2048}}, "metadata"),
        ({"party_id": 7}, "party_id"),
    ],
)
def test_a_wrong_field_is_named(duel: Pool, wrong: dict[str, Any], field: str) -> None:
    refusal = Rest("ann").join(**({"pool_key": "duel"} | wrong))
    assert refusal.refusal == (400, "invalid_request")
    assert [name.partition("[")[0] for name in refusal.body["errors"]] == [field.partition("[")[0]]
    assert not Ticket.objects.exists()


def test_a_body_without_a_pool_is_refused(duel: Pool) -> None:
    for body in (b"", b"{}"):
        refusal = Rest("ann").send("POST", "/matchmaking/queue", body)
        assert refusal.refusal == (400, "invalid_request")
        assert list(refusal.body["errors"]) == ["pool_key"]


def test_metadata_may_be_2_kib_to_the_byte(duel: Pool) -> None:
    frame = len('{"":""}')
    largest = {"": "ä" * ((2048 - frame) // 2) + "x"}
    assert Rest("ann").join(metadata=largest).status == 201
    refusal = Rest("bob").join(metadata={"": largest[""] + "x"})
    assert list(refusal.body["errors"]) == ["metadata"]


def test_a_party_that_does_not_exist_is_404(duel: Pool) -> None:
    assert Rest("ann").join(party_id=str(uuid4())).refusal == (404, "party_not_found")


# --- the ticket


def test_a_player_reads_its_own_ticket(duel: Pool) -> None:
    joined = Rest("ann").join().body
    read = Rest("ann").get(entry(joined["queue_entry_id"]))
    assert read.status == 200
    assert 0 < read.body.pop("waited_seconds") < 60
    assert read.body == {name: value for name, value in joined.items() if name != "waited_seconds"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_anybody_elses_ticket_is_the_404_of_a_random_id(duel: Pool, method: str) -> None:
    ann = queued("ann", duel)
    random = Rest("ann").send(method, entry(str(uuid4())))
    assert random.refusal == (404, "queue_entry_not_found")
    others = [Rest("mallory"), Rest("ann", tenant_id="acme"), Rest("mallory", roles=["staff", "game_server"])]
    assert all(other.send(method, entry(ann)).body == random.body for other in others)
    ann.refresh_from_db()
    assert ann.status == "SEARCHING"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("malformed", NOT_AN_ID)
def test_a_malformed_id_is_the_404_of_a_random_one(db: None, method: str, malformed: str) -> None:
    random = Rest("ann").send(method, entry(str(uuid4())))
    assert Rest("ann").send(method, entry(malformed)).body == random.body


def test_the_position_ranks_by_age_among_the_live_tickets_of_the_pool(duel: Pool) -> None:
    bob = queued("bob", duel, waited=20)
    ann = queued("ann", duel, waited=30)
    cat = queued("cat", duel, waited=10)
    queued("dan", pool("blitz"), waited=40)
    tickets = {"ann": ann, "bob": bob, "cat": cat}

    def positions() -> list[int | None]:
        return [Rest(name).get(entry(ticket)).body["position"] for name, ticket in tickets.items()]

    assert positions() == [1, 2, 3]
    Rest("ann").delete(entry(ann))
    assert positions() == [None, 1, 2]


def test_a_priority_is_a_head_start_and_nothing_more(duel: Pool) -> None:
    queued("ann", duel, waited=61)
    queued("bob", duel, waited=59)
    joined = Rest("cat", priority=60).join()
    assert joined.body["position"] == 2
    assert joined.body["waited_seconds"] == 0
    assert joined.body["rating_window"] == 100


@pytest.mark.parametrize(("waited", "window"), [(0, 100), (5, 100), (10, 125), (35, 175), (600, 1600)])
def test_the_window_widens_while_a_ticket_waits(duel: Pool, waited: float, window: float) -> None:
    ann = queued("ann", duel, waited=waited)
    ticket = Rest("ann").get(entry(ann)).body
    assert ticket["rating_window"] == window
    assert waited <= ticket["waited_seconds"] < waited + 5


def was_matched(pool: Pool, *, waited: float, seconds_ago: float = 60) -> None:
    ended_at = database_now() - timedelta(seconds=seconds_ago)
    queued_at = ended_at - timedelta(seconds=waited)
    Ticket.objects.create(
        tenant_id=pool.tenant_id,
        user_id=f"player-{uuid4().hex}",
        pool=pool,
        status="MATCHED",
        queued_at=queued_at,
        age_from=queued_at,
        ended_at=ended_at,
        rating=1500,
    )


def test_the_estimated_wait_is_what_is_left_of_the_mean_of_recent_matches(duel: Pool) -> None:
    was_matched(duel, waited=10)
    was_matched(duel, waited=30)
    was_matched(duel, waited=3000, seconds_ago=3700)
    was_matched(pool("blitz"), waited=500)
    assert Rest("ann").join().body["estimated_wait_seconds"] == 20
    bob, cat = queued("bob", duel, waited=5), queued("cat", duel, waited=45)
    assert 10 < Rest("bob").get(entry(bob)).body["estimated_wait_seconds"] <= 15
    assert Rest("cat").get(entry(cat)).body["estimated_wait_seconds"] == 0


def test_only_the_last_matches_count_for_the_estimate(duel: Pool) -> None:
    for _ in range(RECENT_TICKETS):
        was_matched(duel, waited=8)
    was_matched(duel, waited=1000, seconds_ago=61)
    assert Rest("ann").join().body["estimated_wait_seconds"] == 8


# --- leave


def test_who_leaves_gets_the_ended_ticket(duel: Pool) -> None:
    ann = queued("ann", duel, waited=30)
    answer = Rest("ann").delete(entry(ann))
    assert answer.status == 200
    assert 30 <= answer.body["waited_seconds"] < 35
    ended = {"status": "CANCELLED", "cancel_reason": "user_request", "position": None, "match_id": None}
    assert {name: answer.body[name] for name in ended} == ended
    assert last_told("ann", "queue_cancelled") == {"queue_entry_id": str(ann.id), "reason": "user_request"}
    assert Rest("ann").get(entry(ann)).body == answer.body


def test_leaving_twice_is_refused(duel: Pool) -> None:
    ann = queued("ann", duel)
    Rest("ann").delete(entry(ann))
    before = told("ann")
    assert Rest("ann").delete(entry(ann)).refusal == (409, "cannot_cancel")
    assert told("ann") == before


def test_who_leaves_while_reserved_takes_the_match_back(duel: Pool) -> None:
    ann, bob = queued("ann", duel, waited=5), queued("bob", duel)
    match = reserved_match("ann", "bob")
    reserved = Rest("ann").get(entry(ann)).body
    assert (reserved["status"], reserved["match_id"], reserved["game_id"]) == (
        "RESERVED",
        str(match.id),
        None,
    )
    answer = Rest("ann").delete(entry(ann)).body
    assert (answer["status"], answer["match_id"], answer["cancel_reason"]) == (
        "CANCELLED",
        None,
        "user_request",
    )
    left_alone = Rest("bob").get(entry(bob)).body
    assert (left_alone["status"], left_alone["match_id"], left_alone["position"]) == ("SEARCHING", None, 1)
    match.refresh_from_db()
    assert match.status == "CANCELLED"


def test_who_is_matched_cannot_leave_the_queue(duel: Pool) -> None:
    ann, _ = queued("ann", duel), queued("bob", duel)
    match = confirmed_match("ann", "bob")
    assert Rest("ann").delete(entry(ann)).refusal == (409, "cannot_cancel")
    ticket = Rest("ann").get(entry(ann)).body
    assert (ticket["status"], ticket["position"]) == ("MATCHED", None)
    assert (ticket["match_id"], ticket["game_id"]) == (str(match.id), match.game_id)


# --- all that one is in


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_who_is_in_nothing_gets_nulls(duel: Pool, base: str) -> None:
    answer = Rest("ann", base=base).get("/matchmaking/active")
    assert answer.status == 200
    assert answer.body == {
        "ticket": None,
        "match": None,
        "session_id": None,
        "challenges": {"incoming": [], "outgoing": []},
        "party": None,
    }


def test_active_follows_a_match_and_hides_it_until_both_are_known_to_be_there(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)

    def active() -> dict[str, Any]:
        state: dict[str, Any] = Rest("ann").get("/matchmaking/active").body
        return state

    assert active()["ticket"]["status"] == "SEARCHING"
    reserved_match("ann", "bob")
    assert active()["ticket"]["status"] == "RESERVED"
    assert active()["match"] is None


def test_active_shows_a_match_from_match_found_on_and_its_session_from_match_ready_on(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = notified_match("ann", "bob")
    found = Rest("ann").get("/matchmaking/active").body
    assert (found["match"]["match_id"], found["match"]["status"]) == (str(match.id), "PROPOSED")
    assert (found["ticket"]["status"], found["ticket"]["game_id"]) == ("RESERVED", None)
    assert found["session_id"] is None


def test_active_shows_a_confirmed_match_and_no_ticket(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = confirmed_match("ann", "bob")
    state = Rest("ann").get("/matchmaking/active").body
    assert state["ticket"] is None
    assert (state["match"]["match_id"], state["match"]["status"]) == (str(match.id), "CONFIRMED")
    assert state["session_id"] == str(match.session_id)
    assert Rest("ann", tenant_id="acme").get("/matchmaking/active").body["match"] is None


# --- pools


def test_pools_are_shown_with_their_rules(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    queued("cat", duel)
    Rest("cat").delete(entry(Ticket.objects.get(user_id="cat")))
    answer = Rest("ann").get("/matchmaking/pools")
    assert answer.status == 200
    assert answer.body == {
        "results": [
            {
                "pool_key": "duel",
                "name": "Duel",
                "mode": "duel",
                "time_control": "",
                "rated": True,
                "teams": 2,
                "team_size": 1,
                "rules": {
                    "preset": "classic",
                    "rule": "both",
                    "radius": 100,
                    "growth_per_second": 2.5,
                    "step_seconds": 10,
                    "cap": None,
                    "latency_start_ms": 80,
                    "latency_growth_ms_per_second": 2,
                    "latency_cap_ms": None,
                    "avoid_recent_seconds": 0,
                    "avoid_recent_relax_seconds": 60,
                },
                "accept_seconds": None,
                "waiting": 2,
            }
        ],
        "next": None,
    }


def test_pools_are_the_tenants_own_active_ones_in_the_order_of_its_staff(duel: Pool) -> None:
    pool("first", ordering=0)
    Pool.objects.filter(key="duel").update(ordering=1)
    pool("closed", is_active=False)
    pool("theirs", tenant_id="acme")

    def keys(**claims: Any) -> list[str]:
        return [p["pool_key"] for p in Rest("ann", **claims).get("/matchmaking/pools").body["results"]]

    assert keys() == ["first", "duel"]
    assert keys(tenant_id="acme") == ["theirs"]
    assert keys(tenant_id="nobody") == []


# --- matches


def a_match(pool: Pool, *names: str, **columns: Any) -> Match:
    now = database_now()
    values = {"mode": "duel", "rated": True, "status": "FINISHED", "deadline": now, "lease_until": now}
    match = Match.objects.create(
        pool=pool, tenant_id=pool.tenant_id, created_at=now, id=new_id(), **(values | columns)
    )
    MatchPlayer.objects.bulk_create(
        MatchPlayer(
            match=match, tenant_id=pool.tenant_id, user_id=name, rating=1500, team=1, is_live=False, nonce=""
        )
        for name in names
    )
    return match


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_match_is_complete_even_when_its_tickets_are_gone(base: str) -> None:
    pool_of_both = pool(time_control="3+2")
    ann = queued("ann", pool_of_both, rating=1510, metadata={"avatar": "owl"})
    bob = queued("bob", pool_of_both, rating=1490)
    match = confirmed_match("ann", "bob")
    Rating.objects.update(value=2000)
    Ticket.objects.all().delete()
    body = Rest("ann", base=base).get(f"/matchmaking/matches/{match.id}").body
    for time in ("created_at", "confirmed_at"):
        assert RFC_3339_UTC.fullmatch(body.pop(time))
    players = body.pop("players")
    assert body == {
        "match_id": str(match.id),
        "game_id": match.game_id,
        "pool_key": "duel",
        "mode": "duel",
        "time_control": "3+2",
        "rated": True,
        "status": "CONFIRMED",
        "queue_entry_ids": [str(ann.id), str(bob.id)],
        "metadata": {"ann": {"avatar": "owl"}},
        "quality": pytest.approx(2 / (1 + 10 ** (20 / 400))),
        "result": None,
    }
    assert {player.pop("color") for player in players} == {"white", "black"}
    assert players == [
        {"user_id": "ann", "display_name": "Ann", "rating": 1510, "team": 1},
        {"user_id": "bob", "display_name": "Bob", "rating": 1490, "team": 2},
    ]


def test_a_match_of_others_is_the_404_of_a_random_id(duel: Pool) -> None:
    match = a_match(duel, "ann", "bob")
    path = "/matchmaking/matches/"
    random = Rest("ann").get(f"{path}{uuid4()}")
    assert random.refusal == (404, "not_found")
    for other in (Rest("mallory"), Rest("ann", tenant_id="acme")):
        assert other.get(f"{path}{match.id}").body == random.body
        assert other.get(path.rstrip("/")).body == {"results": [], "next": None}
    assert all(Rest("ann").get(path + malformed).body == random.body for malformed in NOT_AN_ID)


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_own_matches_come_newest_first_in_pages_that_miss_none(duel: Pool, base: str) -> None:
    made = [str(a_match(duel, "ann", "bob").id) for _ in range(51)]
    a_match(duel, "bob", "cat")
    ann = Rest("ann", base=base)
    first = ann.get("/matchmaking/matches").body
    a_match(duel, "ann", "cat")
    assert f"{base}/matchmaking/matches?cursor=" in first["next"]
    second = ann.get(first["next"]).body
    assert second["next"] is None
    assert [len(page["results"]) for page in (first, second)] == [50, 1]
    seen = [match["match_id"] for page in (first, second) for match in page["results"]]
    assert seen == made[::-1]


def test_exactly_one_page_has_no_next(duel: Pool) -> None:
    for _ in range(50):
        a_match(duel, "ann", "bob")
    page = Rest("ann").get("/matchmaking/matches").body
    assert (len(page["results"]), page["next"]) == (50, None)


@pytest.mark.parametrize("cursor", ["", "x", "%00", "1"])
def test_a_cursor_that_is_not_ours_is_refused(db: None, cursor: str) -> None:
    refusal = Rest("ann").get(f"/matchmaking/matches?cursor={cursor}")
    assert refusal.refusal == (400, "invalid_request")
    assert list(refusal.body["errors"]) == ["cursor"]


def test_times_are_utc_whatever_the_clock_of_the_database(duel: Pool) -> None:
    ann = queued("ann", duel)
    text = Rest("ann").get(entry(ann)).body["queued_at"]
    assert datetime.fromisoformat(text) == ann.queued_at


def test_a_match_that_was_taken_back_can_still_be_read(duel: Pool) -> None:
    ann, _ = queued("ann", duel), queued("bob", duel)
    reserved_match("ann", "bob")
    Rest("ann").delete(entry(ann))
    match = match_of("ann", "bob")
    assert Rest("bob").get(f"/matchmaking/matches/{match.id}").body["status"] == "CANCELLED"


def test_the_age_order_of_equals_is_that_of_their_ids(duel: Pool) -> None:
    first, second = queued("ann", duel), queued("bob", duel)
    Ticket.objects.update(age_from=first.queued_at)
    assert Rest("ann").get(entry(first)).body["position"] == 1
    assert Rest("bob").get(entry(second)).body["position"] == 2
