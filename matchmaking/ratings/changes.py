"""What a match did to ratings, written down: the ratings themselves, and their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from matchmaking.domain.skill import Skill, expected_shares
from matchmaking.models import Match, MatchPlayer, Pool, Rating, RatingChange
from realtime.domain.duels import shares_beaten


@dataclass(frozen=True, slots=True)
class Game:
    """A match with its score: players and ratings by team, each rating's row locked."""

    match: Match
    teams: list[list[MatchPlayer]]
    rows: dict[str, Rating]
    before: list[list[Skill]]
    totals: list[float]

    @classmethod
    def of(cls, match: Match, pool: Pool, scores: Mapping[str, float]) -> Self:
        """Lock the ratings of a match's players, made where there were none."""
        teams = _teams(match)
        rows = _locked_rows(pool, [player for team in teams for player in team])
        return cls(
            match=match,
            teams=teams,
            rows=rows,
            before=[[rows[player.user_id].skill for player in team] for team in teams],
            totals=[sum(scores.get(player.user_id, 0.0) for player in team) for team in teams],
        )


def write(game: Game, after: Mapping[str, Skill], *, now: datetime) -> list[RatingChange]:
    """Give players their new ratings, by user id; who has none keeps the old one."""
    shares = zip(game.teams, expected_shares(game.before), shares_beaten(game.totals), strict=True)
    new = [
        _changed(
            game.match,
            game.rows[player.user_id],
            after[player.user_id],
            expected=expected,
            score=share,
            now=now,
        )
        for team, expected, share in shares
        for player in team
        if player.user_id in after
    ]
    rows = [game.rows[change.user_id] for change in new]
    Rating.objects.bulk_update(rows, ["value", "deviation", "games", "updated_at"])
    return RatingChange.objects.bulk_create(new)


def _teams(match: Match) -> list[list[MatchPlayer]]:
    teams: dict[int, list[MatchPlayer]] = {}
    for player in match.players.exclude(outcome=MatchPlayer.Outcome.REPLACED):
        teams.setdefault(player.team, []).append(player)
    return [teams[number] for number in sorted(teams)]


def _locked_rows(pool: Pool, players: Sequence[MatchPlayer]) -> dict[str, Rating]:
    """Return the players' rows, made where there was none, all locked."""
    missing = [
        Rating(tenant_id=player.tenant_id, user_id=player.user_id, pool_id=pool.rating_pool_id)
        for player in players
    ]
    Rating.objects.bulk_create(missing, ignore_conflicts=True)
    user_ids = [player.user_id for player in players]
    rows = Rating.objects.select_for_update().filter(pool_id=pool.rating_pool_id, user_id__in=user_ids)
    return {row.user_id: row for row in rows.order_by("id")}


def _changed(
    match: Match, row: Rating, skill: Skill, *, expected: float, score: float, now: datetime
) -> RatingChange:
    change = RatingChange(
        match=match,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        pool_id=row.pool_id,
        value_before=row.value,
        value_after=skill.value,
        deviation_before=row.deviation,
        deviation_after=skill.deviation,
        expected=expected,
        score=score,
        at=now,
    )
    row.value, row.deviation = skill.value, skill.deviation
    row.games += 1
    row.updated_at = now
    return change
