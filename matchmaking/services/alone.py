"""Work that a process does once at a time."""

import threading
from collections.abc import Callable, Hashable

import structlog

log = structlog.get_logger(__name__)


class OneAtATime:
    """Runs work of a kind in one thread at a time, and there once more for whoever asks meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Hashable] = set()
        self._again: set[Hashable] = set()

    def __call__(self, kind: Hashable, work: Callable[[], None]) -> None:
        """Run ``work``, or leave it to the thread that runs work of this kind already."""
        with self._lock:
            if kind in self._running:
                self._again.add(kind)
                return
            self._running.add(kind)
        while self._works_again(kind, work):
            pass

    def _works_again(self, kind: Hashable, work: Callable[[], None]) -> bool:
        """Run ``work``, and return whether somebody asked for it meanwhile: then its failure ends nothing."""
        try:
            work()
        except Exception:
            if not self._take_again(kind):
                raise
            log.exception("work_failed", kind=str(kind))
            return True
        except BaseException:
            with self._lock:
                self._running.discard(kind)
            raise
        return self._take_again(kind)

    def _take_again(self, kind: Hashable) -> bool:
        """Return whether somebody asked; where nobody did, the next one runs it itself."""
        with self._lock:
            if kind in self._again:
                self._again.discard(kind)
                return True
            self._running.discard(kind)
            return False
