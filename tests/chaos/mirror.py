"""What a client holds of the server's state: a snapshot, and the events since."""

from dataclasses import dataclass
from typing import Any

from tests.chaos.history import Data


@dataclass
class Mirror:
    """One player's screen. Events come in order; one that comes twice changes nothing."""

    ticket: Data | None = None
    match: Data | None = None
    session_id: str | None = None
    last_seq: int = 0

    @property
    def is_playing(self) -> bool:
        """Whether a match has been confirmed and, as far as the client knows, goes on."""
        return self.match is not None and self.match["status"] == "CONFIRMED"

    def take(self, frame: Data) -> bool:
        """Take a frame in; return False where the client finds that it has missed something."""
        data = frame["data"]
        if frame["type"] == "state_restored":
            self.ticket, self.match, self.session_id = data["ticket"], data["match"], data["session_id"]
            self.last_seq = data["seq"]
        elif frame["type"] == "heartbeat_ping":
            return bool(data["seq"] <= self.last_seq)
        elif frame.get("seq") is not None and frame["seq"] > self.last_seq:
            is_next = bool(frame["seq"] == self.last_seq + 1)
            self.last_seq = frame["seq"]
            self._apply(frame["type"], data)
            return is_next
        return True

    def _apply(self, kind: str, data: Data) -> None:
        match kind:
            case "queue_joined":
                self.ticket = data
            case "queue_cancelled":
                self.ticket = self.match = self.session_id = None
            case "match_found":
                self.match = {**data, "status": "PROPOSED"}
            case "match_ready":
                self.ticket, self.session_id = None, data.get("session_id")
                self.match = {**data, "status": "CONFIRMED"}
            case "match_cancelled":
                self.match = self.session_id = None
                if not data["requeued"]:
                    self.ticket = None

    def forget_match(self) -> None:
        """Note that the game is over, which the session's own socket tells."""
        self.match = self.session_id = None

    def gist(self) -> Data:
        """Return what has to equal the server's own answer."""
        return gist_of({"ticket": self.ticket, "match": self.match, "session_id": self.session_id})


def gist_of(active: Data) -> Data:
    """Return those parts of an active state of which clients are told each change."""
    ticket: Any = active["ticket"] or {}
    match: Any = active["match"] or {}
    return {
        "ticket": ticket.get("queue_entry_id"),
        "queued_at": ticket.get("queued_at"),
        "match": match.get("match_id"),
        "match_status": match.get("status"),
        "session": active["session_id"],
    }
