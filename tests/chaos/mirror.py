"""What a client holds of the server's state: a snapshot, and the events since."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.history import Data


@dataclass
class Mirror:
    """One player's screen. Events come in order; one that comes twice changes nothing.

    ``incoming`` and ``outgoing`` are the challenges that wait, ``invitations`` the parties to join, by id.
    """

    name: str
    ticket: Data | None = None
    match: Data | None = None
    session_id: str | None = None
    last_seq: int = 0
    incoming: dict[str, Data] = field(default_factory=dict)
    outgoing: dict[str, Data] = field(default_factory=dict)
    party: Data | None = None
    invitations: list[str] = field(default_factory=list)

    @property
    def is_playing(self) -> bool:
        """Whether a match has been confirmed and, as far as the client knows, goes on."""
        return self.match is not None and self.match["status"] == "CONFIRMED"

    def take(self, frame: Data) -> bool:
        """Take a frame in; return False where the client finds that it has missed something."""
        data = frame["data"]
        if frame["type"] == "state_restored":
            self._restore(data)
        elif frame["type"] == "heartbeat_ping":
            return bool(data["seq"] <= self.last_seq)
        elif frame.get("seq") is not None and frame["seq"] > self.last_seq:
            is_next = bool(frame["seq"] == self.last_seq + 1)
            self.last_seq = frame["seq"]
            self._apply(frame["type"], data)
            return is_next
        return True

    def _restore(self, data: Data) -> None:
        self.ticket, self.match, self.session_id = data["ticket"], data["match"], data["session_id"]
        self.incoming, self.outgoing = (_by_id(data["challenges"][way]) for way in ("incoming", "outgoing"))
        self.party, self.last_seq = data["party"], data["seq"]

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
            case _:
                self._apply_of_others(kind, data)

    def _apply_of_others(self, kind: str, data: Data) -> None:
        """Take in what others bring about; of a challenge that waits, only who makes it hears an update."""
        match kind:
            case "challenge_received":
                self.incoming[data["challenge_id"]] = data
            case "challenge_updated" if data["status"] == "PENDING":
                self.outgoing[data["challenge_id"]] = data
            case "challenge_updated":
                self.incoming.pop(data["challenge_id"], None)
                self.outgoing.pop(data["challenge_id"], None)
            case "party_invited":
                self.invitations.append(data["party_id"])
            case "party_updated":
                self._apply_party(data)

    def _apply_party(self, data: Data) -> None:
        if self.name in member_ids(data):
            self.party = data
        elif self.party is not None and self.party["party_id"] == data["party_id"]:
            self.party = None

    def forget_match(self) -> None:
        """Note that the game is over, which the session's own socket tells."""
        self.match = self.session_id = None

    def gist(self) -> Data:
        """Return what has to equal the server's own answer."""
        return gist_of(
            {
                "ticket": self.ticket,
                "match": self.match,
                "session_id": self.session_id,
                "challenges": {
                    "incoming": list(self.incoming.values()),
                    "outgoing": list(self.outgoing.values()),
                },
                "party": self.party,
            }
        )


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
        "challenges": {way: sorted(_by_id(waiting)) for way, waiting in active["challenges"].items()},
        "party": party_gist(active["party"]),
    }


def party_gist(party: Data | None) -> Data | None:
    """Return those parts of a party that only its members and their tickets and matches change."""
    if party is None:
        return None
    named = {name: party[name] for name in ("party_id", "leader", "status")}
    return named | {"members": member_ids(party)}


def member_ids(party: Data | None) -> list[str]:
    """Return who is in a party, in the order of joining."""
    return [member["user_id"] for member in party["members"]] if party else []


def _by_id(challenges: Iterable[Data]) -> dict[str, Data]:
    return {challenge["challenge_id"]: challenge for challenge in challenges}
