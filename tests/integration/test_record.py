"""What is kept of every match, logged, and shown to staff; and the colours that follow from it."""

import random
import re
from collections.abc import Callable, Iterator, Set
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.selectors import color_balances
from matchmaking.services import endings, leaving, loop, matches, staff
from matchmaking.timeline import timeline
from realtime.transport import store
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests import factories
from tests.acceptance.stacks import eventually
from tests.factories import (
    acknowledge,
    all_heard,
    answer_ping,
    caller,
    confirmed_match,
    connect,
    last_told,
    notified_match,
    queued,
    reserved_match,
)

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])


@pytest.fixture
def pair(duel: Pool) -> list[Ticket]:
    """Ann has no socket any more, Bob has one."""
    connect("bob")
    return [queued("ann", duel, waited=9), queued("bob", duel, waited=6)]


def seats(match: Match) -> dict[str, MatchPlayer]:
    return {player.user_id: player for player in match.players.all()}


def logged(caplog: pytest.LogCaptureFixture, event: str) -> dict[str, Any]:
    (line,) = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == event]
    return line


# --- every way to fail; Bob always did his part


def after_its_deadline(match: Match) -> Match:
    """Let the time to answer be over, and the loop notice it."""
    Match.objects.filter(id=match.id).update(deadline=database_now())

    def is_taken_back() -> bool:
        loop.advance()
        return Match.objects.filter(id=match.id, status=Match.Status.CANCELLED).exists()

    assert eventually(is_taken_back, 10)
    return match


def be_away() -> Match:
    match = reserved_match("ann", "bob")
    answer_ping(match, "bob")
    return after_its_deadline(match)


def acknowledge_nothing() -> Match:
    match = notified_match("ann", "bob")
    acknowledge(match, "bob")
    return after_its_deadline(match)


def leave() -> Match:
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann", "bob")
    leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
    return match


def be_refused_by_the_host() -> Match:
    match = reserved_match("ann", "bob")
    answer_ping(match, "ann", "bob")
    matches._claim_for_creation(all_heard(match), now=database_now())
    matches.note_games({match.id: None})
    return match


def be_ended_by_staff() -> Match:
    match = notified_match("ann", "bob")
    acknowledge(match, "bob")
    staff.end_matches([match.id], now=database_now())
    return match


def outlive_the_lease() -> Match:
    match = notified_match("ann", "bob")
    acknowledge(match, "bob")
    Match.objects.update(lease_until=database_now())
    loop.advance()
    return match


class Attempt(NamedTuple):
    """A way to fail, and what is known of it afterwards; outcomes are Ann's and Bob's."""

    fail: Callable[[], Match]
    cause: str
    stage: str
    outcomes: tuple[str, str] = ("requeued", "requeued")
    causers: Set[str] = frozenset()
    answered: Set[str] = frozenset({"ann", "bob"})
    acknowledged: Set[str] = frozenset()


FLAGGED, KEPT, LEFT = "requeued_flagged", "requeued", "left"
ANN, BOB = frozenset({"ann"}), frozenset({"bob"})
ATTEMPTS = [
    Attempt(be_away, "unreachable", "verifying", (FLAGGED, KEPT), causers=ANN, answered=BOB),
    Attempt(
        acknowledge_nothing, "delivery_failed", "notifying", (FLAGGED, KEPT), causers=ANN, acknowledged=BOB
    ),
    Attempt(leave, "left", "verifying", (LEFT, KEPT), causers=ANN),
    Attempt(be_refused_by_the_host, "game_service_unavailable", "creating"),
    Attempt(be_ended_by_staff, "staff", "notifying", acknowledged=BOB),
    Attempt(outlive_the_lease, "internal_error", "notifying", acknowledged=BOB),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt.cause for attempt in ATTEMPTS])
def test_every_failed_attempt_is_written_down_and_logged(
    pair: list[Ticket], caplog: pytest.LogCaptureFixture, attempt: Attempt
) -> None:
    match = attempt.fail()
    _, cause, stage, outcomes, causers, answered, acknowledged = attempt
    match.refresh_from_db()
    assert (match.status, match.cancel_reason, match.failed_stage) == ("CANCELLED", cause, stage)
    of = seats(match)
    ann, bob = of["ann"], of["bob"]
    assert {name for name, seat in of.items() if seat.is_cause} == causers
    assert {name for name, seat in of.items() if seat.answered_at} == answered
    assert {name for name, seat in of.items() if seat.acknowledged_at} == acknowledged
    assert (ann.outcome, bob.outcome) == outcomes
    assert (ann.is_live, bob.is_live) == (False, False)
    assert (ann.connections, bob.connections) == (0, 1)
    assert match.finished_at is not None
    assert bob.heard_at is not None
    assert bob.heard_at <= match.finished_at

    line = logged(caplog, "match_rolled_back")
    words = ("match", "tenant", "cause", "causers", "stage", "game_cancel_due")
    has_game = stage != "verifying"
    assert [line[word] for word in words] == [str(match.id), "demo", cause, sorted(causers), stage, has_game]
    for seat, told in zip((ann, bob), line["players"], strict=True):
        heard_at = seat.heard_at.isoformat() if seat.heard_at else None
        assert (told["user"], told["outcome"], told["heard_at"]) == (seat.user_id, seat.outcome, heard_at)
        assert told["connections"] == seat.connections
        assert (told["ack_ms"] is not None) is (seat.user_id in acknowledged)
    for result in line["health"]:
        is_healthy = result["user_id"] in answered
        assert (result["is_healthy"], result["latency_ms"] is not None) == (is_healthy, is_healthy)
        assert result["reason"] == (None if is_healthy else "no_connection")
        assert result["checked_at"] == match.finished_at.isoformat()


@pytest.mark.parametrize(("seconds_ago", "reason"), [(None, "no_answer"), (0, "late_answer")])
def test_the_log_says_why_a_player_was_not_healthy(
    pair: list[Ticket], caplog: pytest.LogCaptureFixture, seconds_ago: float | None, reason: str
) -> None:
    connect("ann")
    match = reserved_match("ann", "bob")
    deadline = database_now() - timedelta(seconds=1)
    pinged_at = deadline - timedelta(seconds=settings.HEALTH_CHECK_SECONDS)
    Match.objects.update(pinged_at=pinged_at, deadline=deadline)
    answer_ping(match, "bob", seconds_ago=10)
    if seconds_ago is not None:
        answer_ping(match, "ann", seconds_ago=seconds_ago)
    loop.advance()
    ann, bob = logged(caplog, "match_rolled_back")["health"]
    assert (ann["user_id"], ann["is_healthy"], ann["reason"]) == ("ann", False, reason)
    assert (bob["user_id"], bob["is_healthy"], bob["reason"]) == ("bob", True, None)
    assert 10_000 < bob["latency_ms"] < 12_000


@pytest.fixture
def valkey_is_down(settings: Settings) -> Iterator[Callable[[], None]]:
    """Let Valkey be where nobody listens, from when it is called to the end of the test."""

    def point_nowhere() -> None:
        hosts = {"hosts": [{"address": nowhere}], "prefix": "matchmaking"}
        layer = settings.CHANNEL_LAYERS["default"] | {"CONFIG": hosts}
        settings.REDIS_URL, settings.CHANNEL_LAYERS = nowhere, {"default": layer}
        store.client.cache_clear()

    nowhere = "redis://127.0.0.1:1/0"
    yield point_nowhere
    store.client.cache_clear()


def test_who_leaves_while_valkey_is_down_is_free_all_the_same(
    pair: list[Ticket], caplog: pytest.LogCaptureFixture, valkey_is_down: Callable[[], None]
) -> None:
    match = reserved_match("ann", "bob")
    valkey_is_down()
    leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "left")
    assert {t.user_id: t.status for t in Ticket.objects.all()} == {"ann": "CANCELLED", "bob": "SEARCHING"}
    last_told("ann", "queue_cancelled")
    assert last_told("bob", "match_cancelled")["reason"] == "opponent_cancelled"
    logged(caplog, "evidence_not_read")
    line = logged(caplog, "match_rolled_back")
    for seat, told in zip(match.players.all(), line["players"], strict=True):
        assert (seat.answered_at, seat.heard_at, seat.connections) == (None, None, None), "not known is not 0"
        assert (told["heard_at"], told["connections"]) == (None, None)
    assert [seat.outcome for seat in match.players.all()] == [LEFT, KEPT]


# --- the timeline


def story(match: Match) -> list[str]:
    """Return the timeline's words, which have to be in order, with N for milliseconds and T for times."""
    entries = timeline(Match.objects.prefetch_related("players").get(id=match.id))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    return [re.sub(r"\d\d:\d\d:\d\d", "T", re.sub(r"\d+ ms", "N ms", entry.what)) for entry in entries]


BOTH_ANSWERED = [
    "Ann and Bob reserved",
    "pinged",
    "Ann answered the ping after N ms",
    "Bob answered the ping after N ms",
    "game asked for",
]


def test_the_timeline_tells_a_match_from_its_beginning_to_its_end(pair: list[Ticket]) -> None:
    match = confirmed_match("ann", "bob")
    confirmed = [
        *BOTH_ANSWERED,
        f"match_found sent, game {match.game_id}",
        "Ann acknowledged after N ms",
        "Bob acknowledged after N ms",
        "confirmed",
    ]
    assert story(match) == confirmed
    endings.note_playing({match.id: False})
    assert story(match) == [*confirmed, "the game host says that nobody plays"]
    endings.finish(match.id, None, database_now())
    assert story(match) == [*confirmed, "the game host says that nobody plays", "finished"]


def test_the_timeline_tells_why_an_attempt_failed_and_what_became_of_the_players(pair: list[Ticket]) -> None:
    assert story(be_away()) == [
        "Ann and Bob reserved",
        "pinged",
        "Bob answered the ping after N ms",
        "rolled back while verifying: unreachable",
        "Ann (0 connections, never heard from) keeps its place, and is not matched before it is heard from",
        "Bob (1 connection, last heard from at T) is back at its place in the queue",
    ]


def test_the_timeline_tells_whether_the_game_is_cancelled(pair: list[Ticket]) -> None:
    match = notified_match("ann", "bob")
    leaving.leave(caller("ann"), None, origin=NO_ORIGIN, now=database_now())
    *before, told, ann, bob, game = story(match)
    assert before == [*BOTH_ANSWERED, f"match_found sent, game {match.game_id}"]
    assert told == "rolled back while notifying: left"
    assert (ann.split(") ")[1], bob.split(") ")[1]) == (
        "has left the queue",
        "is back at its place in the queue",
    )
    assert game == "the game host has yet to cancel the game"
    endings.cancel_games(now=database_now())
    assert story(match)[-1] == "game cancelled"


# --- colours


def play(pool: Pool, rng: random.Random) -> str:
    """Let Ann and Bob play a game; return Ann's colour."""
    tickets = [Ticket.objects.create(**values) for values in _pair_of(pool)]
    (match_id,) = matches.reserve(pool, [((tickets[0].id,), (tickets[1].id,))], now=database_now(), rng=rng)
    seats = MatchPlayer.objects.filter(match_id=match_id)
    colors = dict(seats.values_list("user_id", "color"))
    assert set(colors.values()) == {"white", "black"}
    seats.update(is_live=False, outcome=MatchPlayer.Outcome.CONFIRMED)
    Ticket.objects.update(status=Ticket.Status.MATCHED)
    return str(colors["ann"])


def _pair_of(pool: Pool) -> list[dict[str, Any]]:
    now = database_now()
    common = {"tenant_id": pool.tenant_id, "pool": pool, "rating": 1500, "queued_at": now, "age_from": now}
    common["is_compared"] = True
    return [common | {"user_id": name, "display_name": name} for name in ("ann", "bob")]


def test_a_first_game_is_a_coin(duel: Pool) -> None:
    drawn = set()
    for seed in range(20):
        drawn.add(play(duel, random.Random(seed)))
        MatchPlayer.objects.all().delete()
    assert drawn == {"white", "black"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_who_play_each_other_again_and_again_take_turns(duel: Pool, seed: int) -> None:
    rng, balance = random.Random(seed), 0
    for _ in range(40):
        balance += 1 if play(duel, rng) == "white" else -1
        assert abs(balance) <= 1
    assert color_balances("demo", ["ann", "bob", "eve"]).keys() == {"ann", "bob"}


def test_colours_of_matches_that_came_to_nothing_or_of_other_tenants_do_not_count(pair: list[Ticket]) -> None:
    be_away()
    assert color_balances("demo", ["ann", "bob"]) == {}
    play(factories.pool(tenant_id="other"), random.Random(1))
    assert color_balances("demo", ["ann", "bob"]) == {}
    assert set(color_balances("other", ["ann", "bob"]).values()) == {1, -1}


# --- what staff see

with_users = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a-password"))
    return client


def page(client: Client, path: str) -> str:
    response = client.get(f"/admin/matchmaking/{path}/")
    assert response.status_code == 200
    return response.content.decode()


def act(client: Client, model: str, action: str, *ids: object) -> str:
    chosen = {"action": action, "_selected_action": [str(each) for each in ids]}
    response = client.post(f"/admin/matchmaking/{model}/", chosen, follow=True)
    return response.content.decode()


@with_users
def test_staff_see_every_failed_attempt_and_no_other_match(
    root: Client, duel: Pool, pair: list[Ticket]
) -> None:
    failed = be_away()
    Ticket.objects.update(unreachable_since=None)
    on = confirmed_match("ann", "bob")
    listed = page(root, "failedattempt")
    assert str(failed.id) in listed
    assert str(on.id) not in listed
    assert re.search(r"unreachable.*verifying.*Ann - Bob.*Ann.*duel.*\d+ ms", listed, re.DOTALL)
    assert 'name="action"' not in listed
    assert str(failed.id) not in page(root, "failedattempt/?cancel_reason__exact=left".rstrip("/"))


@with_users
def test_staff_read_what_happened_to_a_match(root: Client, pair: list[Ticket]) -> None:
    match = be_away()
    match.players.filter(user_id="ann").update(display_name="<b>Ann</b>")
    for path in (f"match/{match.id}/change", f"failedattempt/{match.id}/change"):
        shown = page(root, path)
        assert "rolled back while verifying: unreachable" in shown
        assert "&lt;b&gt;Ann&lt;/b&gt; and Bob reserved" in shown
        assert "<b>Ann</b>" not in shown
        assert "requeued, unreachable until heard from" in shown


@with_users
def test_staff_see_a_players_connections_as_they_are_now(
    root: Client, pair: list[Ticket], valkey_is_down: Callable[[], None]
) -> None:
    ann, bob = pair
    assert "None." in page(root, f"ticket/{ann.id}/change")
    assert "socket-of-bob: open, last ping never" in page(root, f"ticket/{bob.id}/change")
    valkey_is_down()
    assert "Redis does not answer." in page(root, f"ticket/{bob.id}/change")


def clerk(*permissions: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@with_users
@pytest.mark.parametrize("who", ["root", "clerk"])
def test_staff_who_may_change_them_cancel_tickets_and_end_matches(
    root: Client, duel: Pool, pair: list[Ticket], who: str
) -> None:
    may = ("view_ticket", "change_ticket", "view_match", "change_match")
    client = root if who == "root" else clerk(*may)
    far = queued("far", duel, rating=9000)
    match = reserved_match("ann", "bob")
    assert "cancel_tickets" in page(client, "ticket")
    assert "1 tickets cancelled." in act(client, "ticket", "cancel_tickets", far.id)
    assert Ticket.objects.get(id=far.id).cancel_reason == "staff"
    assert "1 matches ended." in act(client, "match", "end_matches", match.id)
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "staff")


@with_users
def test_staff_who_may_only_look_change_nothing(duel: Pool, pair: list[Ticket]) -> None:
    client = clerk("view_ticket", "view_match")
    match = reserved_match("ann", "bob")
    assert "cancel_tickets" not in page(client, "ticket")
    assert "end_matches" not in page(client, "match")
    act(client, "ticket", "cancel_tickets", pair[0].id)
    act(client, "match", "end_matches", match.id)
    assert set(Ticket.objects.values_list("status", flat=True)) == {"RESERVED"}
    match.refresh_from_db()
    assert match.status == "PROPOSED"
