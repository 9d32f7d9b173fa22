"""Who comes into a party while its match ends: what the members are told last is how it is."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from matchmaking import party_selectors
from matchmaking.models import Pool
from matchmaking.services import endings, parties
from realtime.transport.database import database_now
from tests.challenging import until
from tests.factories import caller, confirmed_match, last_told, queued
from tests.partying import party, send

pytestmark = pytest.mark.django_db(transaction=True)


def _make() -> None:
    parties.create(caller("ann"), now=database_now())


def _invited() -> Callable[[], None]:
    party_id = party("cat")
    assert send("invite", "cat", party_id, "ann").status == 200

    def join() -> None:
        parties.join(caller("ann"), party_id, now=database_now())

    return join


@pytest.mark.parametrize("coming", [lambda: _make, _invited], ids=["makes", "joins"])
def test_who_comes_as_its_match_ends_is_told_how_the_party_is(
    duel: Pool, coming: Callable[[], Callable[[], None]]
) -> None:
    come = coming()
    for name in ("ann", "bob"):
        queued(name, duel)
    match = confirmed_match("ann", "bob")
    thread = threading.Thread(target=_on_a_connection_of_its_own, args=[come])
    with transaction.atomic():
        endings.finish(match.id, None, database_now())
        thread.start()
        until(lambda: _somebody_waits() or not thread.is_alive())
    thread.join(timeout=10)
    made = party_selectors.party_of("demo", "ann")
    assert made is not None
    assert last_told("ann", "party_updated")["status"] == party_selectors.status_of(made) == "IDLE"


def _on_a_connection_of_its_own(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
