"""The end of matches: by what the host says, by their age, by staff; and who may queue while a game is on."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest
import redis
from django.conf import settings
from django.db.models import F
from pytest_django import Settings

from matchmaking.domain.errors import ActiveGameExists
from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.services import endings, leaving, loop, staff
from realtime.identifiers import new_id
from realtime.models import Event, GameSession
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.acceptance.stacks import eventually
from tests.factories import (
    answer_ping,
    caller,
    confirmed_match,
    confirmed_match_at_host,
    host_has_answered,
    last_told,
    queued,
    reserved_match,
    told,
    verified_match,
)
from tests.game_servers import GameServer

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])


@pytest.fixture
def server(settings: Settings) -> Iterator[GameServer]:
    """The example's game server, a process of its own, as the game host."""
    with GameServer() as server:
        settings.GAME_HOST, settings.GAME_HOST_TOKEN = server.url, server.token
        yield server
        host_has_answered()


@pytest.fixture
def pair(duel: Pool) -> list[Ticket]:
    return [queued("ann", duel, waited=9), queued("bob", duel, waited=6)]


@pytest.fixture
def played(server: GameServer, pair: list[Ticket]) -> Match:
    """A confirmed match, whose game is on at the service."""
    return confirmed_match_at_host("ann", "bob")


def play_elsewhere(server: GameServer, *user_ids: str) -> str:
    """Let the service have a game of these users that this service has never heard of; return its id."""
    match_id = str(new_id())
    players = [{"user_id": u, "color": None, "team": 1, "rating": None} for u in user_ids]
    words = {"tenant_id": "demo", "pool_key": None, "mode": "", "time_control": "", "rated": True}
    answer = httpx.post(
        f"{server.url}/internal/games",
        json={"match_id": match_id, "players": players, "metadata": {}, **words},
        headers=server.headers | {"Idempotency-Key": match_id},
    )
    return str(answer.raise_for_status().json()["game_id"])


def questions(server: GameServer) -> int:
    return int(server.calls()["calls"]["active"])


def status_of(match: Match) -> str:
    match.refresh_from_db()
    return match.status


def leave(name: str) -> None:
    leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def assert_may_queue(*names: str) -> None:
    for name in names:
        queued(name, Pool.objects.get())
    assert not MatchPlayer.objects.filter(is_live=True).exists()


# --- joining while a game is on


def test_who_plays_elsewhere_may_not_queue_until_that_game_is_over(server: GameServer, duel: Pool) -> None:
    game_id = play_elsewhere(server, "ann", "cat")
    with pytest.raises(ActiveGameExists):
        queued("ann", duel)
    assert not Ticket.objects.exists()
    queued("bob", duel)
    server.finish(game_id)
    queued("ann", duel)


def test_another_tenants_player_of_the_same_name_may_queue(server: GameServer, duel: Pool) -> None:
    play_elsewhere(server, "ann")
    other = Pool.objects.create(tenant_id="other", key="duel", name="Duel")
    queued("ann", other)


def test_the_game_of_an_own_match_that_has_ended_keeps_nobody_out(played: Match, server: GameServer) -> None:
    with pytest.raises(ActiveGameExists):
        queued("ann", Pool.objects.get())
    endings.finish(played.id, None, database_now())
    before = questions(server)
    assert_may_queue("ann", "bob")
    assert questions(server) == before + 2, "they were asked about, and the game was seen"


def test_anothers_match_that_has_ended_says_nothing_of_ones_own_game(
    played: Match, server: GameServer
) -> None:
    endings.finish(played.id, None, database_now())
    elsewhere = play_elsewhere(server, "ann")
    with pytest.raises(ActiveGameExists):
        queued("ann", Pool.objects.get())
    Match.objects.update(game_id=elsewhere)
    MatchPlayer.objects.filter(user_id="ann").delete()
    with pytest.raises(ActiveGameExists):
        queued("ann", Pool.objects.get())


def test_who_leaves_while_a_game_is_being_made_may_queue_again_at_once(
    server: GameServer, pair: list[Ticket]
) -> None:
    server.put_faults(delay_seconds=2, calls=["create"])
    match = verified_match("ann", "bob")
    assert eventually(lambda: server.games()["games"], 10)
    leave("ann")
    queued("ann", Pool.objects.get())
    host_has_answered()
    match.refresh_from_db()
    assert (match.status, match.game_cancel_due) == ("CANCELLED", True)


@pytest.mark.parametrize("failing", ["slow", "failing", "down"])
def test_a_service_that_cannot_be_asked_lets_join_and_is_left_alone_for_five_seconds(
    server: GameServer, duel: Pool, valkey: redis.Redis, failing: str
) -> None:
    if failing == "down":
        server.stop()
    elif failing == "slow":
        play_elsewhere(server, "ann")
        server.put_faults(delay_seconds=4, calls=["active"])
    else:
        play_elsewhere(server, "ann")
        server.put_faults(fail_status=500, calls=["active"])
    began = time.monotonic()
    queued("ann", duel)
    assert time.monotonic() - began < 3
    if failing == "down":
        server.start()
    play_elsewhere(server, "bob", "cat")
    before = questions(server)
    queued("bob", duel)
    assert questions(server) == before
    server.heal()
    left = valkey.pttl("mm:game-host:unasked")
    assert 0 < left <= 5000
    valkey.delete("mm:game-host:unasked")
    with pytest.raises(ActiveGameExists):
        queued("cat", duel)


# --- what the service says of matches


def ask_again(after: float = 30) -> None:
    """Let so many seconds pass since the matches were asked about, ask again, and hear the answer."""
    sooner = timedelta(seconds=after)
    Match.objects.update(retry_at=database_now(), not_playing_since=F("not_playing_since") - sooner)
    loop.tick()
    host_has_answered()


def test_a_match_that_nobody_plays_twice_half_a_minute_apart_has_ended(
    played: Match, server: GameServer
) -> None:
    server.finish(played.game_id or "")
    ask_again()
    assert status_of(played) == "CONFIRMED", "once may be a moment's error"
    ask_again(after=15)
    assert status_of(played) == "CONFIRMED", "half a minute is not over"
    ask_again(after=15)
    assert status_of(played) == "FINISHED"
    assert (played.result, played.game_cancel_due) == (None, False)
    assert_may_queue("ann", "bob")


def test_a_match_is_asked_about_every_half_minute_and_no_sooner(played: Match, server: GameServer) -> None:
    assert played.confirmed_at is not None
    assert played.retry_at == played.confirmed_at + timedelta(seconds=30)
    before = questions(server)
    loop.tick()
    host_has_answered()
    assert questions(server) == before
    ask_again()
    assert questions(server) == before + 1, "one of them is in the game, which is enough"
    played.refresh_from_db()
    assert played.retry_at is not None
    assert 25 < (played.retry_at - database_now()).total_seconds() <= 30


def test_a_game_that_is_played_in_between_begins_the_count_anew(played: Match, server: GameServer) -> None:
    for game_id in ("another", played.game_id, "another"):
        Match.objects.update(game_id=game_id)
        ask_again()
        assert status_of(played) == "CONFIRMED"
    ask_again()
    assert status_of(played) == "FINISHED"


@pytest.mark.parametrize("faults", [{"fail_status": 500}, {"fail_status": 404}, {"drop": True}])
def test_no_answer_says_nothing(played: Match, server: GameServer, faults: dict[str, object]) -> None:
    server.put_faults(**faults)
    for _ in range(3):
        ask_again()
    assert status_of(played) == "CONFIRMED"
    assert played.not_playing_since is None
    server.heal()
    server.finish(played.game_id or "")
    ask_again()
    server.put_faults(**faults)
    ask_again()
    assert status_of(played) == "CONFIRMED"
    assert played.not_playing_since is not None, "nor does it take back what was said"


def test_every_match_has_its_turn_to_be_asked_about(
    server: GameServer, duel: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "AT_ONCE", 1)
    for names in (("ann", "bob"), ("cat", "dan")):
        for name in names:
            queued(name, duel)
        server.finish(confirmed_match_at_host(*names).game_id or "")
    for _ in range(2):
        Match.objects.update(retry_at=F("retry_at") - timedelta(seconds=31))
        endings.ask_who_plays(now=database_now())
        host_has_answered()
    assert not Match.objects.filter(not_playing_since=None).exists()


# --- age


def let_be_old(match: Match, seconds: float) -> None:
    """Let a match have been confirmed so long ago."""
    Match.objects.filter(id=match.id).update(confirmed_at=database_now() - timedelta(seconds=seconds))


def test_a_match_that_nobody_ends_is_ended_with_its_game_at_the_service(
    played: Match, server: GameServer
) -> None:
    let_be_old(played, settings.MAX_GAME_SECONDS - 5)
    loop.tick()
    assert status_of(played) == "CONFIRMED"
    let_be_old(played, settings.MAX_GAME_SECONDS)
    loop.tick()
    assert (status_of(played), played.game_cancel_due) == ("FINISHED", True)
    loop.tick()
    host_has_answered()
    (game,) = server.games()["games"]
    assert game["state"] == "cancelled"
    played.refresh_from_db()
    assert not played.game_cancel_due
    assert_may_queue("ann", "bob")


def test_a_match_that_nobody_ends_is_ended_with_its_session(pair: list[Ticket]) -> None:
    match = confirmed_match("ann", "bob")
    let_be_old(match, settings.MAX_GAME_SECONDS)
    for _ in range(3):
        loop.tick()
    assert_ended_with_its_session(match)
    assert_may_queue("ann", "bob")


def assert_ended_with_its_session(match: Match) -> None:
    assert (status_of(match), match.result, match.game_cancel_due) == ("FINISHED", None, False)
    session = GameSession.objects.get(match_id=match.id)
    assert (session.phase, session.finished_at is None) == ("finished", False)
    types = Event.objects.filter(address=f"session:{session.id}").values_list("type", flat=True)
    assert list(types).count("game_over") == 1


# --- staff


def test_staff_cancel_who_searches_and_who_is_reserved_and_the_opponent_keeps_its_place(
    pair: list[Ticket], duel: Pool
) -> None:
    match = reserved_match("ann", "bob")
    ann, bob = pair
    cat, dan = queued("cat", duel, rating=9000), queued("dan", duel, rating=100)
    assert staff.cancel_tickets([ann.id, cat.id], now=database_now()) == 2
    for ticket in (ann, cat):
        ticket.refresh_from_db()
        assert (ticket.status, ticket.cancel_reason) == ("CANCELLED", "staff")
        left = {"queue_entry_id": str(ticket.id), "reason": "staff"}
        assert last_told(ticket.user_id, "queue_cancelled") == left
    assert (status_of(match), match.cancel_reason) == ("CANCELLED", "staff")
    for name in ("ann", "bob"):
        (event,) = [e for e in told(name) if e.type == "match_cancelled"]
        assert event.data["reason"] == "cancelled_by_staff"
    assert last_told("bob", "match_cancelled")["requeued"] is True
    queued_at = bob.queued_at
    bob.refresh_from_db()
    assert (bob.status, bob.queued_at, bob.unreachable_since) == ("SEARCHING", queued_at, None)
    assert Ticket.objects.get(id=dan.id).status == "SEARCHING"
    assert staff.cancel_tickets([ann.id, cat.id], now=database_now()) == 0


def test_staff_end_what_is_in_flight_and_what_is_on(duel: Pool, pair: list[Ticket]) -> None:
    on = confirmed_match("ann", "bob")
    for name in ("cat", "dan"):
        queued(name, duel)
    in_flight = reserved_match("cat", "dan")
    answer_ping(in_flight, "cat", "dan")
    loop.advance()
    ids = [on.id, in_flight.id]
    assert staff.end_matches(ids, now=database_now()) == 2
    assert (status_of(in_flight), in_flight.cancel_reason) == ("CANCELLED", "staff")
    for name in ("cat", "dan"):
        cancelled = last_told(name, "match_cancelled")
        assert (cancelled["reason"], cancelled["requeued"]) == ("cancelled_by_staff", True)
    assert staff.end_matches(ids, now=database_now()) == 0
    endings.cancel_games(now=database_now())
    assert_ended_with_its_session(on)
    assert_may_queue("ann", "bob")


def test_staff_end_a_match_with_its_game_at_the_service(played: Match, server: GameServer) -> None:
    assert staff.end_matches([played.id], now=database_now()) == 1
    loop.tick()
    host_has_answered()
    assert server.games()["games"][0]["state"] == "cancelled"


def test_a_match_that_has_ended_does_not_end_again(pair: list[Ticket]) -> None:
    match = confirmed_match("ann", "bob")
    ends: list[datetime | None] = []
    for _ in range(2):
        endings.finish(match.id, None, database_now())
        match.refresh_from_db()
        ends.append(match.finished_at)
    assert ends[0] == ends[1]
    assert endings.end_by_staff([match.id], now=database_now()) == 0
    let_be_old(match, settings.MAX_GAME_SECONDS)
    assert endings.end_overlong(now=database_now()) == 0
    endings.note_playing({match.id: False})
    match.refresh_from_db()
    assert (match.finished_at, match.game_cancel_due, match.not_playing_since) == (ends[0], False, None)
