"""Calls to services over HTTP, and the event loop they run on: one a process, in a thread of its own."""

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, ParamSpec, TypeVar

import httpx
import msgspec
import structlog
from django.db import close_old_connections

log = structlog.get_logger(__name__)

MAX_CALLS = 200
RETRY_AFTER_SECONDS = (0.1, 0.4)
RETRIED_STATUSES = frozenset({502, 503, 504})

P = ParamSpec("P")
T = TypeVar("T")


class Failed(Exception):
    """The service did not do its part: no answer in time, no connection, an answer that makes no sense."""


_pending: set["Future[Any]"] = set()
_starting = threading.Lock()


def run(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run ``work`` on the loop; an exception in it, but for `Failed`, is logged."""
    future = asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))
    _pending.add(future)
    future.add_done_callback(_finished)
    return future


def _finished(future: "Future[Any]") -> None:
    _pending.discard(future)
    if future.cancelled():
        return
    error = future.exception()
    if error is not None and not isinstance(error, Failed):
        log.error("remote_call_failed", exc_info=error)


def finish_calls(seconds: float) -> None:
    """Wait for the calls that are under way: what they bring is written down before the process ends."""
    wait_for(list(_pending), timeout=seconds)


def _loop(process_id: int) -> asyncio.AbstractEventLoop:
    # A cache alone would let two first callers make a loop each.
    with _starting:
        return _started_loop(process_id)


@functools.cache
def _started_loop(_process_id: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="remote-calls", daemon=True).start()
    return loop


def http() -> httpx.AsyncClient:
    """Return this process's client, for use on the loop."""
    return _http(os.getpid())


@functools.cache
def _http(_process_id: int) -> httpx.AsyncClient:
    # The time is kept for a call as a whole, its wait for a connection included.
    limits = httpx.Limits(max_connections=MAX_CALLS, max_keepalive_connections=MAX_CALLS)
    return httpx.AsyncClient(timeout=None, limits=limits, follow_redirects=False, trust_env=False)  # noqa: S113 - as said


async def call(method: str, url: str, *, seconds: float, **request: Any) -> httpx.Response:
    """Make a call, again where it failed quickly; raise `Failed` where no answer came within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            return await _try(method, url, **request)
    except (TimeoutError, httpx.HTTPError) as error:
        raise Failed(repr(error)) from error


async def _try(method: str, url: str, **request: Any) -> httpx.Response:
    for pause in RETRY_AFTER_SECONDS:
        try:
            response = await http().request(method, url, **request)
        except httpx.TransportError:
            await asyncio.sleep(pause)
            continue
        if response.status_code not in RETRIED_STATUSES:
            return response
        await asyncio.sleep(pause)
    return await http().request(method, url, **request)


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """Return an answer's body as ``kind``; raise `Failed` where it is not."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Failed(f"an answer that makes no sense: {error}") from error


async def in_thread(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run what uses the database or Redis off the loop, and give its connection back."""

    def work() -> None:
        try:
            function(*args, **kwargs)
        finally:
            close_old_connections()

    await asyncio.to_thread(work)
