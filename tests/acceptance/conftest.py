"""A stack for the tests of a module: the real command, with all its processes."""

from collections.abc import Iterator

import pytest

from tests.acceptance.stacks import Stack, eventually


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start everything once for a module, stop it at the end, and find nothing left behind."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.start()
    yield running
    running.stop()
    assert eventually(lambda: not running.processes(), 2), running.processes()
