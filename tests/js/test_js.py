"""The JavaScript client and the page's pure parts, by node's own test runner."""

import shutil
import subprocess
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

HERE = Path(__file__).parent
OLDEST_NODE = (20, 19)
"""From here on node finds out by itself that a file is an ES module."""


def _node() -> str:
    """Return the machine's node where it is new enough, else the one that playwright brings."""
    node = shutil.which("node")
    if node:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) >= OLDEST_NODE:
            return node
    return compute_driver_executable()[0]


def test_the_javascript_tests_pass() -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    assert files
    run = subprocess.run(
        [_node(), "--test", *files], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
