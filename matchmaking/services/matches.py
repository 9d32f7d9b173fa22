"""The stages of a match: reserve, verify, create, notify, confirm, or roll everything back.

Each stage is one short transaction with a compare-and-set on the stage before, so any worker may die between
any two lines and any other carries on. Nothing here knows of queues but the tickets that a match holds.
"""

import itertools
import random
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from msgspec import UNSET

from matchmaking import ratings
from matchmaking.domain import colors
from matchmaking.domain.matches import LATE_NEWS, Cause, Stage
from matchmaking.domain.quality import evenness
from matchmaking.hosts import Game, GameRequest, Place, Seat, game_host
from matchmaking.models import Backfill, Match, MatchPlayer, Pool, Ticket
from matchmaking.selectors import color_balances
from matchmaking.services import arranged, backfills, conflicts, party_events, tickets
from matchmaking.services.rollback import Failure, lock_in_flight, log_match, roll_back_all
from matchmaking.services.wishes import shared_mode
from matchmaking.wakeup import wake_in
from realtime.identifiers import new_id
from realtime.protocol.messages import MatchFound, MatchReady
from realtime.protocol.parts import Opponent
from realtime.transport.auth import player_address
from realtime.transport.database import database_now, update_each
from realtime.transport.events import Outgoing, emit

log = structlog.get_logger(__name__)

TAKE_OVER_SECONDS = 0.5
"""A worker that reserved a match has pinged its players by then, or is dead."""
ASK_PLAYING_SECONDS = 30
"""How often a host is asked whether a confirmed match is still played."""

Lobby = tuple[tuple[UUID, ...], ...]
"""A match to be made: for each team the ids of its tickets."""
Teams = Sequence[Sequence[Ticket]]

_PAST_DEADLINE_SECONDS = LATE_NEWS.total_seconds() + 0.02


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


# --- reserve


def reserve(pool: Pool, lobbies: Sequence[Lobby], *, now: datetime, rng: random.Random) -> list[UUID]:
    """Move tickets into new matches, in one transaction; return the matches.

    A ticket that is no longer searching drops its lobby and nothing else.
    """
    with transaction.atomic():
        chosen = _still_free(lobbies)
        _read_ratings(pool, [ticket for teams in chosen for ticket in _all(teams)])
        made = [(_new_match(pool, teams, now=now), teams) for teams in chosen]
        Match.objects.bulk_create([match for match, _ in made])
        colors_of = _drawn_colors(pool, chosen, rng)
        MatchPlayer.objects.bulk_create(
            player for match, teams in made for player in _new_players(match, teams, colors_of)
        )
        tickets.set_reserved({ticket.id: match.id for match, teams in made for ticket in _all(teams)})
    for match, teams in made:
        log_match("match_reserved", match, users=[ticket.user_id for ticket in _all(teams)])
    return [match.id for match, _ in made]


def _still_free(lobbies: Sequence[Lobby]) -> list[Teams]:
    """Lock the tickets of those lobbies that can be reserved as they were found; return them."""
    free = tickets.reserve([ticket_id for lobby in lobbies for team in lobby for ticket_id in team])
    # Found under the pool's lock, which is free again: one of them may have blocked another since.
    blocked = conflicts.blocked_among(free)
    found = [
        [[free[ticket_id] for ticket_id in team] for team in lobby]
        for lobby in lobbies
        if all(ticket_id in free for team in lobby for ticket_id in team)
    ]
    return [teams for teams in found if not _is_torn(_all(teams), blocked)]


def _read_ratings(pool: Pool, chosen: Sequence[Ticket]) -> None:
    """Read ratings once more: they may have changed since their players joined."""
    skills = ratings.ratings_of(pool, [ticket.user_id for ticket in chosen])
    for ticket in chosen:
        ticket.rating = skills[ticket.user_id].value


def _all(teams: Teams) -> list[Ticket]:
    return [ticket for team in teams for ticket in team]


def _is_torn(together: Sequence[Ticket], blocked: Collection[frozenset[UUID]]) -> bool:
    """Return whether two may not meet who have not come together, in one party."""
    return any(
        frozenset((one.id, other.id)) in blocked
        for one, other in itertools.combinations(together, 2)
        if one.party_id is None or one.party_id != other.party_id
    )


def _new_match(pool: Pool, teams: Teams, *, now: datetime) -> Match:
    lease_until = now + _seconds(settings.LEASE_SECONDS)
    means = [fmean(ticket.rating for ticket in team) for team in teams]
    return Match(
        tenant_id=pool.tenant_id,
        pool=pool,
        mode=shared_mode(pool, [ticket.modes for ticket in _all(teams)]),
        time_control=pool.time_control,
        rated=pool.rated,
        accept_seconds=pool.accept_seconds,
        metadata={str(ticket.user_id): ticket.metadata for ticket in _all(teams) if ticket.metadata},
        quality=evenness(min(means), max(means)),
        deadline=lease_until,
        lease_until=lease_until,
        retry_at=now + _seconds(TAKE_OVER_SECONDS),
        created_at=now,
    )


def _drawn_colors(pool: Pool, chosen: Sequence[Teams], rng: random.Random) -> dict[UUID, str]:
    """Return who plays which colour, by ticket; a match of more than two has none."""
    pairs = [everybody for teams in chosen if len(everybody := _all(teams)) == 2]
    balances = color_balances(pool.tenant_id, [ticket.user_id for pair in pairs for ticket in pair])
    drawn: dict[UUID, str] = {}
    for pair in pairs:
        first, second = (balances.get(ticket.user_id, 0) for ticket in pair)
        colored = colors.draw(first, second, coin=rng.random() < 0.5)
        drawn |= {ticket.id: color for ticket, color in zip(pair, colored, strict=True)}
    return drawn


def _new_players(match: Match, teams: Teams, colors_of: Mapping[UUID, str]) -> list[MatchPlayer]:
    return [
        MatchPlayer(
            match=match,
            tenant_id=ticket.tenant_id,
            user_id=ticket.user_id,
            display_name=ticket.display_name,
            rating=ticket.rating,
            color=colors_of.get(ticket.id),
            team=number,
            ticket_id=ticket.id,
            nonce=secrets.token_urlsafe(16),
        )
        for number, team in enumerate(teams, start=1)
        for ticket in team
    ]


# --- verify


def set_pinged(match_ids: Collection[UUID], *, sent_at: datetime, now: datetime) -> None:
    """Start the clock of the health check ``now``, when the pings of ``sent_at`` are on their way."""
    Match.objects.filter(id__in=match_ids, stage=Stage.RESERVED, status=Match.Status.PROPOSED).update(
        stage=Stage.VERIFYING,
        retry_at=None,
        pinged_at=sent_at,
        deadline=now + _seconds(settings.HEALTH_CHECK_SECONDS),
        lease_until=now + _seconds(settings.LEASE_SECONDS),
    )


# --- create


def create_games(answers: Mapping[UUID, Mapping[str, datetime]], *, now: datetime) -> None:
    """Ask the host for the games of verified matches, outside every transaction.

    ``answers`` holds, by match and user id, when each player answered the ping. What the host says is written
    down when it comes; what never comes runs into the lease.
    """
    claimed = _claim_for_creation(answers, now=now)
    if claimed:
        places = backfills.places([match.id for match in claimed])
        requests = [_request(match, places.get(match.id)) for match in claimed]
        game_host().create(requests, note_games, now=now)


def _claim_for_creation(answers: Mapping[UUID, Mapping[str, datetime]], *, now: datetime) -> list[Match]:
    """Move verified matches on, so that one worker alone asks for their games."""
    with transaction.atomic():
        claimed = list(
            Match.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(id__in=list(answers), stage=Stage.VERIFYING, status=Match.Status.PROPOSED)
            .select_related("pool")
            .prefetch_related("players")
        )
        Match.objects.filter(id__in=[match.id for match in claimed]).update(
            stage=Stage.CREATING, asked_at=now, lease_until=now + _seconds(settings.LEASE_SECONDS)
        )
        players = [player for match in claimed for player in match.players.all()]
        for player in players:
            player.answered_at = answers[player.match_id].get(player.user_id)
        update_each(players, ["answered_at"])
    return claimed


def _request(match: Match, place: Backfill | None) -> GameRequest:
    return GameRequest(
        match_id=match.id,
        tenant_id=match.tenant_id,
        pool_key=match.pool.key if match.pool else None,
        mode=match.mode,
        time_control=match.time_control,
        rated=match.rated,
        players=[_seat(player) for player in match.players.all()],
        metadata=match.metadata,
        fills=Place(place.match_id, place.user_id) if place else None,
    )


def _seat(player: MatchPlayer) -> Seat:
    return Seat(
        user_id=player.user_id,
        display_name=player.display_name,
        color=player.color,
        team=player.team,
        rating=player.rating,
    )


def note_games(games: Mapping[UUID, Game | None]) -> None:
    """Tell the players of the games that the host has made, and take back the matches that it refused."""
    made = {match_id: game for match_id, game in games.items() if game is not None}
    # The players' time begins when they are told, not when the host was asked.
    _notify(made, now=database_now())
    failure = Failure(Cause.GAME_SERVICE_UNAVAILABLE, stage=Stage.CREATING)
    refused = {match_id: failure for match_id in games if match_id not in made}
    if refused:
        roll_back_all(refused, now=database_now())
    if made:
        wake_for_answers(settings.ACK_SECONDS / 2)
        wake_for_answers(settings.ACK_SECONDS)


def wake_for_answers(seconds: float) -> None:
    """Let the loop run just after a deadline: sooner would find nothing."""
    wake_in(seconds + _PAST_DEADLINE_SECONDS)


# --- notify


def _notify(games: Mapping[UUID, Game], *, now: datetime) -> None:
    """Note the games and tell all players, in one transaction."""
    if not games:
        return
    with transaction.atomic():
        matches = lock_in_flight(games, stage=Stage.CREATING)
        for match in matches:
            game = games[match.id]
            match.game_id, match.session_id, match.join_url = game.game_id, game.session_id, game.join_url
        update_each(matches, ["game_id", "session_id", "join_url"])
        Match.objects.filter(id__in=[match.id for match in matches]).update(
            stage=Stage.NOTIFYING,
            told_at=now,
            deadline=now + _seconds(settings.ACK_SECONDS),
            retry_at=now + _seconds(settings.ACK_SECONDS / 2),
            lease_until=now + _seconds(settings.ACK_SECONDS + settings.LEASE_SECONDS),
        )
        players = [player for match in matches for player in match.players.all()]
        for player in players:
            player.found_event_id = new_id()
        update_each(players, ["found_event_id"])
        emit([event for match in matches for event in _found_events(match)], now=now)


def _found_events(match: Match) -> list[Outgoing]:
    wait = match.accept_seconds
    players = list(match.players.all())
    everybody = [*players, *backfills.those_there(match)]
    return [
        Outgoing(
            id=player.found_event_id or new_id(),
            address=player_address(player.tenant_id, player.user_id),
            message=MatchFound(
                match_id=str(match.id),
                game_id=match.game_id or "",
                queue_entry_id=str(player.ticket_id) if player.ticket_id else None,
                pool_key=match.pool.key if match.pool else None,
                opponents=[
                    Opponent(user_id=other.user_id, display_name=other.display_name, rating=other.rating)
                    for other in everybody
                    if other.team != player.team
                ],
                color=player.color,
                team=player.team,
                ack_within_ms=round(settings.ACK_SECONDS * 1000),
                accept_within_ms=UNSET if wait is None else round(wait * 1000),
            ),
        )
        for player in players
    ]


def claim_resend(match_ids: Collection[UUID], *, now: datetime) -> list[UUID]:
    """Return those matches whose ``match_found`` is to be sent once more, each to one caller alone."""
    claimed = []
    for match_id in match_ids:
        due = Match.objects.filter(id=match_id, stage=Stage.NOTIFYING, retry_at__lte=now)
        if due.update(retry_at=None):
            claimed.append(match_id)
    return claimed


# --- accept


def await_acceptance(answers: Mapping[UUID, Mapping[str, datetime]], *, now: datetime) -> None:
    """Let matches that all have acknowledged wait until all have accepted; ``answers`` as in `confirm`."""
    with transaction.atomic():
        matches = lock_in_flight(answers, stage=Stage.NOTIFYING)
        for match in matches:
            match.stage, match.status = Stage.ACCEPTING, Match.Status.AWAITING_ACCEPTANCE
            match.deadline = accept_by(match) or now
            match.lease_until = match.deadline + _seconds(settings.LEASE_SECONDS)
            match.retry_at = None
        update_each(matches, ["stage", "status", "deadline", "lease_until", "retry_at"])
        players = [player for match in matches for player in match.players.all()]
        for player in players:
            player.acknowledged_at = answers[player.match_id].get(player.user_id)
        update_each(players, ["acknowledged_at"])
    for match in matches:
        wake_for_answers(max((match.deadline - now).total_seconds(), 0.0))


def accept_by(match: Match) -> datetime | None:
    """Return until when players may accept a match that they were told of; None where nobody asks them."""
    if match.accept_seconds is None or match.told_at is None:
        return None
    return match.told_at + _seconds(match.accept_seconds)


# --- confirm


def confirm(answers: Mapping[UUID, Mapping[str, datetime]], *, now: datetime) -> list[UUID]:
    """Confirm matches that all their players acknowledged, or accepted, in one transaction; return them.

    ``answers`` holds, by match and user id, when that was.
    Only a match whose tickets are all still reserved for it; another one is rolled back.
    """
    with transaction.atomic():
        # Games come before matches in the order of locks.
        running = backfills.running_matches(answers)
        game_host().hold(running)
        backfills.hold(running)
        matches = [m for m in lock_in_flight(answers) if m.stage in {Stage.NOTIFYING, Stage.ACCEPTING}]
        matches, over = _split(matches)
        held = tickets.held_by([match.id for match in matches])
        whole = [match for match in matches if _is_whole(match, held.get(match.id, []))]
        released = _release([(match, held.get(match.id, [])) for match in whole], now=now)
        Match.objects.filter(id__in=[match.id for match in whole]).update(
            status=Match.Status.CONFIRMED,
            stage=Stage.DONE,
            confirmed_at=now,
            retry_at=now + _seconds(ASK_PLAYING_SECONDS),
        )
        players = [p for match in whole for p in match.players.all()]
        _note_confirmed(players, answers)
        gone = _open_games(whole, now=now)
        ready = [event for match in whole for event in _ready_events(match)]
        told = [*released, *ready, *party_events.of_players([*players, *gone])]
        emit([*told, *arranged.tell_confirmed(whole, now=now)], now=now)
    for match in whole:
        log_match("match_confirmed", match, seconds=round((now - match.created_at).total_seconds(), 3))
    confirmed = {match.id for match in whole}
    broken = {match.id: Failure(Cause.INTERNAL_ERROR) for match in matches if match.id not in confirmed}
    broken |= {match.id: Failure(Cause.LEFT) for match in over}
    if broken:
        roll_back_all(broken, now=now)
    return list(confirmed)


def _split(matches: Sequence[Match]) -> tuple[list[Match], list[Match]]:
    """Return the matches that can go on, and those whose place in a running match is gone."""
    over = [match for match in matches if not backfills.is_open(match)]
    return [match for match in matches if match not in over], over


def _open_games(confirmed: Sequence[Match], *, now: datetime) -> list[MatchPlayer]:
    """Let the players in; return who has lost its place to one of them."""
    gone = []
    game_host().start([match.id for match in confirmed if match.fills_id is None], now=now)
    for match in confirmed:
        if match.fills_id is not None:
            place = backfills.seat(match, now=now)
            (comes,) = match.players.all()
            game_host().replace(Place(place.match_id, place.user_id), _seat(comes), now=now)
            gone.append(MatchPlayer.objects.get(match_id=place.match_id, user_id=place.user_id))
    return gone


def _release(held: Sequence[tuple[Match, Sequence[Ticket]]], *, now: datetime) -> list[Outgoing]:
    """End the tickets of matches that are being confirmed; return what that tells their players.

    Those that brought the match about are matched; who plays by arrangement has left the queue for it.
    """
    tickets.set_matched([t.id for match, own in held for t in own if not match.is_arranged], now=now)
    left = [ticket for match, own in held for ticket in own if match.is_arranged]
    tickets.end(left, Ticket.End.USER_REQUEST, now=now)
    return [tickets.cancelled_event(ticket) for ticket in left]


def _note_confirmed(players: Sequence[MatchPlayer], answers: Mapping[UUID, Mapping[str, datetime]]) -> None:
    for player in players:
        player.acknowledged_at = player.acknowledged_at or answers[player.match_id].get(player.user_id)
        player.outcome = MatchPlayer.Outcome.CONFIRMED
    update_each(players, ["acknowledged_at", "outcome"])


def _is_whole(match: Match, held: Sequence[Ticket]) -> bool:
    return {t.id for t in held} == {p.ticket_id for p in match.players.all() if p.ticket_id}


def _ready_events(match: Match) -> list[Outgoing]:
    optional = {}
    if match.session_id:
        optional["session_id"] = str(match.session_id)
    if match.join_url:
        optional["join_url"] = match.join_url
    ready = MatchReady(match_id=str(match.id), game_id=match.game_id or "", **optional)
    return [
        Outgoing(address=player_address(player.tenant_id, player.user_id), message=ready)
        for player in match.players.all()
    ]
