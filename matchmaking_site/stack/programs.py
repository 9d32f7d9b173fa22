"""The command lines of the Django side: setup, web, worker, beat and Flower."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from matchmaking_site.stack.environment import Options
from matchmaking_site.stack.parts import Part

_ROOT = Path(__file__).resolve().parents[2]
_CELERY = ("-m", "celery", "-A", "matchmaking_site")
# Celery warns root at length, and about pickled messages, which this worker does not accept.
_NO_WARNING = "ignore:You're running the worker with superuser privileges"


def setup(environment: Mapping[str, str]) -> Part:
    """Return the step that brings the tables up to date and makes the demo's rows. It may run again."""
    return _python("setup", ("manage.py", "demo", "--migrate"), environment)


def programs(options: Options, environment: Mapping[str, str]) -> list[Part]:
    """Return what runs all the time."""
    level = f"--loglevel={environment.get('LOG_LEVEL', 'INFO')}"
    # Mingling with other workers would cost a second at every start, and gossip serves nobody here.
    # On one machine one worker does all. A simulation computes in one of its four threads and shares the
    # interpreter with the matching loop: in production, give `simulations` a worker of its own.
    queues = ("-Q", "periodic,matchmaking,simulations")
    worker = ("worker", "-n", "worker@%h", *queues, level, "--without-mingle", "--without-gossip")
    address = (f"--address={options.flower_host}", f"--port={options.flower_port}")
    arguments: dict[str, tuple[str, ...]] = {
        "web": ("manage.py", "daphne", "--host", options.host, "--port", str(options.port)),
        # Quiet: their banners would push the addresses and the password out of sight.
        "worker": (*_CELERY, "--quiet", *worker),
        "beat": (*_CELERY, "--quiet", "beat", level),
        "flower": (*_CELERY, "flower", *address),
    }
    return [_python(name, words, environment) for name, words in arguments.items()]


def _python(name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Part:
    if name == "worker" and os.geteuid() == 0:
        before = environment.get("PYTHONWARNINGS")
        environment = {**environment, "PYTHONWARNINGS": f"{before},{_NO_WARNING}" if before else _NO_WARNING}
    return Part(
        name=name,
        argv=(sys.executable, *arguments),
        environment=environment,
        directory=_ROOT,
        # Flower only looks on: it starts early, on what the others leave of the processor.
        needs_tables=name != "flower",
        nice=10 if name == "flower" else 0,
        # The web says goodbye to every socket, so it gets the longest time.
        stop_seconds=3.0 if name == "web" else 2.0,
    )
