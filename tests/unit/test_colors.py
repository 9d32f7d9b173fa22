"""White for whom had it less; chance between equals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.domain.colors import BLACK, WHITE, draw

balances = st.integers(-20, 20)


@pytest.mark.parametrize(
    ("balance_a", "balance_b", "coin", "colors"),
    [
        (0, 0, True, (WHITE, BLACK)),
        (0, 0, False, (BLACK, WHITE)),
        (3, 3, True, (WHITE, BLACK)),
        (-2, -2, False, (BLACK, WHITE)),
        (0, 1, False, (WHITE, BLACK)),
        (1, 0, True, (BLACK, WHITE)),
        (-1, 0, False, (WHITE, BLACK)),
        (-3, -4, True, (BLACK, WHITE)),
    ],
)
def test_who_had_white_less_often_plays_white_and_between_equals_the_coin_decides(
    balance_a: int, balance_b: int, *, coin: bool, colors: tuple[str, str]
) -> None:
    assert draw(balance_a, balance_b, coin=coin) == colors


@given(balances, balances, st.booleans())
def test_one_plays_white_and_one_black_whichever_is_named_first(
    balance_a: int, balance_b: int, coin: bool
) -> None:
    colors = draw(balance_a, balance_b, coin=coin)
    assert set(colors) == {WHITE, BLACK}
    mirrored = draw(balance_b, balance_a, coin=not coin)
    assert colors == mirrored[::-1]


@given(balances, balances, st.booleans())
def test_a_game_between_unequals_brings_them_nearer(balance_a: int, balance_b: int, coin: bool) -> None:
    white_a = draw(balance_a, balance_b, coin=coin)[0] == WHITE
    gap = (balance_a + (1 if white_a else -1)) - (balance_b + (-1 if white_a else 1))
    if balance_a != balance_b:
        assert abs(gap) <= max(abs(balance_a - balance_b) - 2, 1)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_two_who_meet_again_and_again_play_no_colour_more_than_twice_in_a_row(coins: list[bool]) -> None:
    balance = {"ann": 0, "bob": 0}
    played = ""
    for coin in coins:
        color, _ = draw(balance["ann"], balance["bob"], coin=coin)
        step = 1 if color == WHITE else -1
        balance = {"ann": balance["ann"] + step, "bob": balance["bob"] - step}
        played += color[0]
    assert "www" not in played
    assert "bbb" not in played
