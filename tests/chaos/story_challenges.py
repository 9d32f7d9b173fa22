"""A run of challenges, told by hand: one of each end, one that crosses another, one that failed at first."""

from typing import Any

from tests.chaos.rows import ChallengeRow, GameRow, SessionRow
from tests.chaos.story import Story

CHALLENGES = "/matchmaking/challenges"
WAITS_SECONDS = 10


class ChallengeStory(Story):
    """A story whose players challenge each other."""

    def view(self, challenge_id: str) -> dict[str, Any]:
        row: ChallengeRow = self.rows["challenges"][challenge_id]
        is_accepted = row.status == "ACCEPTED"
        return {
            "challenge_id": row.id,
            "challenger": {"user_id": row.challenger},
            "opponent": {"user_id": row.opponent} if row.opponent else None,
            "status": row.status,
            "match_id": row.match_id if is_accepted else None,
            "game_id": row.game_id if is_accepted else None,
        }

    def challenge(self, at: float, challenge_id: str, who: str, whom: str | None = None) -> None:
        self.rows["challenges"][challenge_id] = ChallengeRow(
            id=challenge_id,
            challenger=who,
            opponent=whom,
            status="PENDING",
            created_at=at,
            expires_at=at + WAITS_SECONDS,
            is_open=whom is None,
        )
        self.respond(at, who, CHALLENGES, status=201, body=self.view(challenge_id))
        self.tell(at, who, "challenge_updated", **self.view(challenge_id))
        if whom is not None:
            self.tell(at, whom, "challenge_received", **self.view(challenge_id))

    def end_challenge(self, at: float, challenge_id: str, status: str, **values: Any) -> None:
        self.spoil("challenges", challenge_id, status=status, ended_at=at, **values)
        row = self.rows["challenges"][challenge_id]
        for who in (row.challenger, row.opponent):
            if who is not None:
                self.tell(at, who, "challenge_updated", **self.view(challenge_id))

    def respond(
        self,
        at: float,
        who: str,
        path: str,
        *,
        body: dict[str, Any],
        status: int = 200,
        seconds: float = 0.02,
    ) -> None:
        asked = at - 0.01
        told = {"of": asked, "method": "POST", "path": path, "status": status, "body": body}
        self.see(asked, who, "request", method="POST", path=path, body=None)
        self.see(asked + seconds, who, "response", **told)

    def say(self, at: float, who: str, action: str, challenge_id: str, *, seconds: float = 0.02) -> None:
        path = f"{CHALLENGES}/{challenge_id}/{action}"
        self.respond(at, who, path, body=self.view(challenge_id), seconds=seconds)

    def refuse(self, at: float, who: str, path: str, *, code: str, detail: str = "") -> None:
        self.respond(at, who, f"{CHALLENGES}/{path}", status=409, body={"code": code, "detail": detail})

    def arrange(self, at: float, match_id: str, *players: str) -> None:
        self.reserve(at, match_id, *players)
        self.spoil("matches", match_id, is_arranged=True)
        for who in players:
            if f"ticket-{who}-1" not in self.rows["tickets"]:
                self.spoil("seats", (match_id, who), ticket_id=None)


def challenges() -> ChallengeStory:
    """Ann and Bob, who queues, ask each other and play; Cid asks anybody, declines, and has one to answer."""
    story = ChallengeStory()
    for who in ("ann", "bob", "cid"):
        story.connect(0.5, who)
    story.join(0.8, "bob")
    story.challenge(1.0, "c1", "ann", "bob")
    story.challenge(1.1, "c2", "bob", "ann")
    _accept_first(story)
    story.challenge(4.0, "open", "cid")
    story.challenge(5.0, "c3", "ann", "cid")
    _fail_third(story, 5.2, "n")
    _fail_third(story, 6.5, "o")
    story.end_challenge(8.0, "c3", "DECLINED", match_id=None)
    story.say(8.0, "cid", "decline", "c3")
    story.end_challenge(14.5, "open", "EXPIRED")
    story.challenge(35.0, "c4", "bob", "cid")
    waiting = {"incoming": [story.view("c4")], "outgoing": []}
    story.see(36.0, "cid", "opening", conn=2, web=0, last_seq=story.seq["cid"])
    story.see(36.0, "cid", "opened", conn=2, web=0)
    story.restore(36.0, "cid", story.seq["cid"], [], conn=2, challenges=waiting)
    return story


def _accept_first(story: ChallengeStory) -> None:
    """Bob accepts Ann's: his ticket ends for the game, and his own challenge to her, too."""
    story.arrange(1.2, "m", "ann", "bob")
    for who in ("ann", "bob"):
        story.ping(1.3, "m", who)
        story.find(1.5, "m", who)
    story.end_ticket(1.8, "ticket-bob-1", "CANCELLED", "user_request", match_id="m")
    story.tell(1.8, "bob", "queue_cancelled", queue_entry_id="ticket-bob-1", reason="user_request")
    for who in ("ann", "bob"):
        story.tell(1.8, who, "match_ready", match_id="m", game_id="s", session_id="s")
    story.end_challenge(1.8, "c1", "ACCEPTED", match_id="m", game_id="s")
    story.end_challenge(1.8, "c2", "CANCELLED")
    story.say(1.2, "bob", "accept", "c1", seconds=0.65)
    story.spoil(
        "matches", "m", status="FINISHED", confirmed_at=1.8, finished_at=3.0, session_id="s", game_id="s"
    )
    story.rows["sessions"]["s"] = SessionRow(id="s", match_id="m", finished_at=3.0)
    story.rows["games"]["m"] = GameRow(match_id="m", state="finished")


def _fail_third(story: ChallengeStory, at: float, match_id: str) -> None:
    """Cid accepts what Ann asks, and she does not answer: neither of them had a ticket."""
    story.arrange(at, match_id, "ann", "cid")
    story.ping(at + 0.1, match_id, "ann", answered=False)
    story.ping(at + 0.1, match_id, "cid")
    values = {"status": "CANCELLED", "cause": "unreachable", "finished_at": at + 1.1, "deadline": at + 1}
    story.spoil("matches", match_id, **values)
    for who, reason in (("ann", "you_unreachable"), ("cid", "opponent_unreachable")):
        told: dict[str, Any] = {"match_id": match_id, "reason": reason}
        story.tell(at + 1.1, who, "match_cancelled", **told, requeued=False, queue_entry_id=None)
    detail = "The other player did not answer in time"
    story.refuse(at + 1.2, "cid", "c3/accept", code="cannot_accept_challenge", detail=detail)
