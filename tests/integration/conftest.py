"""A clean Valkey for each test, the pool that most tests play in, and an ear on what is pushed."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer
from django.conf import settings
from pytest_django import Settings

from matchmaking.models import Pool
from realtime.transport.push import GROUP
from tests import factories


@pytest.fixture(scope="session")
def valkey() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def _clean_valkey(valkey: redis.Redis) -> None:
    """Forget what other tests left, as a Valkey that has been up for long."""
    valkey.flushall()
    valkey.set(f"mm:epoch:{valkey.info('server')['run_id']}", 0)
    factories.has_told_all()


@pytest.fixture(autouse=True)
def _patient_clocks(settings: Settings) -> None:
    """Give players so long that no slow machine fails a test: time passes where a test says so."""
    settings.HEALTH_CHECK_SECONDS = 20
    settings.ACK_SECONDS = 20
    settings.LEASE_SECONDS = 600
    settings.QUEUE_UPDATE_SECONDS = 20


@pytest.fixture
def duel(db: None) -> Pool:
    return factories.pool()


class Pushes:
    """What web processes get to hear, from the moment that a test asks for it."""

    def __init__(self, subscription: redis.client.PubSub) -> None:
        self._subscription = subscription
        self._layer = get_channel_layer()

    def new(self) -> list[dict[str, Any]]:
        """Return the pushes since the last look; Valkey has them all before a publisher goes on."""
        pushes = []
        while (message := self._subscription.get_message(timeout=0.05)) is not None:
            if message["type"] == "pmessage":
                pushes += self._layer.deserialize(message["data"])["items"]
        return pushes


@pytest.fixture
def pushes(valkey: redis.Redis) -> Iterator[Pushes]:
    with valkey.pubsub() as subscription:  # type: ignore[no-untyped-call]  # redis leaves it open
        subscription.psubscribe(f"*__group__{GROUP}")
        listener = Pushes(subscription)
        listener.new()
        yield listener


@pytest.fixture(autouse=True, scope="session")
def _static_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.STATIC_ROOT = tmp_path_factory.mktemp("static")
