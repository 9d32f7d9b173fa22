"""Challenges that are answered, taken back and crossed at the same moment: never two games, never stuck."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from challenges.domain.errors import (
    CannotAcceptChallenge,
    ChallengeExists,
    InvalidChallengeState,
)
from challenges.models import Challenge
from challenges.services import accepting, creating, ending, rematches
from matchmaking.domain.errors import ActiveGameExists, AlreadyInQueue, CannotCancel, QueueEntryNotFound
from matchmaking.domain.matches import Cause
from matchmaking.models import Match, MatchPlayer, Pool, Ticket
from matchmaking.services import direct, endings, leaving, tickets
from matchmaking.services.direct import Invited, Terms
from matchmaking.services.rollback import Failure, roll_back_all
from realtime.protocol.errors import Limited
from realtime.protocol.messages import JoinQueueData
from realtime.protocol.parts import NewChallenge
from realtime.transport.database import database_now, one_look
from realtime.transport.events import NO_ORIGIN, Origin
from tests.challenging import Loop, arrive, until
from tests.factories import caller, confirmed_match, queued, told
from tests.integration.test_races import assert_one_at_most
from tests.integration.threads import raised, together

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["challenges", "matchmaking", "realtime"])

ROUNDS = 5
CAST = ("ann", "bob", "cat", "dan")
REFUSALS = (
    CannotAcceptChallenge,
    InvalidChallengeState,
    ChallengeExists,
    Limited,
    ActiveGameExists,
    AlreadyInQueue,
    CannotCancel,
    QueueEntryNotFound,
)

Work = Callable[[], Any]


@pytest.fixture(autouse=True)
def _here(duel: Pool) -> None:
    arrive(*CAST)


def create(by: str, to: str | None = None, **wanted: Any) -> str:
    made = creating.create(caller(by), NewChallenge(opponent_id=to, **wanted), now=database_now())
    return made.challenge_id


def accept(by: str, challenge_id: str) -> str:
    accepted = accepting.accept(caller(by), challenge_id, now=database_now())
    assert accepted.match_id
    return accepted.match_id


def decline(by: str, challenge_id: str) -> str:
    return ending.decline(caller(by), challenge_id, now=database_now()).status


def cancel(by: str, challenge_id: str) -> str:
    return ending.cancel(caller(by), challenge_id, now=database_now()).status


def join(name: str) -> object:
    here = Origin(f"socket-of-{name}")
    return tickets.join(caller(name), JoinQueueData(pool_key="duel"), origin=here, now=database_now())


def leave(name: str) -> object:
    return leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())


def end_games() -> None:
    for match in Match.objects.filter(status="CONFIRMED"):
        endings.finish(match.id, None, database_now())


def assert_challenges_and_matches_agree() -> None:
    """Check that every game of a challenge is that of one alone, and that none is stuck half-way."""
    in_flight = set(Match.objects.filter(status="PROPOSED").values_list("id", flat=True))
    for row in Challenge.objects.all():
        if row.status == "PENDING":
            assert row.match_id is None or row.match_id in in_flight
        elif row.status == "ACCEPTED":
            assert row.match_id is not None
            match = Match.objects.get(id=row.match_id)
            assert match.status in {"CONFIRMED", "FINISHED"}
            assert {p.user_id for p in match.players.all()} == {row.challenger_id, row.opponent_id}
        else:
            assert row.match_id is None
    arranged = Match.objects.filter(is_arranged=True, status__in=["CONFIRMED", "FINISHED"])
    accepted = Challenge.objects.filter(status="ACCEPTED")
    of_challenges = list(accepted.values_list("match_id", flat=True))
    assert len(of_challenges) == len(set(of_challenges))
    assert set(of_challenges) == set(arranged.values_list("id", flat=True))


def assert_each_ended_once_for_its_players() -> None:
    for row in Challenge.objects.exclude(status="PENDING"):
        for name in filter(None, (row.challenger_id, row.opponent_id)):
            ends = [
                event.data["status"]
                for event in told(name)
                if event.type == "challenge_updated"
                and event.data["challenge_id"] == str(row.id)
                and event.data["status"] != "PENDING"
            ]
            assert ends == [row.status]


def test_of_many_who_take_an_open_challenge_one_gets_it() -> None:
    for _ in range(ROUNDS):
        made = create("ann")
        with Loop():
            results = together(*[partial(accept, name, made) for name in ("bob", "cat", "dan")])
        assert raised(results, CannotAcceptChallenge) + raised(results, InvalidChallengeState) == 2, results
        assert Match.objects.filter(status="CONFIRMED").count() == 1
        assert_challenges_and_matches_agree()
        end_games()


def test_two_who_accept_each_others_have_one_game_and_the_other_challenge_is_over() -> None:
    for _ in range(ROUNDS):
        mine, theirs = create("ann", "bob"), create("bob", "ann")
        with Loop():
            results = together(partial(accept, "bob", mine), partial(accept, "ann", theirs))
        assert raised(results, CannotAcceptChallenge) + raised(results, InvalidChallengeState) == 1, results
        statuses = Challenge.objects.filter(id__in=[mine, theirs]).values_list("status", flat=True)
        assert sorted(statuses) == ["ACCEPTED", "CANCELLED"]
        assert Match.objects.filter(status="CONFIRMED").count() == 1
        assert_challenges_and_matches_agree()
        end_games()


def test_a_rematch_that_both_press_at_once_is_one_game(duel: Pool) -> None:
    for _ in range(ROUNDS):
        queued("ann", duel)
        queued("bob", duel)
        played = confirmed_match("ann", "bob")
        endings.finish(played.id, None, database_now())
        press = [
            lambda name=name: rematches.rematch(caller(name), str(played.id), now=database_now())  # noqa: B023
            for name in ("ann", "bob")
        ]
        with Loop():
            results = together(*press)
        assert raised(results, Exception) == 0, results
        assert sorted(result.status for result in results) == ["ACCEPTED", "PENDING"]  # type: ignore[union-attr]
        row = Challenge.objects.get(rematch_of=played.id)
        assert row.status == "ACCEPTED"
        assert Match.objects.filter(status="CONFIRMED").count() == 1
        assert_challenges_and_matches_agree()
        end_games()


def test_twenty_challenges_at_once_of_one_player_are_ten() -> None:
    results = together(*[partial(create, "ann", f"player-{number}") for number in range(20)])
    assert raised(results, Limited) == 10
    assert Challenge.objects.count() == 10


def test_the_same_challenge_twenty_times_at_once_is_one() -> None:
    results = together(*[partial(create, "ann", "bob")] * 20)
    assert raised(results, ChallengeExists) == 19
    assert [event.type for event in told("bob")] == ["challenge_received"]


def test_of_an_accept_a_decline_a_cancel_and_the_time_one_alone_counts() -> None:
    for _ in range(ROUNDS):
        made = create("ann", "bob")
        soon = database_now() + timedelta(milliseconds=20)
        Challenge.objects.filter(id=made).update(expires_at=soon)
        with Loop():
            results = together(
                partial(accept, "bob", made),
                partial(decline, "bob", made),
                partial(cancel, "ann", made),
                partial(ending.expire, now=soon),
            )
        outcome = Challenge.objects.get(id=made).status
        counted = {
            "ACCEPTED": not isinstance(results[0], Exception),
            "DECLINED": results[1] == "DECLINED",
            "CANCELLED": results[2] == "CANCELLED",
            "EXPIRED": results[3] == 1,
        }
        assert [status for status, did in counted.items() if did] == [outcome], results
        assert_challenges_and_matches_agree()
        assert_each_ended_once_for_its_players()
        end_games()


def test_a_join_that_races_an_accept_never_makes_a_ticket_beside_a_match() -> None:
    for _ in range(ROUNDS * 2):
        made = create("ann", "bob")
        with Loop():
            results = together(partial(accept, "bob", made), partial(join, "ann"), partial(join, "bob"))
            with one_look():  # The loop goes on meanwhile.
                assert_one_at_most()
        assert not isinstance(results[0], Exception), results
        assert not [
            r for r in results[1:] if isinstance(r, Exception) and not isinstance(r, ActiveGameExists)
        ]
        assert_one_at_most()
        assert not Ticket.objects.filter(status__in=Ticket.LIVE).exists()
        assert_every_cancelled_ticket_was_told()
        end_games()


def assert_every_cancelled_ticket_was_told() -> None:
    for name in CAST:
        ended = {str(t.id) for t in Ticket.objects.filter(user_id=name, status="CANCELLED")}
        ends = [e.data["queue_entry_id"] for e in told(name) if e.type == "queue_cancelled"]
        assert sorted(ends) == sorted(ended)


def test_a_seat_and_a_ticket_of_the_same_moment_see_each_other() -> None:
    """The join comes while the match is not committed: without the players' lock it would not see it."""
    arranged, joined = together(partial(arrange_slowly, "ann", "bob"), join_a_little_later)
    assert not isinstance(arranged, Exception)
    assert isinstance(joined, ActiveGameExists)
    assert_one_at_most()


def join_a_little_later() -> object:
    time.sleep(0.1)
    return join("ann")


def arrange_slowly(one: str, other: str) -> UUID:
    return direct.arrange(
        "demo",
        Invited(one, one, None),
        Invited(other, other, None),
        terms=Terms(pool_key=None, mode="duel", time_control="", rated=False),
        claim=lambda _: time.sleep(0.5),
        now=database_now(),
    )


def test_more_may_wait_for_their_games_than_there_are_connections(duel: Pool) -> None:
    pairs = [(f"one-{n}", f"two-{n}") for n in range(settings.DATABASE_POOL_SIZE + 4)]
    arrive(*(name for pair in pairs for name in pair))
    made = [create(one, two) for one, two in pairs]
    with ThreadPoolExecutor(len(pairs)) as threads:
        accepted = [
            threads.submit(_in_thread, partial(accept, two, each))
            for (_, two), each in zip(pairs, made, strict=True)
        ]
        until(lambda: Match.objects.filter(status="PROPOSED").count() == len(pairs), 30)
        began = time.monotonic()
        Match.objects.count()
        assert time.monotonic() - began < 2
        with Loop():
            assert len({each.result(30) for each in accepted}) == len(pairs)


def _in_thread(work: Work) -> Any:
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_four_players_do_at_once_nothing_is_stuck_and_nobody_has_two_games(
    seed: int, settings: Settings
) -> None:
    settings.HEALTH_CHECK_SECONDS = settings.ACK_SECONDS = 0.3
    rng = random.Random(seed)
    for _ in range(6):
        silent = [name for name in CAST if rng.random() < 0.15]
        _seed_challenges(rng)
        with Loop(*silent):
            results = together(*[_something(rng) for _ in range(12)])
            assert [r for r in results if isinstance(r, Exception) and not isinstance(r, REFUSALS)] == []
            with one_look():  # The loop goes on meanwhile.
                assert_one_at_most()
        _settle()
        assert_challenges_and_matches_agree()
        assert_each_ended_once_for_its_players()
        assert_one_at_most()
        if rng.random() < 0.7:
            end_games()
    assert not Challenge.objects.filter(status="PENDING", match_id__isnull=False).exists()


def _seed_challenges(rng: random.Random) -> None:
    for _ in range(4):
        by, to = rng.sample(CAST, 2)
        with suppress(*REFUSALS):
            create(by, rng.choice([to, to, None]), mode=f"mode-{rng.randrange(3)}")


def _something(rng: random.Random) -> Work:
    """Return anything that one of the four might do to a challenge, or instead of it."""
    name = rng.choice(CAST)
    ids = [str(row.id) for row in Challenge.objects.filter(status="PENDING")] or [create("ann", "bob")]
    made = rng.choice(ids)
    row = Challenge.objects.get(id=made)
    opponent = row.opponent_id or rng.choice([each for each in CAST if each != row.challenger_id])
    works: list[Work] = [
        partial(accept, opponent, made),
        partial(accept, opponent, made),
        partial(accept, opponent, made),
        partial(cancel, row.challenger_id, made),
        partial(join, name),
        partial(leave, name),
        partial(create, name, rng.choice([each for each in CAST if each != name])),
        partial(ending.expire, now=database_now() + timedelta(seconds=rng.choice([0, 0, 3600]))),
        _staff,
    ]
    if row.opponent_id:
        works.append(partial(decline, opponent, made))
    return rng.choice(works)


def _staff() -> None:
    in_flight = list(Match.objects.filter(status="PROPOSED").values_list("id", flat=True))
    roll_back_all(dict.fromkeys(in_flight, Failure(Cause.STAFF)), now=database_now())


def _settle() -> None:
    """Take back what is still in flight, and let nobody wait in the queue."""
    _staff()
    tickets.end_searching(
        list(Ticket.objects.filter(status__in=Ticket.LIVE).values_list("id", flat=True)),
        Ticket.End.STAFF,
        now=database_now(),
    )
    assert not MatchPlayer.objects.filter(is_live=True, match__status="PROPOSED").exists()
    assert_every_ticket_ended_once_or_by_arrangement()


def assert_every_ticket_ended_once_or_by_arrangement() -> None:
    for name in CAST:
        for ticket in Ticket.objects.filter(user_id=name).exclude(status__in=Ticket.LIVE):
            ends = [
                e
                for e in told(name)
                if e.type == "queue_cancelled" and e.data["queue_entry_id"] == str(ticket.id)
            ]
            assert len(ends) == (0 if ticket.status == "MATCHED" else 1)
