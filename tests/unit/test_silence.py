"""Many who fall silent together are not to blame; few who do, or many who do one by one, are."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.transport.heartbeat import Pulse
from realtime.transport.hub import Hub
from realtime.transport.silence import Silence

PERIOD, PONG = 15.0, 5.0
WITHIN = PERIOD + PONG
START = 1000.0


def names(count: int, prefix: str = "c") -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


def fallen(silent: list[str], *, at: float = START) -> Silence:
    silence = Silence(within_seconds=WITHIN)
    for name in silent:
        silence.fell_silent(name, f"owner-of-{name}", at)
    return silence


def owners(*connections: str) -> set[str]:
    return {f"owner-of-{name}" for name in connections}


@pytest.mark.parametrize(
    ("silent", "everybody", "are_blameless"),
    [
        (0, 0, False),
        (1, 1, False),
        (19, 19, False),  # all of them, and too few
        (20, 20, True),
        (20, 24, True),  # 83%
        (20, 25, False),  # 80% are not over 80%
        (21, 25, True),
        (80, 100, False),
        (81, 100, True),
        (1000, 2000, False),
    ],
)
def test_so_many_and_so_large_a_share_are_nobodys_fault(
    silent: int, everybody: int, *, are_blameless: bool
) -> None:
    connections = names(everybody)
    blameless = fallen(connections[:silent]).blameless(set(connections), START)
    assert blameless == (owners(*connections[:silent]) if are_blameless else set())


def test_broken_connections_that_are_open_no_more_count_in_the_whole() -> None:
    silence = fallen(names(25))
    assert silence.blameless(set(), START) == owners(*names(25))
    silence = fallen(names(25))
    assert silence.blameless(set(names(7, "open")), START) == set(), "25 of 32 are 78%"
    silence = fallen(names(25))
    assert silence.blameless(set(names(6, "open")), START) == owners(*names(25)), "25 of 31 are 81%"


def test_a_connection_that_misses_and_then_breaks_counts_once() -> None:
    silence = fallen(names(19))
    for name in names(19):
        silence.fell_silent(name, f"owner-of-{name}", START + 1)
    assert silence.blameless(set(), START + 1) == set()


def test_who_speaks_meanwhile_was_not_silent() -> None:
    silence = fallen(names(20))
    silence.spoke("c3")
    silence.spoke("never there")
    assert silence.blameless(set(names(20)), START) == set()


@pytest.mark.parametrize(("seconds", "are_together"), [(0, True), (19.9, True), (20, False), (60, False)])
def test_together_is_within_one_period_and_the_time_to_answer(seconds: float, *, are_together: bool) -> None:
    silence = fallen(names(10))
    for name in names(10, "late"):
        silence.fell_silent(name, f"owner-of-{name}", START + seconds)
    everybody = {*names(10), *names(10, "late")}
    assert bool(silence.blameless(everybody, START + seconds)) is are_together


def test_the_first_miss_is_when_a_connection_fell_silent_however_often_it_is_noted() -> None:
    silence = fallen(names(10))
    for name in names(10):
        silence.fell_silent(name, f"owner-of-{name}", START + 10)
    for name in names(10, "late"):
        silence.fell_silent(name, f"owner-of-{name}", START + 25)
    assert silence.blameless({*names(10), *names(10, "late")}, START + 25) == set()


def test_each_silence_is_excused_once_and_those_who_follow_soon_are_excused_too() -> None:
    silence = fallen(names(20))
    everybody = {*names(20), "late", "too-late"}
    assert silence.blameless(everybody, START) == owners(*names(20))
    assert silence.blameless(everybody, START + 1) == set()
    silence.fell_silent("late", "owner-of-late", START + 19)
    assert silence.blameless(everybody, START + 19) == owners("late")
    silence.fell_silent("too-late", "owner-of-too-late", START + 20)
    assert silence.blameless(everybody, START + 20) == set()


@given(
    st.lists(st.tuples(st.sampled_from(["fell", "spoke"]), st.integers(0, 29), st.floats(0, 3)), max_size=150)
)
def test_nobody_is_excused_who_did_not_fall_silent_and_none_twice_for_one_silence(
    happenings: list[tuple[str, int, float]],
) -> None:
    silence, now = Silence(within_seconds=WITHIN), START
    may_be: set[str] = set()
    for what, number, pause in happenings:
        now += pause
        connection = f"c{number}"
        if what == "fell":
            silence.fell_silent(connection, f"owner-of-{connection}", now)
            may_be.add(f"owner-of-{connection}")
        else:
            silence.spoke(connection)
            may_be.discard(f"owner-of-{connection}")
        blameless = silence.blameless(set(names(10)), now)
        assert blameless <= may_be
        may_be -= blameless


# --- in a hub, with the clocks as they are by default


@dataclass
class FakeSocket:
    """A socket whose client falls silent for good at a time."""

    connection_id: str
    silent_from: float
    pulse: Pulse = field(default_factory=lambda: Pulse(period_seconds=PERIOD, pong_seconds=PONG))
    address: str = ""
    last_seq: int = 0
    closed: bool = False

    @property
    def owner(self) -> str:
        return f"owner-of-{self.connection_id}"

    @property
    def is_silent(self) -> bool:
        return self.pulse.is_silent

    def forgive(self, now: float) -> None:
        self.pulse.forgive(now)

    def live(self, now: float) -> bool:
        """Do what a beat does; return whether it was heard."""
        if self.pulse.missed(now) >= 2:
            self.closed = True
        elif self.pulse.take_due(now):
            self.pulse.pinged(now)
            if now < self.silent_from:
                self.pulse.hear(now)
                return True
        return False


class Room:
    """A hub with sockets, a quarter of a second after the other."""

    def __init__(
        self, sockets: list[FakeSocket], phases: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.hub = Hub()
        self.sockets = sockets
        self.heard: dict[str, float] = {}
        self.longest_silence: dict[str, float] = {}
        self.now = START
        monkeypatch.setattr(self.hub, "heard", lambda owner: self.heard.update({owner: self.now}))
        for socket, phase in zip(sockets, phases, strict=True):
            socket.pulse.start(START + phase)
            self.hub.heard(socket.owner)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            there = [socket for socket in self.sockets if not socket.closed]
            self.hub._notice_silence(there, self.now)  # type: ignore[arg-type]  # as much of a socket as it asks for
            for socket in there:
                if socket.live(self.now):
                    self.hub.heard(socket.owner)

    def stale(self) -> set[str]:
        return {socket.owner for socket in self.sockets if self.now - self.heard[socket.owner] >= 35}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(25, 60))
def test_a_whole_process_that_falls_silent_is_stale_one_time_later_and_not_before(
    seed: int, count: int
) -> None:
    rng = random.Random(seed)
    sockets = [FakeSocket(name, silent_from=START + 60) for name in names(count)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        room = Room(sockets, [rng.random() * PERIOD for _ in sockets], monkeypatch)
        room.run(60)
        for _ in range(35 * 4):
            room.run(0.25)
            assert room.stale() == set()
            assert room.now > START + 90 or not any(socket.closed for socket in sockets)
        room.run(10)
        assert room.stale() == set(), "silence counts from when it was found to be everybody's"
        room.run(30)
        assert room.stale() == owners(*names(count)), "and is not excused for ever"
        assert all(socket.closed for socket in sockets)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(1, 39))
def test_who_falls_silent_among_many_who_do_not_is_stale_in_time(seed: int, count: int) -> None:
    rng = random.Random(seed)
    sockets = [FakeSocket(name, silent_from=START + 60) for name in names(count)]
    sockets += [FakeSocket(name, silent_from=START + 10**6) for name in names(10, "well")]
    with pytest.MonkeyPatch.context() as monkeypatch:
        room = Room(sockets, [rng.random() * PERIOD for _ in sockets], monkeypatch)
        room.run(60 + 36)
        assert room.stale() == owners(*names(count))
