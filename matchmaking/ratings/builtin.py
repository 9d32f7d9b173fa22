"""Ratings of our own: the model of `domain.skill`."""

from collections.abc import Mapping
from datetime import datetime

from matchmaking.domain.skill import updated
from matchmaking.models import Match, Pool, RatingChange
from matchmaking.ratings import changes


def record(match: Match, pool: Pool, scores: Mapping[str, float], *, now: datetime) -> list[RatingChange]:
    """Change the ratings of a match's players by its scores."""
    game = changes.Game.of(match, pool, scores)
    after = updated(game.before, game.totals)
    new = {
        player.user_id: skill
        for team, skills in zip(game.teams, after, strict=True)
        for player, skill in zip(team, skills, strict=True)
    }
    return changes.write(game, new, now=now)
