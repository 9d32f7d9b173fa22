"""``manage.py daphne``: the web process, HTTP and sockets on one port, with a graceful stop."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

SWITCH_INTERVAL_SECONDS = 0.0005
"""The event loop gets the interpreter back this soon from a busy thread; Python's own 5 ms, times the number
of busy threads, would be added to each of its steps."""


class Command(BaseCommand):
    """Serve until SIGTERM or SIGINT; then tell every socket to come back, and stop."""

    help = "Serve HTTP and WebSocket."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the address."""
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        """Run the server; the exit status is 1 where the address cannot be had."""
        # Importing it installs Twisted's reactor, which no other command wants.
        from realtime.transport.server import GracefulServer

        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        interface = host.replace(":", r"\:")
        server = GracefulServer(
            import_string(settings.ASGI_APPLICATION), endpoints=[f"tcp:port={port}:interface={interface}"]
        )
        server.run()
        if server.failure:
            raise CommandError(f"cannot listen on {host}:{port}: {server.failure}")
