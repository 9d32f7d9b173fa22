"""What players want wherever they queue: regions, modes, and whom they never want to meet."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from matchmaking.models import Block, Preferences
from matchmaking.services import conflicts
from realtime.protocol.parts import Preferences as PreferencesMessage
from realtime.transport.auth import Caller


def read(caller: Caller) -> PreferencesMessage:
    """Return the caller's preferences; empty lists where nothing was said."""
    found = Preferences.objects.filter(tenant_id=caller.tenant_id, user_id=caller.user_id).first()
    blocked = Block.objects.filter(tenant_id=caller.tenant_id, user_id=caller.user_id).order_by("id")
    return PreferencesMessage(
        regions=found.regions if found else [],
        modes=found.modes if found else [],
        blocked_users=list(blocked.values_list("blocked_id", flat=True)),
    )


@transaction.atomic
def put(caller: Caller, wanted: PreferencesMessage) -> PreferencesMessage:
    """Replace the caller's preferences; return them.

    Blocks count at once, for who waits already too; the rest from the next join on.
    """
    own: dict[str, Any] = {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
    values = {"regions": _once_each(wanted.regions), "modes": _once_each(wanted.modes)}
    # The row is locked until the end: two that change the blocks at once come one after the other.
    Preferences.objects.update_or_create(**own, defaults=values)
    blocked = [user for user in _once_each(wanted.blocked_users) if user != caller.user_id]
    present = set(Block.objects.filter(**own).values_list("blocked_id", flat=True))
    if present != set(blocked):
        conflicts.change_blocks(caller.tenant_id, caller.user_id)
        Block.objects.filter(**own).exclude(blocked_id__in=blocked).delete()
        Block.objects.bulk_create([Block(**own, blocked_id=user) for user in blocked if user not in present])
        conflicts.compare_again(caller.tenant_id, caller.user_id)
    return read(caller)


def _once_each(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def of_player(caller: Caller) -> Preferences | None:
    """Return what the caller wants of regions and modes, if anything was said."""
    return Preferences.objects.filter(tenant_id=caller.tenant_id, user_id=caller.user_id).first()
