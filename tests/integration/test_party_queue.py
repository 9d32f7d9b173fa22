"""Parties in the queue: they come, wait, meet and end as one, and teams are made of them."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from matchmaking.domain.errors import (
    ActiveGameExists,
    AlreadyInQueue,
    NotPartyLeader,
    PartyNotFound,
    PlayerBusy,
)
from matchmaking.domain.matches import Cause, Stage
from matchmaking.models import Block, Match, MatchPlayer, Party, Pool, Rating, RatingChange, Ticket
from matchmaking.selectors import positions
from matchmaking.services import (
    conflicts,
    direct,
    endings,
    leaving,
    loop,
    matches,
    pairs,
    parties,
    staff,
    tickets,
)
from matchmaking.services.rollback import Failure, roll_back
from matchmaking.services.sweep import sweep
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN
from tests.factories import (
    Rest,
    acknowledge,
    answer_ping,
    caller,
    close_socket,
    confirmed_match,
    connect,
    hear_from,
    last_heard,
    last_told,
    let_pass,
    notified_match,
    pool,
    queued,
    reserved_match,
    seats,
    service_is_well,
    told,
)
from tests.integration.threads import raised, together
from tests.partying import party, queue, queued_party, row, send, statuses, tickets_of

pytestmark = pytest.mark.django_db
on_connections_of_their_own = pytest.mark.django_db(transaction=True)


@pytest.fixture
def twos(db: None) -> Pool:
    """Two against two."""
    return pool("twos", team_size=2)


def kinds(name: str) -> list[str]:
    return [event.type for event in told(name)]


def leave(name: str) -> None:
    leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def teams_of(match: Match) -> set[frozenset[str]]:
    """Return who plays with whom."""
    teams: dict[int, set[str]] = {}
    for seat in match.players.all():
        teams.setdefault(seat.team, set()).add(seat.user_id)
    assert set(teams) == set(range(1, len(teams) + 1))
    return {frozenset(team) for team in teams.values()}


def ended(party_id: str) -> set[tuple[str, str]]:
    return {(ticket.status, ticket.cancel_reason or "") for ticket in tickets_of(party_id)}


def places() -> dict[str, tuple[Any, int]]:
    """Return since when each player searches, and where it stands."""
    live = list(Ticket.objects.filter(status="SEARCHING"))
    at = positions([ticket.id for ticket in live])
    return {ticket.user_id: (ticket.queued_at, at[ticket.id]) for ticket in live}


# --- queue as one


def test_a_party_queues_as_one(twos: Pool) -> None:
    Rating.objects.create(tenant_id="demo", user_id="bob", pool=twos, value=1700)
    party_id = party("ann", "bob")
    answer = Rest("ann").join("twos", party_id=party_id, regions=["eu"], max_gap=300, metadata={"a": 1})
    assert answer.status == 201
    ann, bob = tickets_of(party_id)
    assert answer.body["queue_entry_id"] == str(ann.id)
    assert (ann.user_id, bob.user_id) == ("ann", "bob")
    for name in ("queued_at", "age_from", "regions", "latencies_ms", "max_gap", "modes"):
        assert getattr(ann, name) == getattr(bob, name), name
    assert (ann.rating, bob.rating) == (1500, 1700)
    assert (ann.metadata, bob.metadata) == ({"a": 1}, {})
    assert (ann.unreachable_since, bob.unreachable_since) == (None, None)
    for ticket in (ann, bob):
        kinds_told = kinds(ticket.user_id)[-2:]
        assert kinds_told == ["queue_joined", "party_updated"]
        assert told(ticket.user_id)[-2].data["queue_entry_id"] == str(ticket.id)
        assert last_told(ticket.user_id, "party_updated")["status"] == "QUEUED"


def test_a_party_of_one_plays_where_everybody_is_alone(duel: Pool) -> None:
    queued_party(duel, "ann")
    queued("bob", duel)
    assert teams_of(confirmed_match("ann", "bob")) == {frozenset({"ann"}), frozenset({"bob"})}


def test_a_party_has_the_smallest_head_start_of_its_members(twos: Pool) -> None:
    party_id = party("ann", "bob")
    Party.objects.get(id=party_id).members.filter(user_id="ann").update(priority_seconds=300)
    Party.objects.get(id=party_id).members.filter(user_id="bob").update(priority_seconds=100)
    assert Rest("ann", priority=300).join("twos", party_id=party_id).status == 201
    ann, bob = tickets_of(party_id)
    assert ann.age_from == bob.age_from
    assert (ann.queued_at - ann.age_from).total_seconds() == 100


def test_only_the_leader_queues_and_only_of_its_own_party(twos: Pool) -> None:
    party_id = party("ann", "bob")
    send("invite", "ann", party_id, "cat")
    for name, error in (("bob", NotPartyLeader), ("cat", PartyNotFound), ("eve", PartyNotFound)):
        with pytest.raises(error):
            queue(name, party_id, twos)
    assert Rest("ann").join("twos", party_id="nonsense").refusal == (404, "party_not_found")
    assert not Ticket.objects.exists()


def test_a_party_that_is_larger_than_a_team_is_told_so(duel: Pool, twos: Pool) -> None:
    party_id = party("ann", "bob", "cat")
    for key in ("duel", "twos"):
        refusal = Rest("ann").join(key, party_id=party_id)
        assert refusal.refusal == (400, "invalid_request")
        assert "party of 3" in refusal.body["errors"]["party_id"][0]
    assert not Ticket.objects.exists()


def test_who_queues_already_keeps_its_party_out(twos: Pool, duel: Pool) -> None:
    party_id = party("ann", "bob")
    queued("bob", duel)
    refusal = Rest("ann").join("twos", party_id=party_id)
    assert refusal.refusal == (409, "already_in_queue")
    assert refusal.body["user_id"] == "bob"
    assert "Bob" in refusal.body["detail"]
    leave("bob")
    own = queued("ann", duel)
    refusal = Rest("ann").join("twos", party_id=party_id)
    assert refusal.body["queue_entry_id"] == str(own.id)
    assert tickets_of(party_id) == []


def test_who_plays_keeps_its_party_out(twos: Pool, duel: Pool) -> None:
    party_id = party("ann", "bob")
    for name in ("bob", "cat"):
        queued(name, duel)
    confirmed_match("bob", "cat")
    refusal = Rest("ann").join("twos", party_id=party_id)
    assert refusal.refusal == (409, "active_game_exists")
    assert refusal.body["user_id"] == "bob"
    assert tickets_of(party_id) == []
    send("leave", "ann", party_id)
    with pytest.raises(ActiveGameExists) as own:
        queue("bob", party_id, twos)
    assert own.value.members == {}, "that is oneself"


def test_who_has_blocked_its_mate_queues_and_plays_with_it(twos: Pool) -> None:
    party_id = party("ann", "bob")
    Block.objects.create(tenant_id="demo", user_id="ann", blocked_id="bob")
    queue("ann", party_id, twos)
    queued_party(twos, "cat", "dan")
    assert teams_of(confirmed_match("ann", "bob", "cat", "dan")) == {
        frozenset({"ann", "bob"}),
        frozenset({"cat", "dan"}),
    }


def test_who_queues_with_a_party_plays_by_no_agreement_meanwhile(twos: Pool, duel: Pool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    connect("cat")
    with pytest.raises(PlayerBusy) as refusal:
        direct.arrange(
            "demo",
            direct.Invited("bob", "Bob", None),
            direct.Invited("cat", "Cat", None),
            terms=direct.Terms(pool_key="duel", mode="duel", time_control="", rated=True),
            claim=lambda _: None,
            now=database_now(),
        )
    assert refusal.value.user_ids == {"bob"}
    assert statuses(party_id) == {"SEARCHING"}


# --- end together


@pytest.mark.parametrize("who", ["ann", "bob"])
@pytest.mark.parametrize("stage", [None, Stage.VERIFYING, Stage.NOTIFYING])
def test_who_leaves_takes_its_party_along_and_nobody_else(twos: Pool, who: str, stage: Stage | None) -> None:
    party_id = queued_party(twos, "ann", "bob")
    others = queued_party(twos, "cat", "dan")
    before = places()
    names = ("ann", "bob", "cat", "dan")
    if stage is not None:
        _ = reserved_match(*names) if stage == Stage.VERIFYING else notified_match(*names)
    leave(who)
    assert ended(party_id) == {("CANCELLED", "user_request")}
    assert statuses(others) == {"SEARCHING"}
    assert places() == {name: (before[name][0], before[name][1] - 2) for name in ("cat", "dan")}
    for name in ("ann", "bob"):
        assert kinds(name)[-2:] == ["queue_cancelled", "party_updated"]
        assert last_told(name, "party_updated")["status"] == "IDLE"
    if stage is not None:
        assert last_told("cat", "match_cancelled")["requeued"] is True
        outcomes = dict(MatchPlayer.objects.values_list("user_id", "outcome"))
        assert outcomes == {"ann": "left", "bob": "left", "cat": "requeued", "dan": "requeued"}
        assert set(MatchPlayer.objects.filter(is_cause=True).values_list("user_id", flat=True)) == {who}


@pytest.mark.parametrize("is_reserved", [False, True])
def test_who_is_silent_for_too_long_takes_its_party_along(twos: Pool, is_reserved: bool) -> None:
    service_is_well()
    party_id = queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    long_ago = database_now() - timedelta(hours=5)
    Ticket.objects.update(queued_at=long_ago, age_from=long_ago)
    if is_reserved:
        reserved_match("ann", "bob", "cat", "dan")
    for name, seconds in (("ann", 1), ("bob", 3600), ("cat", 1), ("dan", 1)):
        last_heard(name, seconds_ago=seconds)
    assert sweep(now=database_now()) == 1
    assert ended(party_id) == {("CANCELLED", "connection_timeout")}
    assert set(places()) == {"cat", "dan"}
    for name in ("ann", "bob"):
        assert told(name)[-2].data["reason"] == "connection_timeout"
        assert last_told(name, "party_updated")["status"] == "IDLE"


def test_a_party_waits_no_longer_than_anybody(twos: Pool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    long_ago = database_now() - timedelta(hours=5)
    Ticket.objects.update(queued_at=long_ago, age_from=long_ago)
    assert tickets.time_out(twos.id, now=database_now()) == 2
    assert ended(party_id) == {("TIMED_OUT", "timed_out")}
    assert last_told("bob", "party_updated")["status"] == "IDLE"


@pytest.mark.parametrize("is_reserved", [False, True])
def test_staff_end_a_party_by_any_of_its_tickets(twos: Pool, is_reserved: bool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    if is_reserved:
        reserved_match("ann", "bob", "cat", "dan")
    assert staff.cancel_tickets([tickets_of(party_id)[1].id], now=database_now()) == 2
    assert ended(party_id) == {("CANCELLED", "staff")}
    assert set(places()) == {"cat", "dan"}


# --- teams


def test_two_parties_of_two_play_each_other(twos: Pool) -> None:
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    match = confirmed_match("ann", "bob", "cat", "dan")
    assert teams_of(match) == {frozenset({"ann", "bob"}), frozenset({"cat", "dan"})}
    assert set(match.players.values_list("color", flat=True)) == {None}
    assert set(Ticket.objects.values_list("status", flat=True)) == {"MATCHED"}
    for name in ("ann", "bob", "cat", "dan"):
        found = next(event.data for event in told(name) if event.type == "match_found")
        opponents = {opponent["user_id"] for opponent in found["opponents"]}
        assert opponents == ({"cat", "dan"} if name in {"ann", "bob"} else {"ann", "bob"})
        assert last_told(name, "party_updated")["status"] == "PLAYING"
    endings.finish(match.id, {"ann": 3, "bob": 0, "cat": 1, "dan": 1}, database_now())
    assert last_told("ann", "party_updated")["status"] == "IDLE"
    gained = {c.user_id: c.value_after > c.value_before for c in RatingChange.objects.all()}
    assert gained == {"ann": True, "bob": True, "cat": False, "dan": False}


def test_who_is_alone_fills_up_a_party(twos: Pool) -> None:
    queued_party(twos, "ann", "bob")
    queued("cat", twos)
    loop.advance()
    assert not Match.objects.exists(), "three are not four"
    queued("dan", twos)
    match = confirmed_match("ann", "bob", "cat", "dan")
    assert frozenset({"ann", "bob"}) in teams_of(match)


def test_three_teams_of_two(db: None) -> None:
    threes = pool("threes", teams=3, team_size=2)
    queued_party(threes, "ann", "bob")
    queued_party(threes, "cat", "dan")
    for name in ("eve", "fay"):
        queued(name, threes)
    match = confirmed_match("ann", "bob", "cat", "dan", "eve", "fay")
    assert teams_of(match) == {frozenset(two) for two in ({"ann", "bob"}, {"cat", "dan"}, {"eve", "fay"})}


def test_the_quality_is_that_of_the_teams(twos: Pool) -> None:
    for name, value in {"ann": 1700, "bob": 1300, "cat": 1500, "dan": 1500}.items():
        Rating.objects.create(tenant_id="demo", user_id=name, pool=twos, value=value)
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    assert reserved_match("ann", "bob", "cat", "dan").quality == 1


def test_what_a_party_is_to_the_rules_comes_of_all_its_members(twos: Pool) -> None:
    for name, value in {"ann": 1300, "bob": 1700, "cat": 1600, "dan": 1600}.items():
        Rating.objects.create(tenant_id="demo", user_id=name, pool=twos, value=value)
    queued_party(twos, "ann", "bob", regions=["eu"])
    queued_party(twos, "cat", "dan", regions=["eu"])
    queued_party(twos, "eve", "fay", regions=["us"])
    assert reserved_match("ann", "bob", "cat", "dan"), "the nearest by mean rating plays elsewhere"
    assert set(places()) == {"eve", "fay"}


def test_the_leaders_own_limit_of_the_gap_is_its_partys(twos: Pool) -> None:
    for name in ("cat", "dan"):
        Rating.objects.create(tenant_id="demo", user_id=name, pool=twos, value=1560)
    queued_party(twos, "ann", "bob", max_gap=50)
    queued_party(twos, "cat", "dan")
    loop.advance()
    assert not Match.objects.exists()
    queued_party(twos, "eve", "fay")
    assert reserved_match("ann", "bob", "eve", "fay")


def test_recent_opponents_keep_their_parties_apart_and_mates_do_not(db: None) -> None:
    twos = pool("twos", team_size=2, avoid_recent_seconds=1800)
    for names in (("ann", "bob"), ("cat", "dan")):
        queued_party(twos, *names)
    match = confirmed_match("ann", "bob", "cat", "dan")
    endings.finish(match.id, None, database_now())
    for leader in ("ann", "cat"):
        queue(leader, str(Party.objects.get(leader_id=leader).id), twos)
    loop.advance()
    assert set(places()) == {"ann", "bob", "cat", "dan"}
    queued_party(twos, "eve", "fay")
    assert reserved_match("ann", "bob", "eve", "fay")


def test_a_block_between_members_keeps_two_parties_apart(twos: Pool) -> None:
    Block.objects.create(tenant_id="demo", user_id="dan", blocked_id="bob")
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    loop.advance()
    assert not Match.objects.exists()
    queued_party(twos, "eve", "fay")
    loop.advance()
    assert len({*places()} & {"ann", "bob", "cat", "dan"}) == 2


def test_a_block_after_the_look_drops_the_lobby_and_no_other(twos: Pool) -> None:
    for names in (("ann", "bob"), ("cat", "dan"), ("eve", "fay"), ("gil", "hal")):
        queued_party(twos, *names)
    found = pairs.find(twos, now=database_now()) or []
    assert len(found) == 2
    torn = [Ticket.objects.get(id=team[0]).user_id for team in found[0]]
    Rest(torn[0]).send("PUT", "/matchmaking/preferences", f'{{"blocked_users": ["{torn[1]}"]}}'.encode())
    conflicts.compare_new(twos, now=database_now())
    reserved = matches.reserve(twos, found, now=database_now(), rng=loop._rng)
    assert len(reserved) == 1
    assert len(places()) == 4


def test_a_pool_says_what_its_teams_are_and_whether_it_asks(db: None) -> None:
    pool("twos", team_size=2, accept_seconds=20)
    (told_of,) = Rest("ann").get("/matchmaking/pools").body["results"]
    assert (told_of["teams"], told_of["team_size"], told_of["accept_seconds"]) == (2, 2, 20)


def test_the_match_has_the_ready_check_of_its_pool(db: None) -> None:
    ready = pool("ready", accept_seconds=20)
    for name in ("ann", "bob"):
        queued(name, ready)
    assert reserved_match("ann", "bob").accept_seconds == 20


# --- all or nothing


def test_all_go_back_to_their_exact_places(twos: Pool) -> None:
    first = queued_party(twos, "ann", "bob")
    queued("cat", twos)
    queued("dan", twos)
    before = places()
    match = notified_match("ann", "bob", "cat", "dan")
    acknowledge(match, "ann", "bob", "cat", seconds_ago=50)
    let_pass(match, 60)
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "delivery_failed")
    assert [seat.user_id for seat in match.players.filter(is_cause=True)] == ["dan"]
    assert places() == before
    assert statuses(first) == {"SEARCHING"}


def test_one_member_who_does_not_answer_holds_the_party_back_and_nobody_else(twos: Pool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    before = places()
    match = reserved_match("ann", "bob", "cat", "dan")
    answer_ping(match, "ann", "cat", "dan", seconds_ago=50)
    let_pass(match, 60)
    loop.advance()
    match.refresh_from_db()
    assert match.cancel_reason == Cause.UNREACHABLE
    assert places() == before, "the party keeps its place"
    members = last_told("ann", "party_updated")["members"]
    assert {m["user_id"]: m["connected"] for m in members} == {"ann": True, "bob": False}
    loop.advance()
    assert Match.objects.count() == 1, "it is not tried again"
    queued_party(twos, "eve", "fay")
    assert teams_of(reserved_match("cat", "dan", "eve", "fay"))
    assert statuses(party_id) == {"SEARCHING"}
    hear_from("bob")
    tickets.clear_flags(now=database_now())
    members = last_told("ann", "party_updated")["members"]
    assert {m["user_id"]: m["connected"] for m in members} == {"ann": True, "bob": True}
    queued_party(twos, "gil", "hal")
    assert teams_of(reserved_match("ann", "bob", "gil", "hal"))


def test_a_party_with_somebody_away_waits_for_it(twos: Pool) -> None:
    party_id = party("ann", "bob")
    close_socket("bob")
    queue("ann", party_id, twos)
    assert [ticket.unreachable_since is None for ticket in tickets_of(party_id)] == [True, False]
    queued_party(twos, "cat", "dan")
    loop.advance()
    assert not Match.objects.exists()
    tickets.note_heard(caller("bob"))
    assert reserved_match("ann", "bob", "cat", "dan")


def test_half_a_party_never_fills_up_a_team(twos: Pool) -> None:
    party_id = party("ann", "bob")
    close_socket("bob")
    queue("ann", party_id, twos)
    queued_party(twos, "cat", "dan")
    queued("eve", twos)
    loop.advance()
    assert not Match.objects.exists()
    assert pairs.find(twos, now=database_now()) == []


def test_who_sits_out_keeps_its_party_out(twos: Pool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    queued("eve", twos)
    Ticket.objects.filter(user_id="bob").update(not_before=database_now().replace(year=2100))
    loop.advance()
    assert statuses(party_id) == {"SEARCHING"}


def test_a_game_that_the_host_refuses_sends_all_back(twos: Pool) -> None:
    queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    before = places()
    match = notified_match("ann", "bob", "cat", "dan")
    roll_back(match.id, Failure(Cause.GAME_SERVICE_UNAVAILABLE), now=database_now())
    assert places() == before
    assert {last_told(seat.user_id, "match_cancelled")["reason"] for seat in seats(match, "ann", "dan")} == {
        "game_service_unavailable"
    }


# --- many at once


@on_connections_of_their_own
def test_a_leader_who_queues_twice_at_once_queues_once(twos: Pool) -> None:
    party_id = party("ann", "bob")
    results = together(*[partial(queue, "ann", party_id, twos)] * 4)
    assert raised(results, AlreadyInQueue) == 3
    assert len(tickets_of(party_id)) == 2


@on_connections_of_their_own
def test_a_member_who_queues_alone_as_its_party_does_is_in_one_queue(twos: Pool, duel: Pool) -> None:
    for n in range(5):
        names = [f"ann-{n}", f"bob-{n}"]
        party_id = party(*names)
        together(partial(queue, names[0], party_id, twos), partial(queued, names[1], duel))
        live = Ticket.objects.filter(user_id__in=names)
        together_in_one = len(tickets_of(party_id)) == 2 and live.count() == 2
        alone = not tickets_of(party_id) and [t.user_id for t in live] == [names[1]]
        assert together_in_one or alone


@on_connections_of_their_own
def test_two_parties_that_queue_while_a_member_moves_hold_it_once(twos: Pool) -> None:
    first, second = party("ann", "bob"), party("cat")
    send("invite", "cat", second, "bob")

    def move() -> None:
        parties.leave(caller("bob"), first, now=database_now())
        parties.join(caller("bob"), second, now=database_now())

    together(partial(queue, "ann", first, twos), move, partial(queue, "cat", second, twos))
    assert Ticket.objects.filter(user_id="bob", status__in=Ticket.LIVE).count() <= 1
    for party_id in (first, second):
        live = {t.user_id for t in tickets_of(party_id) if t.status in Ticket.LIVE}
        assert live in (set(), set(row(party_id).members.values_list("user_id", flat=True)))


@on_connections_of_their_own
def test_members_who_all_leave_at_once_end_their_tickets_once(twos: Pool) -> None:
    party_id = queued_party(twos, "ann", "bob")
    queued_party(twos, "cat", "dan")
    reserved_match("ann", "bob", "cat", "dan")
    together(*(partial(leave, name) for name in ("ann", "bob", "ann", "bob")))
    assert ended(party_id) == {("CANCELLED", "user_request")}
    assert [kinds(name).count("queue_cancelled") for name in ("ann", "bob")] == [1, 1]
    assert set(places()) == {"cat", "dan"}


@on_connections_of_their_own
def test_leaving_while_the_loop_reserves_leaves_no_half_party(twos: Pool) -> None:
    for n in range(5):
        ours = queued_party(twos, f"ann-{n}", f"bob-{n}")
        theirs = queued_party(twos, f"cat-{n}", f"dan-{n}")
        results = together(
            partial(loop.advance_pool, twos.id),
            partial(leave, f"bob-{n}"),
            partial(send, "leave", f"dan-{n}", theirs),
        )
        assert raised(results, Exception) == 0
        assert ended(ours) == ended(theirs) == {("CANCELLED", "user_request")}
        assert not MatchPlayer.objects.filter(is_live=True).exists()


@on_connections_of_their_own
def test_lobbies_reserved_by_many_workers_at_once_hold_each_party_once(twos: Pool) -> None:
    for n in range(6):
        queued_party(twos, f"ann-{n}", f"bob-{n}")
    found = pairs.find(twos, now=database_now()) or []
    reserve = partial(matches.reserve, twos, now=database_now(), rng=loop._rng)
    results = together(*(partial(reserve, lobbies) for lobbies in (found, found[::-1], found)))
    assert raised(results, Exception) == 0
    assert Match.objects.count() == 3
    for match in Match.objects.all():
        assert all(len({name.split("-")[1] for name in team}) == 1 for team in teams_of(match))
