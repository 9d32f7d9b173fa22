"""Challenges in the admin."""

import pytest
from django.test import Client

from matchmaking.models import Pool
from tests.challenging import challenge, row, send
from tests.factories import last_told, told

pytestmark = pytest.mark.django_db

PAGE = "/admin/challenges/challenge/"


def test_staff_find_challenges_by_their_players(admin_client: Client, duel: Pool) -> None:
    made, opened = challenge("ann", "bob", pool_key="duel")["challenge_id"], challenge("ann")["challenge_id"]
    found = admin_client.get(f"{PAGE}?q=bob").content.decode()
    assert made in found
    assert opened not in found
    assert "anybody" in admin_client.get(PAGE).content.decode()
    assert admin_client.get(f"{PAGE}{opened}/change/").status_code == 200


def test_staff_cancel_those_that_wait_and_no_others(admin_client: Client) -> None:
    made, opened = challenge("ann", "bob")["challenge_id"], challenge("ann")["challenge_id"]
    declined = challenge("cat", "bob")["challenge_id"]
    send("decline", "bob", declined)
    chosen = {"action": "cancel_challenges", "_selected_action": [made, opened, declined]}
    answer = admin_client.post(PAGE, chosen, follow=True)
    assert "2 challenges cancelled." in answer.content.decode()
    assert [row(each).status for each in (made, opened, declined)] == ["CANCELLED", "CANCELLED", "DECLINED"]
    assert last_told("ann", "challenge_updated")["status"] == "CANCELLED"
    assert [e.data["status"] for e in told("bob") if e.type == "challenge_updated"] == [
        "DECLINED",
        "CANCELLED",
    ]
