"""``python -m examples.game_server --host 127.0.0.1 --port 9000 --token SECRET``."""

import argparse
import signal
import sys
import threading

from examples.game_server.server import Server

_ENDING = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    # Blocked before there are threads, which inherit it: a signal waits for sigwait, and interrupts nothing.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    server = _listen()
    host, port = server.server_address[:2]
    sys.stdout.write(f"game server listens on http://{host!s}:{port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait(_ENDING)
    server.shutdown()
    server.server_close()


def _listen() -> Server:
    parser = argparse.ArgumentParser(prog="python -m examples.game_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0: any that is free")
    parser.add_argument("--token", required=True, help="what GAME_HOST_TOKEN is")
    options = parser.parse_args()
    if not options.token:
        parser.error("the token is empty")
    try:
        return Server((options.host, options.port), options.token)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on {options.host}:{options.port}: {error}")


if __name__ == "__main__":
    main()
