"""I6: whoever is gone is out of the queue in time, and nobody is put out who was not gone."""

import math
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.rows import TicketRow
from tests.chaos.tolerances import (
    CLOCK_SECONDS,
    LOADED_SECONDS,
    SWEPT_SECONDS,
    TRANSIT_SECONDS,
    WEB_LEASE_SECONDS,
)

_SIGNS = ("pong", "heartbeat_pong", "heartbeat", "join_queue", "leave_queue")
"""The frames by which a player is heard from."""

_UNHEARD = {"web": WEB_LEASE_SECONDS, "valkey": 0.0}
"""Faults after which silence counts anew, and how long after their end; others only hold up the sweep."""


def gone_are_put_out(evidence: Evidence) -> Iterator[Violation]:
    """No ticket outlives its player's silence by more than the stale time and a sweep."""
    for ticket in evidence.rows.tickets:
        signs = [ticket.queued_at, *_signs(evidence, ticket)]
        for sign, following in zip(signs, [*signs[1:], math.inf], strict=True):
            limit = _put_out_by(evidence, sign)
            end = min(following, ticket.ended_at or math.inf, evidence.ended_at)
            if end > limit:
                text = (
                    f"{ticket.user}'s ticket {ticket.id} was live at {end:.3f}: silent since {sign:.3f},"
                    f" it was due to be put out by {limit:.3f}"
                )
                yield Violation(invariant="I6", text=text, who=(ticket.user,), at=limit)
                break


def _signs(evidence: Evidence, ticket: TicketRow) -> list[float]:
    """Return when a ticket's player may have been heard from, in order."""
    ended = ticket.ended_at or math.inf
    frames = (seen.at for seen in evidence.sent(ticket.user, *_SIGNS))
    opened = (seen.at for seen in evidence.of(ticket.user, "opened", "opening"))
    thawed = (seen.at for seen in evidence.of(ticket.user, "thawed"))
    return sorted(at for at in (*frames, *opened, *thawed) if ticket.queued_at < at < ended)


def _put_out_by(evidence: Evidence, sign: float) -> float:
    """Return by when a player is out who was last heard from then, or from the end of the last fault on."""
    sweeping = evidence.clocks.sweep + SWEPT_SECONDS + LOADED_SECONDS
    patience = evidence.clocks.stale + sweeping
    limit = sign + patience
    for fault in evidence.server_faults(sign, math.inf):
        if fault.began <= limit:
            after = _UNHEARD.get(fault.group)
            limit = max(limit, fault.ended + (sweeping if after is None else after + patience))
    return limit


def only_gone_are_put_out(evidence: Evidence) -> Iterator[Violation]:
    """No ticket is put out before its player, or somebody of its party, was silent for the stale time."""
    for ticket in evidence.rows.tickets:
        if ticket.reason != "connection_timeout" or ticket.ended_at is None:
            continue
        heard = min(_last_heard(evidence, mate, ticket.ended_at) for mate in evidence.company_of(ticket))
        silent = ticket.ended_at - heard
        if silent < evidence.clocks.stale - CLOCK_SECONDS:
            text = (
                f"{ticket.user}'s ticket {ticket.id} was put out at {ticket.ended_at:.3f}, after only"
                f" {silent:.3f} s of silence since {heard:.3f}"
            )
            yield Violation(invariant="I6", text=text, who=(ticket.user,), at=ticket.ended_at)


def _last_heard(evidence: Evidence, ticket: TicketRow, ended: float) -> float:
    return max(ticket.queued_at, max(_certain_signs(evidence, ticket, ended), default=ticket.queued_at))


def _certain_signs(evidence: Evidence, ticket: TicketRow, ended: float) -> Iterator[float]:
    """Yield when a ticket's player was heard from for certain: the way was free, and the server was up."""
    for seen in evidence.sent(ticket.user, *_SIGNS):
        begin, end = seen.at - TRANSIT_SECONDS, seen.at + TRANSIT_SECONDS
        if (
            end < ended
            and evidence.span_over(ticket.user, seen.at, end)
            and not evidence.is_troubled(ticket.user, begin, end)
            and not evidence.server_faults(begin, end, "web", "valkey", "machine")
        ):
            yield seen.at
