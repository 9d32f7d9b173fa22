"""A match told step by step, from what its rows say: for staff, who want to know what happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from matchmaking.domain.health import latency_ms
from matchmaking.models import Match, MatchPlayer

_OUTCOMES = {
    MatchPlayer.Outcome.REQUEUED: "is back at its place in the queue",
    MatchPlayer.Outcome.REQUEUED_FLAGGED: "keeps its place, and is not matched before it is heard from",
    MatchPlayer.Outcome.LEFT: "has left the queue",
    MatchPlayer.Outcome.DECLINED: "has declined, and left the queue",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, and when."""

    at: datetime
    what: str


def timeline(match: Match) -> list[Entry]:
    """Return what happened to a match, in order; its players should be prefetched."""
    # A stable sort: what is of the same instant stays in the order in which it is told.
    return sorted(_entries(match), key=lambda entry: entry.at)


def _entries(match: Match) -> Iterator[Entry]:
    players = list(match.players.all())
    names = " and ".join(player.display_name for player in players)
    yield from _step(match.created_at, f"{names} reserved")
    yield from _step(match.pinged_at, "pinged")
    for player in players:
        yield from _answer(player, "answered the ping", match.pinged_at, player.answered_at)
    yield from _step(match.asked_at, "game asked for")
    yield from _step(match.told_at, f"match_found sent, game {match.game_id}")
    for player in players:
        yield from _answer(player, "acknowledged", match.told_at, player.acknowledged_at)
    for player in players:
        yield from _answer(player, "accepted", match.told_at, player.accepted_at)
    yield from _step(match.confirmed_at, "confirmed")
    if match.status == Match.Status.CANCELLED:
        yield from _end_of_attempt(match, players)
    elif match.not_playing_since is not None:
        yield Entry(match.not_playing_since, "the game host says that nobody plays")
    if match.status == Match.Status.FINISHED:
        yield from _step(match.finished_at, "finished")


def _step(at: datetime | None, what: str) -> Iterator[Entry]:
    if at is not None:
        yield Entry(at, what)


def _answer(player: MatchPlayer, what: str, asked: datetime | None, at: datetime | None) -> Iterator[Entry]:
    if at is not None:
        yield Entry(at, f"{player.display_name} {what} after {latency_ms(asked, at):.0f} ms")


def _end_of_attempt(match: Match, players: list[MatchPlayer]) -> Iterator[Entry]:
    if match.finished_at is None:
        return
    at = match.finished_at
    yield Entry(at, f"rolled back while {match.failed_stage}: {match.cancel_reason}")
    for player in players:
        yield Entry(at, f"{player.display_name}{_connection(player)} {_OUTCOMES.get(player.outcome, '')}")  # type: ignore[call-overload]  # a text is looked up
    if match.asked_at is not None:
        yield Entry(
            at, "the game host has yet to cancel the game" if match.game_cancel_due else "game cancelled"
        )


def _connection(player: MatchPlayer) -> str:
    if player.connections is None:
        return ""
    seen = f", last heard from at {player.heard_at:%H:%M:%S}" if player.heard_at else ", never heard from"
    connections = "1 connection" if player.connections == 1 else f"{player.connections} connections"
    return f" ({connections}{seen})"
