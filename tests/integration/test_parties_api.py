"""Parties over REST: every answer, field by field, and what members are told."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from matchmaking.domain.parties import MAX_INVITATIONS, MAX_MEMBERS
from matchmaking.models import Block, Party, PartyInvitation, PartyMember, Pool, Ticket
from matchmaking.services import endings, loop, party_events
from realtime.transport.database import database_now
from realtime.transport.events import emit
from tests.factories import (
    Answer,
    Rest,
    close_socket,
    confirmed_match,
    connect,
    last_told,
    queued,
    told,
)
from tests.integration.threads import together
from tests.partying import PARTIES, members_of, party, queue, row, send

pytestmark = pytest.mark.django_db
on_connections_of_their_own = pytest.mark.django_db(transaction=True)

NOT_AN_ID = ["nonsense", "1", "-", "00000000-0000-0000-0000-00000000000g", "9" * 300]
CHANGES = ["invite", "join", "leave", "kick"]


def kinds(name: str, tenant_id: str = "demo") -> list[str]:
    return [event.type for event in told(name, tenant_id)]


def seen(by: str, party_id: str) -> Answer:
    return Rest(by).get(f"{PARTIES}/{party_id}")


def member(name: str, *, connected: bool = True) -> dict[str, Any]:
    return {"user_id": name, "display_name": name.title(), "connected": connected}


def plays(duel: Pool, *names: str) -> Any:
    """Let two players be in a game, each having queued alone."""
    for name in names:
        queued(name, duel)
    return confirmed_match(*names)


# --- made


@pytest.mark.parametrize("body", [None, {}])
def test_who_makes_a_party_leads_it(db: None, body: object) -> None:
    connect("ann")
    made = Rest("ann").post(PARTIES, body)
    assert made.status == 201
    party_id = made.body["party_id"]
    whole = {"party_id": party_id, "leader": "ann", "members": [member("ann")], "status": "IDLE"}
    assert made.body == whole
    assert seen("ann", party_id).body == whole
    assert last_told("ann", "party_updated") == whole


def test_a_party_is_in_the_state_of_its_members(db: None) -> None:
    party_id = party("ann", "bob")
    assert Rest("bob").get("/matchmaking/active").body["party"] == seen("ann", party_id).body
    assert Rest("cat").get("/matchmaking/active").body["party"] is None
    send("leave", "bob", party_id)
    assert Rest("bob").get("/matchmaking/active").body["party"] is None


def test_a_second_party_is_refused_and_named(db: None) -> None:
    party_id = party("ann")
    refusal = Rest("ann").post(PARTIES)
    assert refusal.refusal == (409, "already_in_party")
    assert refusal.body["party_id"] == party_id
    assert Party.objects.count() == 1


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"leader": "ann"}', b"null"])
def test_a_party_is_made_of_nothing(db: None, body: bytes) -> None:
    assert Rest("ann").send("POST", PARTIES, body).refusal == (400, "invalid_request")
    assert not Party.objects.exists()


# --- invited


def test_who_is_invited_hears_of_it_and_may_look(db: None) -> None:
    party_id = party("ann")
    answer = send("invite", "ann", party_id, "bob")
    assert answer.status == 200
    assert members_of(answer) == ["ann"]
    assert told("bob")[-1] == ("party_invited", answer.body)
    assert seen("bob", party_id).body == answer.body


def test_any_member_may_invite(db: None) -> None:
    party_id = party("ann", "bob")
    assert send("invite", "bob", party_id, "cat").status == 200
    assert PartyInvitation.objects.get().invited_by == "bob"


def test_who_is_invited_twice_is_told_once(db: None) -> None:
    party_id = party("ann")
    assert send("invite", "ann", party_id, "bob").status == 200
    assert send("invite", "ann", party_id, "bob").status == 200
    assert kinds("bob") == ["party_invited"]


@pytest.mark.parametrize("whom", ["ann", "bob"])
def test_oneself_and_members_cannot_be_invited(db: None, whom: str) -> None:
    party_id = party("ann", "bob")
    assert send("invite", "ann", party_id, whom).refusal == (409, "cannot_invite")


@pytest.mark.parametrize(("who", "whom"), [("ann", "bob"), ("bob", "ann")])
def test_who_is_blocked_either_way_cannot_be_invited(db: None, who: str, whom: str) -> None:
    party_id = party("ann")
    Block.objects.create(tenant_id="demo", user_id=who, blocked_id=whom)
    assert send("invite", "ann", party_id, "bob").refusal == (409, "cannot_invite")
    assert kinds("bob") == []


def test_so_many_invitations_are_open_and_no_more(db: None) -> None:
    party_id = party("ann")
    for n in range(MAX_INVITATIONS):
        assert send("invite", "ann", party_id, f"player-{n}").status == 200
    assert send("invite", "ann", party_id, "one-more").refusal == (409, "cannot_invite")
    send("join", "player-0", party_id)
    assert send("invite", "ann", party_id, "one-more").status == 200


def test_who_is_only_invited_cannot_invite(db: None) -> None:
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    assert send("invite", "bob", party_id, "cat").refusal == (404, "party_not_found")


@pytest.mark.parametrize("change", ["invite", "kick"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"user_id": 1}', b'{"user_id": "a b"}', b'{"user": "bob"}']
)
def test_whom_has_to_be_said(db: None, change: str, body: bytes) -> None:
    party_id = party("ann")
    assert Rest("ann").send("POST", f"{PARTIES}/{party_id}/{change}", body).refusal == (
        400,
        "invalid_request",
    )


# --- joined


def test_who_joins_is_the_last_of_the_members_and_all_hear_of_it(db: None) -> None:
    party_id = party("ann", "bob")
    send("invite", "ann", party_id, "cat")
    answer = send("join", "cat", party_id)
    assert answer.status == 200
    assert answer.body["members"] == [member("ann"), member("bob"), member("cat", connected=False)]
    for name in ("ann", "bob", "cat"):
        assert last_told(name, "party_updated") == answer.body
    assert not PartyInvitation.objects.exists()


def test_who_is_in_another_party_has_to_leave_it_first(db: None) -> None:
    own = party("bob")
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    refusal = send("join", "bob", party_id)
    assert refusal.refusal == (409, "already_in_party")
    assert refusal.body["party_id"] == own
    send("leave", "bob", own)
    assert send("join", "bob", party_id).status == 200


def test_a_member_cannot_join_again(db: None) -> None:
    party_id = party("ann")
    refusal = send("join", "ann", party_id)
    assert refusal.refusal == (409, "already_in_party")
    assert refusal.body["party_id"] == party_id


def test_a_full_party_takes_nobody(db: None) -> None:
    party_id = party("ann", *(f"player-{n}" for n in range(MAX_MEMBERS - 1)))
    send("invite", "ann", party_id, "one-more")
    assert send("join", "one-more", party_id).refusal == (409, "party_full")


def test_nobody_joins_while_the_party_queues(duel: Pool) -> None:
    Pool.objects.update(team_size=2)
    party_id = party("ann", "bob")
    queue("ann", party_id, duel)
    assert send("invite", "ann", party_id, "cat").status == 200
    assert send("join", "cat", party_id).refusal == (409, "party_in_queue")
    assert seen("ann", party_id).body["status"] == "QUEUED"


def test_nobody_joins_while_a_member_plays(duel: Pool) -> None:
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    match = plays(duel, "ann", "cat")
    assert seen("ann", party_id).body["status"] == "PLAYING"
    assert last_told("ann", "party_updated")["status"] == "PLAYING"
    assert send("join", "bob", party_id).refusal == (409, "party_in_queue")
    endings.finish(match.id, {"ann": 1, "cat": 0}, database_now())
    assert last_told("ann", "party_updated")["status"] == "IDLE"
    assert send("join", "bob", party_id).status == 200


# --- left, and sent away


def test_who_leaves_is_in_no_party_and_all_hear_of_it(db: None) -> None:
    party_id = party("ann", "bob")
    answer = send("leave", "bob", party_id)
    assert answer.status == 200
    assert members_of(answer) == ["ann"]
    for name in ("ann", "bob"):
        assert last_told(name, "party_updated") == answer.body
    assert seen("bob", party_id).refusal == (404, "party_not_found")


def test_the_longest_standing_member_leads_after_a_leader_who_leaves(db: None) -> None:
    party_id = party("ann", "bob", "cat")
    assert send("leave", "ann", party_id).body["leader"] == "bob"
    assert send("kick", "bob", party_id, "cat").status == 200


def test_the_last_one_disbands_the_party(db: None) -> None:
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    answer = send("leave", "ann", party_id)
    assert answer.body["status"] == "DISBANDED"
    assert answer.body["members"] == []
    assert last_told("ann", "party_updated") == answer.body
    assert row(party_id).disbanded_at is not None
    for name in ("ann", "bob"):
        assert seen(name, party_id).refusal == (404, "party_not_found")
    assert Rest("ann").post(PARTIES).status == 201


def test_who_is_invited_declines_by_leaving(db: None) -> None:
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    assert send("leave", "bob", party_id).status == 200
    assert send("join", "bob", party_id).refusal == (404, "party_not_found")


def test_the_leader_sends_a_member_away(db: None) -> None:
    party_id = party("ann", "bob", "cat")
    answer = send("kick", "ann", party_id, "bob")
    assert answer.status == 200
    assert members_of(answer) == ["ann", "cat"]
    for name in ("ann", "bob", "cat"):
        assert last_told(name, "party_updated") == answer.body


def test_the_leader_takes_an_invitation_back(db: None) -> None:
    party_id = party("ann")
    send("invite", "ann", party_id, "bob")
    assert send("kick", "ann", party_id, "bob").status == 200
    assert send("join", "bob", party_id).refusal == (404, "party_not_found")


def test_nobody_else_sends_anybody_away(db: None) -> None:
    party_id = party("ann", "bob", "cat")
    assert send("kick", "bob", party_id, "cat").refusal == (409, "not_party_leader")
    assert send("kick", "ann", party_id, "eve").refusal == (404, "party_not_found")
    assert members_of(seen("ann", party_id)) == ["ann", "bob", "cat"]


@pytest.mark.parametrize(("change", "whom"), [("leave", None), ("kick", "bob")])
def test_a_party_that_somebody_leaves_leaves_the_queue(duel: Pool, change: str, whom: str | None) -> None:
    Pool.objects.update(team_size=2)
    party_id = party("ann", "bob")
    queue("ann", party_id, duel)
    by = "bob" if whom is None else "ann"
    answer = send(change, by, party_id, whom)
    assert answer.status == 200
    assert answer.body["status"] == "IDLE"
    assert set(Ticket.objects.values_list("status", "cancel_reason")) == {("CANCELLED", "user_request")}
    for name in ("ann", "bob"):
        assert "queue_cancelled" in kinds(name)
        assert last_told(name, "party_updated") == answer.body


def test_who_leaves_while_the_party_plays_plays_on(duel: Pool) -> None:
    party_id = party("ann", "bob")
    match = plays(duel, "ann", "cat")
    assert members_of(send("leave", "ann", party_id)) == ["bob"]
    match.refresh_from_db()
    assert match.status == "CONFIRMED"
    assert last_told("bob", "party_updated")["status"] == "IDLE"


# --- strangers


@pytest.mark.parametrize("change", CHANGES)
def test_strangers_learn_nothing(db: None, change: str) -> None:
    party_id = party("ann", "bob")
    whom = "bob" if change in {"invite", "kick"} else None
    for path in (party_id, str(uuid4()), *NOT_AN_ID):
        assert send(change, "eve", path, whom).refusal == (404, "party_not_found")
        assert seen("eve", path).refusal == (404, "party_not_found")
    assert send(change, "ann", party_id, whom, tenant_id="acme").refusal == (404, "party_not_found")
    assert members_of(seen("ann", party_id)) == ["ann", "bob"]


def test_who_has_no_token_is_refused(db: None) -> None:
    assert Rest().post(PARTIES).refusal == (401, "unauthorized")


def test_two_tenants_have_a_player_of_the_same_name(db: None) -> None:
    party("ann")
    party("ann", tenant_id="acme")
    assert kinds("ann", "acme") == ["party_updated"]


# --- who is there


def test_whose_connection_is_gone_is_not_connected(db: None) -> None:
    party_id = party("ann", "bob")
    close_socket("bob")
    assert seen("ann", party_id).body["members"] == [member("ann"), member("bob", connected=False)]


def test_who_did_not_answer_a_match_is_not_connected_before_it_is_heard_from(duel: Pool) -> None:
    party_id = party("ann")
    queued("ann", duel)
    Ticket.objects.update(party=party_id, unreachable_since=database_now())
    assert seen("ann", party_id).body["members"] == [member("ann", connected=False)]
    Ticket.objects.update(unreachable_since=None)
    assert seen("ann", party_id).body["members"] == [member("ann")]


def test_what_is_told_is_how_the_party_is_when_it_is_told(db: None) -> None:
    party_id = party("ann", "bob")
    told_later = party_events.changed([row(party_id).id])
    send("leave", "bob", party_id)
    with transaction.atomic():
        emit(told_later, now=database_now())
    assert [m["user_id"] for m in last_told("ann", "party_updated")["members"]] == ["ann"]


# --- many at once


@on_connections_of_their_own
def test_of_many_parties_made_at_once_there_is_one(db: None) -> None:
    answers = together(*[partial(Rest("ann").post, PARTIES)] * 4)
    assert sorted(answer.status for answer in answers if isinstance(answer, Answer)) == [201, 409, 409, 409]
    assert PartyMember.objects.count() == Party.objects.count() == 1


@on_connections_of_their_own
def test_who_joins_two_parties_at_once_is_in_one(db: None) -> None:
    chosen = [party("ann"), party("bob")]
    for leader, party_id in zip(("ann", "bob"), chosen, strict=True):
        send("invite", leader, party_id, "cat")
    answers = together(*(partial(send, "join", "cat", party_id) for party_id in chosen))
    assert sorted(answer.status for answer in answers if isinstance(answer, Answer)) == [200, 409]
    assert PartyMember.objects.filter(user_id="cat").count() == 1


@on_connections_of_their_own
def test_of_many_who_take_the_last_place_at_once_one_gets_it(db: None) -> None:
    party_id = party("ann", *(f"player-{n}" for n in range(MAX_MEMBERS - 2)))
    late = [f"late-{n}" for n in range(4)]
    for name in late:
        send("invite", "ann", party_id, name)
    answers = together(*(partial(send, "join", name, party_id) for name in late))
    assert sorted(answer.status for answer in answers if isinstance(answer, Answer)) == [200, 409, 409, 409]
    assert PartyMember.objects.count() == MAX_MEMBERS


@on_connections_of_their_own
def test_when_all_leave_at_once_the_party_is_disbanded(db: None) -> None:
    names = ["ann", "bob", "cat", "dan"]
    party_id = party(*names)
    answers = together(*(partial(send, "leave", name, party_id) for name in names))
    assert {answer.status for answer in answers if isinstance(answer, Answer)} == {200}
    assert len(answers) == len(names)
    assert row(party_id).disbanded_at is not None


@on_connections_of_their_own
def test_who_queues_while_somebody_joins_queues_with_all_or_before_it(duel: Pool) -> None:
    Pool.objects.update(team_size=3)
    for n in range(5):
        names = [f"{name}-{n}" for name in ("ann", "bob", "cat")]
        party_id = party(*names[:2])
        send("invite", names[0], party_id, names[2])
        together(
            partial(queue, names[0], party_id, duel),
            partial(send, "join", names[2], party_id),
        )
        queued_ones = set(Ticket.objects.filter(party_id=party_id).values_list("user_id", flat=True))
        assert queued_ones == set(
            PartyMember.objects.filter(party_id=party_id).values_list("user_id", flat=True)
        )
    loop.advance()
