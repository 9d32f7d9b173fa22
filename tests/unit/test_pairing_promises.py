"""The promises of the matching core in code; that each is noticed when it is broken; a slow reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from matchmaking.domain.pairing import pair
from matchmaking.domain.rules import LIMITS, fits

if TYPE_CHECKING:
    from matchmaking.domain.rules import Rule

ANN, BOB, CAT, DAN, EVE = range(5)
EU, US = 1, 2

Pairs = list[tuple[int, int]]


class Pool(NamedTuple):
    """Tickets, oldest first. `foes` holds each pair that may not meet once, the older first."""

    rating: list[float]
    radius: list[float]
    regions: list[int]
    foes: frozenset[tuple[int, int]] = frozenset()
    rule: Rule = "mean"
    max_gap: list[float] | None = None

    def conflicts(self) -> dict[int, set[int]]:
        both_ways: dict[int, set[int]] = {}
        for a, b in self.foes:
            both_ways.setdefault(a, set()).add(b)
            both_ways.setdefault(b, set()).add(a)
        return both_ways

    def columns(self) -> tuple[Any, Any, Any]:
        return np.array(self.rating, float), np.array(self.radius, float), np.array(self.regions, np.uint64)

    def pairs(self) -> Pairs:
        max_gap = None if self.max_gap is None else np.array(self.max_gap, float)
        return as_pairs(pair(*self.columns(), self.conflicts(), rule=self.rule, max_gap=max_gap))

    def gap(self, a: int, b: int) -> float:
        return abs(self.rating[a] - self.rating[b])

    def compatible(self, a: int, b: int) -> bool:
        near = fits(self.rule, self.gap(a, b), self.radius[a], self.radius[b])
        near = near and (self.max_gap is None or self.gap(a, b) <= min(self.max_gap[a], self.max_gap[b]))
        foes = (min(a, b), max(a, b)) in self.foes
        return a != b and near and self.regions[a] & self.regions[b] != 0 and not foes


def as_pairs(answer: Any) -> Pairs:
    assert answer.dtype == np.int64
    assert answer.shape == (len(answer), 2)
    return [(int(a), int(b)) for a, b in answer]


class Reference:
    """The rule word for word, looking at everyone at each step."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.n, self.mate = pool, len(pool.rating), dict[int, int]()

    def pairs(self) -> Pairs:
        for ticket in range(self.n):
            if ticket not in self.mate and (free := self.free_for(ticket)):
                self.marry(ticket, self.nearest(ticket, free))
        for ticket in [ticket for ticket in range(self.n) if ticket not in self.mate]:
            if ticket not in self.mate:
                self.settle(ticket)
        return [(a, b) for a, b in sorted(self.mate.items()) if a < b]

    def settle(self, ticket: int) -> None:
        free = self.free_for(ticket)
        younger = [b for b, mate in self.mate.items() if mate > ticket and self.pool.compatible(ticket, b)]
        if free:
            self.marry(ticket, free[0])
        elif younger:
            other = self.nearest(ticket, younger)
            displaced = self.mate.pop(other)
            del self.mate[displaced]
            self.marry(ticket, other)
            self.settle(displaced)

    def free_for(self, ticket: int) -> list[int]:
        return [b for b in range(self.n) if b not in self.mate and self.pool.compatible(ticket, b)]

    def nearest(self, ticket: int, others: list[int]) -> int:
        return min(others, key=lambda other: (self.pool.gap(ticket, other), other))

    def marry(self, a: int, b: int) -> None:
        self.mate |= {a: b, b: a}


def assert_promises(pool: Pool, pairs: Pairs) -> None:
    mate = dict(pairs) | {b: a for a, b in pairs}
    assert len(mate) == 2 * len(pairs), "someone is in two pairs"
    assert all(pool.compatible(a, b) for a, b in pairs), "a pair is not compatible"
    assert pairs == sorted(pairs), "not in the order of the older"
    assert all(a < b for a, b in pairs), "a younger ticket stands first"
    everyone = range(len(pool.rating))
    for lone in set(everyone) - set(mate):
        for other in (other for other in everyone if pool.compatible(lone, other)):
            assert other in mate, f"{lone} and {other} are both left alone"
            assert mate[other] < lone, f"{lone} is passed over: {other} plays {mate[other]}"


@st.composite
def pools(draw: st.DrawFn, ratings: st.SearchStrategy[float], radii: st.SearchStrategy[float]) -> Pool:
    n = draw(st.integers(0, 12))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    ticket = st.integers(0, max(n - 1, 0))
    foes = draw(st.frozensets(st.tuples(ticket, ticket).filter(lambda two: two[0] < two[1]), max_size=n))
    return Pool(
        rating=column(ratings),
        radius=column(radii),
        regions=column(st.sampled_from((1, 1, 2, 3, 0, 2**63))),
        foes=foes if n > 1 else frozenset(),
        rule=draw(st.sampled_from(sorted(LIMITS))),
        max_gap=draw(st.none() | st.lists(st.sampled_from((np.inf, 0, 1, 3, 8)), min_size=n, max_size=n)),
    )


tiny_pools = pools(ratings=st.integers(0, 12), radii=st.integers(0, 4))
wild_pools = pools(
    ratings=st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1),
    radii=st.floats(min_value=0, allow_nan=False) | st.floats(0, 1),
)

# Cat takes Ann from her younger mate, and Bob, who had found nobody, is entitled to that displaced mate. If
# it has to wait, the next in line has it first, and Bob is left alone beside a younger pair.
FIRST_IN_LINE_GETS_DAN = Pool([3, 5, 0, 4, 4], [3, 1, 0, 0, 1], [EU, US, EU, EU | US, EU])
FIRST_BY_AGE_GETS_EVE = Pool([2, 6, 1, 4, 2], [1, 2, 0, 0, 3], [EU, EU, EU, US, EU | US])


BROKEN: dict[str, list[tuple[int, int]]] = {
    "in two pairs": [(ANN, BOB), (ANN, CAT)],
    "not compatible": [(ANN, BOB), (CAT, EVE)],
    "order of the older": [(CAT, DAN), (ANN, BOB)],
    "a younger ticket stands first": [(BOB, ANN), (CAT, DAN)],
    "both left alone": [(ANN, BOB)],
    "passed over": [(ANN, BOB), (DAN, EVE)],
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_promise_is_noticed(words: str) -> None:
    """Ann and Bob fit each other and Cat; Dan fits Cat and Eve."""
    pool = Pool([1500, 1500, 1520, 1540, 1560], [10] * 5, [EU] * 5)
    assert_promises(pool, [(ANN, BOB), (CAT, DAN)])
    with pytest.raises(AssertionError, match=words):
        assert_promises(pool, BROKEN[words])
