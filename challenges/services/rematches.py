"""A match is to be played again: the first who says so asks, the other one accepts by saying the same."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from challenges import selectors
from challenges.domain import colors
from challenges.domain.errors import ChallengeExists, InvalidChallengeState, MatchNotFinished
from challenges.models import Challenge
from challenges.services import accepting, creating, ending
from matchmaking import selectors as matchmaking
from matchmaking.services.direct import Terms
from realtime.protocol import parts
from realtime.transport.auth import Caller
from realtime.transport.database import violated_constraint

ONE_PENDING = "one_pending_rematch_per_match"
_TRIES = 5


def rematch(caller: Caller, match_id: str, *, now: datetime) -> parts.Challenge:
    """Ask for the same game with colours swapped, or accept that the other player has asked for it.

    Raises `MatchNotFound`, `MatchNotFinished`, and what `create` and `accept` raise.
    """
    played = matchmaking.match_message(matchmaking.own_match(caller, match_id))
    if played.status != "FINISHED" or len(played.players) != 2:
        raise MatchNotFinished
    for _ in range(_TRIES):
        waiting = selectors.pending_rematch(caller.tenant_id, UUID(played.match_id))
        try:
            if waiting is None:
                return _ask(caller, played, now=now)
            if not ending.expire_one(waiting.id, now=now):
                return _answer(caller, waiting, now=now)
        except IntegrityError as error:
            if violated_constraint(error) != ONE_PENDING:
                raise
        except InvalidChallengeState:
            pass
        # The other one has asked, or taken it back, between the two looks: look again.
    raise InvalidChallengeState


def _ask(caller: Caller, played: parts.Match, *, now: datetime) -> parts.Challenge:
    own, other = sorted(played.players, key=lambda player: player.user_id != caller.user_id)
    terms = Terms(
        pool_key=played.pool_key,
        mode=played.mode,
        time_control=played.time_control,
        rated=played.rated,
    )
    if terms.pool_key is not None:
        matchmaking.active_pool(caller.tenant_id, terms.pool_key)
    preference = colors.swapped(own.color)
    challenge = creating.drafted(caller, other.user_id, terms, color_preference=preference, now=now)
    challenge.rematch_of = UUID(played.match_id)
    return creating.insert(challenge, now=now)


def _answer(caller: Caller, waiting: Challenge, *, now: datetime) -> parts.Challenge:
    if waiting.challenger_id == caller.user_id:
        raise ChallengeExists(challenge_id=str(waiting.id))
    return accepting.accept(caller, str(waiting.id), now=now)
