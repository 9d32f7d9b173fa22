"""The rules that are tried, as operators name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.domain.rules import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

_WINDOW: Final = ("rule", "radius", "growth_per_second", "step_seconds", "cap")


def with_preset(base: PoolRules, preset: str) -> PoolRules:
    """Return rules with another window, and all else as it was. Raises ValueError for no preset."""
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}, only {', '.join(PRESETS)}")
    return PoolRules(window=PRESETS[preset], latency=base.latency, avoidance=base.avoidance)


def changed(base: PoolRules, values: Mapping[str, Any]) -> PoolRules:
    """Return rules with some values changed, by the names of `PoolRules.as_dict`; a preset brings its window.

    Raises ValueError for what is no object, names no rule, or makes none.
    """
    if not isinstance(values, dict):
        raise ValueError('rules are an object, such as {"radius": 50}')  # noqa: TRY004 - a person's mistake
    preset = values.get("preset")
    if isinstance(preset, str) and preset in PRESETS:
        base = with_preset(base, preset)
    rules = base.as_dict() | values
    if not isinstance(rules["preset"], str):
        raise ValueError("preset must be a name")  # noqa: TRY004 - as above
    if "preset" not in values and any(name in values for name in _WINDOW):
        rules["preset"] = "custom"
    return PoolRules.from_dict(rules)


def add(named: dict[str, PoolRules], name: str, rules: PoolRules) -> None:
    """Add rules by a name, with a number where it is taken."""
    number, free = 1, name
    while free in named:
        number += 1
        free = f"{name} {number}"
    named[free] = rules
