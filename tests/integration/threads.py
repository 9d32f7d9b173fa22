"""Work that really is simultaneous: a thread and a database connection for each."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def together(*works: Callable[[], T]) -> list[T | Exception]:
    """Begin all works at the same moment; return their results, or what they raised, in order."""
    line = threading.Barrier(len(works), timeout=30)

    def run(work: Callable[[], T]) -> T | Exception:
        try:
            connection.ensure_connection()
            line.wait()
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    connection.close()  # The pool has just enough for twenty.
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def raised(results: Sequence[object], kind: type[Exception]) -> int:
    """Return how many of the results are refusals of one kind."""
    return sum(isinstance(result, kind) for result in results)
