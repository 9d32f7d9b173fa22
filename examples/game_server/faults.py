"""How the server misbehaves on demand, so that one can see what the service makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from examples.game_server.bodies import BadInput

CALLS = ("create", "cancel", "active")
MAX_DELAY_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, for which calls and for which share of them; without arguments, nothing.

    The order is: the effect, unless a status fails it; the delay; the answer, unless it is dropped. So a
    late answer and a lost one have had their effect, and these are the hard cases for whoever called.
    """

    delay_seconds: float = 0.0
    fail_status: int | None = None
    share: float = 1.0
    calls: tuple[str, ...] = CALLS
    drop: bool = False

    def for_call(self, call: str, *, chance: float) -> "Faults":
        """Return what befalls one call; ``chance`` is drawn from 0 up to, but not including, 1."""
        return self if call in self.calls and chance < self.share else NO_FAULTS


NO_FAULTS = Faults()


def read_faults(fields: Mapping[str, object]) -> Faults:
    """Return the faults that a body names; an unknown name is refused, for it is a typing error."""
    unknown = set(fields) - set(Faults.__dataclass_fields__)
    if unknown:
        raise BadInput(f"unknown: {', '.join(sorted(unknown))}")
    return Faults(
        delay_seconds=_number(fields, "delay_seconds", 0, MAX_DELAY_SECONDS, default=0),
        fail_status=_read_status(fields.get("fail_status")),
        share=_number(fields, "share", 0, 1, default=1),
        calls=_read_calls(fields.get("calls", list(CALLS))),
        drop=_read_drop(fields.get("drop", False)),
    )


def _number(fields: Mapping[str, object], name: str, least: float, most: float, *, default: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadInput(f"{name} must be a number from {least} to {most}")
    return float(value)


def _read_status(value: object) -> int | None:
    # Nothing below 200: such a status announces a further one.
    if value is not None and (type(value) is not int or not 200 <= value <= 599):
        raise BadInput("fail_status must be a status from 200 to 599")
    return value


def _read_calls(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(call in CALLS for call in value):
        raise BadInput(f"calls must be a list of {', '.join(CALLS)}")
    return tuple(value)


def _read_drop(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadInput("drop must be true or false")
    return value
