"""One story of a player at a time, where no row that both know of stands between two.

A join looks for a match after its ticket is in, an arranged match for a ticket after its seats are: neither
would see the other's before both are committed.
"""

from collections.abc import Iterable
from zlib import crc32

from django.db import connection

_PLAYERS = 0x6D70
"""The class of the advisory locks."""


def hold(tenant_id: str, user_ids: Iterable[str]) -> None:
    """Let nobody else begin anything for these players until the end of the transaction.

    Before any row is locked, and for all of them at once: the order of the locks keeps two from waiting for
    each other.
    """
    keys = sorted({_key_of(tenant_id, user_id) for user_id in user_ids})
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_PLAYERS, key])


def _key_of(tenant_id: str, user_id: str) -> int:
    return crc32(f"{tenant_id}:{user_id}".encode()) - 2**31
