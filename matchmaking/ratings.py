"""Where ratings come from: built in, one per player and pool; several pools may share theirs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from matchmaking.domain.skill import Skill, expected_shares, updated
from matchmaking.models import Match, MatchPlayer, Pool, Rating, RatingChange
from realtime.domain.duels import shares_beaten


def ratings_of(pool: Pool, user_ids: Sequence[str]) -> dict[str, Skill]:
    """Return the players' ratings in a pool, on the familiar 1500 scale."""
    rows = Rating.objects.filter(pool_id=pool.rating_pool_id, user_id__in=user_ids)
    return dict.fromkeys(user_ids, Skill()) | {row.user_id: row.skill for row in rows}


def rating_of(pool: Pool, user_id: str) -> float:
    """Return a player's rating in a pool."""
    return ratings_of(pool, [user_id])[user_id].value


def record(match: Match, scores: Mapping[str, float], *, now: datetime) -> list[RatingChange]:
    """Change the ratings of a finished match's players, once; ``scores`` are by user, higher is better.

    To be called in the transaction that ends the match, with its row locked. A match that is not rated, that
    has no pool, or whose ratings were changed before changes none.
    """
    if not match.rated or match.pool is None or match.rating_changes.exists():
        return []
    teams = _teams(match)
    rows = _locked_rows(match.pool, [player for team in teams for player in team])
    before = [[rows[player.user_id].skill for player in team] for team in teams]
    totals = [sum(scores.get(player.user_id, 0.0) for player in team) for team in teams]
    after = updated(before, totals)
    changes = [
        _changed(match, rows[player.user_id], skill, expected=expected, score=share, now=now)
        for team, skills, expected, share in zip(
            teams, after, expected_shares(before), shares_beaten(totals), strict=True
        )
        for player, skill in zip(team, skills, strict=True)
    ]
    Rating.objects.bulk_update(rows.values(), ["value", "deviation", "games", "updated_at"])
    return RatingChange.objects.bulk_create(changes)


def _teams(match: Match) -> list[list[MatchPlayer]]:
    teams: dict[int, list[MatchPlayer]] = {}
    for player in match.players.all():
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
