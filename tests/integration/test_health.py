"""Health: alive while it answers at all, ready while everything that a match needs is well."""

from typing import Any

import pytest
from django.test import Client

from matchmaking.services import loop

pytestmark = pytest.mark.django_db


def health(part: str) -> tuple[int, Any]:
    response = Client().get(f"/health/{part}")
    return response.status_code, response.json()


def test_a_process_that_answers_is_alive() -> None:
    assert health("live") == (200, {"status": "ok"})


def test_it_is_ready_while_the_loop_runs() -> None:
    assert health("ready") == (503, {"status": "failing", "failing": ["matching_loop"], "degraded": []})
    loop.tick()
    assert health("ready") == (200, {"status": "ok", "failing": [], "degraded": []})
