"""Why a challenge says no.

::

    DomainError
      NotFound    ChallengeNotFound
      Conflict    CannotChallenge, ChallengeExists, InvalidChallengeState, CannotAcceptChallenge,
                  MatchNotFinished
"""

from realtime.protocol.errors import Conflict, NotFound


class ChallengeNotFound(NotFound):
    """There is no such challenge for the caller."""

    code = "challenge_not_found"
    title = "There is no such challenge"


class CannotChallenge(Conflict):
    """One of the two never wants to meet the other; nobody is told which."""

    code = "cannot_challenge"
    title = "You cannot challenge this player"


class ChallengeExists(Conflict):
    """The caller has asked the same player for the same; ``challenge_id`` names that challenge."""

    code = "challenge_exists"
    title = "You have asked this player for this game already"


class InvalidChallengeState(Conflict):
    """The challenge has ended, or this is not for the caller to do."""

    code = "invalid_challenge_state"
    title = "This challenge does not wait for that any more"


class CannotAcceptChallenge(Conflict):
    """No game came about, and the challenge waits on."""

    code = "cannot_accept_challenge"
    title = "This challenge cannot be accepted right now"


class MatchNotFinished(Conflict):
    """The match was not played to its end, or not by two."""

    code = "match_not_finished"
    title = "There is a rematch of a game of two that is over"
