"""Results of matches, and what they do to ratings: once, however often they are sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from matchmaking.models import Match, Pool, Rating, RatingChange
from matchmaking.services import endings
from realtime.services import participants
from realtime.transport.database import database_now
from tests.factories import Answer, Rest, confirmed_match, notified_match, queued

pytestmark = pytest.mark.django_db(transaction=True)
NOON = "2030-01-01T12:00:00Z"


@pytest.fixture
def match(duel: Pool) -> Match:
    for name in ("ann", "bob"):
        queued(name, duel)
    return confirmed_match("ann", "bob")


def outcome(ann: float, bob: float) -> dict[str, Any]:
    scores = [{"user_id": "ann", "score": ann}, {"user_id": "bob", "score": bob}]
    return {"outcome": scores, "finished_at": NOON}


def report(match: Match, body: object, **claims: Any) -> Answer:
    server = Rest("server", **({"roles": ["game_server"]} | claims))
    return server.post(f"/matchmaking/matches/{match.id}/result", body)


def rating(name: str) -> Rating:
    return Rating.objects.get(user_id=name)


def test_a_result_finishes_the_match_and_changes_both_ratings(match: Match) -> None:
    answer = report(match, outcome(1, 0))
    assert answer.status == 200
    assert (answer.body["status"], answer.body["result"]) == ("FINISHED", outcome(1, 0))
    ann, bob = rating("ann"), rating("bob")
    assert ann.value > 1500 > bob.value
    assert (ann.games, bob.games) == (1, 1)
    assert ann.deviation < 250
    change = RatingChange.objects.get(user_id="ann")
    assert (change.value_before, change.value_after, change.expected, change.score) == (
        1500,
        ann.value,
        0.5,
        1,
    )
    assert Rest("ann").join().status == 201


def test_the_same_result_again_changes_nothing(match: Match) -> None:
    report(match, outcome(1, 0))
    before = rating("ann").value
    assert report(match, outcome(1, 0)).status == 200
    assert (rating("ann").value, rating("ann").games) == (before, 1)


def test_another_result_after_it_is_refused(match: Match) -> None:
    report(match, outcome(1, 0))
    assert report(match, outcome(0, 1)).refusal == (409, "result_conflict")
    match.refresh_from_db()
    assert match.result == outcome(1, 0)
    assert rating("ann").games == 1


def test_results_that_come_together_count_once(match: Match) -> None:
    def send(_number: int) -> int:
        try:
            return report(match, outcome(1, 0)).status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(8))) == {200}
    assert (rating("ann").games, RatingChange.objects.count()) == (1, 2)


def test_a_late_result_counts_where_the_match_ended_without_one(match: Match) -> None:
    endings.end_by_staff([match.id], now=database_now())
    assert report(match, outcome(0.5, 0.5)).status == 200
    match.refresh_from_db()
    assert (match.status, match.result) == ("FINISHED", outcome(0.5, 0.5))
    assert rating("ann").value == pytest.approx(1500)


def test_a_match_that_is_not_confirmed_has_no_result(duel: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    match = notified_match("ann", "bob")
    assert report(match, outcome(1, 0)).refusal == (409, "match_not_confirmed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": [{"user_id": "ann", "score": 1}], "finished_at": NOON},
        {"outcome": [{"user_id": "ann", "score": 1}, {"user_id": "cat", "score": 0}], "finished_at": NOON},
        {"outcome": [{"user_id": "ann", "score": 1}] * 2, "finished_at": NOON},
        {"outcome": [], "finished_at": NOON},
        {"outcome": [{"user_id": "ann", "score": "1"}, {"user_id": "bob", "score": 0}], "finished_at": NOON},
        {"outcome": [{"user_id": "ann", "score": 1}, {"user_id": "bob", "score": 0}], "finished_at": "noon"},
        {"outcome": [{"user_id": "ann", "score": 1}, {"user_id": "bob", "score": 0}]},
    ],
    ids=["one", "stranger", "twice", "none", "text", "no-time", "without-time"],
)
def test_a_result_that_does_not_speak_of_exactly_the_players_is_refused(match: Match, wrong: object) -> None:
    assert report(match, wrong).refusal == (400, "invalid_request")
    match.refresh_from_db()
    assert match.status == "CONFIRMED"


def test_only_a_game_server_of_the_tenant_reports(match: Match) -> None:
    path = f"/matchmaking/matches/{match.id}/result"
    assert Rest("ann").post(path, outcome(1, 0)).refusal == (403, "forbidden")
    assert report(match, outcome(1, 0), tenant_id="other").refusal == (404, "not_found")
    server = Rest("server", roles=["game_server"])
    for nobody in ("nonsense", "01a2044b-0000-7000-8000-000000000000"):
        assert server.post(f"/matchmaking/matches/{nobody}/result", outcome(1, 0)).status == 404


def test_a_match_that_is_not_rated_changes_no_rating(duel: Pool) -> None:
    Pool.objects.update(rated=False)
    for name in ("ann", "bob"):
        queued(name, Pool.objects.get())
    match = confirmed_match("ann", "bob")
    assert report(match, outcome(1, 0)).status == 200
    assert not Rating.objects.exists()


def test_pools_may_share_ratings(duel: Pool) -> None:
    blitz = Pool.objects.create(
        tenant_id="demo", key="blitz", name="Blitz", shares_ratings_with=duel, avoid_recent_seconds=0
    )
    for name in ("ann", "bob"):
        queued(name, blitz)
    report(confirmed_match("ann", "bob"), outcome(1, 0))
    assert {row.pool_id for row in Rating.objects.all()} == {duel.id}
    ratings = {row["pool_key"]: row for row in Rest("ann").get("/matchmaking/ratings").body["results"]}
    assert ratings["duel"]["rating"] == ratings["blitz"]["rating"] > 1500
    assert ratings["duel"]["provisional"]
    assert Rest("ann").join("duel").body["rating"] == ratings["duel"]["rating"]


def test_a_rating_is_read_once_more_when_the_match_is_made(duel: Pool) -> None:
    queued("ann", duel, rating=1500)
    queued("bob", duel, rating=1500)
    Rating.objects.filter(user_id="ann").update(value=1580)
    match = confirmed_match("ann", "bob")
    assert {p.user_id: p.rating for p in match.players.all()} == {"ann": 1580, "bob": 1500}


def test_the_history_is_the_players_own_newest_first_in_pages(match: Match) -> None:
    report(match, outcome(1, 0))
    history = Rest("ann").get("/matchmaking/ratings/duel/history").body
    (point,) = history["results"]
    assert (point["match_id"], point["before"], point["expected"], point["score"]) == (
        str(match.id),
        1500,
        0.5,
        1,
    )
    assert point["after"] == rating("ann").value
    assert history["next"] is None
    assert Rest("cat").get("/matchmaking/ratings/duel/history").body["results"] == []
    assert Rest("ann").get("/matchmaking/ratings/chess/history").refusal == (404, "pool_not_found")
    assert Rest("ann").get("/matchmaking/ratings/duel/history?cursor=x").refusal == (400, "invalid_request")


def test_a_duel_of_the_built_in_game_changes_ratings_and_says_so(match: Match) -> None:
    assert match.session_id is not None
    for name in ("ann", "bob"):
        participants.arrive(match.session_id, name, connection_id=name, now=database_now())
    participants.leave(match.session_id, "ann", now=database_now())
    match.refresh_from_db()
    assert match.result is not None
    scores = {entry["user_id"]: entry["score"] for entry in match.result["outcome"]}
    assert scores == {"ann": 0, "bob": 1}
    assert rating("bob").value > 1500 > rating("ann").value
