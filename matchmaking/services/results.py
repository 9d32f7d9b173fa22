"""Results that a game server reports: each once, however often it is sent."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from matchmaking.domain.errors import MatchNotConfirmed, MatchNotFound, ResultConflict
from matchmaking.models import Match, MatchPlayer
from matchmaking.services import endings
from realtime.protocol.errors import InvalidRequest
from realtime.protocol.parts import Result

log = structlog.get_logger(__name__)


def report(tenant_id: str, match_id: UUID | None, result: Result, *, now: datetime) -> Match:
    """Take a result in; the match is finished by it, and the ratings change, once.

    The same result again changes nothing. A late one counts where the match was ended without any. Raises
    `MatchNotFound`, `MatchNotConfirmed`, `ResultConflict` for a second, different one, and `InvalidRequest`
    where it does not speak of exactly the match's players.
    """
    with transaction.atomic():
        match = _locked(tenant_id, match_id)
        outcome = _outcome(match, result)
        if match.status not in {Match.Status.CONFIRMED, Match.Status.FINISHED}:
            raise MatchNotConfirmed
        if match.result is None:
            endings.end_with_result(match, outcome, finished_at=result.finished_at, now=now)
        elif _scores(match.result) != outcome:
            log.warning("result_conflict", match=str(match.id), tenant=tenant_id)
            raise ResultConflict
    return match


def _locked(tenant_id: str, match_id: UUID | None) -> Match:
    if match_id is None:
        raise MatchNotFound
    matches = Match.objects.select_for_update(of=("self",)).filter(tenant_id=tenant_id, id=match_id)
    match = matches.select_related("pool").prefetch_related("players").first()
    if match is None:
        raise MatchNotFound
    return match


def _outcome(match: Match, result: Result) -> dict[str, float]:
    outcome = {entry.user_id: entry.score for entry in result.outcome}
    stayed = match.players.exclude(outcome=MatchPlayer.Outcome.REPLACED)
    is_whole = outcome.keys() == {player.user_id for player in stayed}
    if not is_whole or len(outcome) != len(result.outcome):
        raise InvalidRequest("The outcome has to name each player who stayed once", field="outcome")
    return outcome


def _scores(result: dict[str, object]) -> dict[str, float]:
    entries: list[dict[str, object]] = result["outcome"]  # type: ignore[assignment]  # as endings writes it
    return {str(entry["user_id"]): float(entry["score"]) for entry in entries}  # type: ignore[arg-type]
