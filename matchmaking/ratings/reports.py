"""Results that a rating service is told: once in effect, however often it takes, and whatever dies meanwhile.

That one is due is a column, written in the transaction that ends the match. Whoever takes it up writes down
first when it is due again, so that a process that is killed leaves it to another.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from matchmaking.domain.reports import report_pause_seconds
from matchmaking.models import Match, Rating
from matchmaking.ratings import changes
from matchmaking.ratings.service import Ratings, rating_service, reporting_breaker
from matchmaking.remote.breaker import State
from matchmaking.remote.calls import Failed, in_thread, run
from realtime.transport.database import database_now, update_each

log = structlog.get_logger(__name__)

AT_ONCE = 80
"""So many are told by one tick: some 5,000 matches a minute."""


def note_due(match: Match, *, now: datetime) -> None:
    """Write down that a match's result is to be told, in the transaction that ends it."""
    match.rating_report_due = now
    match.save(update_fields=["rating_report_due"])


def send(*, now: datetime) -> None:
    """Begin to tell what is due, one result every few seconds while the service fails."""
    due = Match.objects.filter(rating_report_due__lte=now)
    if not due.exists():
        return
    at_once = AT_ONCE if reporting_breaker.state() is State.CLOSED else int(reporting_breaker.takes_trial())
    for match in _claimed(at_once, now=now):
        run(_report(match.id, _body_of(match), tries=match.rating_reports))


def _claimed(at_once: int, *, now: datetime) -> list[Match]:
    """Return the results that have been due for longest, for this process alone until they are due again."""
    due = Match.objects.select_for_update(of=("self",), skip_locked=True).filter(rating_report_due__lte=now)
    with transaction.atomic():
        claimed = list(
            due.select_related("pool__shares_ratings_with")
            .prefetch_related("players")
            .order_by("rating_report_due", "id")[:at_once]
        )
        for match in claimed:
            pause = report_pause_seconds(match.rating_reports)
            match.rating_report_due = now + timedelta(seconds=pause)
            match.rating_reports += 1
        update_each(claimed, ["rating_report_due", "rating_reports"])
    return claimed


def _body_of(match: Match) -> dict[str, Any]:
    assert match.pool is not None  # noqa: S101 - without a pool nothing is due
    scores = _scores(match)
    return {
        "match_id": str(match.id),
        "tenant_id": match.tenant_id,
        "pool_key": (match.pool.shares_ratings_with or match.pool).key,
        "finished_at": (match.result or {})["finished_at"],
        "outcome": [
            {"user_id": player.user_id, "team": player.team, "score": scores[player.user_id]}
            for player in match.players.all()
            if player.user_id in scores
        ],
    }


def _scores(match: Match) -> dict[str, float]:
    return {entry["user_id"]: entry["score"] for entry in (match.result or {})["outcome"]}


async def _report(match_id: UUID, body: Mapping[str, Any], *, tries: int) -> None:
    try:
        new = await rating_service().report(match_id, body)
    except Failed as error:
        log.warning("result_not_reported", match=str(match_id), tries=tries, error=str(error))
        return
    await in_thread(_note_taken, match_id, new)


def _note_taken(match_id: UUID, new: Ratings) -> None:
    """Write down that a result was taken in, and once the new ratings, which a second answer may not say."""
    now = database_now()
    with transaction.atomic():
        match = _locked(match_id)
        is_news = bool(new) and not match.rating_changes.exists()
        if match.pool is None or not (match.rating_report_due or is_news):
            return
        match.rating_report_due = None
        match.save(update_fields=["rating_report_due"])
        game = changes.Game.of(match, match.pool, _scores(match))
        written = changes.write(game, new if is_news else {}, now=now)
        said = {change.user_id for change in written}
        for row in game.rows.values():
            # Of whom nothing is said is asked about at the next join.
            row.read_at = now if row.user_id in said else None
        Rating.objects.bulk_update(game.rows.values(), ["read_at"])
    log.info("result_reported", match=str(match_id), tries=match.rating_reports, ratings=len(written))


def _locked(match_id: UUID) -> Match:
    rows = Match.objects.select_for_update(of=("self",)).select_related("pool").prefetch_related("players")
    return rows.get(id=match_id)
