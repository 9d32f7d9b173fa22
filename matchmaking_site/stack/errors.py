"""What ends a start in one line."""


class StackError(Exception):
    """A reason not to start, or not to go on, in words for the person at the terminal."""
