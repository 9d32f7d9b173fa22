"""The end of matches: by the session's end, by what the host says, by their age; and of games left behind."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from matchmaking import ratings
from matchmaking.domain.matches import Cause
from matchmaking.domain.skill import Skill
from matchmaking.hosts import Question, game_host
from matchmaking.models import Match, MatchPlayer, RatingChange
from matchmaking.services import backfills, party_events
from matchmaking.services.matches import ASK_PLAYING_SECONDS
from matchmaking.services.rollback import Failure, log_match, roll_back_all
from realtime.domain.duels import shares_beaten
from realtime.protocol.parts import RatingChange as RatingChangePart
from realtime.transport.database import OUTAGES, database_now, update_each
from realtime.transport.events import emit

log = structlog.get_logger(__name__)

CANCEL_AGAIN_SECONDS = 10
"""A host that did not cancel a game is asked again after so long; longer than a call may take."""
AT_ONCE = 1000
"""So many are taken by one tick: some 30,000 matches can be asked about every 30 s."""


def finish(match_id: UUID, outcome: Mapping[str, float] | None, now: datetime) -> dict[str, RatingChangePart]:
    """End a confirmed match, so that its players can queue again; without an outcome its result is null.

    ``outcome`` is by user; returned is what it has done to ratings, by user as well.
    """
    with transaction.atomic():
        ended = _finish([match_id], why="session_finished", now=now)
        if not ended or outcome is None:
            return {}
        changes = _note_result(ended[0], outcome, finished_at=now, now=now)
    return {change.user_id: _rated(change) for change in changes}


def _rated(change: RatingChange) -> RatingChangePart:
    after = Skill(change.value_after, change.deviation_after)
    return RatingChangePart(before=change.value_before, after=after.value, provisional=after.is_provisional)


def end_with_result(
    match: Match, outcome: Mapping[str, float], *, finished_at: datetime, now: datetime
) -> list[RatingChange]:
    """End a match whose row is locked with a result, if it has not ended; return what it does to ratings."""
    for ended in _finish([match.id], why="result", now=now):
        match.status, match.finished_at = ended.status, ended.finished_at
    return _note_result(match, outcome, finished_at=finished_at, now=now)


def _note_result(
    match: Match, outcome: Mapping[str, float], *, finished_at: datetime, now: datetime
) -> list[RatingChange]:
    outcome = _of_those_who_stayed(match, outcome)
    scores = [{"user_id": user_id, "score": score} for user_id, score in outcome.items()]
    match.result = {"outcome": scores, "finished_at": rfc3339(finished_at)}
    match.save(update_fields=["result"])
    return ratings.record(match, outcome, now=now)


def _of_those_who_stayed(match: Match, outcome: Mapping[str, float]) -> Mapping[str, float]:
    """Return an outcome without players who were replaced; of two who are left, what each has won."""
    replaced = match.players.filter(outcome=MatchPlayer.Outcome.REPLACED)
    gone = set(replaced.values_list("user_id", flat=True)) & outcome.keys()
    stayed = {user_id: score for user_id, score in outcome.items() if user_id not in gone}
    if gone and len(stayed) == 2:
        return dict(zip(stayed, shares_beaten(list(stayed.values())), strict=True))
    return stayed


def rfc3339(at: datetime) -> str:
    """Return a time as all answers have it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _finish(match_ids: Iterable[UUID], *, why: str, now: datetime, ends_game: bool = False) -> list[Match]:
    """End confirmed matches; with ``ends_game`` the host is told to end their games, too."""
    with transaction.atomic():
        ended = list(
            Match.objects.select_for_update(of=("self",))
            .filter(id__in=list(match_ids), status=Match.Status.CONFIRMED)
            .select_related("pool")
            .prefetch_related("players")
            .order_by("id")
        )
        for match in ended:
            match.status, match.finished_at, match.retry_at = Match.Status.FINISHED, now, None
            match.game_cancel_due = ends_game
            match.players.update(is_live=False)
        update_each(ended, ["status", "finished_at", "retry_at", "game_cancel_due"])
        on_the_way = backfills.note_ended(ended, now=now)
        if on_the_way:
            failures = dict.fromkeys(on_the_way, Failure(Cause.LEFT))
            # Not inside: a match on the way is locked before the one that it leads to.
            transaction.on_commit(lambda: roll_back_all(failures, now=now), robust=True)
        emit(party_events.of_players(p for match in ended for p in match.players.all()), now=now)
    for match in ended:
        log_match("match_finished", match, why=why)
    return ended


def end_overlong(*, now: datetime) -> int:
    """End matches that nobody has ended for too long, and their games; return how many."""
    too_old = now - timedelta(seconds=settings.MAX_GAME_SECONDS)
    old = Match.objects.filter(status=Match.Status.CONFIRMED, confirmed_at__lte=too_old)
    ids = list(old.values_list("id", flat=True)[:AT_ONCE])
    return len(_finish(ids, why="max_game_seconds", now=now, ends_game=True)) if ids else 0


def end_by_staff(match_ids: Iterable[UUID], *, now: datetime) -> int:
    """End confirmed matches and their games, as staff wish; return how many."""
    return len(_finish(match_ids, why="staff", now=now, ends_game=True))


# --- what the host says


def ask_who_plays(*, now: datetime) -> None:
    """Ask the host about confirmed matches, each every 30 s, where it does not tell us itself."""
    if not game_host().is_asked_who_plays:
        return
    due = _claimed(
        Match.objects.filter(status=Match.Status.CONFIRMED, retry_at__lte=now),
        until=now + timedelta(seconds=ASK_PLAYING_SECONDS),
    )
    if due:
        game_host().ask_playing([_question(match) for match in due], note_playing)


def _question(match: Match) -> Question:
    return Question(
        match_id=match.id,
        game_id=match.game_id or "",
        tenant_id=match.tenant_id,
        user_ids=[p.user_id for p in match.players.all() if p.outcome != MatchPlayer.Outcome.REPLACED],
    )


def note_playing(is_on: Mapping[UUID, bool]) -> None:
    """Write down what the host says: a match that twice, 30 s apart, nobody played has ended."""
    now = database_now()
    on = Match.objects.filter(status=Match.Status.CONFIRMED)
    on.filter(id__in=[match_id for match_id, plays in is_on.items() if plays]).update(not_playing_since=None)
    silent = on.filter(id__in=[match_id for match_id, plays in is_on.items() if not plays])
    # Two answers 30 s apart may be written down a little less than that apart.
    long_ago = now - timedelta(seconds=ASK_PLAYING_SECONDS - 1)
    over = list(silent.filter(not_playing_since__lte=long_ago).values_list("id", flat=True))
    silent.filter(not_playing_since=None).update(not_playing_since=now)
    if over:
        _finish(over, why="not_playing", now=now)


# --- games that were left behind


def cancel_games(*, now: datetime) -> None:
    """Ask the host to cancel the games that rolled back matches may have left; until it has, again."""
    due = _claimed(
        Match.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), game_cancel_due=True),
        until=now + timedelta(seconds=CANCEL_AGAIN_SECONDS),
    )
    for match in due:
        try:
            _cancel_game(match, now=now)
        except OUTAGES:
            raise
        except Exception:
            # It is tried again; the other games are not to wait for it.
            log.exception("game_not_cancelled", match=str(match.id))


def _cancel_game(match: Match, *, now: datetime) -> None:
    def done() -> None:
        Match.objects.filter(id=match.id).update(game_cancel_due=False, retry_at=None)

    game_host().cancel(match.tenant_id, match.id, done, now=now)


def _claimed(due: QuerySet[Match], *, until: datetime) -> list[Match]:
    """Return what has been due for longest, for this worker alone: nobody else takes it before ``until``."""
    longest_due_first = F("retry_at").asc(nulls_first=True), "id"
    with transaction.atomic():
        taken = list(due.select_for_update(skip_locked=True).order_by(*longest_due_first)[:AT_ONCE])
        Match.objects.filter(id__in=[match.id for match in taken]).update(retry_at=until)
    return list(Match.objects.filter(id__in=[m.id for m in taken]).prefetch_related("players"))
