"""Break the product on purpose, one mechanism at a time, and see which test notices.

``python -m tests.sabotage [word …]`` copies the checkout, and for each breakage (or those whose names hold a
word) changes a line of the copy and runs the tests that guard the mechanism. A breakage that no test notices
is a promise that nothing keeps: the command then ends with 1. The same tests run unbroken first.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.sabotage.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", ".hypothesis")
LONGEST_RUN_SECONDS = 600


class Run:
    """What pytest said of some tests in a checkout."""

    def __init__(self, checkout: Path, tests: Sequence[str]) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(
            command,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN_SECONDS,
            check=False,
        )
        self.passes = done.returncode == 0
        # 1 is pytest's word for failed tests: anything else is no catch but a mistake of ours.
        self.fails = done.returncode == 1
        self.text = done.stdout + done.stderr
        self.first_failure = next(iter(re.findall(r"^FAILED \S+::(\S+)", self.text, re.MULTILINE)), "")


def sabotage(checkout: Path, breakage: Breakage) -> Run:
    """Run the tests that should notice a breakage, with it."""
    file = checkout / breakage.file
    whole = file.read_text()
    if whole.count(breakage.line) != 1:
        sys.exit(f"{breakage.name}: its line is there {whole.count(breakage.line)} times in {breakage.file}")
    file.write_text(whole.replace(breakage.line, breakage.broken))
    try:
        return Run(checkout, breakage.tests)
    finally:
        file.write_text(whole)


def main(words: Sequence[str]) -> int:
    """Try every breakage; return 1 when one was not noticed."""
    chosen = [b for b in BREAKAGES if not words or any(word in b.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="matchmaking-sabotage-") as directory:
        Path(directory).chmod(0o755)
        checkout = Path(shutil.copytree(ROOT, Path(directory) / "checkout", ignore=LEFT_OUT))
        whole = Run(checkout, sorted({test for breakage in chosen for test in breakage.tests}))
        if not whole.passes:
            print(whole.text[-5000:], "\nthe tests fail without any sabotage", sep="")
            return 1
        survivors = [breakage.name for breakage in chosen if not is_caught(checkout, breakage)]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} breakages were caught")
    return 1 if survivors else 0


def is_caught(checkout: Path, breakage: Breakage) -> bool:
    """Try one breakage, and say what came of it."""
    run = sabotage(checkout, breakage)
    outcome = f"caught by {run.first_failure}" if run.fails else "NOT CAUGHT"
    print(f"{breakage.invariants:<8} {breakage.name}: {outcome}", flush=True)
    if not run.fails and not run.passes:
        print(run.text[-3000:])
    return run.fails


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
