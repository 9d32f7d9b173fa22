"""The database from the event loop: calls run in threads, so that one slow query delays nobody."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from redis.exceptions import RedisError

MAX_THREADS = 4
OUTAGES = (OperationalError, InterfaceError, RedisError)
"""What is raised while the database or Redis does not answer."""

P = ParamSpec("P")
T = TypeVar("T")


@functools.cache
def _threads() -> ThreadPoolExecutor:
    # Few: they share the interpreter with the event loop, and REST shares the pool of connections.
    threads = min(MAX_THREADS, max(settings.DATABASE_POOL_SIZE // 2, 1))
    return ThreadPoolExecutor(threads, thread_name_prefix="database")


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function that uses the database, off the event loop."""
    run = database_sync_to_async(function, thread_sensitive=False, executor=_threads())
    return cast("T", await run(*args, **kwargs))


@contextmanager
def one_look() -> Iterator[None]:
    """Read everything as of one instant; a transaction that has begun already looks as it does."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def database_now() -> datetime:
    """Return the time by the database's clock, the only one that deadlines know."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    return cast("datetime", row[0])
