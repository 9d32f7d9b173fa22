"""The connection to Redis of everything synchronous, and turns that processes take over it."""

import functools

import redis
from django.conf import settings


@functools.cache
def client() -> redis.Redis:
    """Return this process's client; it may be used from any thread."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, decode_responses=True)


def check() -> None:
    """Raise redis.RedisError where Redis does not answer."""
    client().ping()


def take_turn(name: str, *, seconds: float) -> bool:
    """Return True for one caller in every ``seconds``, over all processes."""
    return bool(client().set(f"mm:turn:{name}", 1, px=max(int(seconds * 1000), 1), nx=True))


def end_turn(name: str) -> None:
    """Let the next caller of `take_turn` have its turn at once."""
    client().delete(f"mm:turn:{name}")


def put_off_turn(name: str, *, seconds: float) -> None:
    """Let the next turn come ``seconds`` from now."""
    client().pexpire(f"mm:turn:{name}", max(int(seconds * 1000), 1))
