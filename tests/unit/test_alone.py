"""Work of one kind runs in one thread at a time, and no call for it is lost."""

import threading

import pytest

from matchmaking.services.alone import OneAtATime

SECONDS = 10


def test_who_asks_while_it_runs_has_it_run_once_more_by_the_first() -> None:
    alone, runs, began, may_end = OneAtATime(), [], threading.Event(), threading.Event()

    def work() -> None:
        runs.append(threading.current_thread().name)
        began.set()
        assert may_end.wait(SECONDS)

    first = threading.Thread(target=alone, args=("pool", work), name="first")
    first.start()
    assert began.wait(SECONDS)
    for _ in range(3):
        alone("pool", work)
    may_end.set()
    first.join(SECONDS)
    assert runs == ["first", "first"]
    alone("pool", work)
    assert len(runs) == 3


def test_a_call_that_came_before_a_failure_is_not_lost_with_it() -> None:
    alone, runs = OneAtATime(), 0

    def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            alone("pool", work)
            raise RuntimeError

    alone("pool", work)
    assert runs == 2


def test_a_failure_is_told_and_the_next_call_runs() -> None:
    alone = OneAtATime()

    def fail() -> None:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            alone("pool", fail)


def test_other_kinds_do_not_wait() -> None:
    alone, runs = OneAtATime(), []
    alone("a pool", lambda: alone("another", lambda: runs.append("ran")))
    assert runs == ["ran"]
