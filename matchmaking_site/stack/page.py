"""Asks the web server whether it answers."""

import asyncio
import contextlib

_SECONDS = 2.0


async def answers(host: str, port: int) -> bool:
    """Return whether the liveness page answers with success."""
    try:
        status = await asyncio.wait_for(_status_line(host, port), _SECONDS)
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status


async def _status_line(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET /health/live HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
