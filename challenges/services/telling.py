"""What players are told of challenges, and what the log has of them."""

import structlog

from challenges import selectors
from challenges.models import Challenge
from realtime.protocol.messages import ChallengeReceived, ChallengeUpdated
from realtime.protocol.parts import fields_of
from realtime.transport.auth import player_address
from realtime.transport.events import Outgoing

log = structlog.get_logger(__name__)


def made(challenge: Challenge) -> list[Outgoing]:
    """Return what tells both of a new challenge; the challenger may have it open elsewhere, too."""
    values = fields_of(selectors.challenge_message(challenge))
    told = [_to(challenge, challenge.challenger_id, ChallengeUpdated(**values))]
    if challenge.opponent_id is not None:
        told.append(_to(challenge, challenge.opponent_id, ChallengeReceived(**values)))
    return told


def changed(challenge: Challenge) -> list[Outgoing]:
    """Return what tells both that a challenge has ended, and how."""
    updated = ChallengeUpdated(**fields_of(selectors.challenge_message(challenge)))
    both = (challenge.challenger_id, challenge.opponent_id)
    return [_to(challenge, user_id, updated) for user_id in both if user_id is not None]


def _to(challenge: Challenge, user_id: str, message: ChallengeReceived | ChallengeUpdated) -> Outgoing:
    return Outgoing(address=player_address(challenge.tenant_id, user_id), message=message)


def note(event: str, challenge: Challenge, **values: object) -> None:
    """Log an event of a challenge, with the ids that it is found by."""
    log.info(
        event,
        tenant=challenge.tenant_id,
        challenge=str(challenge.id),
        user=challenge.challenger_id,
        opponent=challenge.opponent_id,
        match=str(challenge.match_id or ""),
        **values,
    )
