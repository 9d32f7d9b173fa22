"""The steps of a round that go ticket by ticket: oldest first, and nobody passed over. See `pairing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matchmaking.domain.pairing_search import Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from matchmaking.domain.pairing_pool import Pool

# A walk past this many free but incompatible tickets costs about as much as a search.
_PATIENCE = 64

# Fewer tickets than this are asked one by one sooner than sifted.
_SIFT_FROM = 64


class _FreeTickets:
    """The tickets still to be paired in the first pass, as two rings: one leads up the ratings, one down.

    Both rings put the older first among equal ratings: so the first compatible ticket on either way is the
    right one, however many tickets share a rating. `nobody` closes each ring.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._search = Search(pool)
        # As lists, which are quicker still than memoryviews. Nobody, the last, is infinitely far away.
        self._rating: list[float] = [*pool.rating.tolist(), np.inf]
        self._radius: list[float] = pool.radius.tolist()
        self._regions: list[int] = pool.regions.tolist()
        self._max_gap: list[float] = pool.max_gap.tolist()
        self._gone = bytearray(pool.nobody + 1)
        self._up, self._up_back = _ring(pool.by_rating)
        self._down, self._down_back = _ring(np.argsort(-pool.rating, kind="stable"))
        self._widest_first: list[int] = [*np.argsort(-pool.radius, kind="stable").tolist(), pool.nobody]
        self._widest = 0

    def __contains__(self, ticket: int) -> bool:
        return not self._gone[ticket]

    def remove(self, ticket: int) -> None:
        """Take it out of both rings; its own links stay, so that one may still walk from where it was."""
        self._gone[ticket] = 1
        after, before = self._up[ticket], self._up_back[ticket]
        self._up[before], self._up_back[after] = after, before
        after, before = self._down[ticket], self._down_back[ticket]
        self._down[before], self._down_back[after] = after, before

    def nearest(self, ticket: int) -> int:
        """The nearest compatible free ticket, the older of a tie, or nobody; `ticket` is already removed."""
        foes, furthest = self._pool.conflicts.of(ticket), self._furthest(ticket)
        above = self._walk(self._up, ticket, furthest, foes)
        if above is not None:
            gap_above = self._gap(ticket, above)
            below = self._walk(self._down, ticket, min(furthest, gap_above), foes)
            if below is not None:
                return min((gap_above, above), (self._gap(ticket, below), below))[1]
        return self._search.best(ticket, mate_after=self._pool.nobody - 1)

    def _gap(self, a: int, b: int) -> float:
        return abs(self._rating[a] - self._rating[b])

    def _furthest(self, ticket: int) -> float:
        """The widest gap any free ticket could still have to `ticket`; negative when none is free."""
        while self._gone[self._widest_first[self._widest]]:
            self._widest += 1
        widest = self._widest_first[self._widest]
        if widest == self._pool.nobody:
            return -1.0
        return min(self._pool.limit(self._radius[ticket], self._radius[widest]), self._max_gap[ticket])

    def _walk(self, after: list[int], ticket: int, furthest: float, foes: frozenset[int]) -> int | None:
        """The first compatible ticket within `furthest`, nobody if there is none, None if patience ended."""
        ratings, radii, regions, limit = self._rating, self._radius, self._regions, self._pool.limit
        rating, radius, own_regions, nobody = (
            ratings[ticket],
            radii[ticket],
            regions[ticket],
            self._pool.nobody,
        )
        other = ticket
        for _ in range(_PATIENCE):
            other = after[other]
            if other == nobody:
                return nobody
            gap = abs(ratings[other] - rating)
            if gap > furthest:
                return nobody
            near = gap <= limit(radius, radii[other]) and gap <= self._max_gap[other]
            if near and regions[other] & own_regions and other not in foes:
                return other
        return None


def _ring(order: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """The links (after, before) of a circular list through `order`, closed by the element n."""
    circle = np.append(order, order.size)
    after, before = np.empty_like(circle), np.empty_like(circle)
    # By hand: np.roll takes several times as long for the few tickets that most pools hold.
    after[circle] = np.concatenate((circle[1:], circle[:1]))
    before[circle] = np.concatenate((circle[-1:], circle[:-1]))
    return after.tolist(), before.tolist()


def oldest_first(pool: Pool) -> None:
    """From the oldest on, each free ticket takes the nearest compatible free one; a tie goes to the older.

    A ticket that finds nobody is removed as well: it is compatible with none of those still free. One without
    a region is removed at the start, so that the others need not walk past it.
    """
    free = _FreeTickets(pool)
    for ticket in np.flatnonzero(pool.regions == 0).tolist():
        free.remove(ticket)
    for ticket in range(pool.nobody):
        if ticket not in free:
            continue
        free.remove(ticket)
        other = free.nearest(ticket)
        if other != pool.nobody:
            free.remove(other)
            pool.marry(ticket, other)


def nobody_passed_over(pool: Pool) -> None:
    """Give every ticket left alone the mate it is entitled to, oldest first, whatever the pairs so far.

    Ends, since each step gives a ticket an older mate and frees only a younger one. A displaced mate may not
    wait for its turn: meanwhile it is free, and a ticket already settled as alone may be entitled to it
    without being asked again. For the same reason it takes the oldest of those free. Nobody already settled
    has a claim to a ticket that was free all the time, so such a one takes the nearest.
    """
    search = Search(pool)
    for ticket in _left_alone(pool, search):
        moving, displaced = ticket, False
        while moving != pool.nobody:
            other = search.best(moving, mate_after=moving, oldest=displaced)
            moving = pool.nobody if other == pool.nobody else pool.marry(moving, other)
            displaced = True


def _left_alone(pool: Pool, search: Search) -> Iterator[int]:
    """The tickets still alone when their turn comes, oldest first, without many that are entitled to nobody.

    Such a one stays so. Each batch is sifted by the mates of that moment and is as large as all before it, so
    that sifting costs a few looks at all, and outdated mates let few through.
    """
    alone, start = pool.alone(), 0
    while start < alone.size:
        batch = alone[start : max(2 * start, _SIFT_FROM)]
        if start:
            batch = batch[search.may_find(batch)]
        yield from (ticket for ticket in batch.tolist() if pool.is_free(ticket))
        start = max(2 * start, _SIFT_FROM)
