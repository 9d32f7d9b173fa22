"""Who does not come to its match is recorded, where that can be shown, and pauses when it happens again."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import F
from django.test import Client
from pytest_django import Settings
from structlog.testing import capture_logs

from matchmaking.models import Absence, Match, MatchPlayer, Pool
from matchmaking.services import absences
from matchmaking.services.endings import end_by_staff
from realtime import tasks
from realtime.models import GameSession, Participant
from realtime.services import hosting, participants
from realtime.transport import faults, presence, store
from realtime.transport.database import database_now
from realtime.transport.store import client
from tests.factories import (
    Answer,
    Rest,
    confirmed_match,
    fall_silent,
    open_socket,
    pool,
    queued,
    service_is_well,
)
from tests.integration.threads import together
from tests.rooms import arrive, drop, hosted_event, joined, leave

pytestmark = pytest.mark.django_db

PAGE = "/admin/matchmaking/absence/"
AFTER_GRACE = 31


def played(pool: Pool, *names: str) -> tuple[Match, GameSession]:
    """Return a match that its players acknowledged, and its session, to which nobody has come yet."""
    for name in names:
        queued(name, pool, rating=1500)
    match = confirmed_match(*names)
    return match, GameSession.objects.get(match_id=match.id)


def let_grace_run_out(session: GameSession) -> int:
    """Let half a minute pass for those who are away."""
    away = session.participants.filter(left_at=None).exclude(connection_state="connected")
    away.update(dropped_at=F("dropped_at") - timedelta(seconds=AFTER_GRACE))
    return participants.expire_grace(now=database_now())


def recorded(match: Match) -> dict[str, str]:
    return dict(Absence.objects.filter(match=match).values_list("user_id", "kind"))


def miss(pool: Pool, name: str, other: str) -> Match:
    """Let a player not come to a match with another, who does."""
    match, session = played(pool, name, other)
    arrive(session, other, now=database_now())
    assert let_grace_run_out(session) == 1
    return match


def paused(duel: Pool) -> list[Match]:
    """Let Ann miss two matches."""
    return [miss(duel, "ann", "bob"), miss(duel, "ann", "cat")]


def let_pass(seconds: float) -> None:
    Absence.objects.update(at=F("at") - timedelta(seconds=seconds))


# --- what is recorded


def test_who_never_comes_is_recorded_once_however_often_the_task_runs(duel: Pool) -> None:
    with capture_logs() as logs:
        match = miss(duel, "ann", "bob")
        tasks.expire_grace()
        tasks.expire_grace()
    assert recorded(match) == {"ann": "no_show"}
    assert [entry["user"] for entry in logs if entry["event"] == "absence_recorded"] == ["ann"]


def test_where_nobody_comes_both_are_recorded(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    assert let_grace_run_out(session) == 2
    assert recorded(match) == {"ann": "no_show", "bob": "no_show"}


@pytest.mark.parametrize("walks_out", [True, False])
def test_who_was_there_and_left_for_good_has_abandoned_and_does_not_pause(
    duel: Pool, *, walks_out: bool
) -> None:
    for opponent in ("bob", "cat", "dan"):
        match, session = played(duel, "ann", opponent)
        arrive(session, "ann", opponent, now=database_now())
        if walks_out:
            leave(session, "ann", now=database_now())
        else:
            drop(session, "ann", now=database_now())
            let_grace_run_out(session)
        assert recorded(match) == {"ann": "abandoned"}
    assert Rest("ann").join().status == 201


def test_who_leaves_without_ever_having_come_has_not_shown_up(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    arrive(session, "bob", now=database_now())
    leave(session, "ann", now=database_now())
    assert recorded(match) == {"ann": "no_show"}


def test_who_was_still_expected_when_the_game_ended_is_not_blamed(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    arrive(session, "bob", now=database_now())
    leave(session, "bob", now=database_now())
    assert recorded(match) == {"bob": "abandoned"}


def test_who_came_in_the_grace_period_or_back_in_it_is_not_recorded(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    arrive(session, "ann", "bob", now=database_now())
    drop(session, "ann", now=database_now())
    arrive(session, "ann", now=database_now(), device="2")
    assert let_grace_run_out(session) == 0
    end_by_staff([match.id], now=database_now())
    assert recorded(match) == {}


def test_a_game_that_staff_end_blames_nobody(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    end_by_staff([match.id], now=database_now())
    assert let_grace_run_out(session) == 2
    assert recorded(match) == {}


def test_guests_of_an_event_are_nobodys_absence() -> None:
    session = hosted_event()
    place = joined(session, "ann")
    drop(session, place.participant_id, now=database_now())
    Participant.objects.update(dropped_at=F("dropped_at") - timedelta(seconds=AFTER_GRACE))
    participants.expire_grace(now=database_now())
    hosting.set_locked(session, is_locked=True, now=database_now())
    assert not Absence.objects.exists()


@pytest.mark.django_db(transaction=True, available_apps=["matchmaking", "realtime"])
def test_many_runs_at_once_record_once(duel: Pool) -> None:
    match, _ = played(duel, "ann", "bob")
    now = database_now() + timedelta(seconds=AFTER_GRACE)
    ran = together(*[lambda: participants.expire_grace(now=now)] * 4)
    assert sorted(map(str, ran)) == ["0", "0", "0", "2"]
    assert Absence.objects.filter(match=match).count() == 2


# --- what is not, because it cannot be shown


def test_who_did_not_acknowledge_the_match_is_not_recorded(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    MatchPlayer.objects.filter(match=match, user_id="ann").update(acknowledged_at=None)
    let_grace_run_out(session)
    assert recorded(match) == {"bob": "no_show"}


def test_while_no_web_process_lived_nobody_could_come(duel: Pool) -> None:
    match, session = played(duel, "ann", "bob")
    client().delete(presence.PROCESSES)
    let_grace_run_out(session)
    assert recorded(match) == {}


def test_a_fault_of_the_service_in_the_grace_period_excuses_and_an_older_one_does_not(duel: Pool) -> None:
    faults.note_fault()
    client().decrby(presence.WHOLE, 2 * AFTER_GRACE * 1000)
    old, session = played(duel, "ann", "bob")
    let_grace_run_out(session)
    assert recorded(old) == {"ann": "no_show", "bob": "no_show"}
    new, session = played(duel, "cat", "dan")
    faults.note_fault()
    let_grace_run_out(session)
    assert recorded(new) == {}


def test_who_lost_its_socket_with_the_web_process_that_held_it_is_excused(duel: Pool) -> None:
    service_is_well("web-1", "web-2")
    open_socket("ann", process="web-1")
    open_socket("bob", process="web-2")
    match, session = played(duel, "ann", "bob")
    fall_silent("web-1", seconds_ago=60)
    faults.note_dead_processes()
    let_grace_run_out(session)
    assert recorded(match) == {"bob": "no_show"}


@pytest.fixture
def unreachable() -> Iterator[Callable[[Settings], None]]:
    """Let Redis be away from when a test says so."""

    def go(settings: Settings) -> None:
        settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
        store.client.cache_clear()

    yield go
    store.client.cache_clear()


def test_where_redis_does_not_say_everybody_is_excused(
    duel: Pool, settings: Settings, unreachable: Callable[[Settings], None]
) -> None:
    match, session = played(duel, "ann", "bob")
    unreachable(settings)
    assert let_grace_run_out(session) == 2
    assert recorded(match) == {}


def test_who_did_not_accept_counts_like_who_did_not_come(duel: Pool) -> None:
    miss(duel, "ann", "bob")
    match, _ = played(duel, "ann", "cat")
    new = absences.record(match.id, {"ann": Absence.Kind.NOT_ACCEPTED}, now=database_now())
    assert [absence.user_id for absence in new] == ["ann"]
    assert absences.record(match.id, {"ann": Absence.Kind.NO_SHOW}, now=database_now()) == []
    assert recorded(match) == {"ann": "not_accepted"}
    assert absences.pause_until("demo", "ann", database_now()) is not None


# --- the pause


def test_the_first_time_costs_nothing(duel: Pool) -> None:
    miss(duel, "ann", "bob")
    assert Rest("ann").join().status == 201


def _refused(answer: Answer, *, times: int, seconds: int) -> None:
    assert answer.refusal == (429, "rate_limited")
    left = int(answer.headers["Retry-After"])
    assert seconds - 5 <= left <= seconds
    assert answer.body["retry_after_seconds"] == left
    assert answer.body["detail"] == (
        f"You did not come to {times} matches lately; the pause ends in {left} s."
    )


def test_from_the_second_time_on_the_player_pauses_longer_each_time(duel: Pool) -> None:
    paused(duel)
    _refused(Rest("ann").join(), times=2, seconds=30)
    let_pass(31)
    miss(duel, "ann", "dan")
    _refused(Rest("ann").join(), times=3, seconds=60)


def test_a_refused_player_has_no_ticket_and_may_join_when_the_time_is_over(duel: Pool) -> None:
    paused(duel)
    let_pass(27)
    assert Rest("ann").join().status == 429
    assert Rest("ann").get("/matchmaking/active").body["ticket"] is None
    let_pass(4)
    assert Rest("ann").join().status == 201


def test_nobody_else_pauses_nor_the_same_name_in_another_tenant(duel: Pool) -> None:
    paused(duel)
    pool(tenant_id="other")
    assert Rest("ann", tenant_id="other").join().status == 201
    assert Rest("bob").join().status == 201


def test_who_pauses_may_still_challenge(duel: Pool) -> None:
    paused(duel)
    assert Rest("ann").post("/matchmaking/challenges", {"opponent_id": "bob"}).status == 201


# --- staff


def test_staff_find_lift_and_are_named(admin_client: Client, admin_user: User, duel: Pool) -> None:
    first, second = paused(duel)
    listed = admin_client.get(f"{PAGE}?q=ann&lifted_at__isempty=1").content.decode()
    assert str(first.id) in listed
    assert str(second.id) in listed
    absence = Absence.objects.get(match=second)
    page = admin_client.get(f"{PAGE}{absence.id}/change/").content.decode()
    assert f"{absence.at + timedelta(seconds=30):%H:%M:%S}" in page
    chosen = {"action": "lift_absences", "_selected_action": [str(absence.id)]}
    with capture_logs() as logs:
        answer = admin_client.post(PAGE, chosen, follow=True)
    assert "1 absences lifted." in answer.content.decode()
    assert [(e["user"], e["by"]) for e in logs if e["event"] == "absence_lifted"] == [
        ("ann", admin_user.username)
    ]
    assert Rest("ann").join().status == 201


def test_lifting_twice_keeps_who_lifted_first(duel: Pool) -> None:
    paused(duel)
    ids = list(Absence.objects.values_list("id", flat=True))
    began = database_now()
    assert absences.lift(ids, by="sue", now=began) == 2
    assert absences.lift(ids, by="tom", now=began + timedelta(seconds=1)) == 0
    lifted: list[tuple[datetime | None, str]] = list(Absence.objects.values_list("lifted_at", "lifted_by"))
    assert lifted == [(began, "sue")] * 2


def test_what_was_lifted_is_not_recorded_again(duel: Pool) -> None:
    match = miss(duel, "ann", "bob")
    absences.lift(list(Absence.objects.values_list("id", flat=True)), by="sue", now=database_now())
    assert absences.record(match.id, {"ann": Absence.Kind.NO_SHOW}, now=database_now()) == []


def test_who_may_only_look_lifts_nothing(client: Client, duel: Pool) -> None:
    paused(duel)
    viewer = User.objects.create_user("vic", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_absence"))
    client.force_login(viewer)
    ids = [str(each) for each in Absence.objects.values_list("id", flat=True)]
    client.post(PAGE, {"action": "lift_absences", "_selected_action": ids})
    assert Absence.objects.filter(lifted_at=None).count() == 2


def test_the_page_of_a_match_shows_who_was_absent(admin_client: Client, duel: Pool) -> None:
    match = miss(duel, "ann", "bob")
    page = admin_client.get(f"/admin/matchmaking/match/{match.id}/change/").content.decode()
    assert "never came" in page
