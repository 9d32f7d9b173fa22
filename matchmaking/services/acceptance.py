"""The ready check: in a pool that has one, every player says that it is there before a match is confirmed."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from matchmaking import selectors
from matchmaking.domain.errors import NotAwaitingAcceptance
from matchmaking.domain.matches import Cause
from matchmaking.models import Match, MatchPlayer
from matchmaking.services.matches import accept_by
from matchmaking.services.rollback import Failure, lock_in_flight, log_match, roll_back
from matchmaking.wakeup import wake_after_commit
from realtime.protocol.messages import MatchAcceptance
from realtime.transport.auth import Caller, player_address
from realtime.transport.events import NO_ORIGIN, Origin
from realtime.transport.push import Push, publish, update


def accept(caller: Caller, match_id: str, *, now: datetime) -> Match:
    """Say that the caller is ready; return the match. Saying it again changes nothing.

    It counts as the acknowledgement, too. Raises `MatchNotFound`, and `NotAwaitingAcceptance` for a match
    without a ready check, past its time, confirmed or off.
    """
    with transaction.atomic():
        match, seat = _locked(caller, match_id, now=now)
        if seat.accepted_at is None:
            seat.accepted_at = now
            seat.save(update_fields=["accepted_at"])
            transaction.on_commit(lambda: tell_count(match, now=now))
            wake_after_commit()
            log_match("match_accepted", match, user=caller.user_id)
    return selectors.own_match(caller, match_id)


def decline(caller: Caller, match_id: str, *, origin: Origin = NO_ORIGIN, now: datetime) -> Match:
    """Take the match back, and the caller out of the queue; return the match. Raises as `accept` does."""
    with transaction.atomic():
        match, _ = _locked(caller, match_id, now=now)
    if not roll_back(match.id, Failure(Cause.DECLINED, frozenset({caller.user_id})), now=now, origin=origin):
        raise NotAwaitingAcceptance  # it was confirmed, or taken back, just now
    return selectors.own_match(caller, match_id)


def _locked(caller: Caller, match_id: str, *, now: datetime) -> tuple[Match, MatchPlayer]:
    own = selectors.own_match(caller, match_id)
    for match in lock_in_flight([own.id]):
        until = accept_by(match)
        if until is not None and now < until:
            return match, next(p for p in match.players.all() if p.user_id == caller.user_id)
    raise NotAwaitingAcceptance


def tell_count(match: Match, *, now: datetime) -> None:
    """Tell all players how many have accepted."""
    players = list(MatchPlayer.objects.filter(match_id=match.id))
    publish([count_for(player, players, now=now) for player in players])


def count_for(player: MatchPlayer, players: Sequence[MatchPlayer], *, now: datetime) -> Push:
    """Return what tells a player how many of the match's players have accepted."""
    counted = MatchAcceptance(
        match_id=str(player.match_id),
        accepted=sum(each.accepted_at is not None for each in players),
        needed=len(players),
    )
    return update(player_address(player.tenant_id, player.user_id), counted, now=now)
