"""The command behind ``make run``."""

import argparse
import asyncio
import os
import sys

from matchmaking_site.stack.claims import (
    check_ports,
    claim_data_directory,
    make_data_directory,
    raise_file_limit,
)
from matchmaking_site.stack.console import Console
from matchmaking_site.stack.environment import read_options
from matchmaking_site.stack.errors import StackError
from matchmaking_site.stack.privileges import end_with_parent
from matchmaking_site.stack.supervisor import Supervisor


def main() -> None:
    """Run the stack until Ctrl-C, or say in one line why not."""
    parser = argparse.ArgumentParser(prog="python -m matchmaking_site.stack", description=__doc__)
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="stop everything when the program that started this is gone",
    )
    if parser.parse_args().end_with_parent:
        end_with_parent()
    try:
        options = read_options(os.environ)
        make_data_directory(options.data_dir)
        lock = claim_data_directory(options.data_dir)
        check_ports(options)
        raise_file_limit()
        asyncio.run(Supervisor(options, Console(), lock=lock).run())
    except StackError as error:
        sys.exit(f"matchmaking: {error}")
    except KeyboardInterrupt:  # before anything was started
        sys.exit(130)


if __name__ == "__main__":
    main()
