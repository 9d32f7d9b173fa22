"""``manage.py demo``: pools to play in, and somebody who may use the admin. Run twice, it changes nothing."""

import os
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from matchmaking.services.pools import make_demo_pools

ADMIN_NAME = "admin"


class Command(BaseCommand):
    """Make the tenant ``demo`` with its pools, and the user ``admin`` with the password ADMIN_PASSWORD."""

    # They import every route, and the web process runs them anyway.
    requires_system_checks = ()

    help = "Make the demo tenant's pools and, with ADMIN_PASSWORD, an admin user; what exists stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--migrate", action="store_true", help="Migrate the database first.")

    def handle(self, *, migrate: bool, **_: Any) -> None:
        """Make what is missing."""
        if migrate:
            call_command("migrate", interactive=False, verbosity=0)
        for pool in make_demo_pools():
            self.stdout.write(f"made pool {pool}")
        password = os.environ.get("ADMIN_PASSWORD")
        users = get_user_model().objects
        if password and not users.filter(username=ADMIN_NAME).exists():
            users.create_superuser(ADMIN_NAME, password=password)
            self.stdout.write(f"made user {ADMIN_NAME}")
