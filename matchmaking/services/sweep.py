"""Every few seconds: end the tickets of players who have been silent for too long."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings

from matchmaking.domain.matches import Cause
from matchmaking.domain.staleness import is_stale, last_sign, stale_seconds
from matchmaking.models import Ticket
from matchmaking.services import tickets
from matchmaking.services.rollback import Failure, roll_back
from realtime.transport import faults, presence
from realtime.transport.auth import player_address

log = structlog.get_logger(__name__)

LATE_SECONDS = 10
"""A sweep that comes so much too late: the service was not well, and nobody's silence counts."""


class _Waiting(NamedTuple):
    """What the sweep reads of a live ticket."""

    id: UUID
    tenant_id: str
    user_id: str
    queued_at: datetime
    status: str
    match_id: UUID | None


def sweep(*, now: datetime) -> int:
    """End the tickets of stale players, reserved ones after rolling their match back; return how many.

    Raises redis.RedisError where nobody can say who is silent: then nobody is.
    """
    _notice_own_absence()
    faults.note_dead_processes()
    stale = _stale(now=now)
    for start in range(0, len(stale), tickets.TICKETS_PER_TRANSACTION):
        _end(stale[start : start + tickets.TICKETS_PER_TRANSACTION], now=now)
    return len(stale)


def _notice_own_absence() -> None:
    since = faults.note_sweep()
    # With no sweep before, Redis is new to us: since when it remembers says it better.
    if since is not None and since > settings.STALE_SWEEP_SECONDS + LATE_SECONDS:
        log.info("sweep_was_away", seconds=since)
        faults.note_fault()


def _stale(*, now: datetime) -> list[tuple[_Waiting, datetime]]:
    """Return live tickets whose players are stale, with their last sign of life."""
    after = _after_seconds()
    told = faults.told_at(now=now)
    whole = faults.whole_since(now=now)
    if not is_stale(whole, now=now, after_seconds=after):
        return []
    silent = _silent(whole, now=now, after=after)
    addresses = [_address(ticket) for ticket, _ in silent]
    bereft = faults.bereft_at(addresses, now=now)
    known = faults.known_until(addresses, told)
    return [
        (ticket, sign)
        for (ticket, sign), address in zip(silent, addresses, strict=True)
        if is_stale(max(sign, bereft.get(address, sign)), now=known.get(address, now), after_seconds=after)
    ]


def _silent(whole: datetime, *, now: datetime, after: float) -> list[tuple[_Waiting, datetime]]:
    old = Ticket.objects.filter(status__in=Ticket.LIVE, queued_at__lte=now - timedelta(seconds=after))
    # Rows, not objects: this is everybody who waits.
    live = [_Waiting(*row) for row in old.values_list(*_Waiting._fields)]
    heard = presence.heard_at([_address(ticket) for ticket in live], now=now)
    signs = [
        (
            ticket,
            last_sign(queued_at=ticket.queued_at, whole_since=whole, signs=[heard.get(_address(ticket))]),
        )
        for ticket in live
    ]
    return [(ticket, sign) for ticket, sign in signs if is_stale(sign, now=now, after_seconds=after)]


def _after_seconds() -> float:
    return stale_seconds(
        period_seconds=settings.HEARTBEAT_SECONDS,
        pong_seconds=settings.PONG_SECONDS,
        misses=settings.MISSED_HEARTBEATS,
    )


def _address(ticket: _Waiting) -> str:
    return player_address(ticket.tenant_id, ticket.user_id)


def _end(stale: Sequence[tuple[_Waiting, datetime]], *, now: datetime) -> None:
    causers: dict[UUID, set[str]] = {}
    for waiting, _ in stale:
        if waiting.status == Ticket.Status.RESERVED and waiting.match_id is not None:
            causers.setdefault(waiting.match_id, set()).add(waiting.user_id)
    for match_id, users in causers.items():
        roll_back(match_id, Failure(Cause.UNREACHABLE, frozenset(users)), now=now)
    last_signs = {waiting.id: sign for waiting, sign in stale}
    ended = tickets.end_searching(list(last_signs), Ticket.End.CONNECTION_TIMEOUT, now=now)
    for ticket in (ticket for ticket in ended if ticket.id in last_signs):  # not of those who go with them
        log.warning(
            "player_stale",
            tenant=ticket.tenant_id,
            user=ticket.user_id,
            pool=str(ticket.pool_id),
            ticket=str(ticket.id),
            waited=round((now - ticket.queued_at).total_seconds(), 3),
            heard_at=last_signs[ticket.id].isoformat(),
        )
