"""The ready check when much happens at once, when a worker dies in it, and when a player comes back to it."""

from functools import partial

import pytest
from django.conf import settings

from matchmaking.commands import snapshot
from matchmaking.domain.errors import NotAwaitingAcceptance
from matchmaking.domain.matches import Cause, Stage
from matchmaking.models import Absence, Match, Pool, Ticket
from matchmaking.services import acceptance, direct, loop, matches
from matchmaking.services.rollback import Failure, roll_back
from realtime.protocol.codec import encode_json
from realtime.transport.database import database_now
from tests.factories import (
    acknowledge,
    address,
    all_heard,
    caller,
    connect,
    let_pass,
    notified_match,
    pool,
    queued,
    reserved_match,
    told,
)
from tests.integration.threads import raised, together

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
OVER = SECONDS + 1  # a moment later, an answer in time may still be on its way
ROUNDS = 5


@pytest.fixture
def ready(db: None) -> Pool:
    return pool("ready", accept_seconds=SECONDS)


def asked(ready: Pool, *, acknowledged: bool = True) -> Match:
    """Return a match of Ann and Bob that waits to be accepted; or acknowledged, first."""
    for name in ("ann", "bob"):
        queued(name, ready)
    match = notified_match("ann", "bob")
    if acknowledged:
        acknowledge(match, "ann", "bob")
        loop.advance()
        match.refresh_from_db()
        assert match.stage == Stage.ACCEPTING
    return match


def accept(name: str, match: Match) -> Match:
    return acceptance.accept(caller(name), str(match.id), now=database_now())


def decline(name: str, match: Match) -> Match:
    return acceptance.decline(caller(name), str(match.id), now=database_now())


def ends(name: str) -> list[str]:
    """Return what a player was told of how its latest match came out."""
    types = [event.type for event in told(name)]
    found = len(types) - types[::-1].index("match_found")
    return types[found:]


# --- at once


@pytest.mark.parametrize("acknowledged", [False, True])
def test_two_accepts_and_a_decline_at_once_have_one_outcome(ready: Pool, acknowledged: bool) -> None:
    for _ in range(ROUNDS):
        match = asked(ready, acknowledged=acknowledged)
        *accepted, looped, declined = together(
            partial(accept, "ann", match),
            partial(accept, "bob", match),
            partial(loop.advance_pool, ready.id),
            partial(decline, "bob", match),
        )
        assert not isinstance(looped, Exception), looped
        assert raised([*accepted, declined], Exception) == raised(
            [*accepted, declined], NotAwaitingAcceptance
        )
        loop._move(ready.id)
        match.refresh_from_db()
        if isinstance(declined, Exception):
            assert match.status == "CONFIRMED"
            assert raised(accepted, Exception) == 0
            assert (ends("ann"), ends("bob")) == (["match_ready"], ["match_ready"])
            assert not Ticket.objects.filter(status__in=Ticket.LIVE).exists()
        else:
            assert match.status == "CANCELLED"
            assert (ends("ann"), ends("bob")) == (["match_cancelled"], ["match_cancelled", "queue_cancelled"])
            assert [t.user_id for t in Ticket.objects.filter(status__in=Ticket.LIVE)] == ["ann"]
        match.players.update(is_live=False)
        Ticket.objects.filter(status__in=Ticket.LIVE).delete()


def test_both_decline_at_once_and_one_of_them_does_so_in_vain(ready: Pool) -> None:
    for _ in range(ROUNDS):
        match = asked(ready)
        results = together(partial(decline, "ann", match), partial(decline, "bob", match))
        assert raised(results, Exception) == raised(results, NotAwaitingAcceptance) == 1
        left = Ticket.objects.get(status="SEARCHING")
        assert ends(left.user_id) == ["match_cancelled"]
        left.delete()


def test_one_player_accepts_on_many_devices_at_once_and_counts_once(ready: Pool) -> None:
    match = asked(ready)
    results = together(*[partial(accept, "ann", match)] * 4)
    assert raised(results, Exception) == 0
    loop.advance()
    match.refresh_from_db()
    assert match.stage == Stage.ACCEPTING


@pytest.mark.parametrize(
    ("cause", "stage"), [(Cause.DECLINED, Stage.ACCEPTING), (Cause.DELIVERY_FAILED, Stage.NOTIFYING)]
)
def test_who_has_accepted_since_a_worker_looked_is_not_blamed_any_more(
    ready: Pool, cause: Cause, stage: Stage
) -> None:
    match = asked(ready, acknowledged=stage is Stage.ACCEPTING)
    seen = Failure(cause, frozenset({"ann", "bob"}), stage)
    accept("ann", match)
    assert not roll_back(match.id, seen, now=database_now())
    match.refresh_from_db()
    assert match.stage == stage
    let_pass(match, OVER)
    loop.advance()
    causers = match.players.filter(is_cause=True)
    assert [player.user_id for player in causers] == ["bob"]
    assert ends("ann") == ["match_cancelled"]


def test_what_was_seen_before_all_had_acknowledged_takes_nothing_back_afterwards(ready: Pool) -> None:
    match = asked(ready)
    seen = Failure(Cause.DELIVERY_FAILED, frozenset({"ann"}), Stage.NOTIFYING)
    assert not roll_back(match.id, seen, now=database_now())
    match.refresh_from_db()
    assert match.status == "AWAITING_ACCEPTANCE"


def test_two_workers_at_every_step_take_it_once(ready: Pool) -> None:
    match = asked(ready, acknowledged=False)
    acknowledge(match, "ann", "bob")
    assert raised(together(*[partial(loop._move, ready.id)] * 3), Exception) == 0
    match.refresh_from_db()
    assert match.status == "AWAITING_ACCEPTANCE"
    # One that looked before the others had moved it.
    before = [*Match.objects.values(), *match.players.values()]
    matches.await_acceptance(all_heard(match), now=database_now())
    assert [*Match.objects.values(), *match.players.values()] == before
    for name in ("ann", "bob"):
        accept(name, match)
    assert raised(together(*[partial(loop._move, ready.id)] * 3), Exception) == 0
    assert (ends("ann"), ends("bob")) == (["match_ready"], ["match_ready"])


# --- a worker dies


@pytest.mark.parametrize("stage", ["notifying", "accepting"])
def test_what_no_worker_took_up_in_time_is_nobodys_fault(ready: Pool, stage: str) -> None:
    match = asked(ready, acknowledged=stage == "accepting")
    connect("bob")
    accept("ann", match)
    let_pass(match, settings.ACK_SECONDS + SECONDS + settings.LEASE_SECONDS)
    loop.advance()
    match.refresh_from_db()
    assert (match.cancel_reason, match.failed_stage) == ("internal_error", stage)
    for name in ("ann", "bob"):
        off = told(name)[-1]
        assert (off.type, off.data["reason"], off.data["requeued"]) == (
            "match_cancelled",
            "internal_error",
            True,
        )
    assert not Absence.objects.exists()


@pytest.mark.parametrize("acknowledged", [False, True])
def test_accepted_in_time_is_accepted_however_late_a_worker_looks(ready: Pool, acknowledged: bool) -> None:
    match = asked(ready, acknowledged=acknowledged)
    for name in ("ann", "bob"):
        accept(name, match)
    let_pass(match, SECONDS + 60)
    loop.advance()
    match.refresh_from_db()
    assert match.status == "CONFIRMED"


def test_acknowledged_in_time_and_looked_at_too_late_to_accept_it_is_over(ready: Pool) -> None:
    match = asked(ready, acknowledged=False)
    acknowledge(match, "ann", "bob", seconds_ago=SECONDS + 55)
    let_pass(match, SECONDS + 60)
    loop.advance()
    loop.advance()
    match.refresh_from_db()
    assert (match.status, match.cancel_reason) == ("CANCELLED", "declined")


# --- a player comes back


def frames_owed(name: str) -> list[str]:
    return [push.frame for push in snapshot(caller(name), address(name), None).owed]


def types_owed(name: str) -> list[str]:
    return [frame.split('"')[3] for frame in frames_owed(name)]


@pytest.mark.parametrize("acknowledged", [False, True])
def test_who_comes_back_is_asked_again_until_it_has_accepted(ready: Pool, acknowledged: bool) -> None:
    match = asked(ready, acknowledged=acknowledged)
    accept("bob", match)
    assert types_owed("ann") == ["match_found", "match_acceptance"]
    assert types_owed("bob") == ["match_acceptance"]
    assert '"accepted":1,"needed":2' in frames_owed("ann")[1]
    state = snapshot(caller("ann"), address("ann"), None).state
    assert f'"match_id":"{match.id}"' in encode_json(state)
    expected = "AWAITING_ACCEPTANCE" if acknowledged else "PROPOSED"
    assert f'"status":"{expected}"' in encode_json(state)


def test_once_it_is_decided_nothing_is_owed(ready: Pool) -> None:
    match = asked(ready)
    decline("bob", match)
    assert types_owed("ann") == types_owed("bob") == []


def test_before_it_is_asked_a_player_owes_the_ping_alone(ready: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, ready)
    match = reserved_match("ann", "bob")
    assert types_owed("ann") == ["ping"]
    Match.objects.filter(id=match.id).update(stage=Stage.CREATING)
    assert types_owed("ann") == []


def test_without_a_ready_check_nobody_hears_of_one(duel: Pool) -> None:
    for name in ("ann", "bob"):
        queued(name, duel)
    notified_match("ann", "bob")
    assert types_owed("ann") == ["match_found"]


# --- by agreement


def test_who_plays_by_agreement_is_not_asked_once_more(ready: Pool) -> None:
    for name in ("ann", "bob"):
        connect(name)
    direct.arrange(
        "demo",
        direct.Invited("ann", "Ann", None),
        direct.Invited("bob", "Bob", None),
        terms=direct.Terms(pool_key="ready", mode="duel", time_control="", rated=True),
        claim=lambda _: None,
        now=database_now(),
    )
    match = notified_match("ann", "bob")
    assert match.pool == ready
    assert "accept_within_ms" not in told("ann")[-1].data
    for answer in (accept, decline):
        with pytest.raises(NotAwaitingAcceptance):
            answer("ann", match)
    acknowledge(match, "ann", "bob")
    loop.advance()
    match.refresh_from_db()
    assert match.status == "CONFIRMED"
