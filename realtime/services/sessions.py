"""Sessions of matches: made, forbidden, and their players let in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from realtime.models import GameSession, Participant
from realtime.services import participants, question_sets, rooms


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be made for a match, with its players as (user id, display name)."""

    tenant_id: str
    match_id: UUID
    players: Sequence[tuple[str, str]]


def create_sessions(sessions: Iterable[NewSession], *, now: datetime) -> dict[UUID, UUID]:
    """Make a session for each match; return session ids by match id.

    Asked twice for a match, it is the same session; a match that was cancelled before has none.
    """
    wanted = {session.match_id: session for session in sessions}
    sets = question_sets.for_duels({session.tenant_id for session in wanted.values()})
    with transaction.atomic():
        GameSession.objects.bulk_create(
            [
                GameSession(
                    tenant_id=s.tenant_id,
                    match_id=s.match_id,
                    questions=question_sets.drawn(sets[s.tenant_id]),
                    created_at=now,
                )
                for s in wanted.values()
            ],
            ignore_conflicts=True,
        )
        made = GameSession.objects.filter(match_id__in=wanted, finished_at=None)
        ids = {session.match_id: session.id for session in made if session.match_id is not None}
        Participant.objects.bulk_create(
            [
                Participant(session_id=session_id, user_id=user_id, display_name=display_name)
                for match_id, session_id in ids.items()
                for user_id, display_name in wanted[match_id].players
            ],
            ignore_conflicts=True,
        )
    return ids


def cancel_session(tenant_id: str, match_id: UUID, *, now: datetime) -> None:
    """See to it that there is no session for a match, and never will be: a later create finds this one."""
    with transaction.atomic():
        GameSession.objects.bulk_create(
            [GameSession(tenant_id=tenant_id, match_id=match_id, created_at=now)], ignore_conflicts=True
        )
        session = GameSession.objects.select_for_update().get(match_id=match_id)
        if session.finished_at is None:
            told = rooms.finish(session, now=now)
            if session.started_at is not None:
                rooms.tell(session, told, now=now)


def start_sessions(match_ids: Iterable[UUID], *, now: datetime) -> None:
    """Let the players of confirmed matches in; each has the grace period to come."""
    sessions = GameSession.objects.filter(match_id__in=match_ids, started_at=None, finished_at=None)
    ids = list(sessions.values_list("id", flat=True))
    GameSession.objects.filter(id__in=ids).update(started_at=now)
    Participant.objects.filter(session_id__in=ids).update(dropped_at=now)


# --- another player for a game that is on


def sessions_on(match_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return the sessions of matches that are on, by match."""
    on = GameSession.objects.filter(match_id__in=list(match_ids), finished_at=None)
    return {match_id: id_ for match_id, id_ in on.values_list("match_id", "id") if match_id is not None}


def hold(match_ids: Iterable[UUID]) -> None:
    """Lock the sessions of matches that are on."""
    on = GameSession.objects.select_for_update().filter(match_id__in=list(match_ids), finished_at=None)
    list(on.order_by("id"))


def replace_player(match_id: UUID, gone: str, player: tuple[str, str], *, now: datetime) -> None:
    """Let a player, as (user id, display name), into the session of a match in the place of another one.

    The new one comes first: a session that has too few left would end. It has the grace period to come.
    """
    for session_id in sessions_on([match_id]).values():
        user_id, display_name = player
        Participant.objects.create(
            session_id=session_id, user_id=user_id, display_name=display_name, dropped_at=now
        )
        participants.leave(session_id, gone, now=now)
