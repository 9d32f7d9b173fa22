"""One log for all parts: every line with the name of the part that wrote it."""

import os
import sys
from collections.abc import Iterable

_WIDTH = 8
_COLOURS = ("36", "32", "33", "35", "34", "96", "92", "94")


class Console:
    """Writes to standard output. ``is_gone`` turns true when nobody reads it any more."""

    def __init__(self) -> None:
        self.is_gone = False
        self._colourful = sys.stdout.isatty()
        self._colour_of: dict[str, str] = {}

    def lines(self, part: str, texts: Iterable[str]) -> None:
        """Write lines of one part."""
        prefix = self._prefix(part)
        self._write("".join(f"{prefix}{text}\n" for text in texts))

    def say(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        self.lines("stack", [text])

    def _prefix(self, part: str) -> str:
        prefix = f"{part:<{_WIDTH}}| "
        if not self._colourful:
            return prefix
        colour = self._colour_of.setdefault(part, _COLOURS[len(self._colour_of) % len(_COLOURS)])
        return f"\x1b[{colour}m{prefix}\x1b[0m"

    def _write(self, text: str) -> None:
        if self.is_gone:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            self.is_gone = True
            # What is still in the buffer has to go somewhere, or Python's own exit fails on it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Lines:
    """Cuts a stream of bytes into lines of text; very long ones too, so that memory stays small."""

    _MAX_BYTES = 64 * 1024

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete by now."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._MAX_BYTES:
            complete.append(self._rest)
            self._rest = b""
        return [_text(line) for line in complete]

    def close(self) -> list[str]:
        """Return what was left without an end."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
