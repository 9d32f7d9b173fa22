"""Why a ticket is not matched yet: in short for its player, candidate by candidate for staff."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from redis.exceptions import RedisError

from matchmaking.domain import explain as rules
from matchmaking.domain.explain import RULES, Candidates, Nearest
from matchmaking.domain.pool_rules import REGION_SLOTS
from matchmaking.models import Pool, Ticket
from matchmaking.services import columns, conflicts
from matchmaking.services.columns import Columns
from realtime.transport import presence
from realtime.transport.auth import player_address

MOST_CANDIDATES = 200
LARGE = 500
KEPT_SECONDS = 3
"""How old what is said of a large pool may be."""


class NearestMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest candidate; ``fits_in_seconds`` is null where the rules never let it."""

    gap: float
    fits_in_seconds: float | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How many wait beside the ticket, how many each rule turns away, and the nearest who can ever fit.

    In a pool for teams these are parties, as is the ticket; who is alone is a party of one.

    ``reason``: ``fits_now`` (in the next look), ``too_few_fit`` (fewer than a match needs), ``fits_later``,
    ``never_fits``, ``nobody_waits``, ``nobody_fits`` (each is turned away for ever, or absent),
    ``no_connection`` (you have none), ``unreachable`` (you did not answer), ``sitting_out`` (you),
    ``being_matched``, ``ended``.
    """

    queue_entry_id: str
    candidates: int
    turned_away: dict[str, int]
    nearest: NearestMessage | None
    reason: str


class CandidateMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate as staff see it, and the rules that turn it away; none: it fits."""

    ticket_id: str
    user_id: str
    rating: float
    gap: float
    waited_seconds: float
    turned_away_by: list[str]


class FullExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """The explanation, the ticket itself, and the candidates, the nearest first, 200 at most."""

    explanation: Explanation
    user_id: str
    rating: float
    window: float
    candidates: list[CandidateMessage]


def explain(ticket: Ticket, *, now: datetime) -> Explanation:
    """Return why a ticket is not matched yet."""
    return _explained(ticket, now=now)[0]


def explain_in_full(ticket: Ticket, *, now: datetime) -> FullExplanation:
    """Return the same, candidate by candidate."""
    explanation, seen = _explained(ticket, now=now)
    waited = max((now - ticket.queued_at).total_seconds(), 0.0)
    return FullExplanation(
        explanation=explanation,
        user_id=ticket.user_id,
        rating=ticket.rating,
        window=ticket.pool.rules.window.window(waited),
        candidates=_candidates(*seen) if seen is not None else [],
    )


Explained = tuple[Explanation, tuple[int, Columns, Mapping[str, Any]] | None]
"""With where the ticket is in whose columns, and whom each rule turns away."""


class _Look(NamedTuple):
    """Who waits in a pool, how many players each is, and where each ticket is, by the bytes of its id."""

    waiting: Columns
    sizes: NDArray[np.int64]
    places: Mapping[bytes, int]
    seen_at: float


_looks: dict[UUID, _Look] = {}


def _look(pool: Pool, *, now: datetime, must_hold: bytes) -> _Look:
    """Return who waits; in a large pool as it was a moment ago, since everybody who waits there may ask."""
    look = _looks.get(pool.id)
    if look and must_hold in look.places and time.monotonic() - look.seen_at < KEPT_SECONDS:
        return look
    waiting = columns.read(pool, now=now, reachable_only=False)
    look = _singles(waiting) if pool.is_for_pairs else _parties(waiting)
    if len(waiting) >= LARGE:
        _looks[pool.id] = look
    return look


def _singles(waiting: Columns) -> _Look:
    return _Look(waiting, np.ones(len(waiting), np.int64), waiting.index_of(), time.monotonic())


def _parties(waiting: Columns) -> _Look:
    groups = waiting.groups()
    party_of = {ticket: party for party, tickets in enumerate(groups.members) for ticket in tickets}
    places = {raw: party_of[ticket] for raw, ticket in waiting.index_of().items()}
    return _Look(groups.merged(waiting), groups.sizes, places, time.monotonic())


def _explained(ticket: Ticket, *, now: datetime) -> Explained:
    if ticket.status != Ticket.Status.SEARCHING:
        reason = "being_matched" if ticket.status == Ticket.Status.RESERVED else "ended"
        return _message(ticket, 0, {}, None, reason), None
    look = _look(ticket.pool, now=now, must_hold=ticket.id.bytes)
    waiting, own = look.waiting, look.places.get(ticket.id.bytes)
    if own is None:  # it has been reserved between the two looks
        return _message(ticket, 0, {}, None, "being_matched"), None
    tickets = _seen_by(ticket, look)
    away = rules.turned_away(own, tickets, ticket.pool.rules)
    others = np.arange(len(waiting)) != own
    counts = {rule: int((away[rule] & others).sum()) for rule in RULES}
    found = rules.nearest(own, tickets, ticket.pool.rules, horizon_seconds=settings.MAX_QUEUE_SECONDS)
    reason = _reason(ticket, len(waiting) - 1, found, now=now)
    if reason == "fits_now" and not _make_a_match(ticket.pool, look.sizes, away, own):
        reason = "too_few_fit"
    return _message(ticket, len(waiting) - 1, counts, found, reason), (own, waiting, away)


def _make_a_match(pool: Pool, sizes: NDArray[np.int64], away: Mapping[str, Any], own: int) -> bool:
    """Return whether those whom no rule turns away are enough, with one's own party."""
    fits = ~np.logical_or.reduce([away[rule] for rule in RULES])
    fits[own] = True
    return int(sizes[fits].sum()) >= pool.teams * pool.team_size


def _seen_by(ticket: Ticket, look: _Look) -> Candidates:
    waiting = look.waiting
    is_blocked, is_recent = (np.zeros(len(waiting), dtype=bool) for _ in range(2))
    for other, is_block in _conflicts_of(ticket):
        if (at := look.places.get(other.bytes)) is not None:
            (is_blocked if is_block else is_recent)[at] = True
    anywhere = np.zeros((len(waiting), REGION_SLOTS), dtype=np.int16)
    return Candidates(
        rating=waiting.rating,
        waited=waiting.waited,
        max_gap=waiting.max_gap,
        # The core does not ask for modes where there is one.
        modes=waiting.modes if len(ticket.pool.modes) > 1 else np.ones_like(waiting.modes),
        latencies_ms=anywhere if waiting.latencies_ms is None else waiting.latencies_ms,
        is_blocked=is_blocked,
        is_recent=is_recent,
        is_absent=~waiting.is_reachable,
    )


def _conflicts_of(ticket: Ticket) -> Iterable[tuple[UUID, bool]]:
    """Yield whom a ticket and those of its party may not meet."""
    mates = Ticket.objects.filter(party=ticket.party_id, status__in=Ticket.LIVE) if ticket.party_id else []
    for ticket_id in {ticket.id, *(mate.id for mate in mates)}:
        yield from conflicts.of_ticket(ticket_id).items()


def _is_connected(ticket: Ticket) -> bool:
    try:
        return presence.is_connected(player_address(ticket.tenant_id, ticket.user_id))
    except RedisError:
        return True  # nobody can say


def _reason(ticket: Ticket, candidates: int, found: Nearest | None, *, now: datetime) -> str:
    if ticket.unreachable_since is not None:
        return "unreachable" if _is_connected(ticket) else "no_connection"
    if ticket.not_before is not None and ticket.not_before > now:
        return "sitting_out"
    if not candidates:
        return "nobody_waits"
    if found is None:
        return "nobody_fits"
    if found.fits_in_seconds is None:
        return "never_fits"
    return "fits_later" if found.fits_in_seconds else "fits_now"


def _message(
    ticket: Ticket, candidates: int, counts: Mapping[str, int], found: Nearest | None, reason: str
) -> Explanation:
    nearest = NearestMessage(gap=found.gap, fits_in_seconds=found.fits_in_seconds) if found else None
    return Explanation(
        queue_entry_id=str(ticket.id),
        candidates=candidates,
        turned_away={rule: counts.get(rule, 0) for rule in RULES},
        nearest=nearest,
        reason=reason,
    )


def _candidates(own: int, waiting: Columns, away: Mapping[str, Any]) -> list[CandidateMessage]:
    gaps = np.abs(waiting.rating - waiting.rating[own])
    order = [i for i in np.argsort(gaps, kind="stable").tolist() if i != own]
    chosen = order[:MOST_CANDIDATES]
    ids = [waiting.id_of(i) for i in chosen]
    users: dict[UUID, str] = dict(Ticket.objects.filter(id__in=ids).values_list("id", "user_id"))
    return [
        CandidateMessage(
            ticket_id=str(ticket_id),
            user_id=users[ticket_id],
            rating=float(waiting.rating[i]),
            gap=float(gaps[i]),
            waited_seconds=round(float(waiting.waited[i]), 1),
            turned_away_by=[rule for rule in RULES if away[rule][i]],
        )
        for i, ticket_id in zip(chosen, ids, strict=True)
    ]
