"""The database from the event loop: calls run in threads, so that one slow query delays nobody."""

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Model
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


def update_each(rows: Sequence[Model], fields: Sequence[str]) -> None:
    """Write fields of many rows of one table, each its own values, in one statement.

    Django's ``bulk_update`` writes a CASE for each field and a WHEN for each row: a hundred rows of six
    fields take it ten times as long.
    """
    if not rows:
        return
    meta = rows[0]._meta  # noqa: SLF001 - Django's documented way to a model's fields
    columns: list[Any] = [meta.pk, *(meta.get_field(name) for name in fields)]
    values = [
        [_plain(column.get_db_prep_save(getattr(row, column.attname), connection)) for row in rows]
        for column in columns
    ]
    names = [connection.ops.quote_name(column.column) for column in columns]
    types = ", ".join(f"%s::{column.db_type(connection)}[]" for column in columns)
    sets = ", ".join(f"{name} = new.{name}" for name in names[1:])
    table = connection.ops.quote_name(meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM unnest({types}) AS new ({', '.join(names)})"  # noqa: S608 - names of columns
            f" WHERE {table}.{names[0]} = new.{names[0]}",
            values,
        )


def _plain(value: object) -> object:
    """Return what the database driver takes: it would write a member of an enumeration by its name."""
    return str(value) if isinstance(value, str) else value


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint that an error speaks of."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)


def database_now() -> datetime:
    """Return the time by the database's clock, the only one that deadlines know."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    return cast("datetime", row[0])
