"""The matching loop: a reconciler. It looks at what is, and moves every match that can move.

State and deadlines are columns in PostgreSQL; pongs and acknowledgements are hints in Redis. It may run
anywhere, any number of times, at once or never: the next call carries on. A pool that fails stops no other.
"""

import random
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.db.models import Q
from redis.exceptions import RedisError

from matchmaking import ratings
from matchmaking.domain.matches import Cause, Decision, MatchView, PlayerView, Stage, Step, decide
from matchmaking.hosts import game_host
from matchmaking.models import Match, MatchPlayer, Pool
from matchmaking.services import backfills, endings, matches, pairs, tickets
from matchmaking.services.alone import OneAtATime
from matchmaking.services.matches import wake_for_answers
from matchmaking.services.rollback import IN_FLIGHT, Failure, roll_back_all
from matchmaking.wakeup import wake, wake_in
from realtime.transport import answers, events, faults, presence
from realtime.transport.auth import player_address
from realtime.transport.database import database_now
from realtime.transport.push import ping, publish

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 0.2
_rng = random.SystemRandom()
_alone = OneAtATime()

Answers = Mapping[tuple[str, str], datetime]
Decided = tuple[Decision, MatchView]
# Players wait for the word that their match is off, or on; a game or a ping may come a moment later.
_URGENCY = (Step.ROLL_BACK, Step.CONFIRM, Step.AWAIT, Step.CREATE, Step.RESEND, Step.PING)


def advance() -> None:
    """Move every match that can move, then pair who is searching; pool by pool.

    A process works on a pool once at a time: a second thread would only do the same, and wait for its rows.
    """
    for pool_id in _pools_with_work():
        with _isolated(pool_id):
            _alone(pool_id, partial(advance_pool, pool_id))


@contextmanager
def _isolated(pool_id: UUID | None) -> Iterator[None]:
    """Keep what fails in a pool inside it, unless the database or Redis is gone, for every pool alike."""
    try:
        yield
    except (InterfaceError, RedisError):
        raise
    except OperationalError:
        # A deadlock or a time-out is one, too, and leaves the connection as it is.
        if not connection.is_usable():
            raise
        log.exception("pool_failed", pool=str(pool_id))
    except Exception:
        log.exception("pool_failed", pool=str(pool_id))


def _pools_with_work() -> list[UUID | None]:
    """Return who has searching tickets or matches in flight; None stands for matches outside of any pool.

    The small ones first: a look at a large one takes long, and nobody is to wait for another pool's.
    """
    in_flight = Match.objects.filter(status__in=IN_FLIGHT).order_by().values_list("pool_id", flat=True)
    searching = tickets.pools_searching()
    return [*set(in_flight.distinct()).difference(searching), *searching]


def advance_pool(pool_id: UUID | None) -> None:
    """Move every match of a pool that can move, then pair who is searching in it."""
    _move(pool_id)
    if pool_id is not None:
        _pair(Pool.objects.get(id=pool_id))


def _move(pool_id: UUID | None) -> None:
    """Move the matches of a pool, a transaction's worth at a time, the most urgent first.

    It looks again now and then: what has become urgent meanwhile is not to wait behind what was not.
    """
    size = settings.MATCH_PAIRS_PER_BATCH
    due, looked_at = _due(pool_id), time.monotonic()
    for _ in range(-(-len(due) // size)):
        _act(due[:size])
        due = due[size:]
        if due and time.monotonic() - looked_at > LOOK_AGAIN_SECONDS:
            due, looked_at = _due(pool_id), time.monotonic()


# --- matches in flight


def _decide_all(pool_id: UUID | None) -> list[tuple[UUID, Decided]]:
    """Say what each match in flight should do now, and as what it was seen."""
    seats = _seats_in_flight(pool_id)
    if not seats:
        return []
    now = database_now()
    heard = _listen(seats, now=now)
    by_match: dict[UUID, list[_Seat]] = {}
    for seat in seats:
        by_match.setdefault(seat.match_id, []).append(seat)
    views = {match_id: _view(of_match, heard) for match_id, of_match in by_match.items()}
    return [(match_id, (decide(view, now), view)) for match_id, view in views.items()]


class _Seat(NamedTuple):
    """A player of a match in flight, with the match's columns: rows, since there may be thousands."""

    match_id: UUID
    stage: str
    deadline: datetime
    lease_until: datetime
    retry_at: datetime | None
    pinged_at: datetime | None
    told_at: datetime | None
    accept_seconds: float | None
    tenant_id: str
    user_id: str
    nonce: str
    found_event_id: UUID | None
    accepted_at: datetime | None

    @property
    def address(self) -> str:
        """Where the player hears and answers."""
        return player_address(self.tenant_id, self.user_id)

    @property
    def answer_key(self) -> tuple[str, str] | None:
        """Where the answer is found that the match waits for now."""
        if self.stage == Stage.VERIFYING:
            return self.address, self.nonce
        if self.stage == Stage.NOTIFYING:
            return self.address, str(self.found_event_id)
        return None


class _Heard(NamedTuple):
    """What Redis tells: until when each address's answers are known, these, and since when they are kept."""

    known_until: Mapping[str, datetime]
    answers: Answers
    kept_since: datetime


def _listen(seats: Sequence[_Seat], *, now: datetime) -> _Heard:
    """Read the answers that matches wait for, in the one order in which nothing is taken for silence."""
    overdue = {seat.address for seat in seats if seat.answer_key and now >= seat.deadline}
    known_until = answers.known_until(sorted(overdue), now=now)
    answered_at = answers.answered_at([seat.answer_key for seat in seats if seat.answer_key], now=now)
    return _Heard(known_until, answered_at, answers.kept_since(now=now))


def _seats_in_flight(pool_id: UUID | None) -> list[_Seat]:
    columns = ("stage", "deadline", "lease_until", "retry_at", "pinged_at", "told_at", "accept_seconds")
    rows = (
        MatchPlayer.objects.filter(Q(match__pool=pool_id), match__status__in=IN_FLIGHT)
        .order_by("match_id", "id")
        .values_list(
            "match_id",
            *(f"match__{name}" for name in columns),
            "tenant_id",
            "user_id",
            "nonce",
            "found_event_id",
            "accepted_at",
        )
    )
    return [_Seat(*row) for row in rows]


def _view(seats: Sequence[_Seat], heard: _Heard) -> MatchView:
    match, stage = seats[0], Stage(seats[0].stage)
    began = match.pinged_at if stage is Stage.VERIFYING else match.told_at
    players = []
    for seat in seats:
        at = heard.answers.get(seat.answer_key) if seat.answer_key else None
        players.append(
            PlayerView(
                user_id=seat.user_id,
                answered_at=at if stage is Stage.VERIFYING else None,
                acknowledged_at=at if stage is Stage.NOTIFYING else None,
                known_until=heard.known_until.get(seat.address),
                accepted_at=seat.accepted_at,
            )
        )
    return MatchView(
        stage=stage,
        deadline=match.deadline,
        lease_until=match.lease_until,
        retry_at=match.retry_at,
        players=players,
        are_answers_kept=began is None or heard.kept_since <= began,
        has_ready_check=match.accept_seconds is not None,
    )


def _due(pool_id: UUID | None) -> list[tuple[UUID, Decided]]:
    """Return what there is to do, the most urgent first."""
    every = _decide_all(pool_id)
    now = database_now()
    if any(decision.step is Step.WAIT and view.deadline <= now for _, (decision, view) in every):
        wake_in(answers.TELL_SECONDS)  # a web process has not told everything yet
    decisions = [each for each in every if each[1][0].step is not Step.WAIT]
    return sorted(decisions, key=lambda each: _URGENCY.index(each[1][0].step))


def _act(decisions: Sequence[tuple[UUID, Decided]]) -> None:
    batch: dict[Step, dict[UUID, Decided]] = {step: {} for step in Step}
    for match_id, decided in decisions:
        batch[decided[0].step][match_id] = decided
    if batch[Step.ROLL_BACK]:
        _roll_back(batch[Step.ROLL_BACK])
    if batch[Step.CONFIRM]:
        matches.confirm(_heard(batch[Step.CONFIRM]), now=database_now())
    if batch[Step.AWAIT]:
        matches.await_acceptance(_heard(batch[Step.AWAIT]), now=database_now())
    if batch[Step.CREATE]:
        matches.create_games(_heard(batch[Step.CREATE]), now=database_now())
    if batch[Step.RESEND]:
        _resend(list(batch[Step.RESEND]))
    if batch[Step.PING]:
        _ping(list(batch[Step.PING]))


def _roll_back(batch: Mapping[UUID, Decided]) -> None:
    roll_back_all(
        {
            match_id: Failure(decision.cause or Cause.INTERNAL_ERROR, decision.causers, seen.stage)
            for match_id, (decision, seen) in batch.items()
        },
        now=database_now(),
    )


def _heard(batch: Mapping[UUID, Decided]) -> dict[UUID, dict[str, datetime]]:
    """Return when each player of each match gave the answer that its stage waited for."""
    return {
        match_id: {
            player.user_id: at
            for player in seen.players
            if (at := player.answered_at or player.acknowledged_at or player.accepted_at) is not None
        }
        for match_id, (_, seen) in batch.items()
    }


def _ping(match_ids: Collection[UUID]) -> None:
    """Ping all players at once; the clock of the check starts when the pings are on their way."""
    now = database_now()
    presence.remembers_since(now=now)  # so that a loss of what is answered from now on is noticed
    players = MatchPlayer.objects.filter(match_id__in=match_ids)
    pings = [ping(player_address(p.tenant_id, p.user_id), nonce=p.nonce, now=now) for p in players]
    if publish(pings):
        matches.set_pinged(match_ids, sent_at=now, now=database_now())
        wake_for_answers(settings.HEALTH_CHECK_SECONDS)


def _resend(match_ids: Collection[UUID]) -> None:
    """Send ``match_found`` once more, with the same id, to those who neither acknowledged nor accepted it."""
    now = database_now()
    claimed = matches.claim_resend(match_ids, now=now)
    players = list(MatchPlayer.objects.filter(match_id__in=claimed, accepted_at=None))
    keys = {
        (player_address(p.tenant_id, p.user_id), str(p.found_event_id)): p.found_event_id for p in players
    }
    answered = answers.answered_at(list(keys), now=now)
    missing = [event_id for key, event_id in keys.items() if event_id and key not in answered]
    events.push_again(missing, now=now)


# --- who is searching


def _pair(pool: Pool) -> None:
    """Match who is searching, reserve the matches a transaction at a time, and ping each batch at once.

    Between two batches those before are led on: however many there are, nobody waits for the last.
    """
    if not faults.has_web_process():
        return  # nobody could be asked
    now = database_now()
    looked = pairs.find(pool, now=now)
    if looked is None:
        return
    fills, found = backfills.find(pool, looked, now=now)
    _fill(fills)
    size = settings.MATCH_PAIRS_PER_BATCH
    for start in range(0, len(found), size):
        if start:
            _move(pool.id)
        # Asked only now: a turn to try a host that has failed is not for a pool in which nobody fits, and it
        # may have failed since the batch before.
        allowed = game_host().allowance()
        reserved = _reserve(pool, found[start : start + size][:allowed])
        if reserved:
            _ping(reserved)
        if allowed is not None:
            return


def _fill(fills: Sequence[tuple[UUID, UUID]]) -> None:
    """Reserve players for places in running matches, and ping them."""
    for backfill_id, ticket_id in fills:
        if game_host().allowance() == 0:
            return
        match_id = backfills.reserve(backfill_id, ticket_id, now=database_now())
        if match_id is not None:
            _ping([match_id])


def _reserve(pool: Pool, batch: Sequence[matches.Lobby]) -> list[UUID]:
    try:
        return matches.reserve(pool, batch, now=database_now(), rng=_rng)
    except IntegrityError as error:
        # Somebody in the batch is in a match already. One lobby at a time, it drops its own alone.
        if len(batch) == 1:
            dropped = [str(ticket_id) for team in batch[0] for ticket_id in team]
            log.warning("lobby_dropped", pool=str(pool.id), tickets=dropped, error=str(error))
            return []
        return [match_id for lobby in batch for match_id in _reserve(pool, [lobby])]


# --- once a second


def tick() -> None:
    """Do all that is due: what the answers and deadlines of matches ask for, and what was left over."""
    now = database_now()
    presence.remembers_since(now=now)
    with _isolated(None):
        tickets.clear_flags(now=now)
    for pool_id in tickets.pools_searching():
        with _isolated(pool_id):
            tickets.time_out(pool_id, now=now)
    advance()
    now = database_now()
    for work in (endings.cancel_games, endings.ask_who_plays, endings.end_overlong, events.republish):
        with _isolated(None):
            work(now=now)
    for begin in (ratings.refresh_waiting, ratings.send_reports):
        with _isolated(None):
            begin(now=now)
    game_host().probe(wake)
    for pool in pairs.pools_to_tell():
        with _isolated(pool.id):
            pairs.send_updates(pool, now=now)
    presence.note_tick()
