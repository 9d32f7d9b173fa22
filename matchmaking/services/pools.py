"""Pools: their rules with every version of these, and the pools of the demo tenant."""

from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.models import Pool, PoolVersion

log = structlog.get_logger(__name__)

DEMO_TENANT = "demo"

_DEMO_POOLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    # key, name, and what differs from a rated duel in which one may meet again at once
    ("duel", "Duel", {}),
    ("blitz", "Blitz", {"time_control": "3+2", "avoid_recent_seconds": 1800}),
    ("casual", "Casual", {"time_control": "10+0", "rated": False}),
    ("ready", "Duel with ready check", {"accept_seconds": 20}),
    ("teams", "Two against two", {"team_size": 2}),
)


def make_demo_pools() -> list[Pool]:
    """Make what is missing of the demo pools; return what was made."""
    made = []
    for ordering, (key, name, changes) in enumerate(_DEMO_POOLS):
        values = {"name": name, "ordering": ordering, "avoid_recent_seconds": 0, **changes}
        pool, is_new = Pool.objects.get_or_create(tenant_id=DEMO_TENANT, key=key, defaults=values)
        if is_new:
            made.append(pool)
    return made


def save_rules(pool: Pool, *, who: str, now: datetime, note: str = "") -> PoolVersion | None:
    """Save a pool, new or changed, and write its rules down as a version where they differ from the last.

    A pool that has no version yet gets one of the rules that it had. Raises ValueError where the columns make
    no rules.
    """
    rules = pool.rules.as_dict()
    with transaction.atomic():
        before = Pool.objects.select_for_update().filter(id=pool.id).first()
        if before is not None and not pool.versions.exists():
            _version(before, before.rules.as_dict(), who="", now=now, note="as it was")
        pool.save()
        last = pool.versions.first()
        if last is not None and last.rules == rules:
            return None
        version = _version(pool, rules, who=who, now=now, note=note)
    log.info("pool_rules_changed", pool=str(pool.id), version=version.number, by=who, rules=rules)
    return version


def take_back(version: PoolVersion, *, who: str, now: datetime) -> PoolVersion | None:
    """Give a pool the rules of an earlier version again, which is a new version; None: it has them."""
    with transaction.atomic():
        pool = Pool.objects.select_for_update().get(id=version.pool_id)
        pool.take_rules(PoolRules.from_dict(version.rules))
        return save_rules(pool, who=who, now=now, note=f"back to version {version.number}")


def _version(pool: Pool, rules: dict[str, Any], *, who: str, now: datetime, note: str) -> PoolVersion:
    last = pool.versions.first()
    number = last.number + 1 if last else 1
    version: PoolVersion = pool.versions.create(
        number=number, rules=rules, changed_by=who, changed_at=now, note=note
    )
    return version
