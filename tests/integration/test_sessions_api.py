"""Game sessions over REST: who sees one, and how one leaves it."""

from uuid import uuid4

import pytest

from matchmaking.models import Match, Pool
from realtime.models import Event, GameSession, Participant
from tests.factories import Rest, confirmed_match, notified_match, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(duel: Pool) -> GameSession:
    """The session of Ann and Bob."""
    queued("ann", duel)
    queued("bob", duel)
    return GameSession.objects.get(match_id=confirmed_match("ann", "bob").id)


def path(session: GameSession | str) -> str:
    return f"/sessions/{session.id if isinstance(session, GameSession) else session}"


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_player_sees_the_session(session: GameSession, base: str) -> None:
    answer = Rest("ann", base=base).get(path(session))
    assert answer.status == 200
    players = {p.user_id: str(p.id) for p in Participant.objects.all()}
    assert answer.body["session"].pop("created_at").endswith("Z")
    assert answer.body == {
        "session": {
            "session_id": str(session.id),
            "kind": "duel",
            "title": "",
            "match_id": str(session.match_id),
            "join_code": None,
            "join_url": None,
            "finished_at": None,
        },
        "phase": "lobby",
        "ends_at": None,
        "question": None,
        "time_left_ms": None,
        "correct_choice": None,
        "tally": None,
        "leaderboard": None,
        "participant_id": players["ann"],
        "score": 0,
        "answers": [],
        "participants": [
            {
                "participant_id": players[name],
                "display_name": name.title(),
                "connection_state": "temporarily_disconnected",
            }
            for name in ("ann", "bob")
        ],
        "locked": False,
    }


@pytest.mark.parametrize("malformed", ["nonsense", "%00", "9" * 300])
def test_a_session_of_another_tenant_or_of_nobody_is_the_same_404(
    session: GameSession, malformed: str
) -> None:
    random = Rest("ann").get(path(str(uuid4())))
    assert random.refusal == (404, "not_found")
    stranger = Rest("ann", tenant_id="acme")
    assert stranger.get(path(session)).body == random.body
    assert stranger.post(path(session) + "/leave").body == random.body
    assert Rest("ann").get(path(malformed)).body == random.body
    assert Rest("ann").post(path(malformed) + "/leave").body == random.body


def test_a_session_of_others_is_403(session: GameSession) -> None:
    assert Rest("mallory").get(path(session)).refusal == (403, "forbidden")
    assert Rest("mallory").post(path(session) + "/leave").refusal == (403, "forbidden")
    session.refresh_from_db()
    assert session.finished_at is None


def test_a_session_is_404_until_its_match_is_confirmed(duel: Pool) -> None:
    queued("ann", duel)
    queued("bob", duel)
    match = notified_match("ann", "bob")
    assert Rest("ann").get(path(str(match.session_id))).refusal == (404, "not_found")
    assert Rest("ann").post(path(str(match.session_id)) + "/leave").refusal == (404, "not_found")


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_who_leaves_ends_the_duel_for_both(session: GameSession, base: str) -> None:
    answer = Rest("ann", base=base).post(path(session) + "/leave")
    assert answer.status == 200
    assert answer.body["phase"] == "finished"
    assert answer.body["session"]["finished_at"].endswith("Z")
    states = [p["connection_state"] for p in answer.body["participants"]]
    assert states == ["disconnected", "temporarily_disconnected"]
    assert Rest("bob").get(path(session)).body["phase"] == "finished"
    assert Match.objects.get().status == "FINISHED"
    assert [Rest(name).join().status for name in ("ann", "bob")] == [201, 201]


def test_leaving_twice_is_leaving_once(session: GameSession) -> None:
    first = Rest("ann").post(path(session) + "/leave")
    events = list(Event.objects.filter(address=f"session:{session.id}").values_list("type", flat=True))
    assert events == ["participant_left", "game_state_update", "game_over"]
    assert Rest("ann").post(path(session) + "/leave").body == first.body
    assert Rest("bob").post(path(session) + "/leave").body["phase"] == "finished"
    assert Event.objects.filter(address=f"session:{session.id}").count() == 3
    assert not Participant.objects.filter(user_id="bob", left_at__isnull=False).exists()
