"""Finished frames on their way to the web processes that hold the sockets: the one seam from sync to async.

A push is a hint. It goes over the channel layer, which delivers at most once; what must arrive is in the
outbox and is found there again.
"""

import asyncio
import functools
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from channels.layers import get_channel_layer

from realtime.protocol.codec import encode_json, encode_message
from realtime.protocol.messages import Ping, ServerMessage

log = structlog.get_logger(__name__)

GROUP = "hubs"
ITEMS_PER_MESSAGE = 500
PUBLISH_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A frame for all connections of ``address``.

    ``seq`` orders durable frames and is None for others; ``token`` is what an answer to the frame must name;
    ``again`` marks a durable frame that is sent once more on purpose. The connection ``origin`` gets
    ``origin_frame`` instead, which has its ``ref``. A frame with ``latest_of`` is sent only where it differs
    from the last one of that name. ``close`` closes, instead of sending, the connection
    ``origin``, or all connections of the owner or the device ``origin``; with ``older_than`` only those that
    were opened before that connection.
    """

    address: str
    frame: str = ""
    seq: int | None = None
    token: str = ""
    again: bool = False
    origin: str = ""
    origin_frame: str = ""
    latest_of: str = ""
    close: int = 0
    older_than: str = ""


def ping(address: str, *, nonce: str, now: datetime) -> Push:
    """Return the health check for one player."""
    return Push(address=address, frame=encode_message(Ping(nonce=nonce), timestamp=now), token=nonce)


def update(address: str, message: ServerMessage, *, now: datetime) -> Push:
    """Return a message of which only the newest counts, sent only where it says something new."""
    data = encode_json(message)
    return Push(
        address=address,
        frame=encode_message(message, timestamp=now),
        latest_of=f"{message.type} {data}",
    )


def publish(pushes: Sequence[Push]) -> bool:
    """Send frames on their way; return False, and say so in the log, where Redis does not take them."""
    if not pushes:
        return True
    try:
        # Given up inside the loop: outside alone, a stuck connection would hold up everything behind it.
        work = asyncio.wait_for(send(pushes), PUBLISH_SECONDS)
        asyncio.run_coroutine_threadsafe(work, _loop(os.getpid())).result(PUBLISH_SECONDS + 1)
    except Exception as error:
        log.warning("push_failed", frames=len(pushes), error=repr(error))
        return False
    return True


@functools.cache
def _loop(_process_id: int) -> asyncio.AbstractEventLoop:
    """Return the event loop of this process's publishing thread.

    It keeps its connection to Redis: a loop for each call costs ten times as much, and async_to_sync more.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="push", daemon=True).start()
    return loop


async def send(pushes: Sequence[Push]) -> None:
    """Send frames on their way from an event loop."""
    layer = get_channel_layer()
    for start in range(0, len(pushes), ITEMS_PER_MESSAGE):
        items = [asdict(push) for push in pushes[start : start + ITEMS_PER_MESSAGE]]
        await layer.group_send(GROUP, {"type": "push", "items": items})
