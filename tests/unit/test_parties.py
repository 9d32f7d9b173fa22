"""What a party is doing, and who leads it next."""

from itertools import product

import pytest

from matchmaking.domain.parties import Status, leader_after, status_of


def test_whoever_plays_or_queues_the_party_does_and_playing_counts_first() -> None:
    told = {
        (queued, playing): status_of(is_disbanded=False, is_queued=queued, is_playing=playing)
        for queued, playing in product((False, True), repeat=2)
    }
    assert told == {
        (False, False): Status.IDLE,
        (True, False): Status.QUEUED,
        (False, True): Status.PLAYING,
        (True, True): Status.PLAYING,
    }


def test_a_disbanded_party_is_disbanded_whatever_else() -> None:
    for queued, playing in product((False, True), repeat=2):
        assert status_of(is_disbanded=True, is_queued=queued, is_playing=playing) is Status.DISBANDED


@pytest.mark.parametrize(
    ("staying", "leads"),
    [(["ann", "bob"], "ann"), (["bob", "ann"], "ann"), (["bob", "cat"], "bob"), ([], "ann")],
    ids=["the leader stays", "though it joined later", "the longest-standing one", "nobody stays"],
)
def test_who_leads_once_somebody_has_left(staying: list[str], leads: str) -> None:
    assert leader_after("ann", staying) == leads
