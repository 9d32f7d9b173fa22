"""The world of one match of two players, and what the services do in it, each step one transaction.

The rules are the real ones (`matchmaking.domain.matches`). What stands here beside them mirrors the services,
each function under the name of the one that it mirrors. Time is the order of what matters within a stage. A
player may answer as soon as it is reserved: its worker may have pinged, or a reconnect. A second match of the
same two is beyond this world.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any, NamedTuple

from matchmaking.domain import matches as rules
from matchmaking.domain.matches import Cause, Decision, Fate, MatchView, PlayerView, Stage, Step

NAMES = ("ann", "bob")
LOST = Decision(Step.ROLL_BACK, Cause.INTERNAL_ERROR)
NO_GAME = Decision(Step.ROLL_BACK, Cause.GAME_SERVICE_UNAVAILABLE)
_name = cache(repr)
# What of the present stage has passed.
Clock = IntEnum("Clock", ["BEGUN", "RETRY", "DEADLINE", "LATEST", "LEASE"], start=0)
CLOCKS = {
    Stage.RESERVED: (Clock.BEGUN, Clock.RETRY, Clock.LEASE),
    Stage.VERIFYING: (Clock.BEGUN, Clock.DEADLINE, Clock.LATEST, Clock.LEASE),
    Stage.CREATING: (Clock.BEGUN, Clock.LEASE),
    Stage.NOTIFYING: (Clock.BEGUN, Clock.RETRY, Clock.DEADLINE, Clock.LATEST, Clock.LEASE),
    Stage.DONE: (Clock.BEGUN,),
}

Status = StrEnum("Status", ["NONE", "PROPOSED", "CONFIRMED", "CANCELLED"])
Ticket = StrEnum("Ticket", ["SEARCHING", "RESERVED", "MATCHED", "CANCELLED"])
# What the host knows of the match; where it was cancelled, a create that comes later is refused.
Game = StrEnum("Game", ["UNKNOWN", "PLAYING", "CANCELLED"])
# Between which two lines a worker is, or a call to the host.
At = StrEnum("At", "IDLE PAIRED DECIDED CLAIMED GOT_GAME NO_GAME SAW_DUE HOST_CANCELLED")
# What became of a pong or an ack. Underway: given in time and not yet written to Redis.
# Delayed: written after the deadline, so it counts for whoever still reads it. Lost: its web process died
# with it. Forgotten: Redis lost it.
Heard = StrEnum("Heard", ["NOTHING", "UNDERWAY", "IN_TIME", "DELAYED", "LATE", "LOST", "FORGOTTEN"])
GIVEN_IN_TIME = frozenset({Heard.IN_TIME, Heard.DELAYED, Heard.FORGOTTEN})
ANSWER_OF = {Stage.RESERVED: "answered", Stage.VERIFYING: "answered", Stage.NOTIFYING: "acknowledged"}


class Worker(NamedTuple):
    """One worker: where it is, and what it decided from the stage that it saw, perhaps long ago."""

    at: At = At.IDLE
    decision: Decision | None = None
    stage: Stage | None = None

    def __str__(self) -> str:
        todo = self.decision or Decision(Step.WAIT)
        words = todo.step if self.decision else self.at, todo.cause, *sorted(todo.causers)
        return " ".join(word for word in words if word)


class Player(NamedTuple):
    """One player, its ticket, and the events that are committed for it."""

    ticket: Ticket = Ticket.SEARCHING
    reservations: int = 0
    queued_at: int = 0
    is_flagged: bool = False
    is_connected: bool = True
    has_left: bool = False
    answered: Heard = Heard.NOTHING
    acknowledged: Heard = Heard.NOTHING
    events: tuple[str, ...] = ()
    is_told: bool = False


class World(NamedTuple):
    """Match, game host, players and workers at one instant."""

    status: Status = Status.NONE
    stage: Stage = Stage.RESERVED
    clock: Clock = Clock.BEGUN
    has_retry: bool = False
    keeps_answers: bool = True
    failure: Decision | None = None
    game_cancel_due: bool = False
    game: Game = Game.UNKNOWN
    is_create_underway: bool = False
    players: tuple[Player, Player] = (Player(), Player())
    workers: tuple[Worker, ...] = (Worker(), Worker())


def is_in_flight(world: World, stage: Stage | None) -> bool:
    """As `rollback.lock_in_flight`: the compare-and-set that every stage begins with."""
    return world.status is Status.PROPOSED and stage in {None, world.stage}


def is_free(player: Player) -> bool:
    """As `tickets.reserve`, and `pairs.find` before it."""
    return player.ticket is Ticket.SEARCHING and not player.is_flagged


@dataclass(frozen=True, kw_only=True, eq=False)
class Mechanisms:
    """What keeps the invariants: the real rules, and what the services add. A sabotage takes one away."""

    decide: Callable[[MatchView, datetime], Decision] = rules.decide
    fate_of: Callable[..., Fate] = rules.fate_of
    may_have_game: Callable[[Stage], bool] = rules.may_have_game
    is_in_flight: Callable[[World, Stage | None], bool] = is_in_flight
    is_free: Callable[[Player], bool] = is_free
    do_leases_run_out: bool = True
    does_host_remember: bool = True
    is_place_kept: bool = True
    has_outbox: bool = True


def both(world: World, change: Callable[[str, Player], Player]) -> tuple[Player, Player]:
    ann, bob = world.players
    return change("ann", ann), change("bob", bob)


# --- what a worker sees


def _at(seconds: float) -> datetime:
    return datetime(2024, 5, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=seconds)


NOW = {
    Clock.BEGUN: _at(0.5),
    Clock.RETRY: _at(1.5),
    Clock.DEADLINE: _at(2.5),
    Clock.LATEST: _at(3.5),
    Clock.LEASE: _at(20),
}
RETRY_AT, DEADLINE, LEASE = _at(1), _at(2), _at(15)
HEARD_AT = {Heard.IN_TIME: _at(0.1), Heard.DELAYED: _at(1.9), Heard.LATE: _at(2.1)}


def view(world: World) -> MatchView:
    """As `loop._view`."""
    is_verified, is_told = world.stage is Stage.VERIFYING, world.stage is Stage.NOTIFYING
    return MatchView(
        stage=world.stage,
        deadline=LEASE if world.stage is Stage.RESERVED else DEADLINE,
        lease_until=LEASE,
        retry_at=RETRY_AT if world.has_retry else None,
        players=[
            PlayerView(
                user_id=name,
                answered_at=HEARD_AT.get(player.answered) if is_verified else None,
                acknowledged_at=HEARD_AT.get(player.acknowledged) if is_told else None,
                known_until=_known_until(world, player),
            )
            for name, player in zip(NAMES, world.players, strict=True)
        ],
        are_answers_kept=world.keeps_answers,
    )


def _known_until(world: World, player: Player) -> datetime:
    """As `answers.known_until`: up to the oldest answer that is not written, or else until now."""
    key = ANSWER_OF.get(world.stage)
    return _at(0.1) if key and getattr(player, key) is Heard.UNDERWAY else NOW[world.clock]


def look(world: World, use: Mechanisms) -> Iterator[Worker]:
    """Yield what an idle worker sets out to do: `pairs.find`, `loop._decide_all`, `endings.cancel_games`."""
    if world.status is Status.NONE and all(use.is_free(player) for player in world.players):
        yield Worker(At.PAIRED)
    if world.status is Status.PROPOSED:
        decision = use.decide(view(world), NOW[world.clock])
        if decision.step is not Step.WAIT:
            yield Worker(At.DECIDED, decision, world.stage)
    if world.game_cancel_due:
        yield Worker(At.SAW_DUE)


# --- what the services do, one transaction each; the same world: they found it changed, and did nothing


def told(player: Player, event: str, use: Mechanisms) -> Player:
    """As `events.emit`: written with what it tells of, so that it is pushed until it arrives."""
    if not use.has_outbox and not player.is_connected:
        return player
    return player._replace(events=(*player.events, event))


def reserve(world: World, use: Mechanisms) -> World:
    """As `matches.reserve`. Another match after this one is beyond this world."""
    if world.status is Status.CANCELLED or not all(use.is_free(player) for player in world.players):
        return world
    players = both(world, lambda _, p: p._replace(ticket=Ticket.RESERVED, reservations=p.reservations + 1))
    return world._replace(status=Status.PROPOSED, has_retry=True, players=players)


def set_pinged(world: World, use: Mechanisms) -> World:
    """As `matches.set_pinged`."""
    if not use.is_in_flight(world, Stage.RESERVED):
        return world
    return world._replace(stage=Stage.VERIFYING, clock=Clock.BEGUN, has_retry=False)


def claim_for_creation(world: World, use: Mechanisms) -> World:
    """As `matches._claim_for_creation`."""
    if not use.is_in_flight(world, Stage.VERIFYING):
        return world
    players = both(world, lambda _, p: p._replace(answered=_settled(p.answered)))
    return world._replace(stage=Stage.CREATING, clock=Clock.BEGUN, keeps_answers=True, players=players)


def _settled(heard: Heard) -> Heard:
    """Once it counted, what becomes of an answer matters no more."""
    return Heard.IN_TIME if heard in GIVEN_IN_TIME else heard


def notify(world: World, use: Mechanisms) -> World:
    """As `matches._notify`."""
    if not use.is_in_flight(world, Stage.CREATING):
        return world
    players = both(world, lambda _, p: told(p, "match_found", use))
    return world._replace(stage=Stage.NOTIFYING, clock=Clock.BEGUN, has_retry=True, players=players)


def claim_resend(world: World) -> World:
    """As `matches.claim_resend`; what is sent once more has the same number, and is received once."""
    return world._replace(has_retry=False) if world.stage is Stage.NOTIFYING else world


def confirm(world: World, use: Mechanisms) -> World:
    """As `matches.confirm`."""
    if not use.is_in_flight(world, Stage.NOTIFYING):
        return world
    if any(player.ticket is not Ticket.RESERVED for player in world.players):
        return roll_back(world, LOST, None, use)
    matched: Any = {"ticket": Ticket.MATCHED, "is_flagged": False}
    settled = both(world, lambda _, p: p._replace(acknowledged=_settled(p.acknowledged), **matched))
    players = told(settled[0], "match_ready", use), told(settled[1], "match_ready", use)
    return _done(world)._replace(status=Status.CONFIRMED, players=players)


def _done(world: World) -> World:
    return world._replace(stage=Stage.DONE, clock=Clock.BEGUN, has_retry=False, keeps_answers=True)


def roll_back(world: World, failure: Decision, stage: Stage | None, use: Mechanisms) -> World:
    """As `rollback.roll_back`."""
    if not use.is_in_flight(world, stage):
        return world
    return _done(world)._replace(
        status=Status.CANCELLED,
        failure=failure,
        game_cancel_due=use.may_have_game(world.stage),
        players=_released(world.players, failure, use),
    )


@cache
def _released(players: tuple[Player, Player], failure: Decision, use: Mechanisms) -> tuple[Player, Player]:
    ann, bob = (_release(name, player, failure, use) for name, player in zip(NAMES, players, strict=True))
    nothing = Heard.NOTHING
    # What a player answered, and whether it is there, matters no more.
    gone: Any = {"answered": nothing, "acknowledged": nothing, "is_told": False, "is_connected": True}
    return ann._replace(**gone), bob._replace(**gone)


def _release(name: str, player: Player, failure: Decision, use: Mechanisms) -> Player:
    """As `rollback._release`, for one player."""
    fate = use.fate_of(name, cause=failure.cause, causers=failure.causers)
    if player.ticket is not Ticket.RESERVED:
        return told(player, f"match_cancelled: {fate.reason}", use)
    player = player._replace(reservations=player.reservations - 1)
    if not fate.keeps_place:
        return told(player._replace(ticket=Ticket.CANCELLED), "queue_cancelled", use)
    queued_at = player.queued_at + (0 if use.is_place_kept else 1)
    is_flagged = player.is_flagged or fate.is_flagged
    player = player._replace(ticket=Ticket.SEARCHING, queued_at=queued_at, is_flagged=is_flagged)
    return told(player, f"match_cancelled: {fate.reason}, requeued", use)


def leave(world: World, name: str, seen: Ticket, use: Mechanisms) -> World:
    """As `leaving._end`, with the ticket as it was ``seen``, perhaps long ago."""
    if seen is Ticket.RESERVED:
        after = roll_back(world, Decision(Step.ROLL_BACK, Cause.LEFT, frozenset({name})), None, use)
        return world if after is world else with_player(after, name, has_left=True)
    player = world.players[NAMES.index(name)]
    if player.ticket is not Ticket.SEARCHING:
        return world
    gone = told(player._replace(ticket=Ticket.CANCELLED, has_left=True), "queue_cancelled", use)
    return with_player(world, name, **gone._asdict())


def forgotten(world: World) -> World:
    """Lose what was answered in this stage, and know of the loss: `presence.remembers_since`."""
    key = ANSWER_OF[world.stage]
    lost: Any = {key: Heard.FORGOTTEN}
    players = both(world, lambda _, p: p._replace(**lost) if getattr(p, key) is Heard.IN_TIME else p)
    return world._replace(keeps_answers=False, players=players)


def with_player(world: World, name: str, **changes: Any) -> World:
    return world._replace(players=both(world, lambda n, p: p._replace(**changes) if n == name else p))


def with_worker(world: World, index: int, *become: Worker) -> World:
    """Let a worker become others, in no order: it stays one, begins a call, or was a call that ends."""
    others = world.workers[:index] + world.workers[index + 1 :]
    return world._replace(workers=tuple(sorted((*others, *become), key=_name)))


def is_settled(world: World) -> bool:
    """Nobody is held by the match, and nothing is left to be done for it."""
    is_held = any(player.ticket is Ticket.RESERVED for player in world.players)
    return not (is_held or world.game_cancel_due or world.is_create_underway)
