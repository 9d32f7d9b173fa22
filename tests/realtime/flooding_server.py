"""The real server with an application that sends more than its client reads, for twenty seconds.

``python -m tests.realtime.flooding_server PORT``
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import django


async def flood(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(400):
        await send({"type": "websocket.send", "text": "x" * 50_000})
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "matchmaking_site.settings")
    django.setup()
    from realtime.transport.server import GracefulServer

    GracefulServer(flood, endpoints=[f"tcp:port={sys.argv[1]}:interface=127.0.0.1"]).run()
