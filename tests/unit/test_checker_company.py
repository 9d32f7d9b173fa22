"""The chaos test's checker sees what becomes of challenges and parties: each invariant is broken by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.rows import MatchRow
from tests.chaos.story import Story
from tests.chaos.story_challenges import ChallengeStory, challenges
from tests.chaos.story_parties import PartyStory, parties


@pytest.mark.parametrize("story", [challenges, parties])
def test_a_good_run_is_good(story: Callable[[], Story]) -> None:
    assert story().verdict() == []


def _row(table: str, key: Any, **values: Any) -> Callable[[Story], None]:
    return lambda story: story.spoil(table, key, **values)


def _seen(story: Story, who: str, kind: str, path: str) -> int:
    """Return where among what was seen a player's request, or its answer, is."""
    return next(
        number
        for number, seen in enumerate(story.seen)
        if (seen.who, seen.kind) == (who, kind) and seen.data["path"].endswith(path)
    )


def _answered(who: str, path: str, status: int = 200, /, **values: Any) -> Callable[[Story], None]:
    """Let another answer have come."""

    def spoil(story: Story) -> None:
        number = _seen(story, who, "response", path)
        data = story.seen[number].data
        story.seen[number] = replace(
            story.seen[number], data=data | {"status": status, "body": data["body"] | values}
        )

    return spoil


def _told(who: str, seq: int, **values: Any) -> Callable[[Story], None]:
    def spoil(story: Story) -> None:
        row = story.rows["events"][who, seq]
        story.spoil("events", (who, seq), data=row.data | values)

    return spoil


# --- challenges


def _second_game(story: ChallengeStory) -> None:
    story.arrange(9.0, "x", "ann", "bob")
    story.spoil("matches", "x", status="CONFIRMED", confirmed_at=9.5, game_id="x")


def _one_game_for_two(story: ChallengeStory) -> None:
    story.spoil("challenges", "c2", status="ACCEPTED", match_id="m", game_id="s")


def _another_player(story: ChallengeStory) -> None:
    story.rows["seats"]["m", "cid"] = replace(story.rows["seats"].pop(("m", "ann")), user="cid")


def _held_by_nothing(story: ChallengeStory) -> None:
    story.rows["matches"]["x"] = MatchRow(id="x", status="CANCELLED", created_at=36, is_arranged=True)
    story.spoil("challenges", "c4", match_id="x")


def _granted_to_another(story: ChallengeStory) -> None:
    story.say(2.0, "cid", "accept", "c1")


def _refused_in_time(story: ChallengeStory) -> None:
    story.refuse(37.0, "cid", "c4/accept", code="invalid_challenge_state")


def _never_asked(story: ChallengeStory) -> None:
    for kind in ("request", "response"):
        del story.seen[_seen(story, "bob", kind, "/c1/accept")]


def _told_twice(story: ChallengeStory) -> None:
    story.tell(9.0, "cid", "challenge_updated", **story.view("c3"))


def _not_told(story: ChallengeStory) -> None:
    story.spoil("challenges", "open", status="CANCELLED")


def _kept_ticket(story: ChallengeStory) -> None:
    story.spoil("events", ("bob", 5), type="announcement")


def _restored(**held: Any) -> Callable[[ChallengeStory], None]:
    def spoil(story: ChallengeStory) -> None:
        story.see(37.0, "cid", "opening", conn=3, web=0, last_seq=story.seq["cid"])
        story.restore(37.0, "cid", story.seq["cid"], [], conn=3, **held)

    return spoil


_GONE = {"challenge_id": "c3"}

CHALLENGES_SPOILT: dict[str, tuple[Callable[[ChallengeStory], None], str]] = {
    "a game of no challenge": (
        _second_game,
        "I10: match x of ['ann', 'bob'] is CONFIRMED, and is that of []",
    ),
    "one game for two": (
        _one_game_for_two,
        "I10: match m of ['ann', 'bob'] is FINISHED, and is that of [Chal",
    ),
    "a game rolled back": (
        _row("matches", "m", status="CANCELLED", confirmed_at=None),
        "I10: challenge c1 of ann to bob is ACCEPTED with MatchRow",
    ),
    "a game of the queue": (
        _row("matches", "m", is_arranged=False),
        "c1 of ann to bob is ACCEPTED with MatchRow",
    ),
    "no game": (
        _row("challenges", "c1", match_id=None),
        "I10: challenge c1 of ann to bob is ACCEPTED with None",
    ),
    "another player": (_another_player, "is ACCEPTED with match m of ['bob', 'cid']"),
    "another game": (_row("challenges", "c1", game_id="t"), "is ACCEPTED with game t, its match has s"),
    "an end without a time": (
        _row("challenges", "c3", ended_at=None),
        "c3 of ann to cid is DECLINED with ended_at N",
    ),
    "held by nothing": (_held_by_nothing, "c4 of bob to cid is held by match x, which is CANCELLED"),
    "expired too soon": (
        _row("challenges", "open", ended_at=9.0),
        "open of cid expired at 9.0, before 14.000",
    ),
    "a crossing one": (
        _row("challenges", "c2", ended_at=9.0),
        "c2 of bob to ann waited on after c1 was accep",
    ),
    "waiting for ever": (
        _row("challenges", "c4", expires_at=36.0),
        "I10: challenge c4 of bob to cid is still PENDING",
    ),
    "granted, and nothing": (
        _answered("bob", "/c1/accept", challenge_id="x"),
        "I10: bob was told by accept that challenge x is ('ACCEPTED', 'm', 's'); it does not exist",
    ),
    "granted, and not so": (
        _answered("bob", "/c1/accept", match_id="x"),
        "it is ACCEPTED with match m and game s",
    ),
    "granted too soon": (
        _answered("bob", "/c1/accept", status="PENDING", match_id=None, game_id=None),
        "it was answered PENDING on accept",
    ),
    "granted to another": (_granted_to_another, "I10: cid was told by accept that challenge c1"),
    "declined, and not so": (
        _row("challenges", "c3", status="CANCELLED"),
        "I10: cid was told by decline that",
    ),
    "refused in time": (
        _refused_in_time,
        "I10: cid was told that challenge c4 is over, and it waited until 45",
    ),
    "accepted though refused": (
        _answered("bob", "/c1/accept", 409, code="cannot_accept_challenge", detail="You are in a game"),
        "c1 of ann to bob is ACCEPTED, and bob was refused each time",
    ),
    "accepted unasked": (
        _never_asked,
        "c1 of ann to bob is ACCEPTED, and bob was refused each time, or never",
    ),
    "told twice": (
        _told_twice,
        "I10: challenge c3 of ann to cid is DECLINED, and cid was told ['PENDING', 'DEC",
    ),
    "another end": (
        _not_told,
        "I10: challenge open of cid is CANCELLED, and cid was told ['PENDING', 'EXPIRED']",
    ),
    "nothing restored": (_restored(), "I9: cid was restored at 7 to incoming []; its events say ['c4']"),
    "too much restored": (
        _restored(challenges={"incoming": [_GONE], "outgoing": []}),
        "I9: cid was restored at 7 to incoming ['c3']; its events say ['c4']",
    ),
    "in a queue and in a game": (
        _row("tickets", "ticket-bob-1", ended_at=2.9),
        "I1: bob queued with ticket-bob-1 in match m, 1.800 to 2.900",
    ),
    "told of a game with a ticket": (_kept_ticket, "I1: bob was told of game m while ticket-bob-1 was live"),
    "left for a game of the queue": (
        _row("matches", "m", is_arranged=False),
        "I3: bob's ticket ticket-bob-1 was cancelled at its player's wish",
    ),
    "put back without a ticket": (_told("cid", 3, requeued=True), "I5: cid was told requeued True"),
    "no ack for a game": (
        _row("seats", ("m", "bob"), found_id="x"),
        "I2: match m was confirmed at 1.800 without bob",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), CHALLENGES_SPOILT.values(), ids=CHALLENGES_SPOILT)
def test_spoilt_challenges_are_seen(spoil: Callable[[ChallengeStory], None], words: str) -> None:
    story = challenges()
    spoil(story)
    assert [text for text in story.verdict() if words in text], (words, story.verdict())


def test_a_lost_answer_may_be_either() -> None:
    story = challenges()
    del story.seen[_seen(story, "bob", "response", "/c1/accept")]
    assert story.verdict() == []


def test_who_waits_for_too_long_hears_by_an_event() -> None:
    story = challenges()
    detail = "This takes unusually long; you will hear whether the game comes about"
    _answered("bob", "/c1/accept", 409, code="cannot_accept_challenge", detail=detail)(story)
    assert story.verdict() == []


@pytest.mark.parametrize(("fault", "is_excused"), [("postgres-quit", True), ("", False)])
def test_a_503_is_a_refusal_unless_servers_failed(fault: str, is_excused: bool) -> None:
    story = challenges()
    _answered("bob", "/c1/accept", 503, code="matchmaking_unavailable")(story)
    if fault:
        story.fault(fault, 1.4, 1.6, "postgres")
    assert (story.verdict() == []) is is_excused


def test_a_fault_excuses_a_late_expiry() -> None:
    story = challenges()
    story.spoil("challenges", "c4", expires_at=36.0)
    story.fault("beat-stop", 35.9, 38.0, "beat0")
    assert not [text for text in story.verdict() if "still PENDING" in text]


# --- parties


def _later(story: PartyStory) -> None:
    story.spoil("tickets", "ticket-fay-1", status="SEARCHING", reason=None, ended_at=None)


def _apart(story: PartyStory) -> None:
    for who, team in (("bob", 2), ("cid", 1)):
        story.spoil("seats", ("m", who), team=team)


def _without_bob(story: PartyStory) -> None:
    story.rows["seats"]["m", "eve"] = replace(
        story.rows["seats"].pop(("m", "bob")), user="eve", ticket_id=None
    )


def _another_leader(story: PartyStory) -> None:
    story.spoil("parties", "p", leader="bob")


def _never_left(story: PartyStory) -> None:
    story.forget("leave_queue")


def _wait_for_each_other(story: PartyStory) -> None:
    for who in ("cid", "dan", "eve", "fay"):
        story.join(30, who, number=2)
        party = "q" if who in {"eve", "fay"} else None
        story.spoil("tickets", f"ticket-{who}-2", pool="teams", needed=4, party=party)
        for at in range(31, 40):
            story.send(at, who, "heartbeat_pong", nonce="x")


def _put_out(ended_at: float, *heard_from: str) -> Callable[[PartyStory], None]:
    """Let Eve and Fay be put out, after some of them were heard from."""

    def spoil(story: PartyStory) -> None:
        story.forget("leave_queue")
        for who in ("eve", "fay"):
            story.end_ticket(ended_at, f"ticket-{who}-1", "CANCELLED", "connection_timeout")
            story.rows["events"][who, 3].data["reason"] = "connection_timeout"
        for who in heard_from:
            story.send(8.0, who, "heartbeat_pong", nonce="x")

    return spoil


PARTIES_SPOILT: dict[str, tuple[Callable[[PartyStory], None], str]] = {
    "one searches on": (
        _later,
        "I11: the party q does not wait as one: eve ('CANCELLED', 'user_request', 5.1, None)",
    ),
    "one for another reason": (
        _row("tickets", "ticket-fay-1", reason="connection_timeout"),
        "I11: the party q does",
    ),
    "one later": (_row("tickets", "ticket-fay-1", ended_at=5.6), "I11: the party q does not wait as one"),
    "apart": (_apart, "I11: match m of ann, bob, cid, dan has ann's party in {1, 2}"),
    "one missing": (_without_bob, "I11: match m of ann, cid, dan, eve has ann's party in"),
    "three against one": (
        _row("seats", ("m", "cid"), team=1),
        "I11: match m of ann, bob, cid, dan has teams of {1: 3",
    ),
    "three": (
        lambda s: s.rows["seats"].pop(("m", "dan")),
        "I11: match m of ann, bob, cid has teams of {1: 2, 2: 1}",
    ),
    "another leader": (_another_leader, "I11: ann is in PartyRow"),
    "no word of it": (
        lambda s: s.spoil("events", ("ann", 1), type="party_invited"),
        "I11: ann is in PartyRow",
    ),
    "restored without it": (
        lambda s: s.restore(37.0, "bob", s.seq["bob"], []),
        "I9: bob was restored at 4 to party None; its events say {'id': 'p'",
    ),
    "left unasked": (_never_left, "I3: fay's ticket ticket-fay-1 was cancelled at its player's wish"),
    "four who wait": (_wait_for_each_other, "liveness: in teams ('cid', 'dan', 'eve', 'fay') wait for each"),
    "put out, and both are there": (
        _put_out(11.5, "eve", "fay"),
        "I6: fay's ticket ticket-fay-1 was put out at",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), PARTIES_SPOILT.values(), ids=PARTIES_SPOILT)
def test_spoilt_parties_are_seen(spoil: Callable[[PartyStory], None], words: str) -> None:
    story = parties()
    spoil(story)
    assert [text for text in story.verdict() if words in text], (words, story.verdict())


def test_one_who_is_silent_takes_the_party_along() -> None:
    story = parties()
    _put_out(11.5, "eve")(story)
    assert story.verdict() == []


def test_three_who_wait_for_a_match_of_four_are_not_stuck() -> None:
    story = parties()
    _wait_for_each_other(story)
    story.end_ticket(39.0, "ticket-dan-2", "CANCELLED", "user_request")
    assert not [text for text in story.verdict() if "wait for each other" in text]
