"""The cast: how good, how busy and how unlucky a player is."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Persona:
    """Chances from 0 to 1, and the weights of what is done while a ticket waits.

    What may be done: ``wait``, ``leave``, ``drop`` (break the connection and come back at once), ``freeze``
    for a moment, ``vanish`` for longer than the queue waits, ``move`` to the other web process, ``look`` at
    the ticket over REST, ``resync``; of challenges ``challenge``, ``answer``, ``take`` an open one,
    ``withdraw``, and ``cross`` another's; of parties ``go`` and ``send_away``. Who ``plays_apart`` does it
    without a ticket as well.
    """

    name: str
    joins_by_rest: float = 0.2
    ignores_ping: float = 0
    answers_late: float = 0
    loses_ack: float = 0
    leaves_when_found: float = 0
    forgets_number: float = 0.1
    stays_out_of_room: float = 0.1
    plays_apart: float = 0
    asks_again: float = 0.1
    has_parties: bool = False
    deeds: Mapping[str, float] = field(default_factory=lambda: {"wait": 6, "look": 1, "answer": 1})

    def deed(self, rng: random.Random) -> str:
        """Choose what to do next."""
        return rng.choices(list(self.deeds), list(self.deeds.values()))[0]


STEADY = Persona(name="steady")
CALM = Persona(name="calm", stays_out_of_room=0, asks_again=0, deeds={"wait": 1})

_LONERS = (
    Persona(
        name="leaver", leaves_when_found=0.35, joins_by_rest=0.5, deeds={"leave": 3, "wait": 2, "look": 1}
    ),
    Persona(name="dropper", forgets_number=0.3, deeds={"drop": 3, "wait": 3, "look": 1}),
    Persona(name="freezer", deeds={"freeze": 2, "wait": 3, "look": 1}),
    Persona(name="forgetful", loses_ack=0.4, ignores_ping=0.1, deeds={"wait": 5, "resync": 1}),
    Persona(name="late", answers_late=0.4, deeds={"wait": 5, "look": 1}),
    Persona(name="mover", forgets_number=0.2, deeds={"move": 2, "resync": 1, "wait": 3, "look": 1}),
    Persona(name="vanisher", joins_by_rest=0.4, deeds={"vanish": 1, "wait": 2}),
)
_COMPANIONS = (
    Persona(
        name="challenger",
        plays_apart=0.8,
        asks_again=0.5,
        deeds={"challenge": 4, "answer": 3, "take": 4, "withdraw": 1, "drop": 0.5, "freeze": 0.5, "wait": 1},
    ),
    Persona(name="rival", plays_apart=0.8, asks_again=0.5, deeds={"cross": 5, "take": 1, "answer": 1}),
    Persona(
        name="mate",
        has_parties=True,
        deeds={"wait": 9, "answer": 1, "leave": 1, "drop": 1, "freeze": 0.5, "go": 0.5, "send_away": 0.5},
    ),
    Persona(name="friend", has_parties=True, loses_ack=0.1, joins_by_rest=0.5),
)
_OTHERS = (*_LONERS, *_COMPANIONS, *_COMPANIONS)
_STEADY_SHARE = 0.4


def cast(count: int) -> list[Persona]:
    """Return that many personas: four in ten of them steady, so that matches come about, and some of each."""
    steady = round(count * _STEADY_SHARE)
    return [STEADY] * steady + [_OTHERS[i % len(_OTHERS)] for i in range(count - steady)]
