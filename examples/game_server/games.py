"""Which games there are, and which matches must never get one: rules alone, no HTTP, no clock, no lock.

Every question may be asked again, because whoever asks cannot tell a lost question from a lost answer.
"""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

# Longer than any create can be under way; after that, a cancelled match that never had a game is forgotten.
REMEMBER_SECONDS = 3600


class State(StrEnum):
    """Where a game is; what is over stays as it ended."""

    PLAYING = "playing"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class MatchCancelled(Exception):
    """A game is asked for a match that was cancelled before."""


@dataclass(frozen=True, slots=True)
class NewGame:
    """What is asked for: the match is the key, and its players sit down in the game."""

    match_id: str
    tenant_id: str
    user_ids: tuple[str, ...]


@dataclass(slots=True)
class Game:
    """One game, for one match."""

    game_id: str
    wanted: NewGame
    state: State = State.PLAYING


class Games:
    """All games. Times are seconds, by any clock that never goes back.

    Games that are over are kept, so that a test can look back; a server that runs for long would put
    them away.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Game] = {}
        self._by_match: dict[str, Game] = {}
        self._by_player: dict[tuple[str, str], list[Game]] = defaultdict(list)
        # Cancelled matches and when each is forgotten, the next one first.
        self._forget_at: dict[str, float] = {}

    def create(self, wanted: NewGame, *, game_id: str, now: float) -> tuple[Game, bool]:
        """Return the match's game, and whether it is new: then it has the given id.

        Raises MatchCancelled for a match that was cancelled: the players were told long ago that nothing
        comes of it, and a game that began now would wait for them in vain.
        """
        known = self._by_match.get(wanted.match_id)
        if wanted.match_id in self.cancelled_matches(now=now) or (known and known.state is State.CANCELLED):
            raise MatchCancelled
        if known:
            return known, False
        game = Game(game_id, wanted)
        self._by_id[game_id] = self._by_match[wanted.match_id] = game
        for user_id in wanted.user_ids:
            self._by_player[wanted.tenant_id, user_id].append(game)
        return game, True

    def cancel(self, match_id: str, *, now: float) -> bool:
        """See to it that the match has no game now or later; return whether a running one was ended.

        A match that nobody has heard of is remembered too: its create may still be on the way.
        """
        self._forget_at.pop(match_id, None)  # To the end of the line again.
        self._forget_at[match_id] = now + REMEMBER_SECONDS
        game = self._by_match.get(match_id)
        if game is None or game.state is not State.PLAYING:
            return False
        game.state = State.CANCELLED
        return True

    def finish(self, game_id: str) -> Game | None:
        """End a game as players do; a game that is over already stays as it is."""
        game = self._by_id.get(game_id)
        if game and game.state is State.PLAYING:
            game.state = State.FINISHED
        return game

    def active(self, tenant_id: str, user_id: str) -> Game | None:
        """Return the newest game that the user is playing."""
        games = self._by_player.get((tenant_id, user_id), [])
        while games and games[-1].state is not State.PLAYING:
            games.pop()
        return games[-1] if games else None

    def get(self, game_id: str) -> Game | None:
        """Return a game by its id."""
        return self._by_id.get(game_id)

    def all(self) -> list[Game]:
        """Return all games, the oldest first."""
        return list(self._by_id.values())

    def cancelled_matches(self, *, now: float) -> list[str]:
        """Return the cancelled matches that are still remembered."""
        while self._forget_at and (oldest := next(iter(self._forget_at))):
            if self._forget_at[oldest] > now:
                break
            del self._forget_at[oldest]
        return list(self._forget_at)
