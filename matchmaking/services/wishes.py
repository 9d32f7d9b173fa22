"""What a player wants of a pool when it joins, as its ticket's row keeps it for the pairing core."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from django.db import transaction

from matchmaking.domain.pool_rules import NOT_PLAYABLE, REGION_SLOTS
from matchmaking.models import Pool

MOST_MS = 30_000


def region_row(pool: Pool, regions: Sequence[str], latencies: Mapping[str, float]) -> bytes | None:
    """Return the latency in each slot of a region as int16[64]; None for a ticket that plays anywhere.

    A region that is named without a latency counts as near. Who names none plays where it has measured.
    """
    names = list(dict.fromkeys(regions or latencies))
    if not names:
        return None
    row = np.full(REGION_SLOTS, NOT_PLAYABLE, dtype="<i2")
    for name, slot in _slots(pool, names).items():
        latency = min(round(latencies.get(name, 0)), MOST_MS)
        # Regions beyond the last slot share one: decided too kindly, never too harshly.
        row[slot] = latency if row[slot] == NOT_PLAYABLE else min(row[slot], latency)
    return row.tobytes()


def _slots(pool: Pool, names: Sequence[str]) -> dict[str, int]:
    known = dict(pool.regions.filter(name__in=names).values_list("name", "slot"))
    return {name: known[name] if name in known else _new_slot(pool, name) for name in names}


@transaction.atomic
def _new_slot(pool: Pool, name: str) -> int:
    """Return a slot for a name that is new: one of its own, while there are any.

    Names are the players'. Once the slots are used up, no more rows are made of them.
    """
    # One at a time: two that come at once would get the same slot while others are free.
    Pool.objects.select_for_update(no_key=True).get(id=pool.id)
    used = pool.regions.count()
    if used >= REGION_SLOTS:
        return crc32(name.encode()) % REGION_SLOTS
    return pool.regions.get_or_create(name=name, defaults={"slot": used})[0].slot


def mode_bits(pool: Pool, wanted: Sequence[str]) -> int:
    """Return a bit for each of the pool's modes that a player wants; all, where none of them is named."""
    bits = sum(1 << rank for rank, mode in enumerate(pool.modes) if mode in wanted)
    return bits or (1 << len(pool.modes)) - 1


def shared_mode(pool: Pool, modes: Sequence[int]) -> str:
    """Return the mode that two tickets play: the first in the pool's order that both want."""
    shared = np.bitwise_and.reduce(modes) if modes else 0
    return next((mode for rank, mode in enumerate(pool.modes) if shared >> rank & 1), pool.mode)
