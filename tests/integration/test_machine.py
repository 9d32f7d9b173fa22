"""Random lives of six players, beside workers and web processes that die, while the test moves time.

"Time passes" means that each stamp which is ever compared with now moves into the past, in PostgreSQL and in
Valkey. ``make test`` takes the same steps each time; ``pytest tests/integration/test_machine.py
--hypothesis-seed=7`` takes many others, for some minutes.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from hypothesis import HealthCheck, Phase
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pytest_django import Settings

from matchmaking import commands
from matchmaking.domain.errors import ActiveGameExists, AlreadyInQueue, QueueEntryNotFound
from matchmaking.hosts import game_host
from matchmaking.hosts.port import Created
from matchmaking.models import Match, Rating
from matchmaking.services import leaving, loop, matches, staff, sweep, tickets
from realtime import tasks as session_tasks
from realtime.models import Event
from realtime.protocol.errors import DomainError
from realtime.protocol.messages import JoinQueueData
from realtime.services import participants, rooms, sessions
from realtime.transport.database import database_now
from realtime.transport.events import NO_ORIGIN, Origin
from realtime.transport.presence_writer import PresenceWriter
from realtime.transport.store import client
from realtime.transport.wiring import End
from tests.factories import address, caller, pool, seats
from tests.integration.machine import LEASES, NEVER, SEEN, Deed, Model, Outcome, Pairing, Place, Span, past

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])

NAMES = ("ann", "bob", "cat", "dan", "eve", "fay")
SLICE = 5.2
"""So often the sweep runs; no sum of waits comes near to a deadline."""
TABLES = [m for app in ("matchmaking", "realtime") for m in apps.get_app_config(app).get_models()]
MOVE_ROWS = ";".join(
    f"UPDATE {table._meta.db_table} SET "
    + ", ".join(f"{stamp} = {stamp} - %(by)s::interval" for stamp in stamps)
    for table in TABLES
    if not table._meta.proxy
    and (stamps := [f.column for f in table._meta.local_fields if isinstance(f, models.DateTimeField)])
)
# A living web process, ARGV[2], renews its lease and those of its connections all the time.
MOVE_KEYS = """
for _, key in ipairs(redis.call('KEYS', 'mm:*')) do
  local ttl, by, word = redis.call('PTTL', key), tonumber(ARGV[1]), string.match(key, '^mm:(%a+)')
  if word == 'heard' or word == 'processes' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if member ~= ARGV[2] then redis.call('ZINCRBY', key, -by, member) end
    end
  elseif string.find(' answer epoch whole sweep dead told ', ' ' .. word .. ' ', 1, true) then
    redis.call('SET', key, string.format('%.0f', redis.call('GET', key) - by), 'KEEPTTL')
  end
  if ttl > 0 and word ~= 'connections' and not string.find(key, ARGV[2], 1, true) then
    redis.call('PEXPIRE', key, ttl - by)
  end
end"""

NO_PING, NO_GAME = 'SET "stage"', "realtime_gamesession"
"""In the statement before which a worker dies that has reserved a match, or is about to make its game."""


class Died(BaseException):
    """A worker was killed."""


@contextmanager
def dying(at: int | str | None) -> Iterator[None]:
    """Die before the n-th statement, or the first that has a word in it; 0: before anything is pushed."""
    numbers = itertools.count(1)

    def execute(run: Callable[..., Any], sql: str, *args: Any) -> Any:
        if next(numbers) == at or (isinstance(at, str) and at in sql):
            raise Died
        return run(sql, *args)

    if at == 0:
        with transaction.atomic():
            yield
            connection.run_on_commit.clear()
    else:
        with connection.execute_wrapper(execute):
            yield


names = st.sampled_from(NAMES)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE " + ",".join(t._meta.db_table for t in TABLES if not t._meta.proxy))
        client().flushall()
        client().set(f"mm:epoch:{client().info('server')['run_id']}", 0)
        self.pool = pool()
        for name in NAMES[4:]:
            Rating.objects.create(tenant_id="demo", user_id=name, pool=self.pool, value=1900)
        self.model = Model(NAMES)
        self.players = self.model.players
        self.began = time.monotonic()
        self.ids = itertools.count(1)
        self.runner = asyncio.Runner()
        self.web = self.new_web()
        self.is_intact = True
        self.refusal: type[DomainError] | None = None
        self.kept_since: Span | None = NEVER
        self.swept: Span | None = None
        self.whole = self.maybe_whole = self.died = self.cancelling = NEVER
        self.is_death_known = True
        self.rooms: dict[str, str] = {}
        self.looks: list[tuple[list[Any], dict[Pairing, tuple[Span, set[Outcome] | None]]]] = []

    # --- steps and time

    def now(self, since: float | None = None) -> Span:
        now = time.monotonic() - self.began + self.model.offset.total_seconds()
        return Span(now if since is None else since, now)

    def do(
        self, kind: str, work: Callable[[], object], *who: str, at: int | str | None = None, **deed: Any
    ) -> Span:
        """Take a step, and compare what became of everything; ``at`` a statement its worker dies."""
        self.is_intact, self.refusal, has_died = False, None, False
        began = self.now()
        try:
            with dying(at):
                work()
        except Died:
            has_died = True
        except DomainError as refusal:
            self.refusal = type(refusal)
        now = self.now(began.lo)
        self.model.observe(Deed(kind, list(who), has_died, **deed), now)
        if self.kept_since is None and client().keys("mm:epoch:*"):
            self.kept_since = self.maybe_whole = now
        self.is_intact = True
        return now

    def tell(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def new_web(self) -> PresenceWriter:
        async def begin() -> PresenceWriter:
            web = PresenceWriter(f"web-{next(self.ids)}")
            await web.refresh({})
            await web.tell(time.monotonic(), has_stood_still=False)
            return web

        web: PresenceWriter = self.tell(begin())
        self.model.is_web_known = True
        self.maybe_whole = self.now()
        return web

    def let_pass(self, seconds: float, *, is_web_there: bool = True) -> None:
        with connection.cursor() as cursor:
            cursor.execute(MOVE_ROWS, {"by": f"{seconds} seconds"})
        client().eval(MOVE_KEYS, 0, round(seconds * 1000), self.web._process_id if is_web_there else "none")
        self.model.offset += timedelta(seconds=seconds)
        if is_web_there:
            self.renew()

    def renew(self, *heard: str) -> None:
        """Let the web process tell of whom it has heard; and of everybody, if Valkey knows nobody."""
        began = self.now()
        if not self.tell(self.web.refresh({address(name): 0 for name in heard})):
            heard = tuple(name for name, player in self.players.items() if player.socket)
            held = [(address(name), self.players[name].socket) for name in heard]
            self.tell(self.web.restore([*held, *self.rooms.items()]))
            self.maybe_whole = self.now()
        self.tell(self.web.tell(time.monotonic(), has_stood_still=False))
        self.model.is_web_known = True
        self.hear(self.now(began.lo), *heard)

    def hear(self, at: Span, *who: str) -> None:
        for name in who:
            self.players[name].heard = max(self.players[name].heard, at)

    # --- players

    def first(self, name: str, of_whom: Callable[[str], object]) -> str:
        """Return the first player from ``name`` on of whom something is true, so that few steps are idle."""
        start = NAMES.index(name)
        return next(filter(of_whom, NAMES[start:] + NAMES[:start]), name)

    def queued(self, name: str) -> Place | None:
        return self.model.place_of(name)

    def matched(self, name: str) -> tuple[UUID, Pairing] | None:
        return self.model.match_of(name)

    def playing(self, name: str) -> tuple[UUID, Pairing] | None:
        return self.model.match_of(name, "CONFIRMED")

    @initialize(
        here=st.sets(names, min_size=2),
        rounds=st.integers(0, 3),
        at=st.sampled_from([None, None, NO_GAME, "found_event_id"]),
    )
    def begin(self, here: set[str], rounds: int, at: str | None) -> None:
        """Let some join, and come as far as being reserved, told, or in a match."""
        for name in sorted(here):
            self.join(name, over_socket=True)
        for step in range(rounds):
            self.answer_all(here)
            self.advance(at if step == rounds - 1 else None)

    @rule(who=st.sets(names, min_size=4))
    def answer_all(self, who: set[str]) -> None:
        for name in sorted(who):
            self.answer(name, 0)

    @rule(name=names, over_socket=st.booleans())
    def join(self, name: str, over_socket: bool, at: int | str | None = None) -> None:
        if over_socket:
            self.connect(name)
            self.renew(name)
        is_playing, is_queued = self.model.match_of(name, "CONFIRMED"), self.model.place_of(name)
        due = AlreadyInQueue if is_queued else ActiveGameExists if is_playing else None
        origin = Origin(self.players[name].socket) if over_socket else NO_ORIGIN
        data = JoinQueueData(pool_key="duel")
        self.do(
            "join", lambda: tickets.join(caller(name), data, origin=origin, now=database_now()), name, at=at
        )
        assert self.refusal is due or at, self.refusal

    @rule(name=names)
    def leave(self, name: str, at: int | str | None = None) -> None:
        name = self.first(name, self.queued)

        def due(pairing: Pairing, _: Span) -> set[Outcome]:
            is_left = pairing.outcome.name != "CONFIRMED" and name in pairing.users
            return {Outcome("left", frozenset([name])) if is_left else pairing.outcome}

        due_refusal = None if self.model.place_of(name) else QueueEntryNotFound
        work = lambda: leaving.leave(caller(name), None, origin=NO_ORIGIN, now=database_now())  # noqa: E731
        self.do("leave", work, name, at=at, due=due)
        assert self.refusal is due_refusal or at, self.refusal

    @rule(name=names)
    def connect(self, name: str) -> None:
        if not self.players[name].socket:
            self.players[name].socket = socket = f"socket-{next(self.ids)}"
            self.tell(self.web.add(address(name), socket))
            self.hear(
                self.do("connect", lambda: commands.WIRING.arrived(caller(name), address(name), socket)), name
            )
            if place := self.model.place_of(name):
                place.flagged = None

    @rule(name=names)
    def disconnect(self, name: str) -> None:
        if socket := self.players[name].socket:
            self.players[name].socket = ""
            is_last = self.tell(self.web.remove(address(name), socket))
            end = End(caller=caller(name), address="", connection_id=socket, is_last=is_last, age_seconds=0)
            now = self.do("disconnect", lambda: commands.WIRING.departed(end))
            if place := self.model.place_of(name):
                place.flagged = now

    @rule(name=names, age=st.sampled_from([0, 0, 0.9, 3]))
    def answer(self, name: str, age: float) -> None:
        """Answer what is owed, ``age`` seconds ago, though it is written only now."""
        name = name if age == 0 else self.first(name, self.matched)
        found = self.model.match_of(name, "verifying", "notifying")
        if found and self.players[name].socket:
            began = self.now()
            (seat,) = seats(Match(id=found[0]), name)
            token = seat.nonce if found[1].outcome.name == "verifying" else str(seat.found_event_id)
            age = min(age, began.lo - found[1].since.hi)
            self.tell(self.web.answer([(address(name), token, time.monotonic() - age)]))
            at = self.now(began.lo).plus(-age)
            found[1].answer(name, at)
            self.hear(at, name)

    # --- workers

    def looked_at(self, pairing: Pairing, now: Span) -> set[Outcome] | None:
        if pairing.outcome.name != "CONFIRMED":
            return pairing.due(now, self.kept_since)
        is_overlong = past(pairing.since, 14_400, now)
        return {pairing.outcome} if is_overlong is False else None

    @rule()
    def advance(self, at: int | str | None = None) -> None:
        self.do("advance", loop.advance, at=at, due=self.looked_at)

    @rule()
    def tick(self, at: int | str | None = None) -> None:
        now = self.do("tick", loop.tick, at=at, due=self.looked_at)
        if at:
            self.cancelling = now
            return
        self.model.check_nothing_is_left_behind(is_cancelled=past(self.cancelling, 10, now) is True)
        late = database_now() - timedelta(seconds=1 + now.hi - now.lo)
        assert not Event.objects.filter(pushed_at=None, created_at__lt=late).exists()

    @rule()
    def sweep(self, at: int | str | None = None) -> None:
        database_time, now = database_now(), self.now()
        was_away = self.swept is not None and past(self.swept, 15, now)
        if was_away is not False:
            self.maybe_whole = now
        if was_away:
            self.whole = now
        if not self.is_death_known:  # found only now, it is nobody's fault
            self.maybe_whole, self.is_death_known = now, past(self.died, 5, now) is True
        self.swept = now
        self.do(
            "sweep", lambda: sweep.sweep(now=database_time), at=at, due=self.swept_away, stale=self.is_stale
        )

    def is_stale(self, place: Place, now: Span) -> bool | None:
        player = self.players[place.user]
        is_bereft = player.lost is not None and past(player.lost, 5, now)
        sign = max(
            place.joined, player.heard, self.whole, player.lost if is_bereft and player.lost else NEVER
        )
        if past(sign, 35, now) is False:
            return False
        return past(max(sign, self.maybe_whole), 35, now) or None

    def swept_away(self, pairing: Pairing, now: Span) -> set[Outcome] | None:
        places = [place for user in pairing.users if (place := self.model.place_of(user))]
        stale = {place.user: self.is_stale(place, now) for place in places}
        if None in stale.values():
            return None
        causers = frozenset(user for user, is_stale in stale.items() if is_stale)
        return {Outcome("unreachable", causers) if causers else pairing.outcome}

    @rule()
    def look(self) -> None:
        """Decide, and be slow to act."""
        began = self.now()
        decisions = loop._due(self.pool.id)
        now = self.now(began.lo)
        on = [p for p in self.model.pairings.values() if p.outcome.name in LEASES]
        self.looks.append((decisions, {p: (p.since, self.looked_at(p, now)) for p in on}))

    @rule()
    def act(self) -> None:
        """Act on what was seen some time ago: it counts in the stage in which it was seen."""
        decisions, seen = self.looks.pop(0) if self.looks else ([], {})

        def due(pairing: Pairing, _: Span) -> set[Outcome] | None:
            since, outcomes = seen.get(pairing, (None, None))
            return outcomes if since == pairing.since else {pairing.outcome}

        self.do("act", lambda: loop._act(decisions), due=due)

    @rule(is_noted=st.booleans())
    def ask_host_late(self, is_noted: bool) -> None:
        """Let a worker that was as good as dead ask for games, whatever has become of their matches."""
        asked = Match.objects.exclude(asked_at=None).filter(told_at=None).prefetch_related("players")
        requests = [matches._request(match, None) for match in asked]

        def due(pairing: Pairing, _: Span) -> set[Outcome]:
            made = Outcome("game_service_unavailable" if pairing.is_refused else "notifying")
            return {made if is_noted and pairing.outcome.name == "creating" else pairing.outcome}

        then: Created = matches.note_games if is_noted else lambda _: None
        self.do("create", lambda: game_host().create(requests, then, now=database_now()), due=due)

    @rule(
        kind=st.sampled_from(["advance", "advance", "tick", "sweep", "expire_grace", "join", "leave"]),
        name=names,
        at=st.one_of(st.integers(0, 60), st.sampled_from([0, NO_PING, NO_GAME, "found_event_id"])),
    )
    def die(self, kind: str, name: str, at: int | str) -> None:
        """Die in the middle of something."""
        name = self.first(name, (lambda each: not self.queued(each)) if kind == "join" else self.matched)
        args = {"join": (name, True), "leave": (name,)}.get(kind, ())
        getattr(self, kind)(*args, at=at)

    # --- the world

    @rule(
        seconds=st.sampled_from([0, 1.1, 2.8, SLICE, 4 * SLICE, 7 * SLICE]), silent=st.sets(names, max_size=2)
    )
    def live(self, seconds: float, silent: set[str]) -> None:
        """Let everything go its way, while some say nothing."""
        slices = max(round(seconds / SLICE), 1)
        for _ in range(slices):
            here = [name for name in NAMES if self.players[name].socket and name not in silent]
            self.renew(*here)
            for name in here:
                self.answer(name, 0)
            self.let_pass(seconds / slices)
            if seconds >= SLICE:
                self.sweep()
                self.expire_grace()
            self.tick()

    @rule(seconds=st.sampled_from([0.7, 1.1, 2.8, 16, 35.7, 601]))
    def stand_still(self, seconds: float) -> None:
        self.let_pass(seconds)

    @rule()
    def flush(self) -> None:
        """Let Valkey lose everything."""
        client().flushall()
        self.model.is_web_known = False
        self.kept_since, self.swept, self.whole = None, None, self.now()
        for pairing in self.model.pairings.values():
            pairing.given.clear()
        for place in self.model.places.values():
            if place.flagged and self.players[place.user].heard >= place.flagged:
                place.flagged = None  # perhaps
        for player in self.players.values():
            player.heard, player.lost = NEVER, None

    @rule(away=st.sampled_from([0, 16]))
    def web_dies(self, away: float) -> None:
        """Let the web process die, with all its sockets; another comes at once, or some time later."""
        self.died, self.is_death_known = self.now(), False
        self.tell(self.web._redis.aclose())
        for player in self.players.values():
            player.lost, player.socket = (self.died if player.socket else player.lost), ""
        for pairing in self.model.pairings.values():
            for user in pairing.users if pairing.outcome.name == "CONFIRMED" else []:
                pairing.away.setdefault(user, Span(self.died.lo, 1e9))
        self.rooms.clear()
        if away:
            self.let_pass(away, is_web_there=False)
            self.whole = self.now()
        self.web = self.new_web()

    @rule(name=names)
    def refuse(self, name: str) -> None:
        """Let the game host refuse a match."""
        name = self.first(name, self.matched)
        if found := self.model.match_of(name, "reserved", "verifying"):
            self.looks.clear()
            found[1].is_refused = True
            self.do("refuse", lambda: sessions.cancel_session("demo", found[0], now=database_now()))

    @rule(name=names, is_match=st.booleans())
    def staff(self, name: str, is_match: bool) -> None:
        """Let staff end a match, or a ticket with what it is reserved for."""
        name = self.first(name, self.matched if is_match else self.queued)
        found = self.model.match_of(name, *LEASES, "CONFIRMED") if is_match else self.model.match_of(name)

        def due(pairing: Pairing, _: Span) -> set[Outcome]:
            ended = Outcome("FINISHED" if pairing.outcome.name == "CONFIRMED" else "staff")
            return {ended if found and pairing is found[1] else pairing.outcome}

        if is_match:
            ids = [found[0]] if found else []
            self.do("staff on match", lambda: staff.end_matches(ids, now=database_now()), due=due)
        else:
            place = self.model.place_of(name)
            ids = [ticket_id for ticket_id, each in self.model.places.items() if each is place]
            self.do("staff", lambda: staff.cancel_tickets(ids, now=database_now()), name, due=due)

    # --- sessions

    @rule(name=names, leaves=st.booleans())
    def play(self, name: str, leaves: bool) -> None:
        """Come into one's session, or leave it."""
        name = self.first(name, self.playing)
        if found := self.model.match_of(name, "CONFIRMED"):
            (room,) = Match.objects.filter(id=found[0]).values_list("session_id", flat=True)
            assert room is not None
            if leaves:
                due = lambda p, _: {Outcome("FINISHED") if p is found[1] else p.outcome}  # noqa: E731
                self.do("session", lambda: participants.leave(room, name, now=database_now()), due=due)
                return
            owner, socket = rooms.participant_owner(room, name), f"socket-{next(self.ids)}"
            self.rooms[owner] = socket
            self.tell(self.web.add(owner, socket))
            self.do(
                "session", lambda: participants.arrive(room, name, connection_id=socket, now=database_now())
            )
            found[1].away.pop(name, None)

    @rule()
    def expire_grace(self, at: int | str | None = None) -> None:
        def due(pairing: Pairing, now: Span) -> set[Outcome] | None:
            is_over = {past(away, 30, now) for away in pairing.away.values()}
            if pairing.outcome.name != "CONFIRMED" or is_over <= {False}:
                return {pairing.outcome}
            return {Outcome("FINISHED")} if True in is_over else None

        self.do("grace", session_tasks.expire_grace, at=at, due=due)

    def teardown(self) -> None:
        """Let everybody go, and see that nothing is left."""
        try:
            if self.is_intact:
                self.web_dies(0)
                for seconds in (6, 3):  # its lease runs out, and then the doubt whether it comes back
                    self.let_pass(seconds)
                    self.expire_grace()
                for step in range(8):
                    self.let_pass(10)
                    self.sweep()
                    if step % 3 == 1:
                        self.expire_grace()
                        self.tick()
                assert all(place.end for place in self.model.places.values())
                over = {pairing.outcome.name for pairing in self.model.pairings.values()}
                assert not over & {*LEASES, "CONFIRMED"}
                self.model.check_nothing_is_left_behind(is_cancelled=True)
        finally:
            self.tell(self.web._redis.aclose())
            self.runner.close()


@pytest.fixture(autouse=True)
def _patient_clocks(settings: Settings) -> None:
    """Take the clocks of real life: time does not pass by itself here."""
    settings.HEALTH_CHECK_SECONDS = settings.ACK_SECONDS = 2
    settings.LEASE_SECONDS = 15


def test_whatever_happens_nobody_is_lost_or_matched_with_somebody_who_is_not_there(
    pytestconfig: pytest.Config,
) -> None:
    is_long = pytestconfig.getoption("--hypothesis-seed", None) is not None
    run_state_machine_as_test(
        Machine,
        settings=budget(
            max_examples=1000 if is_long else 25,
            stateful_step_count=60 if is_long else 35,
            derandomize=not is_long,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    often = {"unreachable while verifying", "ticket: connection_timeout", "ticket: user_request"}
    assert often <= SEEN.keys()


BOTH = {"ann", "bob"}
# What ann and bob come to who are led on so many rounds, and then this happens.
STORIES: list[tuple[str, int, Callable[[Machine], object]]] = [
    ("match: FINISHED", 3, lambda m: m.play("ann", leaves=True)),
    ("unreachable while verifying", 1, lambda m: (m.stand_still(2.8), m.answer_all(BOTH), m.advance())),
    ("delivery_failed while notifying", 2, lambda m: (m.stand_still(2.8), m.answer_all(BOTH), m.advance())),
    ("internal_error while verifying", 1, lambda m: (m.flush(), m.stand_still(2.8), m.tick())),
    ("internal_error while notifying", 2, lambda m: (m.flush(), m.stand_still(2.8), m.tick())),
    ("internal_error while reserved", 0, lambda m: (m.advance(NO_PING), m.stand_still(16), m.advance())),
    ("match: verifying", 0, lambda m: (m.advance(NO_PING), m.stand_still(1.1), m.advance())),
    ("match: notifying", 1, lambda m: (m.answer_all(BOTH), m.advance(0), m.stand_still(2.8), m.tick())),
    (
        "internal_error while creating",
        1,
        lambda m: (die_creating(m), m.tick(), m.ask_host_late(True), m.tick()),
    ),
    (
        "game_service_unavailable while verifying",
        1,
        lambda m: (m.refuse("ann"), m.answer_all(BOTH), m.tick()),
    ),
    ("staff while verifying", 1, lambda m: m.staff("ann", is_match=True)),
    ("left while notifying", 2, lambda m: m.leave("bob")),
    ("match: FINISHED", 3, lambda m: (m.play("ann", leaves=False), m.play("bob", leaves=False))),
    ("ticket: timed_out", 0, lambda m: (m.stand_still(601), m.tick())),
    ("ticket: timed_out", 1, lambda m: (m.join("eve", True), m.stand_still(601), m.tick())),
    ("ticket: connection_timeout", 1, lambda m: (m.sweep(), m.live(7 * SLICE, {"ann"}))),
    # Seen as silent, and led on by another worker before the first one acts.
    ("match: notifying", 1, lambda m: (m.stand_still(2.8), m.look(), answer_then(m), m.advance(), m.act())),
    # Sits out; is not offered while it is gone; a match in which another one failed ends the row.
    ("unreachable while verifying", 1, lambda m: [fail(m, BOTH) for _ in range(3)]),
    ("ticket: connection_timeout", 0, lambda m: (m.disconnect("ann"), m.advance(), m.live(7 * SLICE, set()))),
    ("unreachable while verifying", 1, lambda m: [fail(m, {name}) for name in ("ann", "bob", "ann")]),
]


def die_creating(machine: Machine) -> Any:
    machine.answer_all(BOTH)
    machine.advance(NO_GAME)
    machine.stand_still(16)


def answer_then(machine: Machine) -> Any:
    for name in BOTH:
        machine.answer(name, 2.5)


def fail(machine: Machine, silent: set[str]) -> Any:
    machine.answer_all(BOTH - silent)
    machine.stand_still(2.8)
    machine.advance()
    machine.renew(*BOTH)
    machine.stand_still(0.7)
    machine.tick()


@pytest.mark.parametrize(("turn", "rounds", "steps"), STORIES)
def test_the_model_knows_each_turn_of_events(
    turn: str, rounds: int, steps: Callable[[Machine], object]
) -> None:
    SEEN.clear()
    machine = Machine()
    try:
        machine.begin(BOTH, rounds, None)
        steps(machine)
    finally:
        machine.teardown()
    assert SEEN[turn] > 0, SEEN
