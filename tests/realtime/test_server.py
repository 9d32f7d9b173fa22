"""The web server itself."""

import asyncio
import os
import subprocess
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.stacks import ROOT, free_ports


async def test_a_client_that_does_not_read_is_closed_with_4009() -> None:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "tests.realtime.flooding_server", str(port)]
    environment = os.environ | {"SLOW_READER_SECONDS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as server:
        try:
            for _ in range(150):
                try:
                    hoarder = await connect(f"ws://127.0.0.1:{port}/", proxy=None, max_queue=None)
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            hoarder.transport.pause_reading()
            await asyncio.sleep(6)
            hoarder.transport.resume_reading()
            with_frames = 0
            try:
                async for _ in hoarder:
                    with_frames += 1
            except ConnectionClosed:
                pass
            assert with_frames > 0
            assert hoarder.close_code == 4009
        finally:
            server.kill()
