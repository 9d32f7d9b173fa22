"""Who is searching: whom the core brings together, and what those who wait are told."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction

from matchmaking import selectors
from matchmaking.domain import pairing, teams
from matchmaking.models import Pool, Ticket
from matchmaking.services import columns, conflicts
from matchmaking.services.columns import Columns
from realtime.protocol.messages import QueueUpdate
from realtime.transport import store
from realtime.transport.auth import player_address
from realtime.transport.push import Push, publish, update

_SLOWEST_UPDATE_SECONDS = 30
_TICKETS_PER_UPDATE_SECOND = 500
"""Telling so many players their place takes about a tenth of a second of one core."""


def find(pool: Pool, *, now: datetime) -> list[tuple[tuple[UUID, ...], ...]] | None:
    """Return the matches to make: of each the teams, and of each team the ids of its tickets.

    The oldest first. None while another worker matches this pool.
    """
    rules = pool.rules
    with transaction.atomic():
        # It spares two workers the same work, too; that a ticket is reserved once is held by its row.
        if not conflicts.try_pool_lock(pool.id):
            return None
        conflicts.compare_new(pool, now=now)
        waiting = columns.read(pool, now=now)
        if len(waiting) < 2:
            return []
        foes = conflicts.in_force(pool, waiting, rules.avoidance)
    return _pairs(pool, waiting, foes) if pool.is_for_pairs else _lobbies(pool, waiting, foes)


def _pairs(pool: Pool, waiting: Columns, foes: Mapping[int, set[int]]) -> list[tuple[tuple[UUID, ...], ...]]:
    rules = pool.rules
    found = pairing.pair(
        waiting.rating,
        rules.window.windows(waiting.waited),
        waiting.region_bits(rules, len(pool.modes)),
        foes,
        rule=rules.window.rule,
        max_gap=waiting.max_gap,
    )
    return [((waiting.id_of(a),), (waiting.id_of(b),)) for a, b in found.tolist()]


def _lobbies(
    pool: Pool, waiting: Columns, foes: Mapping[int, set[int]]
) -> list[tuple[tuple[UUID, ...], ...]]:
    rules = pool.rules
    groups = waiting.groups()
    parties = groups.merged(waiting)
    regions = parties.region_bits(rules, len(pool.modes))
    found = teams.form(
        np.minimum(groups.sizes, pool.team_size),
        parties.rating,
        rules.window.windows(parties.waited),
        # A party that came as the teams were made smaller fits nobody.
        np.where(groups.sizes <= pool.team_size, regions, np.uint64(0)),
        groups.conflicts(foes),
        teams=pool.teams,
        team_size=pool.team_size,
        rule=rules.window.rule,
        max_gap=parties.max_gap,
    )
    return [
        tuple(tuple(waiting.id_of(i) for party in team for i in groups.members[party]) for team in lobby)
        for lobby in found
    ]


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
        .only("id", "tenant_id", "user_id", "queued_at", "rating")
    )
    usual = selectors.usual_waits(pool.id, [ticket.rating for ticket in tickets], now=now)
    windows = pool.rules.window.windows(np.array([(now - t.queued_at).total_seconds() for t in tickets]))
    return [
        update(
            player_address(ticket.tenant_id, ticket.user_id),
            QueueUpdate(
                queue_entry_id=str(ticket.id),
                position=rank,
                estimated_wait=selectors.remaining_wait_seconds(
                    usual[rank - 1], (now - ticket.queued_at).total_seconds()
                ),
                waiting=len(tickets),
                rating_window=float(window),
            ),
            now=now,
        )
        for rank, (ticket, window) in enumerate(zip(tickets, windows, strict=True), start=1)
    ]
