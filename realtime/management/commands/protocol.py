"""``manage.py protocol``: write what is generated from the messages, or check that it is fresh."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from realtime.protocol import spec

FILES = {
    "docs/asyncapi.json": spec.asyncapi,
    "docs/messages.md": spec.markdown,
    "realtime/static/realtime/protocol.js": spec.javascript,
}


class Command(BaseCommand):
    """Write the AsyncAPI document, the page of messages and the JavaScript constants."""

    help = "Write what is generated from realtime/protocol; --check only says whether it is fresh."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where a file is stale.")

    def handle(self, *, check: bool, **_: Any) -> None:
        """Write or compare each file."""
        stale = []
        for name, generate in FILES.items():
            path, text = settings.BASE_DIR / name, generate()
            if path.exists() and path.read_text() == text:
                continue
            if check:
                stale.append(name)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                self.stdout.write(f"wrote {name}")
        if stale:
            raise CommandError(f"stale, run manage.py protocol: {', '.join(stale)}")
