"""The pools of the demo tenant."""

from matchmaking.models import Pool

DEMO_TENANT = "demo"

_DEMO_POOLS = (
    # key, name, mode, time control, rated; the first is a plain duel
    ("duel", "Duel", "duel", "", True),
    ("blitz", "Blitz", "duel", "3+2", True),
    ("casual", "Casual", "duel", "10+0", False),
)


def make_demo_pools() -> list[Pool]:
    """Make what is missing of the demo pools; return what was made."""
    made = []
    for ordering, (key, name, mode, time_control, rated) in enumerate(_DEMO_POOLS):
        values = {
            "name": name,
            "mode": mode,
            "time_control": time_control,
            "rated": rated,
            "ordering": ordering,
        }
        pool, is_new = Pool.objects.get_or_create(tenant_id=DEMO_TENANT, key=key, defaults=values)
        if is_new:
            made.append(pool)
    return made
