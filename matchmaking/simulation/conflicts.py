"""Who may not meet whom, kept up as tickets come: blocks for ever, recent opponents until both have waited.

As in the service, a newcomer is compared once, at its first round, with those who wait then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matchmaking.domain.pool_rules import AvoidanceRule
    from matchmaking.simulation.arrivals import Arrivals

_MICROSECONDS: Final = 1_000_000
_NEVER_US: Final = 2**62


class Acquaintances:
    """Who waits, by player, and whom they have met; tickets are age ranks, times microseconds."""

    def __init__(self, arrivals: Arrivals, order: NDArray[np.int64], rule: AvoidanceRule) -> None:
        self._player: list[int] = arrivals.player[order].tolist()
        self._arrived_us: list[int] = (
            np.rint(arrivals.arrived_at[order] * _MICROSECONDS).astype(np.int64).tolist()
        )
        self._remember_us = round(rule.remember_seconds * _MICROSECONDS)
        self._relax_us = round(rule.relax_seconds * _MICROSECONDS)
        self._waiting: dict[int, int] = {}
        self._blocked: dict[int, set[int]] = {}
        self._met_us: dict[int, dict[int, int]] = {}
        self._foes: dict[int, dict[int, int]] = {}
        for one, other in arrivals.blocks.tolist():
            self._blocked.setdefault(one, set()).add(other)
            self._blocked.setdefault(other, set()).add(one)
        met_us = np.rint(arrivals.met_at * _MICROSECONDS).astype(np.int64).tolist()
        for (one, other), at_us in sorted(zip(arrivals.met.tolist(), met_us, strict=True), key=_second):
            self._note(one, other, at_us)

    def ticket_of(self, ticket: int) -> int | None:
        """Return the ticket with which the player of this one waits already."""
        return self._waiting.get(self._player[ticket])

    def admit(self, ticket: int, now_us: int) -> None:
        """Let a ticket come, and note whom of those who are there it may not meet."""
        player = self._player[ticket]
        for other in self._blocked.get(player, ()):
            self._oppose(ticket, self._waiting.get(other), _NEVER_US)
        met_us = self._met_us.get(player)
        if met_us:
            self._met_us[player] = met_us = {
                other: at_us for other, at_us in met_us.items() if at_us > now_us - self._remember_us
            }
            for other in met_us:
                self._oppose_for_a_while(ticket, self._waiting.get(other))
        self._waiting[player] = ticket

    def meet(self, ones: list[int], others: list[int], now_us: int) -> None:
        """Note matches; their tickets wait no more."""
        for one, other in zip(ones, others, strict=True):
            if self._remember_us:
                self._note(self._player[one], self._player[other], now_us)
        self.leave(ones)
        self.leave(others)

    def leave(self, tickets: list[int]) -> None:
        """Forget tickets that wait no more."""
        for ticket in tickets:
            player = self._player[ticket]
            if self._waiting.get(player) == ticket:
                del self._waiting[player]
            self._forget(ticket)

    def in_force(self, tickets: NDArray[np.int64], now_us: int) -> dict[int, set[int]]:
        """Return which of these tickets may not meet now, by their places, both ways."""
        if not self._foes:
            return {}
        place = {ticket: at for at, ticket in enumerate(tickets.tolist())}
        found: dict[int, set[int]] = {}
        for ticket in self._foes.keys() & place.keys():
            foes = self._foes[ticket].items()
            kept = {place[foe] for foe, until_us in foes if until_us > now_us and foe in place}
            if kept:
                found[place[ticket]] = kept
        return found

    def put_off(
        self, first_us: NDArray[np.float64], some: NDArray[np.int64], others: NDArray[np.int64]
    ) -> None:
        """Raise the times of pairs in conflict to its end, in place: float64[a, b]."""
        if not self._foes:
            return
        place = {ticket: at for at, ticket in enumerate(others.tolist())}
        for row, ticket in enumerate(some.tolist()):
            for foe, until_us in self._foes.get(ticket, {}).items():
                if foe in place:
                    first_us[row, place[foe]] = max(first_us[row, place[foe]], until_us)

    def _oppose_for_a_while(self, ticket: int, other: int | None) -> None:
        if other is not None:
            later_us = max(self._arrived_us[ticket], self._arrived_us[other])
            self._oppose(ticket, other, later_us + self._relax_us)

    def _oppose(self, ticket: int, other: int | None, until_us: int) -> None:
        """Keep two tickets apart, or a ticket from nobody."""
        if other is not None:
            longest_us = max(until_us, self._foes.get(ticket, {}).get(other, until_us))
            self._foes.setdefault(ticket, {})[other] = longest_us
            self._foes.setdefault(other, {})[ticket] = longest_us

    def _note(self, one: int, other: int, at_us: int) -> None:
        self._met_us.setdefault(one, {})[other] = at_us
        self._met_us.setdefault(other, {})[one] = at_us

    def _forget(self, ticket: int) -> None:
        for foe in self._foes.pop(ticket, {}):
            foes = self._foes.get(foe)
            if foes is not None:
                foes.pop(ticket, None)
                if not foes:
                    del self._foes[foe]


def _second(pair: tuple[list[int], int]) -> int:
    return pair[1]
