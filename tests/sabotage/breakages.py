"""The breakages: a mechanism each, how it is taken out, and the tests that stand guard over it."""

from dataclasses import dataclass

LOOP = "tests/integration/test_loop.py"
ANSWERS = "tests/integration/test_answers.py"
PARTIES = "tests/integration/test_party_queue.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """One line of a file, what it is broken to, and what is promised to notice."""

    name: str
    invariants: str
    file: str
    line: str
    broken: str
    tests: tuple[str, ...]


BREAKAGES = (
    Breakage(
        name="verification is skipped",
        invariants="I2",
        file="matchmaking/domain/matches.py",
        line="    if not missing:\n",
        broken="    if then is Step.CREATE or not missing:\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="acknowledgements are not awaited",
        invariants="I2",
        file="matchmaking/domain/matches.py",
        line="        case Stage.NOTIFYING:\n",
        broken="        case Stage.NOTIFYING:\n            return Decision(Step.CONFIRM)\n"
        "        case Stage.DONE:\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="silence is taken for one before all is told",
        invariants="I5",
        file="matchmaking/domain/matches.py",
        line="for p in match.players if _is_known(p, match.deadline))",
        broken="for p in match.players)",
        tests=(ANSWERS,),
    ),
    Breakage(
        name="what is not written yet does not hold the word back",
        invariants="I5",
        file="realtime/transport/answer_writer.py",
        line="for batch in (*self._underway, self._answers) for",
        broken="for batch in () for",
        tests=(ANSWERS,),
    ),
    Breakage(
        name="a stall is not noted",
        invariants="I5",
        file="realtime/transport/answer_writer.py",
        line="has_stood_still=now - self._tell_at > STALL_SECONDS",
        broken="has_stood_still=False",
        tests=(ANSWERS,),
    ),
    Breakage(
        name="a block is not heeded",
        invariants="Q5",
        file="matchmaking/services/conflicts.py",
        line="        if one is None or other is None or (not is_block and",
        broken="        if one is None or other is None or (",
        tests=("tests/integration/test_pool_rules.py",),
    ),
    Breakage(
        name="an older ticket is passed over",
        invariants="Q6",
        file="matchmaking/domain/pairing.py",
        line="        nobody_passed_over(pool)\n",
        broken="",
        tests=("tests/unit/test_pairing.py",),
    ),
    Breakage(
        name="late answers count",
        invariants="I2",
        file="matchmaking/domain/matches.py",
        line="if at is None or at > match.deadline)",
        broken="if at is None)",
        tests=(LOOP,),
    ),
    Breakage(
        name="a lease never runs out",
        invariants="I3",
        file="matchmaking/domain/matches.py",
        line="    if now >= match.lease_until:\n",
        broken="    if match.stage is None:\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="a roll-back does not compare the stage",
        invariants="I2 I3",
        file="matchmaking/services/rollback.py",
        line="            if failures[match.id].stage in {None, Stage(match.stage)}\n",
        broken="",
        tests=(LOOP,),
    ),
    Breakage(
        name="reserving does not look whether the ticket still searches",
        invariants="I1 I3",
        file="matchmaking/services/tickets.py",
        line=".filter(id__in=ticket_ids, status=Ticket.Status.SEARCHING, unreachable_since=None)",
        broken=".filter(id__in=ticket_ids)",
        tests=(LOOP, "tests/integration/test_races.py"),
    ),
    Breakage(
        name="queued_at is renewed by a roll-back",
        invariants="I4",
        file="matchmaking/services/tickets.py",
        line="        ticket.match = None\n        match standing:\n",
        broken="        ticket.match = None\n"
        "        Ticket.objects.filter(id=ticket.id).update(queued_at=now, age_from=now)\n"
        "        match standing:\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="who left is queued again",
        invariants="I3",
        file="matchmaking/domain/matches.py",
        line="    return cause is not Cause.LEFT or user_id not in causers\n",
        broken="    return True\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="the silent one is not flagged",
        invariants="H6",
        file="matchmaking/domain/matches.py",
        line="    return cause in {Cause.UNREACHABLE, Cause.DELIVERY_FAILED} and user_id in causers\n",
        broken="    return False\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="a game that may exist is not cancelled",
        invariants="I8",
        file="matchmaking/domain/matches.py",
        line="    return stage in {Stage.CREATING, Stage.NOTIFYING}\n",
        broken="    return False\n",
        tests=(LOOP,),
    ),
    Breakage(
        name="the fence: an old connection's end drops who is back already",
        invariants="I7",
        file="realtime/services/participants.py",
        line='        if participant.connection_id not in {connection_id, ""}:\n            return\n',
        broken="",
        tests=(LOOP, "tests/integration/test_sessions_api.py"),
    ),
    Breakage(
        name="the fence: a connection's end removes the others of its user",
        invariants="I6",
        file="realtime/transport/presence_writer.py",
        line="            await pipeline.hdel(connections_key(address), connection_id)\n",
        broken="            pipeline.delete(connections_key(address))\n",
        tests=("tests/integration/test_presence.py",),
    ),
    Breakage(
        name="one missed heartbeat is stale",
        invariants="I6",
        file="matchmaking/domain/staleness.py",
        line="    return period_seconds * misses + pong_seconds\n",
        broken="    return period_seconds + pong_seconds\n",
        tests=("tests/unit/test_staleness.py", "tests/integration/test_sweep.py"),
    ),
    Breakage(
        name="nobody is ever stale",
        invariants="I6",
        file="matchmaking/domain/staleness.py",
        line="    return now - last_sign_at >= timedelta(seconds=after_seconds)\n",
        broken="    return False\n",
        tests=("tests/integration/test_sweep.py",),
    ),
    Breakage(
        name="faults of the service are the players'",
        invariants="I6",
        file="matchmaking/services/sweep.py",
        line="        faults.note_fault()\n",
        broken="        pass\n",
        tests=("tests/integration/test_sweep_faults.py", "tests/integration/test_sweep.py"),
    ),
    Breakage(
        name="what was not pushed is not pushed again",
        invariants="I5 I9",
        file="realtime/transport/events.py",
        line="    push_events(events, now=now)\n    return len(events)\n",
        broken="    return len(events)\n",
        tests=("tests/integration/test_events.py",),
    ),
    Breakage(
        name="what was missed is not told after a reconnect",
        invariants="I9",
        file="realtime/transport/events.py",
        line="    events = after(address, last_seq)\n",
        broken="    events = list[Event]()\n",
        tests=("tests/integration/test_events.py",),
    ),
    Breakage(
        name="a socket is sent the outbox before its state",
        invariants="I9",
        file="realtime/transport/delivery.py",
        line="        if not self._is_restored:\n            return\n",
        broken="",
        tests=("tests/integration/test_delivery.py",),
    ),
    Breakage(
        name="answers that could not be written are not tried again",
        invariants="I5",
        file="realtime/transport/answer_writer.py",
        line="            self._write_in(AGAIN_SECONDS)\n",
        broken="",
        tests=(ANSWERS,),
    ),
    Breakage(
        name="the breaker never opens",
        invariants="A4",
        file="matchmaking/hosts/breaker.py",
        line="        if failures < settings.BREAKER_FAILURES:\n",
        broken="        if failures:\n",
        tests=("tests/integration/test_breaker.py",),
    ),
    Breakage(
        name="a grace period ends a second early",
        invariants="I7",
        file="realtime/domain/participants.py",
        line="    return now - dropped_at >= timedelta(seconds=grace_seconds)\n",
        broken="    return now - dropped_at >= timedelta(seconds=grace_seconds - 1)\n",
        tests=("tests/unit/test_participants.py", "tests/integration/test_grace.py"),
    ),
    Breakage(
        name="leaving is not looked at again under the lock",
        invariants="I7",
        file="realtime/services/participants.py",
        line="            if participant.connection_state == ConnectionState.TEMPORARILY_DISCONNECTED\n",
        broken="            if participant.connection_state != ConnectionState.CONNECTED\n",
        tests=("tests/integration/test_grace.py",),
    ),
    Breakage(
        name="a new name is told to nobody",
        invariants="I9",
        file="realtime/services/participants.py",
        line="        rooms.tell(session, [renamed], now=now, origin=origin)\n",
        broken="",
        tests=("tests/integration/test_session_snapshots.py",),
    ),
    Breakage(
        name="answers do not hold the leaderboard up",
        invariants="I9",
        file="realtime/services/play.py",
        line=" AND started_at IS NOT NULL FOR SHARE",
        broken=" AND started_at IS NOT NULL",
        tests=("tests/integration/test_session_races.py",),
    ),
    Breakage(
        name="who leaves leaves its party in the queue",
        invariants="Q12",
        file="matchmaking/services/tickets.py",
        line='    return [*ticket_ids, *mates.values_list("id", flat=True)]\n',
        broken="    return [*ticket_ids]\n",
        tests=(PARTIES,),
    ),
    Breakage(
        name="a roll-back puts the party of who left back",
        invariants="Q12",
        file="matchmaking/services/rollback.py",
        line="leaving.get(party_of.get(user_id), fate) for",
        broken="fate for",
        tests=(PARTIES,),
    ),
    Breakage(
        name="half a party is matched",
        invariants="Q12",
        file="matchmaking/services/columns.py",
        line="_REACHABLE if pool.is_for_pairs else _ALL_REACHABLE",
        broken="_REACHABLE",
        tests=(PARTIES,),
    ),
    Breakage(
        name="a party queues while somebody joins it",
        invariants="Q12",
        file="matchmaking/services/queueing.py",
        line="Party.objects.select_for_update(no_key=True).get",
        broken="Party.objects.get",
        tests=("tests/integration/test_parties_api.py",),
    ),
)
