"""One look of the loop at a large pool, the database included: reading, conflicts, pairing.

Run as ``python -m tests.services -m benchmarks.tick``: it needs a PostgreSQL and a Valkey of its own, which
`tests.services` starts. Nothing is reserved, so that each look finds the same.
"""

import os
import statistics
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "matchmaking_site.settings")

import django

django.setup()

import numpy as np
from django.core.management import call_command
from django.db import connection

from benchmarks.tables import write_table
from matchmaking.domain.pool_rules import REGION_SLOTS
from matchmaking.models import Pool, Ticket
from matchmaking.services import columns, pairs
from realtime.transport.database import database_now

SIZES = (1_000, 10_000, 100_000)
LOOKS = 7
# Of any spread, so that nearly all find somebody; or so far apart that nobody does.
RATINGS = {
    "nearly all fit": "1500 + 300 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())",
    "nobody fits": "g * 100000.0",
}
INSERT = """
    INSERT INTO matchmaking_ticket (
      id, tenant_id, user_id, display_name, pool_id, status, queued_at, age_from, priority_seconds,
      rating, regions, latencies, metadata, failures, modes, is_compared, latencies_ms)
    SELECT gen_random_uuid(), 'bench', 'u' || g, 'u', %s, 'SEARCHING', now() - g * interval '1 ms',
      now() - g * interval '1 ms', 0, {rating}, '[]', '{{}}', '{{}}', 0, 1, true, %s
    FROM generate_series(1, %s) AS g
"""


def fill(size: int, rating: str, *, has_regions: bool) -> Pool:
    """Return a pool in which so many wait, and nobody else anywhere."""
    Ticket.objects.all().delete()
    Pool.objects.all().delete()
    pool = Pool.objects.create(tenant_id="bench", key="bench", name="Bench")
    near = None
    if has_regions:
        for slot, name in enumerate(("eu", "us", "asia")):
            pool.regions.create(name=name, slot=slot)
        near = np.full(REGION_SLOTS, -1, dtype="<i2")
        near[0] = 30
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT.format(rating=rating), [pool.id, None if near is None else near.tobytes(), size]
        )
        cursor.execute("ANALYZE matchmaking_ticket")
    return pool


def seconds(look: object) -> float:
    """Return the median of some looks, after one that does not count."""
    taken = []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        look()  # type: ignore[operator]
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    """Measure, and write the table."""
    call_command("migrate", interactive=False, verbosity=0)
    rows = []
    for size in SIZES:
        for shape, rating in RATINGS.items():
            for has_regions in (False, True):
                pool = fill(size, rating, has_regions=has_regions)
                find = seconds(lambda pool=pool: pairs.find(pool, now=database_now()))
                read = seconds(lambda pool=pool: columns.read(pool, now=database_now()))
                regions = "with regions" if has_regions else "anywhere"
                rows.append((f"{size:,}", shape, regions, f"{find * 1000:.0f} ms", f"{read * 1000:.0f} ms"))
    heads = ("waiting", "ratings", "regions", "one look", "of it reading")
    write_table("performance.md", "tick", heads, rows)


if __name__ == "__main__":
    main()
