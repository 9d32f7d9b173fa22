"""A run of parties, told by hand: one is matched with two others, one leaves the queue with all of it."""

from typing import Any

from tests.chaos.rows import PartyRow
from tests.chaos.story import Story


class PartyStory(Story):
    """A story whose players have parties in a pool of two against two."""

    def party(self, at: float, party_id: str, *members: str) -> None:
        self.rows["parties"][party_id] = PartyRow(id=party_id, leader=members[0], members=members)
        view: dict[str, Any] = {
            "party_id": party_id,
            "leader": members[0],
            "status": "IDLE",
            "members": [{"user_id": who} for who in members],
        }
        for who in members:
            self.tell(at, who, "party_updated", **view)

    def queue(self, at: float, *members: str, party: str | None = None) -> None:
        for who in members:
            self.join(at, who)
            self.spoil("tickets", f"ticket-{who}-1", pool="teams", needed=4, party=party)


def parties() -> PartyStory:
    """Ann and Bob queue as one and play against Cid and Dan; Eve leaves the queue, and Fay with her."""
    story = PartyStory()
    for who in ("ann", "bob", "cid", "dan", "eve", "fay"):
        story.connect(0.5, who)
    story.party(0.6, "p", "ann", "bob")
    story.party(0.7, "q", "eve", "fay")
    story.queue(1.0, "ann", "bob", party="p")
    story.queue(1.1, "cid")
    story.queue(1.2, "dan")
    _play(story, "ann", "bob", "cid", "dan")
    story.queue(4.0, "eve", "fay", party="q")
    story.send(5.0, "eve", "leave_queue")
    for who in ("eve", "fay"):
        story.end_ticket(5.1, f"ticket-{who}-1", "CANCELLED", "user_request")
        story.tell(5.1, who, "queue_cancelled", queue_entry_id=f"ticket-{who}-1", reason="user_request")
    return story


def _play(story: PartyStory, *players: str) -> None:
    story.reserve(1.3, "m", *players)
    for number, who in enumerate(players):
        story.spoil("seats", ("m", who), team=1 + number // 2)
        story.ping(1.4, "m", who)
        story.find(1.6, "m", who)
        told: dict[str, Any] = {"match_id": "m", "game_id": "m", "session_id": None}
        story.tell(1.9, who, "match_ready", **told)
        story.end_ticket(1.9, f"ticket-{who}-1", "MATCHED", match_id="m")
    story.spoil("matches", "m", status="FINISHED", confirmed_at=1.9, finished_at=3.0, team_size=2)
