"""Whatever happens in whatever order, a match ends confirmed by both or as if it had never been.

Rule, in words: two players search, and every order is walked through of what they, two workers, the game host
and time may do; workers act on what they saw long ago, or die between two steps. The invariants hold at every
step, and workers, host and time alone lead to an end. With a mechanism taken away, the walk finds one broken.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from matchmaking.domain.matches import Cause, Decision, MatchView, Stage, Step, decide, fate_of
from tests.unit import match_world as mw

Move = tuple[str, mw.World]
Done = tuple[str, mw.World, tuple[mw.Worker, ...]]
IDLE, CALL = (mw.Worker(),), {mw.At.CLAIMED, mw.At.GOT_GAME, mw.At.NO_GAME}

# --- what may happen next


def system_moves(world: mw.World, use: mw.Mechanisms) -> Iterator[Move]:
    """Yield what comes about without the players' doing, and without a fault."""
    passed = next((clock for clock in mw.CLOCKS[world.stage] if clock > world.clock), None)
    if passed and world.status is mw.Status.PROPOSED and (passed < mw.Clock.LEASE or use.do_leases_run_out):
        yield f"time: {passed.name} of {world.stage}", world._replace(clock=passed)
    if world.is_create_underway:
        game = world.game if world.game is mw.Game.CANCELLED else mw.Game.PLAYING
        yield "the host is reached by a late create", world._replace(game=game, is_create_underway=False)
    for name, player in zip(mw.NAMES, world.players, strict=True):
        if world.stage is Stage.NOTIFYING and player.is_connected and not player.is_told:
            yield f"{name} receives match_found", mw.with_player(world, name, is_told=True)
    for index, worker in enumerate(world.workers):
        for what, after, workers in work(world, worker, use):
            yield f"a worker {what}", mw.with_worker(after, index, *workers)


def work(world: mw.World, worker: mw.Worker, use: mw.Mechanisms) -> Iterator[Done]:
    """Yield the next step of a worker, or of a call to the host that a worker began."""
    match worker.at:
        case mw.At.IDLE:
            for seen in mw.look(world, use):
                yield f"looks: {seen}", world, (seen,)
        case mw.At.PAIRED:
            after = mw.reserve(world, use)
            pinging = mw.Worker(mw.At.DECIDED, Decision(Step.PING), Stage.RESERVED)
            yield "reserves the pair", after, IDLE if after is world else (pinging,)
        case mw.At.DECIDED:
            yield act(world, worker, use)
        case _:
            yield from with_host(world, worker, use)


def act(world: mw.World, worker: mw.Worker, use: mw.Mechanisms) -> Done:
    """Do what was decided, on the world as it is now."""
    assert worker.decision is not None
    what = f"does what it decided in {worker.stage}, if it still can: {worker}"
    match worker.decision.step:
        case Step.PING:
            return what, mw.set_pinged(world, use), IDLE
        case Step.CREATE:
            after = mw.claim_for_creation(world, use)
            return what, after, IDLE if after is world else (*IDLE, mw.Worker(mw.At.CLAIMED))
        case Step.RESEND:
            return what, mw.claim_resend(world), IDLE
        case Step.CONFIRM:
            return what, mw.confirm(world, use), IDLE
        case _:
            return what, mw.roll_back(world, worker.decision, worker.stage, use), IDLE


def with_host(world: mw.World, worker: mw.Worker, use: mw.Mechanisms) -> Iterator[Done]:
    """Go on with a call; yield what may become of it: `matches.note_games`, `endings.cancel_games`."""
    refused, got_game = (mw.Worker(mw.At.NO_GAME),), (mw.Worker(mw.At.GOT_GAME),)
    match worker.at:
        case mw.At.CLAIMED:
            yield "is refused by the host", world, refused
            if world.game is not mw.Game.CANCELLED:
                created = world._replace(game=mw.Game.PLAYING)
                yield "gets a game of the host", created, got_game
                yield "has a time-out, and the host made the game", created, refused
                yield "has a time-out on the way", world._replace(is_create_underway=True), refused
        case mw.At.GOT_GAME:
            yield "notes the game", mw.notify(world, use), ()
        case mw.At.NO_GAME:
            yield "notes that there is no game", mw.roll_back(world, mw.NO_GAME, Stage.CREATING, use), ()
        case mw.At.SAW_DUE:
            game = mw.Game.CANCELLED if use.does_host_remember else mw.Game.UNKNOWN
            yield "has the host cancel", world._replace(game=game), (mw.Worker(mw.At.HOST_CANCELLED),)
        case _:
            yield "notes that the host cancelled", world._replace(game_cancel_due=False), IDLE


def other_moves(world: mw.World, use: mw.Mechanisms) -> Iterator[Move]:
    """Yield what players may do, and what may break: a worker, Redis."""
    for index, worker in enumerate(world.workers):
        if worker.at is not mw.At.IDLE:
            left = () if worker.at in CALL else IDLE
            yield f"a worker dies: {worker}", mw.with_worker(world, index, *left)
    if world.keeps_answers and world.stage in {Stage.VERIFYING, Stage.NOTIFYING}:
        yield "Redis forgets", mw.forgotten(world)
    for name, player in zip(mw.NAMES, world.players, strict=True):
        for seen in (mw.Ticket.SEARCHING, mw.Ticket.RESERVED):
            yield f"{name} leaves, {seen} when last seen", mw.leave(world, name, seen, use)
        if world.stage in mw.ANSWER_OF:
            yield from answers(world, name, player, mw.ANSWER_OF[world.stage])


def answers(world: mw.World, name: str, player: mw.Player, key: str) -> Iterator[Move]:
    """Yield what may become of one who owes a pong or an ack; once it is given, a drop changes nothing."""
    heard = getattr(player, key)
    is_late = world.clock >= mw.Clock.DEADLINE and world.stage is not Stage.RESERVED
    if not player.is_connected:
        yield f"{name} reconnects", mw.with_player(world, name, is_connected=True, is_flagged=False)
    elif heard is mw.Heard.NOTHING:
        yield f"{name} drops", mw.with_player(world, name, is_connected=False, is_flagged=True, is_told=False)
        if world.status is mw.Status.PROPOSED and (player.is_told or world.stage is not Stage.NOTIFYING):
            for what in (mw.Heard.LATE,) if is_late else (mw.Heard.IN_TIME, mw.Heard.UNDERWAY):
                yield f"{name} {key}: {what}", mw.with_player(world, name, **{key: what})
    if heard is mw.Heard.UNDERWAY:
        arrived = mw.Heard.DELAYED if is_late else mw.Heard.IN_TIME
        yield f"{name} {key}: arrives {arrived}", mw.with_player(world, name, **{key: arrived})
        lost = mw.Heard.LOST
        yield f"{name} {key}: dies with its web process", mw.with_player(world, name, **{key: lost})


# --- what must hold at every step, from the world before it to the one after


def ends_once(old: mw.World, new: mw.World) -> bool:
    return (old.stage is not Stage.DONE or new.status is old.status) and all(
        (before.ticket not in {mw.Ticket.MATCHED, mw.Ticket.CANCELLED} or after.ticket is before.ticket)
        and (after.ticket is mw.Ticket.RESERVED) == (new.status is mw.Status.PROPOSED)
        and (after.ticket is mw.Ticket.MATCHED) == (new.status is mw.Status.CONFIRMED)
        and (after.ticket is mw.Ticket.CANCELLED) == after.has_left
        for before, after in zip(old.players, new.players, strict=True)
    )


def told_truly(old: mw.World, new: mw.World) -> bool:
    return (new.failure is old.failure or is_true(new.failure or mw.LOST, old, new)) and all(
        player.events in ((*found, *expected(name, player, new)) for found in ((), ("match_found",)))
        for name, player in zip(mw.NAMES, new.players, strict=True)
    )


def is_true(failure: Decision, old: mw.World, new: mw.World) -> bool:
    """Whether a match was cancelled for what was so at that moment."""
    stage = Stage.VERIFYING if failure.cause is Cause.UNREACHABLE else Stage.NOTIFYING
    causers = [player for name, player in zip(mw.NAMES, old.players, strict=True) if name in failure.causers]
    match failure.cause:
        case Cause.UNREACHABLE | Cause.DELIVERY_FAILED:
            heard = {getattr(player, mw.ANSWER_OF[stage]) for player in causers}
            is_silent = bool(heard) and not heard & (mw.GIVEN_IN_TIME | {mw.Heard.UNDERWAY})
            return is_silent and old.stage is stage and old.clock >= mw.Clock.DEADLINE
        case Cause.LEFT:
            return failure.causers == {n for n, p in zip(mw.NAMES, new.players, strict=True) if p.has_left}
        case Cause.GAME_SERVICE_UNAVAILABLE:
            return old.stage is Stage.CREATING
        case _:
            waited = old.clock >= mw.Clock.LATEST and any(waits_to_be_told(old, p) for p in old.players)
            return waited or old.clock is mw.Clock.LEASE or not old.keeps_answers


def waits_to_be_told(world: mw.World, player: mw.Player) -> bool:
    """Whether an answer was not written by the deadline; it may have come, or been lost, just now."""
    answer = getattr(player, mw.ANSWER_OF.get(world.stage, ""), None)
    return answer in {mw.Heard.UNDERWAY, mw.Heard.DELAYED, mw.Heard.LOST}


def silent_sit_out(old: mw.World, new: mw.World) -> bool:
    """Who is flagged is not reserved, and whom a roll-back blames for silence is flagged, and nobody else."""
    if old.status is mw.Status.NONE:
        return new.status is mw.Status.NONE or not any(player.is_flagged for player in old.players)
    blamed = new.failure.causers if new.failure and new.failure.cause is not Cause.LEFT else ()
    return new.failure is old.failure or all(
        after.is_flagged == (before.is_flagged or name in blamed)
        for name, before, after in zip(mw.NAMES, old.players, new.players, strict=True)
    )


def expected(name: str, player: mw.Player, world: mw.World) -> list[str]:
    """Return what a player is told of the end of its match, and of its ticket's."""
    told = ["match_ready"] if world.status is mw.Status.CONFIRMED else ["queue_cancelled"] * player.has_left
    if world.failure is None:
        return told
    reason = fate_of(name, cause=world.failure.cause or Cause.STAFF, causers=world.failure.causers).reason
    return [f"match_cancelled: {reason}, requeued", *told] if reason else told


INVARIANTS: dict[str, Callable[[mw.World, mw.World], bool]] = {
    "I1": lambda _, new: all(player.reservations <= 1 for player in new.players),
    "I2": lambda _, new: (
        new.status is not mw.Status.CONFIRMED
        or {heard for p in new.players for heard in (p.answered, p.acknowledged)} <= mw.GIVEN_IN_TIME
    ),
    "I3": ends_once,
    "I4": lambda _, new: all(player.queued_at == 0 for player in new.players),
    "I5": told_truly,
    "I6": silent_sit_out,
    "I8": lambda _, new: (
        (new.status is not mw.Status.CONFIRMED or new.game is mw.Game.PLAYING)
        and (new.status is not mw.Status.CANCELLED or new.game is not mw.Game.PLAYING or new.game_cancel_due)
    ),
}
broken_by = cache(lambda old, new: next((k for k, holds in INVARIANTS.items() if not holds(old, new)), ""))


# --- the walk


class Walk:
    """A walk through all that can be reached, nearest first, up to the first step that breaks something."""

    def __init__(self, use: mw.Mechanisms, *, workers: int = 2) -> None:
        self.worlds = [mw.World(workers=(mw.Worker(),) * workers)]
        self.known = {self.worlds[0]: 0}
        self.came: list[tuple[int, str]] = [(0, "")]
        self.system_sources: list[list[int]] = [[]]
        self.transitions = 0
        self.broken = ""
        self.trace = self._walk(use) or self._look_back()

    def _walk(self, use: mw.Mechanisms) -> str:
        for at, old in enumerate(self.worlds):  # which grows meanwhile
            system, before = list(system_moves(old, use)), old._replace(workers=())
            for rank, (what, new) in enumerate([*system, *other_moves(old, use)]):
                to = self.known.setdefault(new, len(self.worlds))
                self.transitions += to != at
                if to == len(self.worlds):
                    self.worlds.append(new)
                    self.came.append((at, what))
                    self.system_sources.append([])
                if rank < len(system):
                    self.system_sources[to].append(at)
                self.broken = broken_by(before, new._replace(workers=()))
                if self.broken:
                    return self._trace(at, what)
        return ""

    def _look_back(self) -> str:
        """Look for states from which workers, host and time alone never come to an end."""
        todo = [index for index, world in enumerate(self.worlds) if mw.is_settled(world)]
        good = set(todo)
        while todo:
            found = set(self.system_sources[todo.pop()]) - good
            good |= found
            todo += found
        stuck = next((index for index in range(len(self.worlds)) if index not in good), None)
        if stuck is None:
            return ""
        self.broken = "progress" if self.worlds[stuck].status is mw.Status.PROPOSED else "I8"
        return self._trace(stuck, "and nothing leads to an end")

    def _trace(self, at: int, last: str) -> str:
        lines = [last]
        while at:
            at, what = self.came[at]
            lines.append(what)
        return "\n".join(reversed(lines))


# --- the tests


def test_in_every_order_the_invariants_hold_and_every_match_comes_to_an_end() -> None:
    walk = Walk(mw.Mechanisms())
    print(f"{len(walk.worlds)} states, {walk.transitions} transitions")  # noqa: T201 - for pytest -s
    assert walk.broken == "", walk.trace
    assert len(walk.worlds) > 35_000
    assert walk.transitions > 250_000


def always(stage: Stage, step: Step) -> Callable[..., Decision]:
    return lambda match, now: Decision(step) if match.stage is stage else decide(match, now)


def all_told(match: MatchView, now: datetime) -> MatchView:
    return replace(match, players=[replace(player, known_until=now) for player in match.players])


SABOTAGES: list[tuple[str, str, int, dict[str, Any]]] = [
    # what is wrong, what breaks, how many workers it takes, and in place of what
    ("no stage is compared", "I5", 2, {"is_in_flight": lambda w, _: w.status == "proposed"}),
    (
        "no end is final",
        "I3",
        1,
        {"is_in_flight": lambda w, s: w.status == "confirmed" or mw.is_in_flight(w, s)},
    ),
    ("no ticket is compared", "I1", 2, {"is_free": lambda p: not p.is_flagged and not p.has_left}),
    ("no flag is heeded", "I6", 1, {"is_free": lambda p: p.ticket == "searching"}),
    ("no ack is waited for", "I2", 1, {"decide": always(Stage.NOTIFYING, Step.CONFIRM)}),
    ("no pong is waited for", "I2", 1, {"decide": always(Stage.VERIFYING, Step.CREATE)}),
    ("late counts", "I2", 1, {"decide": lambda m, t: decide(replace(m, deadline=m.lease_until), t)}),
    ("what is not told is silence", "I5", 1, {"decide": lambda m, t: decide(all_told(m, t), t)}),
    ("loss is silence", "I5", 1, {"decide": lambda m, t: decide(replace(m, are_answers_kept=True), t)}),
    ("events are pushed once", "I5", 1, {"has_outbox": False}),
    ("who leaves stays", "I3", 1, {"fate_of": lambda n, **w: replace(fate_of(n, **w), keeps_place=True)}),
    ("a roll-back renews the place", "I4", 1, {"is_place_kept": False}),
    ("no lease runs out", "progress", 1, {"do_leases_run_out": False}),
    ("only noted games are cancelled", "I8", 1, {"may_have_game": Stage.NOTIFYING.__eq__}),
    ("the host forgets cancelled matches", "I8", 1, {"does_host_remember": False}),
]


@pytest.mark.parametrize(("broken", "workers", "taken"), [pytest.param(*s[1:], id=s[0]) for s in SABOTAGES])
def test_without_one_mechanism_an_invariant_breaks(broken: str, workers: int, taken: dict[str, Any]) -> None:
    walk = Walk(replace(mw.Mechanisms(), **taken), workers=workers)
    assert walk.broken == broken, walk.trace
