"""The chaos test's checker sees what it is there to see: each invariant is broken once, by hand.

A checker that finds nothing proves nothing before it has found something.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.history import HARNESS
from tests.chaos.rows import EventRow, SessionRow
from tests.chaos.story import NOTHING, Story, a_match, a_roll_back


@pytest.mark.parametrize("story", [a_match, a_roll_back])
def test_a_good_run_is_good(story: Callable[[], Story]) -> None:
    assert story().verdict() == []


# --- what is spoilt, by whom it is told, and in which words

Spoiling = Callable[[Story], None]


def _two_tickets(story: Story) -> None:
    story.join(1.1, "ann", number=2)
    story.end_ticket(1.6, "ticket-ann-2", "MATCHED", match_id="m")


def _two_joins(story: Story) -> None:
    data = {"queue_entry_id": "ticket-cid-2", "queued_at": "T2.6"}
    story.spoil("events", ("cid", 2), type="queue_joined", data=data)


def _two_matches(story: Story) -> None:
    story.reserve(2.0, "n", "ann", "cid")
    story.spoil("matches", "n", status="PROPOSED")


def _ended_twice(story: Story) -> None:
    story.tell(3.0, "cid", "queue_cancelled", queue_entry_id="ticket-cid-1", reason="user_request")


def _unlike_views(story: Story) -> None:
    view = {"queue_entry_id": "ticket-cid-1", "queued_at": "T2.2"}
    story.see(2.3, "cid", "response", method="GET", path="/matchmaking/queue/x", status=200, body=view)


def _rank(at: float, who: str, position: int) -> Spoiling:
    def spoil(story: Story) -> None:
        data = {"queue_entry_id": f"ticket-{who}-1", "position": position}
        story.receive(at, who, {"type": "queue_update", "timestamp": "same", "data": data})

    return spoil


def _all(*spoilings: Spoiling) -> Spoiling:
    def spoil(story: Story) -> None:
        for each in spoilings:
            each(story)

    return spoil


def _row(table: str, key: Any, **values: Any) -> Spoiling:
    return lambda story: story.spoil(table, key, **values)


def _without(*kinds: str, who: str = "") -> Spoiling:
    return lambda story: story.forget(*kinds, who=who)


def _seat(match_id: str, who: str, **values: Any) -> Spoiling:
    return _row("seats", (match_id, who), **values)


def _accepted_by_rest(story: Story) -> None:
    body = {"queue_entry_id": "gone", "queued_at": "T9"}
    story.see(9, "cid", "response", method="POST", path="/matchmaking/queue", status=201, body=body)


def _hole(story: Story) -> None:
    story.receive(
        3.5,
        "cid",
        {
            "type": "queue_joined",
            "id": "x",
            "seq": 7,
            "data": {"queue_entry_id": "ticket-cid-1", "queued_at": "T2.0"},
        },
    )


def _unheard(story: Story) -> None:
    story.tell(30, "cid", "announcement", heard=False)


def _lost_over_reconnect(story: Story) -> None:
    story.see(5, "cid", "dropped", conn=1)
    story.see(6, "cid", "opening", conn=2, web=0, last_seq=0)
    story.see(6, "cid", "opened", conn=2, web=0)
    story.restore(6, "cid", 2, story.missed("cid", 1, 2), conn=2)


def _before_the_state(story: Story) -> None:
    story.see(6, "cid", "opening", conn=2, web=0, last_seq=0)
    for event in story.missed("cid", 0, 2):
        story.receive(6.1, "cid", event, conn=2)
    story.restore(6.2, "cid", 2, story.missed("cid", 0, 2), conn=2)


def _false_gap(story: Story) -> None:
    story.see(6, "cid", "opening", conn=2, web=0, last_seq=0)
    story.restore(6, "cid", 2, [], conn=2, gap=True)


def _other_words(story: Story) -> None:
    row = story.rows["events"]["cid", 2]
    story.spoil("events", ("cid", 2), data=row.data | {"reason": "staff"})


def _open_room(story: Story) -> None:
    story.rows["sessions"]["r"] = SessionRow(id="r", match_id=None)


def _left_twice(story: Story) -> None:
    for seq in (1, 2):
        story.rows["events"]["room", seq] = EventRow(
            id=str(seq), address="session:s", seq=seq, type="participant_left", data={"participant_id": "p"}
        )


def _compared(**values: Any) -> Spoiling:
    def spoil(story: Story) -> None:
        look = {"is_open": True, "held": NOTHING, "served": NOTHING, "last_seq": 2} | values
        story.see(39.5, "cid", "compared", **look)

    return spoil


def _probed(at: float, *, matched: bool) -> Spoiling:
    def spoil(story: Story) -> None:
        story.see(12, HARNESS, "probe_began", pair=1)
        story.see(at, HARNESS, "probe_ended", pair=1, matched=matched)

    return spoil


def _wait_for_each_other(story: Story) -> None:
    for who in ("ann", "bob"):
        story.join(30, who, number=3)
        for at in range(31, 40):
            story.send(at, who, "heartbeat_pong", nonce="x")


A_MATCH_SPOILT: dict[str, tuple[Spoiling, str]] = {
    "two tickets": (_two_tickets, "I1: ann has two live tickets"),
    "two joins": (_two_joins, "I1: cid joined with ticket-cid-2 while ticket-cid-1 was live"),
    "two matches": (_two_matches, "I1: ann has two live matches"),
    "a seat that outlives its match": (_seat("m", "ann", is_live=True), "I1: ann's seat is live in FINISHED"),
    "no pong": (_without("pong", who="bob"), "I2: match m was confirmed at 1.800 without bob's pong"),
    "another's pong": (_seat("m", "bob", nonce="other"), "without bob's pong"),
    "no ack": (_without("ack", who="ann"), "I2: match m was confirmed at 1.800 without ann's ack"),
    "late ack": (_row("matches", "m", confirmed_at=1.4), "without ann's ack"),
    "no confirmation": (_row("matches", "m", confirmed_at=None), "I2: FINISHED m was never confirmed"),
    "a lost ticket": (
        lambda s: s.rows["tickets"].pop("ticket-cid-1"),
        "I3: cid's ticket ticket-cid-1 was acc",
    ),
    "a lost 201": (_accepted_by_rest, "I3: cid's ticket gone was accepted and does not exist"),
    "another's ticket": (_row("tickets", "ticket-cid-1", user="bob"), "I3: cid's ticket"),
    "two ends": (_ended_twice, "I3: cid's ticket ticket-cid-1 ended twice"),
    "an end untold": (
        _row("tickets", "ticket-cid-1", reason="connection_timeout"),
        "I3: cid was told user_req",
    ),
    "no time of end": (
        _row("tickets", "ticket-cid-1", ended_at=None),
        "I3: cid's ticket ticket-cid-1 is CANC",
    ),
    "a match untold": (
        _row("matches", "m", confirmed_at=None, status="CANCELLED"),
        "I3: ann was told that m is",
    ),
    "matched in nothing": (
        _row("tickets", "ticket-ann-1", match_id=None),
        "I3: ann's ticket ticket-ann-1 is M",
    ),
    "left unasked": (
        _without("leave_queue"),
        "I3: cid's ticket ticket-cid-1 was cancelled at its player's wish",
    ),
    "staff from nowhere": (_row("tickets", "ticket-cid-1", reason="staff"), "nobody did that"),
    "another time of joining": (_unlike_views, "I4: cid's ticket ticket-cid-1: T2.0 became T2.2"),
    "ranks upside down": (_all(_rank(1.2, "ann", 2), _rank(1.2, "bob", 1)), "I4: ranks in duel at same"),
    "one rank for two": (_all(_rank(1.2, "ann", 1), _rank(1.2, "bob", 1)), "I4: ranks in duel at same"),
    "put out in time no more": (
        _row("tickets", "ticket-cid-1", ended_at=14.0),
        "I6: cid's ticket ticket-cid-1",
    ),
    "who left twice": (_left_twice, "I7: participant p left twice"),
    "a game to cancel": (_row("matches", "m", cancel_due=True), "I8: the game of match m is still to be"),
    "a room without a match": (_open_room, "I8: room r is open"),
    "a room after its match": (
        _row("sessions", "s", finished_at=None),
        "I8: room s is open, and its match is",
    ),
    "a game without a match": (_row("games", "m", match_id="x", state="running"), "I8: the game of match x"),
    "a hole": (_hole, "I9: cid got event 7 after 2"),
    "events before the state": (_before_the_state, "I9: cid got queue_joined 1 before its state"),
    "a hole over a reconnect": (_lost_over_reconnect, "I9: cid asked for what came after [0]"),
    "a gap that is none": (_false_gap, "I9: cid was told of a gap up to 2, and there is none"),
    "other words": (_other_words, "I9: cid saw"),
    "a hole in the outbox": (lambda s: s.rows["events"].pop(("ann", 2)), "I9: the outbox of ann has holes"),
    "an event that never came": (_unheard, "I9: cid never got announcement 3"),
    "another screen": (_compared(held=NOTHING | {"ticket": "t"}), "I9: cid holds"),
    "nobody there": (_compared(is_open=False), "I9: cid could not connect in the calm"),
    "no match for newcomers": (
        _probed(20, matched=False),
        "liveness: the pair probe-1a, probe-1b was matched nev",
    ),
    "late for newcomers": (_probed(20, matched=True), "matched after 8.000 s"),
    "a match for ever": (
        _row("matches", "m", status="PROPOSED"),
        "liveness: match m of 1.200 is still PROPOSED",
    ),
    "two who wait": (_wait_for_each_other, "liveness: in duel ('ann', 'bob') wait for each other"),
}


@pytest.mark.parametrize(("spoil", "words"), A_MATCH_SPOILT.values(), ids=A_MATCH_SPOILT)
def test_a_spoilt_match_is_seen(spoil: Spoiling, words: str) -> None:
    story = a_match()
    spoil(story)
    assert [text for text in story.verdict() if words in text], (words, story.verdict())


def _told(who: str, seq: int, **values: Any) -> Spoiling:
    def spoil(story: Story) -> None:
        row = story.rows["events"][who, seq]
        story.spoil("events", (who, seq), data=row.data | values)

    return spoil


def _untold(story: Story) -> None:
    story.rows["events"].pop(("bob", 2))


def _told_of_nothing(story: Story) -> None:
    story.tell(5, "ann", "match_cancelled", match_id="x", reason="internal_error", requeued=True)


def _told_twice(story: Story) -> None:
    story.tell(2.4, "ann", "match_cancelled", match_id="m", reason="opponent_unreachable", requeued=True)


def _heard_late(story: Story) -> None:
    story.seen = [s for s in story.seen if not (s.kind == "received" and s.data["frame"].get("seq") == 2)]


def _answered(story: Story) -> None:
    story.send(1.35, "bob", "pong", nonce="nonce-m-bob")


def _left_by_nobody(story: Story) -> None:
    story.spoil("matches", "m", cause="left")


def _all_acknowledged(story: Story) -> None:
    story.spoil("matches", "m", cause="delivery_failed")
    for who in ("ann", "bob"):
        story.send(1.6, who, "ack", id=f"found-m-{who}")


def _sign_of_bob(story: Story) -> None:
    story.send(8.0, "bob", "heartbeat_pong", nonce="x")


def _slow_to_go(story: Story) -> None:
    """Ann's word to leave reaches a reserved match, which is taken back ten seconds later."""
    story.spoil("matches", "m", cause="left", created_at=3.9, finished_at=14.1)
    story.end_ticket(14.1, "ticket-ann-1", "CANCELLED", "user_request")


A_ROLL_BACK_SPOILT: dict[str, tuple[Spoiling, str]] = {
    "taken back late": (
        _row("matches", "m", deadline=0.1),
        "I5: match m (unreachable) was due to be rolled back",
    ),
    "gone late": (_slow_to_go, "I5: match m (left) was due to be rolled back at 4.000, and was at 14.100"),
    "untold": (_untold, "I5: bob was not told of it"),
    "told twice": (_told_twice, "I5: ann was told 2 times"),
    "told of nothing": (_told_of_nothing, "I5: ann was told that x is off, which it is not"),
    "a wrong reason": (_told("ann", 2, reason="opponent_cancelled"), "I5: ann was told opponent_cancelled"),
    "requeued untrue": (_told("ann", 2, requeued=False), "I5: ann was told requeued False"),
    "never heard": (_heard_late, "I5: ann was connected all the time, and heard of match_cancelled"),
    "blamed though there": (_answered, "I5: bob answered the ping of match m at 1.350"),
    "nobody left": (_left_by_nobody, "I5: match m was rolled back since a player left, and none did"),
    "all acknowledged": (_all_acknowledged, "I5: all acknowledged match m"),
    "put out though there": (
        _sign_of_bob,
        "I6: bob's ticket ticket-bob-1 was put out at 9.000, after only 1.0",
    ),
    "put out late": (
        _row("tickets", "ticket-bob-1", ended_at=13.0),
        "I6: bob's ticket ticket-bob-1 was live at",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), A_ROLL_BACK_SPOILT.values(), ids=A_ROLL_BACK_SPOILT)
def test_a_spoilt_roll_back_is_seen(spoil: Spoiling, words: str) -> None:
    story = a_roll_back()
    spoil(story)
    assert [text for text in story.verdict() if words in text], (words, story.verdict())


# --- what faults excuse, and what they do not


def test_a_fault_excuses_lateness_for_two_seconds_after_its_end() -> None:
    story = a_roll_back()
    story.spoil("matches", "m", deadline=-2.0)
    story.fault("postgres-quit", -1.5, 1.0, "postgres")
    assert not [text for text in story.verdict() if "was due to be rolled back" in text]


def test_a_fault_long_ago_excuses_nothing() -> None:
    story = a_roll_back()
    story.spoil("matches", "m", deadline=-4.5)
    story.fault("postgres-quit", -4.0, -3.5, "postgres")
    assert [text for text in story.verdict() if "was due to be rolled back" in text]


def test_whoever_is_frozen_need_not_hear_of_it() -> None:
    story = a_roll_back()
    _heard_late(story)
    for who in ("ann", "bob"):
        story.see(2.0, who, "froze", conn=1)
        story.see(3.0, who, "thawed", conn=1)
    assert not [text for text in story.verdict() if "was connected all the time" in text]


def test_a_dead_web_process_excuses_the_blame_and_a_dead_worker_does_not() -> None:
    for name, is_excused in (("web-kill", True), ("worker-kill", False)):
        story = a_roll_back()
        _answered(story)
        story.fault(name, 1.4, 1.6, "it")
        blamed = [text for text in story.verdict() if "and was blamed" in text]
        assert bool(blamed) is not is_excused
