"""Who is searching: whom the core pairs, and what those who wait are told."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from matchmaking import selectors
from matchmaking.domain import pairing
from matchmaking.models import MatchPlayer, Pool, Ticket
from realtime.protocol.messages import QueueUpdate
from realtime.transport import store
from realtime.transport.auth import player_address
from realtime.transport.push import Push, publish, update

EVERY_REGION = np.uint64(2**64 - 1)
MAX_REGIONS = 64
_LOCK_CLASS = 0x6D6D
_SLOWEST_UPDATE_SECONDS = 30
_TICKETS_PER_UPDATE_SECOND = 500
"""Telling so many players their place takes about a tenth of a second of one core."""


def find(pool: Pool, *, now: datetime) -> list[tuple[UUID, UUID]]:
    """Return pairs of ticket ids, the older first. Empty while another worker pairs this pool."""
    with transaction.atomic():
        if not _take_lock(pool):
            return []
        waiting = list(
            _reservable(pool, now=now).values_list("id", "rating", "queued_at", "regions", named=True)
        )
    if len(waiting) < 2:
        return []
    waited = np.array([(now - ticket.queued_at).total_seconds() for ticket in waiting])
    rule = pool.window_rule
    found = pairing.pair(
        np.array([ticket.rating for ticket in waiting]),
        rule.windows(waited),
        _region_bits([ticket.regions for ticket in waiting]),
        {},
        rule=rule.rule,
    )
    return [(waiting[a].id, waiting[b].id) for a, b in found.tolist()]


def _take_lock(pool: Pool) -> bool:
    """Take the pool's lock until the end of the transaction.

    It spares two workers the same work; that a ticket is reserved once is held by its row.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, pool.id.int % 2**32 - 2**31])
        row = cursor.fetchone()
    return bool(row and row[0])


def _reservable(pool: Pool, *, now: datetime):  # type: ignore[no-untyped-def]
    """Tickets that may be reserved, oldest first: heard from, not sitting out, and in no match."""
    in_match = MatchPlayer.objects.filter(
        tenant_id=OuterRef("tenant_id"), user_id=OuterRef("user_id"), is_live=True
    )
    return Ticket.objects.filter(
        Q(not_before=None) | Q(not_before__lte=now),
        ~Exists(in_match),
        pool=pool,
        status=Ticket.Status.SEARCHING,
        unreachable_since=None,
    ).order_by("age_from", "id")


def _region_bits(regions: Sequence[Sequence[str]]) -> np.ndarray:
    """Return one bit a region for each ticket; a ticket that names none plays anywhere."""
    names = sorted({name for of_ticket in regions for name in of_ticket})
    # More regions than bits share the bits: such a pair is then decided too kindly, never too harshly.
    bits = {name: np.uint64(1 << (rank % MAX_REGIONS)) for rank, name in enumerate(names)}
    return np.array(
        [
            np.bitwise_or.reduce([bits[name] for name in of_ticket]) if of_ticket else EVERY_REGION
            for of_ticket in regions
        ],
        dtype=np.uint64,
    )


# --- what those who wait are told


def pools_to_tell() -> list[Pool]:
    """Return the pools in which somebody waits."""
    live = Ticket.objects.filter(status__in=Ticket.LIVE).values_list("pool_id", flat=True).distinct()
    return list(Pool.objects.filter(id__in=live))


def send_updates(pool: Pool, *, now: datetime) -> None:
    """Tell a pool's waiting players their place, window and estimate, where it is the pool's turn."""
    if store.take_turn(f"update:{pool.id}", seconds=settings.QUEUE_UPDATE_SECONDS):
        told = _updates(pool, now=now)
        publish(told)
        _slow_down(pool, len(told))


def _slow_down(pool: Pool, waiting: int) -> None:
    """Let the next turn of a large pool come later, 30 s at most."""
    seconds = min(waiting / _TICKETS_PER_UPDATE_SECOND, _SLOWEST_UPDATE_SECONDS)
    if seconds > settings.QUEUE_UPDATE_SECONDS:
        store.put_off_turn(f"update:{pool.id}", seconds=seconds)


def _updates(pool: Pool, *, now: datetime) -> list[Push]:
    tickets = list(
        Ticket.objects.filter(pool=pool, status__in=Ticket.LIVE)
        .order_by("age_from", "id")
        .only("id", "tenant_id", "user_id", "queued_at")
    )
    usual = selectors.usual_wait_seconds(pool.id, now=now)
    windows = pool.window_rule.windows(np.array([(now - t.queued_at).total_seconds() for t in tickets]))
    return [
        update(
            player_address(ticket.tenant_id, ticket.user_id),
            QueueUpdate(
                queue_entry_id=str(ticket.id),
                position=rank,
                estimated_wait=selectors.remaining_wait_seconds(
                    usual, (now - ticket.queued_at).total_seconds()
                ),
                waiting=len(tickets),
                rating_window=float(window),
            ),
            now=now,
        )
        for rank, (ticket, window) in enumerate(zip(tickets, windows, strict=True), start=1)
    ]
