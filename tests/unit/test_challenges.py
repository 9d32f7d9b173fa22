"""What may be done with a challenge, by whom and when, and who plays which colour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from challenges.domain.colors import Preference, seated, swapped
from challenges.domain.errors import CannotAcceptChallenge, InvalidChallengeState
from challenges.domain.states import Action, Status, View, expires_at, may_see, refuse
from matchmaking.domain.colors import BLACK, WHITE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OVER = [Status.ACCEPTED, Status.DECLINED, Status.CANCELLED, Status.EXPIRED]


def challenge(
    status: Status = Status.PENDING,
    *,
    is_open: bool = False,
    is_being_accepted: bool = False,
    seconds_left: float = 60,
) -> View:
    """Ann has challenged Bob, or whoever comes."""
    return View(
        status=status,
        challenger_id="ann",
        opponent_id=None if is_open else "bob",
        is_open=is_open,
        is_being_accepted=is_being_accepted,
        expires_at=NOW + timedelta(seconds=seconds_left),
    )


def answer(view: View, action: Action, by: str) -> type[Exception] | None:
    """Return with what an action is refused, if it is."""
    try:
        refuse(view, action, by=by, now=NOW)
    except (InvalidChallengeState, CannotAcceptChallenge) as refusal:
        return type(refusal)
    return None


@pytest.mark.parametrize(
    ("action", "by", "refusal"),
    [
        (Action.ACCEPT, "bob", None),
        (Action.DECLINE, "bob", None),
        (Action.CANCEL, "ann", None),
        (Action.ACCEPT, "ann", CannotAcceptChallenge),
        (Action.DECLINE, "ann", InvalidChallengeState),
        (Action.CANCEL, "bob", InvalidChallengeState),
    ],
)
def test_who_was_asked_answers_and_who_asks_takes_it_back(
    action: Action, by: str, refusal: type[Exception] | None
) -> None:
    assert answer(challenge(), action, by) is refusal


@pytest.mark.parametrize(
    ("action", "by", "refusal"),
    [
        (Action.ACCEPT, "cat", None),
        (Action.CANCEL, "ann", None),
        (Action.ACCEPT, "ann", CannotAcceptChallenge),
        (Action.DECLINE, "cat", InvalidChallengeState),
        (Action.CANCEL, "cat", InvalidChallengeState),
    ],
)
def test_an_open_one_is_for_whoever_comes_and_nobody_declines_it(
    action: Action, by: str, refusal: type[Exception] | None
) -> None:
    assert answer(challenge(is_open=True), action, by) is refusal


@pytest.mark.parametrize("by", ["ann", "bob"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", OVER)
def test_one_that_has_ended_takes_no_answer(status: Status, action: Action, by: str) -> None:
    assert answer(challenge(status), action, by) is InvalidChallengeState


@pytest.mark.parametrize("seconds_left", [0, -0.001, -3600])
@pytest.mark.parametrize(
    ("action", "by"), [(Action.ACCEPT, "bob"), (Action.DECLINE, "bob"), (Action.CANCEL, "ann")]
)
def test_no_answer_counts_after_its_time_whoever_has_noticed(
    action: Action, by: str, seconds_left: float
) -> None:
    assert answer(challenge(seconds_left=seconds_left), action, by) is InvalidChallengeState
    assert answer(challenge(seconds_left=0.001), action, by) is None


@pytest.mark.parametrize(
    ("action", "by", "refusal"),
    [
        (Action.ACCEPT, "bob", CannotAcceptChallenge),
        (Action.DECLINE, "bob", InvalidChallengeState),
        (Action.CANCEL, "ann", InvalidChallengeState),
    ],
)
def test_nobody_else_does_anything_with_one_that_is_being_accepted(
    action: Action, by: str, refusal: type[Exception]
) -> None:
    assert answer(challenge(is_being_accepted=True), action, by) is refusal


@pytest.mark.parametrize("user_id", ["ann", "bob", "cat"])
def test_a_challenge_is_there_for_its_two_players_and_an_open_one_for_everybody(user_id: str) -> None:
    assert may_see(challenge(), user_id) is (user_id != "cat")
    assert may_see(challenge(is_open=True), user_id)


def test_it_waits_as_long_as_its_challenger_says_or_else_as_the_settings_say() -> None:
    assert expires_at(10, default_seconds=300, now=NOW) - NOW == timedelta(seconds=10)
    assert expires_at(None, default_seconds=300, now=NOW) - NOW == timedelta(seconds=300)


# --- colours

balances = st.integers(-21, 21)


@given(balances, balances, st.booleans())
def test_the_challenger_has_the_colour_that_it_wishes(mine: int, theirs: int, coin: bool) -> None:
    assert seated(Preference.WHITE, mine, theirs, coin=coin) == (WHITE, BLACK)
    assert seated(Preference.BLACK, mine, theirs, coin=coin) == (BLACK, WHITE)


@given(balances, balances, st.booleans())
def test_without_a_wish_who_had_white_less_often_has_it_and_between_equals_the_coin_decides(
    mine: int, theirs: int, coin: bool
) -> None:
    drawn = seated(Preference.RANDOM, mine, theirs, coin=coin)
    has_white = coin if mine == theirs else mine < theirs
    assert drawn == ((WHITE, BLACK) if has_white else (BLACK, WHITE))


@pytest.mark.parametrize(
    ("had", "has"), [(WHITE, Preference.BLACK), (BLACK, Preference.WHITE), (None, Preference.RANDOM)]
)
def test_a_rematch_swaps_the_colours(had: str | None, has: Preference) -> None:
    assert swapped(had) is has
