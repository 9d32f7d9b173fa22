"""I10: a challenge ends once, of one that is accepted comes exactly one game, and everybody is told so."""

import math
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Data, Observation
from tests.chaos.rows import ChallengeRow, MatchRow
from tests.chaos.tolerances import CLOCK_SECONDS, LOADED_SECONDS, RECOVERY_SECONDS

EXPIRY_SECONDS = 1.0
"""The period of the task that ends those whose time is over."""

_TOLD = {"challenge_received", "challenge_updated"}
_IN_FLIGHT = {"PROPOSED", "AWAITING_ACCEPTANCE"}
_STATUS_AFTER = {"accept": "ACCEPTED", "decline": "DECLINED", "cancel": "CANCELLED"}
_UNKNOWN_YET = "unusually long"
"""In the answer to one who would have waited for too long: how it ends is told by events."""


def one_game_each(evidence: Evidence) -> Iterator[Violation]:
    """What is accepted has one confirmed match, of its two players; an arranged match is one challenge's."""
    owners: dict[str, list[ChallengeRow]] = {}
    for challenge in evidence.rows.challenges:
        if wrong := _wrong_with(evidence, challenge):
            yield _violation(challenge, wrong)
        if challenge.match_id is not None:
            owners.setdefault(challenge.match_id, []).append(challenge)
    for match in evidence.rows.matches:
        held = owners.get(match.id, [])
        if match.is_arranged and match.status != "CANCELLED" and len(held) != 1:
            text = f"match {match.id} of {_players(evidence, match)} is {match.status}, and is that of {held}"
            yield Violation(invariant="I10", text=text, at=match.created_at)


def _wrong_with(evidence: Evidence, challenge: ChallengeRow) -> str:
    match = evidence.matches.get(challenge.match_id or "")
    if (challenge.status == "PENDING") != (challenge.ended_at is None):
        return f"is {challenge.status} with ended_at {challenge.ended_at}"
    if challenge.status == "ACCEPTED":
        return _wrong_with_match(evidence, challenge, match)
    if challenge.status == "PENDING" and match is not None and match.status not in _IN_FLIGHT:
        return f"is held by match {match.id}, which is {match.status}"
    if challenge.status == "EXPIRED" and (challenge.ended_at or 0) < challenge.expires_at - CLOCK_SECONDS:
        return f"expired at {challenge.ended_at}, before {challenge.expires_at:.3f}"
    return ""


def _wrong_with_match(evidence: Evidence, challenge: ChallengeRow, match: MatchRow | None) -> str:
    if match is None or not match.is_arranged or match.confirmed_at is None:
        return f"is ACCEPTED with {match}"
    if _players(evidence, match) != sorted([challenge.challenger, challenge.opponent or ""]):
        return f"is ACCEPTED with match {match.id} of {_players(evidence, match)}"
    if not match.game_id or match.game_id != challenge.game_id:
        return f"is ACCEPTED with game {challenge.game_id}, its match has {match.game_id}"
    return ""


def _players(evidence: Evidence, match: MatchRow) -> list[str]:
    return sorted(seat.user for seat in evidence.seats_of.get(match.id, ()))


def crossing_ones_end(evidence: Evidence) -> Iterator[Violation]:
    """Once a challenge is accepted, what its opponent had asked of its challenger waits no more."""
    known_at = _known_at(evidence)
    by_pair: dict[tuple[str, str | None], list[ChallengeRow]] = {}
    for challenge in evidence.rows.challenges:
        by_pair.setdefault((challenge.challenger, challenge.opponent), []).append(challenge)
    for accepted in evidence.rows.challenges:
        match, at = evidence.matches.get(accepted.match_id or ""), accepted.ended_at
        if accepted.status != "ACCEPTED" or accepted.opponent is None or match is None or at is None:
            continue
        for other in by_pair.get((accepted.opponent, accepted.challenger), ()):
            was_there = known_at.get(other.id, math.inf) < match.created_at
            if was_there and (other.ended_at is None or other.ended_at > at):
                yield _violation(other, f"waited on after {accepted.id} was accepted at {at:.3f}")


def _known_at(evidence: Evidence) -> dict[str, float]:
    """Return when somebody knew of each challenge: it was made by then, whatever times were written down."""
    known: dict[str, float] = {}
    for client in evidence.by_client:
        for at, frame in evidence.told(client):
            if frame["type"] in _TOLD:
                challenge_id = frame["data"]["challenge_id"]
                known[challenge_id] = min(at, known.get(challenge_id, math.inf))
    return known


def none_is_stuck(evidence: Evidence) -> Iterator[Violation]:
    """In the end nothing waits whose time is over."""
    for challenge in evidence.rows.challenges:
        limit = evidence.excused_until(
            challenge.expires_at,
            slack=EXPIRY_SECONDS + LOADED_SECONDS,
            after_fault=EXPIRY_SECONDS + RECOVERY_SECONDS + LOADED_SECONDS,
        )
        if challenge.status == "PENDING" and evidence.ended_at > limit:
            yield _violation(challenge, f"is still PENDING, and was to expire at {challenge.expires_at:.3f}")


# --- what was answered


def answers_are_true(evidence: Evidence) -> Iterator[Violation]:
    """A 2xx is what the database has in the end; a refusal has left the challenge as it says."""
    rows = {challenge.id: challenge for challenge in evidence.rows.challenges}
    for client in evidence.by_client:
        for seen in evidence.of(client, "response"):
            action = _action_of(seen)
            if action and seen.data["status"] in {200, 201}:
                yield from _granted(evidence, client, action, seen, rows)
            elif action == "accept" and seen.data["status"] == 409:
                yield from _refused(client, seen, rows[_id_in(seen)])
    for challenge in evidence.rows.challenges:
        if challenge.status == "ACCEPTED" and not _was_accepted(evidence, challenge):
            yield _violation(
                challenge, f"is ACCEPTED, and {challenge.opponent} was refused each time, or never asked"
            )


def _action_of(seen: Observation) -> str:
    """Return what a request asks of challenges: ``ask``, ``rematch``, ``accept`` and so on; or nothing."""
    match seen.data["method"], seen.data["path"].split("/")[2:]:
        case "POST", ["challenges"]:
            return "ask"
        case "POST", ["matches", _, "rematch"]:
            return "rematch"
        case "POST", ["challenges", _, action]:
            return str(action)
        case _:
            return ""


def _id_in(seen: Observation) -> str:
    return str(seen.data["path"].split("/")[3])


def _granted(
    evidence: Evidence, client: str, action: str, seen: Observation, rows: dict[str, ChallengeRow]
) -> Iterator[Violation]:
    body: Data = seen.data["body"]
    row = rows.get(body["challenge_id"])
    told = body["status"], body["match_id"], body["game_id"]
    wrong = ""
    if row is None:
        wrong = "does not exist"
    elif client not in {row.challenger, row.opponent}:
        wrong = f"is {row.challenger}'s and {row.opponent}'s"
    elif told[0] != "PENDING" and told != (row.status, row.match_id, row.game_id):
        wrong = f"is {row.status} with match {row.match_id} and game {row.game_id}"
    elif action in _STATUS_AFTER and told[0] != _STATUS_AFTER[action]:
        wrong = f"was answered {told[0]} on {action}"
    elif told[0] == "ACCEPTED" and not told[2]:
        wrong = "was ACCEPTED without a game"
    if wrong:
        text = f"{client} was told by {action} that challenge {body['challenge_id']} is {told}; it {wrong}"
        yield Violation(invariant="I10", text=text, who=(client,), at=seen.at)


def _refused(client: str, seen: Observation, row: ChallengeRow) -> Iterator[Violation]:
    """Whoever is told that it is too late came too late."""
    if seen.data["body"]["code"] == "invalid_challenge_state":
        over = min(row.expires_at, row.ended_at if row.ended_at is not None else row.expires_at)
        if over > seen.at + CLOCK_SECONDS:
            text = f"{client} was told that challenge {row.id} is over, and it waited until {over:.3f}"
            yield Violation(invariant="I10", text=text, who=(client,), at=seen.at)


def _was_accepted(evidence: Evidence, challenge: ChallengeRow) -> bool:
    """Whether its opponent asked for that, and was not told each time that nothing comes of it."""
    opponent = challenge.opponent or ""
    answers = {seen.data["of"]: seen for seen in evidence.of(opponent, "response")}
    for asked in evidence.of(opponent, "request"):
        is_meant = _action_of(asked) == "rematch" or (
            _action_of(asked) == "accept" and _id_in(asked) == challenge.id
        )
        if is_meant and asked.at <= (challenge.ended_at or 0) + CLOCK_SECONDS:
            seen = answers.get(asked.at)
            if seen is None or not _says_no(evidence, asked, seen):
                return True
    return False


def _says_no(evidence: Evidence, asked: Observation, seen: Observation) -> bool:
    """Whether an answer means that its request has not accepted anything, and will not."""
    status, body = seen.data["status"], seen.data["body"] or {}
    if status == 409:
        return _UNKNOWN_YET not in (body.get("detail") or "")
    is_troubled = bool(evidence.server_faults(asked.at - RECOVERY_SECONDS, seen.at))
    return status not in {200, 201} and not (status >= 500 and is_troubled)


# --- what was told


def told_as_it_is(evidence: Evidence) -> Iterator[Violation]:
    """Each of the two is told of one end, and it is the one that the database has."""
    for challenge in evidence.rows.challenges:
        for user in (challenge.challenger, challenge.opponent):
            if user is not None:
                yield from _told_end(evidence, challenge, user)


def _told_end(evidence: Evidence, challenge: ChallengeRow, user: str) -> Iterator[Violation]:
    told = [
        event.data["status"]
        for event in evidence.events_of.get(user, ())
        if event.type in _TOLD and event.data["challenge_id"] == challenge.id
    ]
    had_it = user == challenge.challenger or not challenge.is_open
    expected = (["PENDING"] if had_it else []) + ([challenge.status] if challenge.status != "PENDING" else [])
    if told != expected:
        yield _violation(challenge, f"is {challenge.status}, and {user} was told {told}")


def _violation(challenge: ChallengeRow, wrong: str) -> Violation:
    who = tuple(user for user in (challenge.challenger, challenge.opponent) if user)
    text = f"challenge {challenge.id} of {' to '.join(who)} {wrong}"
    return Violation(invariant="I10", text=text, who=who, at=challenge.ended_at or challenge.created_at)
