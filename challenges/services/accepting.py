"""A challenge is accepted: a match is arranged, and the answer waits for what becomes of it."""

import random
import time
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection

from challenges import selectors
from challenges.domain import colors, states
from challenges.domain.colors import Preference
from challenges.domain.errors import CannotAcceptChallenge
from challenges.domain.states import Action
from challenges.models import Challenge
from matchmaking import selectors as matchmaking
from matchmaking.domain.errors import CannotArrange, PlayerBusy, PlayerUnreachable, PoolNotFound
from matchmaking.domain.matches import Cause
from matchmaking.selectors import Outcome
from matchmaking.services import direct
from matchmaking.services.direct import Invited, Terms
from realtime.protocol import parts
from realtime.protocol.errors import Unavailable
from realtime.transport.auth import Caller

LOOK_SECONDS = 0.05
_rng = random.SystemRandom()


def accept(caller: Caller, challenge_id: str, *, now: datetime) -> parts.Challenge:
    """Accept a challenge; return it once its match is confirmed.

    Raises `ChallengeNotFound`, `InvalidChallengeState`, `CannotAcceptChallenge`, after which it waits on, and
    `Unavailable` while the game host is down.
    """
    challenge = selectors.challenge_for(caller, challenge_id)
    states.refuse(challenge.view, Action.ACCEPT, by=caller.user_id, now=now)
    match_id = _arrange(challenge, caller, now=now)
    _refuse_failure(_outcome_of(match_id), caller)
    return selectors.challenge_message(selectors.challenge_for(caller, challenge_id))


def _arrange(challenge: Challenge, caller: Caller, *, now: datetime) -> UUID:
    terms = Terms(
        pool_key=challenge.pool_key,
        mode=challenge.mode,
        time_control=challenge.time_control,
        rated=challenge.rated,
    )
    try:
        return direct.arrange(
            challenge.tenant_id,
            *_seated(challenge, caller),
            terms=terms,
            claim=partial(_claim, challenge.id, caller, now),
            now=now,
        )
    except CannotArrange as refusal:
        raise CannotAcceptChallenge(_said(refusal, caller)) from None
    except PoolNotFound:
        raise CannotAcceptChallenge("The pool of this challenge is closed") from None


def _seated(challenge: Challenge, caller: Caller) -> tuple[Invited, Invited]:
    user_ids = (challenge.challenger_id, caller.user_id)
    balances = matchmaking.color_balances(challenge.tenant_id, user_ids)
    drawn = colors.seated(
        Preference(challenge.color_preference),
        *(balances.get(user_id, 0) for user_id in user_ids),
        coin=_rng.random() < 0.5,
    )
    return (
        Invited(challenge.challenger_id, challenge.challenger_name, drawn[0]),
        Invited(caller.user_id, caller.display_name, drawn[1]),
    )


def _claim(challenge_id: UUID, caller: Caller, now: datetime, match_id: UUID) -> None:
    """Let the challenge be the match's, unless it was answered meanwhile: the first one gets it."""
    challenge = Challenge.objects.select_for_update().get(id=challenge_id)
    states.refuse(challenge.view, Action.ACCEPT, by=caller.user_id, now=now)
    challenge.match_id = match_id
    challenge.save(update_fields=["match_id"])


def _outcome_of(match_id: UUID) -> Outcome:
    """Wait until the match is confirmed or rolled back, or for as long as that can take.

    In between no connection to the database is held: many may wait, and there are few.
    """
    patience = settings.HEALTH_CHECK_SECONDS + settings.ACK_SECONDS + settings.LEASE_SECONDS
    give_up_at = time.monotonic() + patience
    outcome = matchmaking.outcome(match_id)
    while not outcome.is_known and time.monotonic() < give_up_at:
        connection.close()
        time.sleep(LOOK_SECONDS)
        outcome = matchmaking.outcome(match_id)
    return outcome


def _refuse_failure(outcome: Outcome, caller: Caller) -> None:
    if outcome.is_confirmed:
        return
    if not outcome.is_known:
        raise CannotAcceptChallenge("This takes unusually long; you will hear whether the game comes about")
    match outcome.cause:
        case Cause.GAME_SERVICE_UNAVAILABLE:
            raise Unavailable("There is no game right now; try again in a moment")
        case Cause.UNREACHABLE | Cause.DELIVERY_FAILED:
            who = "You" if caller.user_id in outcome.causers else "The other player"
            raise CannotAcceptChallenge(f"{who} did not answer in time")
        case _:
            raise CannotAcceptChallenge


def _said(refusal: CannotArrange, caller: Caller) -> str:
    is_own = caller.user_id in refusal.user_ids
    match refusal:
        case PlayerUnreachable():
            return "You have no open connection" if is_own else "The other player is not there"
        case PlayerBusy():
            return "You are in a game, or about to be" if is_own else refusal.title
        case _:
            return ""
