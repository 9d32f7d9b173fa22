"""Who leaves the session of a match for good, and whether that may be held against anybody: told upwards.

What it means for the match and its player is for the listeners that the composition root registers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from realtime.models import GameSession, Participant
from realtime.services.rooms import participant_owner
from realtime.transport import faults
from realtime.transport.auth import player_address

log = structlog.get_logger(__name__)

COLUMNS = ("user_id", "dropped_at", "session__tenant_id", "session__match_id")
"""What `excused` reads of participants."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A player who has left a match's session for good.

    ``has_come``: its socket was open there once. ``is_excused``: its grace period ran out, and that may be
    the service's own fault.
    """

    user_id: str
    has_come: bool
    is_excused: bool


Listener = Callable[[UUID, Sequence[Departure], datetime], None]

departed_listeners: list[Listener] = []
"""Called in the transaction in which they leave, with the id of the match, who leaves, and the time."""


def tell_match(
    session: GameSession, gone: Iterable[Participant], *, excused: frozenset[UUID], now: datetime
) -> None:
    """Tell the match of a session, if there is one, who leaves; ``excused`` are ids of participants."""
    if session.match_id is None:
        return
    departures = [
        Departure(p.user_id, has_come=p.came_at is not None, is_excused=p.id in excused) for p in gone
    ]
    for listener in departed_listeners:
        listener(session.match_id, departures, now)


def excused(away: Sequence[Participant], *, now: datetime) -> frozenset[UUID]:
    """Return whose absence may be our own fault, of participants whose ``session`` is read as well.

    A fault is one of the whole service since they were away, or the death of the web process that held one
    of their sockets; where Redis does not say, everybody is excused. To be asked outside of transactions.
    """
    players = [p for p in away if p.session.match_id is not None]
    if not players:
        return frozenset()
    try:
        whole_since = faults.whole_since(now=now)
        bereft_at = faults.bereft_at([each for p in players for each in _addresses(p)], now=now)
    except RedisError as error:
        log.warning("presence_not_read", error=str(error))
        return frozenset(p.id for p in players)
    return frozenset(
        p.id
        for p in players
        if p.dropped_at is None
        or p.dropped_at < max([whole_since, *(bereft_at[a] for a in _addresses(p) if a in bereft_at)])
    )


def _addresses(participant: Participant) -> tuple[str, str]:
    """Return by what names the sockets are kept of a participant: to the session, and to the queue."""
    session, user_id = participant.session, participant.user_id
    return participant_owner(session.id, user_id), player_address(session.tenant_id, user_id)
