"""Who of those who wait may not meet: blocks for ever, opponents of the last while until both have waited.

Written down once for each ticket, when it has come, under the pool's lock: so of two that come at once the
later one is compared with the earlier. Comparing all with all at each look would cost more than the match.

Who changes its blocks waits for the tenant's joins that are under way, and joins wait for it; then for the
looks at the pool where it waits. So no join and no look overlooks a block that is just being written.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Q

from matchmaking.domain.pool_rules import AvoidanceRule
from matchmaking.models import Conflict, Pool, Ticket
from matchmaking.services.columns import Columns, copied

_POOLS, _TENANTS = 0x6D6D, 0x6D74
"""The classes of the advisory locks."""

_LIVE = "('SEARCHING', 'RESERVED')"
_INSERT = "INSERT INTO matchmaking_conflict (pool_id, one_id, other_id, is_block)"
_PAIR = "new.pool_id, least(new.id, old.id), greatest(new.id, old.id)"
_OLD = f"old.pool_id = new.pool_id AND old.tenant_id = new.tenant_id AND old.status IN {_LIVE}"

_BLOCKS = f"""{_INSERT} SELECT {_PAIR}, true FROM matchmaking_ticket AS new
 JOIN matchmaking_block AS b ON b.tenant_id = new.tenant_id AND b.user_id = new.user_id
 JOIN matchmaking_ticket AS old ON {_OLD} AND old.user_id = b.blocked_id
 WHERE new.id = ANY(%(new)s)
 UNION SELECT {_PAIR}, true FROM matchmaking_ticket AS new
 JOIN matchmaking_block AS b ON b.tenant_id = new.tenant_id AND b.blocked_id = new.user_id
 JOIN matchmaking_ticket AS old ON {_OLD} AND old.user_id = b.user_id
 WHERE new.id = ANY(%(new)s) ON CONFLICT DO NOTHING"""  # noqa: S608 - no values

_RECENT = f"""{_INSERT} SELECT DISTINCT {_PAIR}, false FROM matchmaking_ticket AS new
 JOIN matchmaking_matchplayer AS mine ON mine.tenant_id = new.tenant_id AND mine.user_id = new.user_id
 JOIN matchmaking_match AS m ON m.id = mine.match_id AND m.confirmed_at > %(since)s
 JOIN matchmaking_matchplayer AS theirs ON theirs.match_id = m.id AND theirs.user_id <> mine.user_id
 JOIN matchmaking_ticket AS old ON {_OLD} AND old.user_id = theirs.user_id
 WHERE new.id = ANY(%(new)s) ON CONFLICT DO NOTHING"""  # noqa: S608 - no values


def try_pool_lock(pool_id: UUID) -> bool:
    """Take the pool's lock until the end of the transaction; return whether it was free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_POOLS, _key_of(pool_id)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _key_of(pool_id: UUID) -> int:
    return pool_id.int % 2**32 - 2**31


def hold_blocks(tenant_id: str) -> None:
    """Let nobody of the tenant change blocks until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", [_TENANTS, tenant_id])


def may_have_any(pool: Pool, user_id: str, *, now: datetime) -> bool:
    """Return whether somebody who comes could be in conflict with anybody at all; see `hold_blocks`."""
    since = now - timedelta(seconds=pool.avoid_recent_seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM matchmaking_block"
            "  WHERE tenant_id = %(tenant)s AND user_id = %(user)s)"
            " OR EXISTS (SELECT FROM matchmaking_block"
            "  WHERE tenant_id = %(tenant)s AND blocked_id = %(user)s)"
            " OR EXISTS (SELECT FROM matchmaking_matchplayer AS p JOIN matchmaking_match AS m"
            "  ON m.id = p.match_id AND m.confirmed_at > %(since)s"
            "  WHERE p.tenant_id = %(tenant)s AND p.user_id = %(user)s)",
            {"tenant": pool.tenant_id, "user": user_id, "since": since},
        )
        return bool(cursor.fetchone()[0])


def compare_new(pool: Pool, *, now: datetime) -> None:
    """Write down whom those who have come since the last look may not meet; the pool's lock is held."""
    waiting = Ticket.objects.filter(pool=pool, status__in=Ticket.LIVE, is_compared=False)
    # Who is held by somebody is compared at the next look: nobody waits for rows with the pool's lock held.
    free = waiting.select_for_update(no_key=True, skip_locked=True).order_by("id")
    new = list(free.values_list("id", flat=True))
    if not new:
        return
    since = now - timedelta(seconds=pool.avoid_recent_seconds)
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKS, {"new": new})
        if pool.avoid_recent_seconds:
            cursor.execute(_RECENT, {"new": new, "since": since})
    Ticket.objects.filter(id__in=new).update(is_compared=True)


def change_blocks(tenant_id: str, user_id: str) -> None:
    """Let no look at the user's pool and no join of the tenant overlook blocks that are about to change.

    It holds until the end of the transaction. The pool first: joins are not to wait for a long look.
    """
    mine = Ticket.objects.filter(tenant_id=tenant_id, user_id=user_id, status__in=Ticket.LIVE)
    with connection.cursor() as cursor:
        for pool_id in mine.values_list("pool_id", flat=True):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_POOLS, _key_of(pool_id)])
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_TENANTS, tenant_id])


def compare_again(tenant_id: str, user_id: str) -> None:
    """Let a waiting player be compared anew: it has changed whom it would not meet; see `change_blocks`."""
    mine = Ticket.objects.filter(tenant_id=tenant_id, user_id=user_id, status__in=Ticket.LIVE)
    for ticket_id in mine.values_list("id", flat=True):
        Conflict.objects.filter(Q(one=ticket_id) | Q(other=ticket_id), is_block=True).delete()
    mine.update(is_compared=False)


def in_force(pool: Pool, columns: Columns, rule: AvoidanceRule) -> Mapping[int, set[int]]:
    """Return which of the tickets may not meet now, by their indices, both ways."""
    rows = copied(
        "SELECT c.one_id, c.other_id, c.is_block FROM matchmaking_conflict AS c WHERE c.pool_id = %(pool)s",
        {"pool": pool.id},
        [("one", "V16"), ("other", "V16"), ("is_block", "u1")],
    )
    if not len(rows):
        return {}
    index = columns.index_of()
    relaxed = columns.waited >= rule.relax_seconds
    found: dict[int, set[int]] = {}
    for a, b, is_block in _pairs(rows):
        one, other = index.get(a), index.get(b)
        if one is None or other is None or (not is_block and relaxed[one] and relaxed[other]):
            continue
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


def _pairs(rows: np.ndarray) -> Iterable[tuple[bytes, bytes, bool]]:
    one, other = rows["one"].tobytes(), rows["other"].tobytes()
    for i, is_block in enumerate(rows["is_block"].tolist()):
        yield one[16 * i : 16 * i + 16], other[16 * i : 16 * i + 16], bool(is_block)


def blocked_among(ticket_ids: Collection[UUID]) -> set[frozenset[UUID]]:
    """Return which two of these tickets may never meet."""
    found = Conflict.objects.filter(one__in=ticket_ids, other__in=ticket_ids, is_block=True)
    return {frozenset(pair) for pair in found.values_list("one", "other")}


def forget_ended() -> None:
    """Forget the conflicts of tickets that wait no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM matchmaking_conflict AS c WHERE"  # noqa: S608 - no values
            f" EXISTS (SELECT FROM matchmaking_ticket AS t WHERE t.id = c.one_id AND t.status NOT IN {_LIVE})"
            f" OR EXISTS"
            f" (SELECT FROM matchmaking_ticket AS t WHERE t.id = c.other_id AND t.status NOT IN {_LIVE})"
        )


def of_ticket(ticket_id: UUID) -> dict[UUID, bool]:
    """Return whom a waiting ticket may not meet: True for ever, False for a while."""
    mine = Conflict.objects.filter(Q(one=ticket_id) | Q(other=ticket_id))
    found: dict[UUID, bool] = {}
    for one, other, is_block in mine.values_list("one", "other", "is_block"):
        whom = other if one == ticket_id else one
        found[whom] = found.get(whom, False) or is_block
    return found
