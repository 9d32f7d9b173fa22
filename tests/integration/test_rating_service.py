"""Ratings from a service over HTTP: asked at joins, kept, told results, and done without when it fails."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings
from structlog.testing import capture_logs

from matchmaking import ratings
from matchmaking.models import Match, MatchPlayer, Pool, Rating, RatingChange, Ticket
from matchmaking.services import loop
from realtime.transport.database import database_now
from realtime.transport.store import client
from tests.factories import Rest, confirmed_match, hear_from, host_has_answered, pool, queued, service_is_well
from tests.integration.threads import together
from tests.rating_servers import TOKEN, RatingServer

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT = 0.4
NOON = "2030-01-01T12:00:00Z"


@pytest.fixture(autouse=True)
def service(settings: Settings) -> Iterator[RatingServer]:
    with RatingServer() as server:
        settings.RATING_SERVICE = server.url
        settings.RATING_SERVICE_TOKEN = TOKEN
        settings.RATING_SERVICE_TIMEOUT_SECONDS = TIMEOUT
        yield server
        server.go_on()
        host_has_answered()


def kept(name: str = "ann") -> tuple[float, float]:
    row = Rating.objects.get(user_id=name)
    return row.value, row.deviation


def let_cache_age(seconds: float = 61) -> None:
    Rating.objects.update(read_at=F("read_at") - timedelta(seconds=seconds))


def leave_queue() -> None:
    Ticket.objects.filter(status="SEARCHING").update(status="CANCELLED", cancel_reason="staff")


def joined_rating(name: str = "ann") -> float:
    """Join, and return by which rating; the ticket is gone again."""
    answer = Rest(name).join()
    assert answer.status == 201, answer
    leave_queue()
    return float(answer.body["rating"])


# --- a join


def test_a_join_asks_for_the_rating_and_keeps_it(duel: Pool, service: RatingServer) -> None:
    service.ratings["ann"] = {"rating": 1712.5, "deviation": 60}
    assert joined_rating() == 1712.5
    assert kept() == (1712.5, 60)
    assert service.reads == [{"tenant_id": "demo", "pool_key": "duel", "user_ids": ["ann"]}]


def test_whom_the_service_does_not_know_has_1500_and_so_has_who_is_new_to_it_again(
    duel: Pool, service: RatingServer
) -> None:
    assert joined_rating() == 1500
    assert kept() == (1500, 250)
    Rating.objects.update(value=1900)
    let_cache_age()
    assert joined_rating() == 1500


def test_it_is_asked_again_only_when_its_word_is_old(duel: Pool, service: RatingServer) -> None:
    service.ratings["ann"] = {"rating": 1600}
    joined_rating()
    service.ratings["ann"] = {"rating": 1700}
    let_cache_age(55)
    assert (joined_rating(), len(service.reads)) == (1600, 1)
    let_cache_age(6)
    assert (joined_rating(), len(service.reads)) == (1700, 2)


def test_pools_that_share_ratings_are_asked_about_as_one(duel: Pool, service: RatingServer) -> None:
    pool("blitz", shares_ratings_with=duel)
    service.ratings["ann"] = {"rating": 1600}
    assert Rest("ann").join("blitz").body["rating"] == 1600
    assert service.reads[0]["pool_key"] == "duel"
    leave_queue()
    assert (joined_rating(), len(service.reads)) == (1600, 1)


NONSENSE = [
    b"",
    b"[]",
    b"{",
    b"{}",
    b"\xff\xfe",
    b'{"ratings": null}',
    b'{"ratings": []}',
    b'{"ratings": {"ann": 1600}}',
    b'{"ratings": {"ann": {}}}',
    b'{"ratings": {"ann": {"rating": null}}}',
    b'{"ratings": {"ann": {"rating": "1600"}}}',
    b'{"ratings": {"ann": {"rating": true}}}',
    b'{"ratings": {"ann": {"rating": NaN}}}',
    b'{"ratings": {"ann": {"rating": Infinity}}}',
    b'{"ratings": {"ann": {"rating": 1e999}}}',
    b'{"ratings": {"ann": {"rating": 1e300}}}',
    b'{"ratings": {"ann": {"rating": -100001}}}',
    b'{"ratings": {"ann": {"rating": 1600, "deviation": -1}}}',
    b'{"ratings": {"ann": {"rating": 1600, "deviation": "NaN"}}}',
    b'{"ratings": {"ann": {"rating": ' + b"9" * 5000 + b"}}}",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:40].decode(errors="replace"))
def test_an_answer_that_makes_no_sense_leaves_what_was_known(
    duel: Pool, service: RatingServer, body: bytes
) -> None:
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=duel, value=1650, deviation=70)
    service.body = body
    with capture_logs() as logs:
        assert joined_rating() == 1650
    assert kept() == (1650, 70)
    assert [e["log_level"] for e in logs if e["event"] == "rating_not_read"] == ["warning"]


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 404, 429, 500, 503])
def test_any_other_status_leaves_what_was_known(duel: Pool, service: RatingServer, status: int) -> None:
    Rating.objects.create(tenant_id="demo", user_id="ann", pool=duel, value=1650)
    service.status = status
    assert (joined_rating(), joined_rating("bob")) == (1650, 1500)


def test_a_join_waits_for_a_service_that_hangs_no_longer_than_its_time(
    duel: Pool, service: RatingServer
) -> None:
    service.hang()
    began = time.monotonic()
    assert joined_rating() == 1500
    assert TIMEOUT * 0.9 <= time.monotonic() - began < TIMEOUT + 0.5


def test_one_that_is_down_and_then_back_is_asked_again(duel: Pool, service: RatingServer) -> None:
    service.ratings["ann"] = {"rating": 1600}
    assert joined_rating() == 1600
    let_cache_age()
    service.stop()
    assert joined_rating() == 1600
    service.start()
    service.ratings["ann"] = {"rating": 1700}
    assert joined_rating() == 1700


def test_after_enough_failures_joins_do_not_wait_any_more(
    duel: Pool, service: RatingServer, settings: Settings
) -> None:
    service.hang()
    for number in range(settings.BREAKER_FAILURES):
        joined_rating(f"player-{number}")
    asked, began = len(service.reads), time.monotonic()
    assert joined_rating() == 1500
    assert time.monotonic() - began < TIMEOUT * 0.7
    assert len(service.reads) == asked
    assert ratings.states() == {"rating_service": "open", "rating_results": "closed"}


def test_the_tick_finds_that_it_is_back(duel: Pool, service: RatingServer, settings: Settings) -> None:
    service.status = 500
    for number in range(settings.BREAKER_FAILURES):
        joined_rating(f"player-{number}")
    assert Rest("ann").join().body["rating"] == 1500
    service.heal()
    service.ratings["ann"] = {"rating": 1800}
    _refresh_waiting()
    assert ratings.states()["rating_service"] == "closed"
    assert Ticket.objects.get(user_id="ann", status="SEARCHING").rating == 1800


def test_joins_do_not_queue_up_for_a_service_that_hangs(duel: Pool, service: RatingServer) -> None:
    service.hang()
    began = time.monotonic()
    answers = together(*[lambda n=n: Rest(f"player-{n}").join().status for n in range(15)])
    assert answers == [201] * 15
    assert time.monotonic() - began < 2 * TIMEOUT + 2
    assert len(service.reads) <= 10


# --- who waits


def _refresh_waiting() -> None:
    client().delete("mm:turn:rating-refresh")
    ratings.refresh_waiting(now=database_now())
    host_has_answered()


def test_those_who_wait_are_asked_about_together_and_look_by_the_new_ratings(
    duel: Pool, service: RatingServer
) -> None:
    other = pool("other")
    for name in ("ann", "bob"):
        queued(name, duel)
    queued("cat", other)
    service.reads.clear()
    _refresh_waiting()
    assert service.reads == [], "asked about just now"
    let_cache_age()
    service.ratings = {"ann": {"rating": 1600, "deviation": 50}, "cat": {"rating": 1400}}
    _refresh_waiting()
    asked = {read["pool_key"]: read["user_ids"] for read in service.reads}
    assert asked == {"duel": ["ann", "bob"], "other": ["cat"]}
    assert dict(Ticket.objects.values_list("user_id", "rating")) == {"ann": 1600, "bob": 1500, "cat": 1400}
    assert kept("ann") == (1600, 50)


def test_a_match_is_made_by_what_is_kept_while_the_service_hangs(duel: Pool, service: RatingServer) -> None:
    service.ratings = {"ann": {"rating": 1520}, "bob": {"rating": 1540}}
    for name in ("ann", "bob"):
        queued(name, duel)
    service.hang()
    let_cache_age()
    began = time.monotonic()
    match = confirmed_match("ann", "bob")
    assert time.monotonic() - began < 5
    assert dict(match.players.values_list("user_id", "rating")) == {"ann": 1520, "bob": 1540}


def test_the_tick_waits_neither_for_ratings_nor_for_reports(duel: Pool, service: RatingServer) -> None:
    service_is_well()
    _finished(duel)
    queued("cat", duel)
    let_cache_age()
    service.hang()
    hear_from("cat")
    began = time.monotonic()
    loop.tick()
    assert time.monotonic() - began < TIMEOUT
    service.go_on()
    host_has_answered()
    assert len(service.results) == 1


# --- results


def _finished(duel: Pool, ann: float = 1, bob: float = 0) -> Match:
    """Return a match that has ended with a result."""
    for name in ("ann", "bob"):
        queued(name, duel)
    match = confirmed_match("ann", "bob")
    scores = [{"user_id": "ann", "score": ann}, {"user_id": "bob", "score": bob}]
    answer = Rest("server", roles=["game_server"]).post(
        f"/matchmaking/matches/{match.id}/result", {"outcome": scores, "finished_at": NOON}
    )
    assert answer.status == 200
    match.refresh_from_db()
    return match


def _send_reports(*, later: float = 0) -> None:
    """Take the step as whoever runs it ``later`` seconds from now."""
    ratings.send_reports(now=database_now() + timedelta(seconds=later))
    host_has_answered()


def _is_due(match: Match) -> bool:
    match.refresh_from_db()
    return match.rating_report_due is not None


def test_the_end_of_a_match_says_that_a_report_is_due_and_changes_no_rating(
    duel: Pool, service: RatingServer
) -> None:
    match = _finished(duel)
    assert _is_due(match)
    assert (kept("ann"), kept("bob")) == ((1500, 250), (1500, 250))
    assert not RatingChange.objects.exists()
    assert service.tells == []


def test_a_result_is_told_whole_and_once(duel: Pool, service: RatingServer) -> None:
    match = _finished(duel)
    for later in (0, 0, 3600):
        _send_reports(later=later)
    teams = dict(MatchPlayer.objects.values_list("user_id", "team"))
    assert service.tells == [
        {
            "match_id": str(match.id),
            "tenant_id": "demo",
            "pool_key": "duel",
            "finished_at": NOON,
            "outcome": [
                {"user_id": name, "team": teams[name], "score": score}
                for name, score in sorted({"ann": 1, "bob": 0}.items(), key=lambda each: teams[each[0]])
            ],
        }
    ]
    assert not _is_due(match)


def test_new_ratings_in_the_answer_are_kept_and_make_history(duel: Pool, service: RatingServer) -> None:
    service.new_ratings = {"ann": {"rating": 1580, "deviation": 90}, "bob": {"rating": 1420}}
    match = _finished(duel)
    _send_reports()
    assert (kept("ann"), kept("bob")) == ((1580, 90), (1420, 250))
    history = RatingChange.objects.filter(match=match).order_by("user_id")
    told = [(c.value_before, c.value_after, c.deviation_after, c.expected, c.score) for c in history]
    assert told == [(1500, 1580, 90, 0.5, 1), (1500, 1420, 250, 0.5, 0)]
    assert Rating.objects.get(user_id="ann").games == 1
    reads = len(service.reads)
    assert (joined_rating(), len(service.reads)) == (1580, reads), "that was its word just now"


def test_where_the_answer_says_no_ratings_the_next_join_asks(duel: Pool, service: RatingServer) -> None:
    _finished(duel)
    _send_reports()
    service.ratings["ann"] = {"rating": 1580}
    assert joined_rating() == 1580
    assert not RatingChange.objects.exists()


def test_a_killed_process_leaves_the_report_to_another_and_it_counts_once(
    duel: Pool, service: RatingServer
) -> None:
    service.new_ratings = {"ann": {"rating": 1580}, "bob": {"rating": 1420}}
    match = _finished(duel)
    _send_reports()
    # The process died before it could write down that the service had it.
    Match.objects.filter(id=match.id).update(rating_report_due=database_now())
    RatingChange.objects.all().delete()
    _send_reports()
    assert len(service.tells) == 2
    assert list(service.results) == [str(match.id)]
    assert not _is_due(match)


def test_a_service_that_says_the_new_ratings_again_changes_them_once(
    duel: Pool, service: RatingServer
) -> None:
    match = _finished(duel)
    service.status, service.body = 200, b'{"ratings": {"ann": {"rating": 1580}, "bob": {"rating": 1420}}}'
    for _ in range(2):
        Match.objects.filter(id=match.id).update(rating_report_due=database_now())
        _send_reports()
    assert len(service.tells) == 2
    assert not _is_due(match)
    assert RatingChange.objects.count() == 2
    assert Rating.objects.get(user_id="ann").games == 1


def test_an_answer_that_comes_twice_makes_one_history(duel: Pool, service: RatingServer) -> None:
    service.new_ratings = {"ann": {"rating": 1580}}
    service.hang()
    match = _finished(duel)
    for _ in range(2):
        Match.objects.filter(id=match.id).update(rating_report_due=database_now())
        ratings.send_reports(now=database_now())
    service.go_on()
    host_has_answered()
    assert RatingChange.objects.count() == 1
    assert kept() == (1580, 250)
    assert not _is_due(match)


FAULTS: list[dict[str, Any]] = [{"status": 500}, {"status": 503}, {"status": 401}, {"status": 422}]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_report_that_fails_is_made_again_later_and_later(
    duel: Pool, service: RatingServer, fault: dict[str, Any]
) -> None:
    match = _finished(duel)
    vars(service).update(fault)
    _send_reports()
    service.heal()
    _send_reports(later=5)
    assert (_is_due(match), service.results) == (True, {}), "not at once"
    _send_reports(later=11)
    assert (_is_due(match), list(service.results)) == (False, [str(match.id)])


def test_a_service_that_hangs_or_is_down_is_told_when_it_is_back(duel: Pool, service: RatingServer) -> None:
    match = _finished(duel)
    service.hang()
    _send_reports()
    service.stop()
    _send_reports(later=11)
    service.start()
    _send_reports(later=60)
    assert (_is_due(match), len(service.results)) == (False, 1)
    assert match.rating_reports == 3


@pytest.mark.parametrize("body", [b"{", b'{"ratings": {"ann": {"rating": NaN}}}', b'{"ratings": 5}', b"[]"])
def test_what_is_taken_in_is_taken_in_whatever_the_answer_says(
    duel: Pool, service: RatingServer, body: bytes
) -> None:
    match = _finished(duel)
    service.status, service.body = 200, body
    with capture_logs() as logs:
        _send_reports()
    assert not _is_due(match)
    assert kept() == (1500, 250)
    assert "new_ratings_not_read" in {entry["event"] for entry in logs}


def test_matches_that_are_not_rated_are_not_told_of(service: RatingServer) -> None:
    match = _finished(pool(rated=False))
    assert not _is_due(match)


def test_many_tellers_at_once_tell_it_once(duel: Pool, service: RatingServer) -> None:
    _finished(duel)
    now = database_now()
    together(*[lambda: ratings.send_reports(now=now)] * 4)
    host_has_answered()
    assert len(service.tells) == 1


def test_while_telling_fails_one_try_in_a_while_is_made(
    duel: Pool, service: RatingServer, settings: Settings
) -> None:
    settings.BREAKER_FAILURES = 1
    service.status = 500
    first = _finished(duel)
    _send_reports()
    assert ratings.states()["rating_results"] == "open"
    Match.objects.update(rating_report_due=database_now())
    told = len(service.tells)
    _send_reports()
    _send_reports(later=60)
    assert len(service.tells) == told + 1
    assert _is_due(first)


# --- built in


def test_built_in_ratings_ask_and_tell_nobody(duel: Pool, service: RatingServer, settings: Settings) -> None:
    settings.RATING_SERVICE = "builtin"
    match = _finished(duel)
    assert kept("ann")[0] > 1500 > kept("bob")[0]
    assert (service.reads, _is_due(match), ratings.states()) == ([], False, {})
