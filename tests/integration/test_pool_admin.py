"""Pools in the admin: rules are checked, every change is a version, and versions can be taken back."""

from typing import Any

import pytest
from django.test import Client

from matchmaking.models import Pool, PoolVersion, Ticket
from matchmaking.services import loop
from matchmaking.services.pools import make_demo_pools
from tests.factories import Rest, match_of, pool, queued
from tests.partying import queued_party, send

pytestmark = pytest.mark.django_db

LIST = "/admin/matchmaking/pool/"


@pytest.fixture
def staff(admin_client: Client) -> Client:
    return admin_client


def page_of(pool: Pool) -> str:
    return f"{LIST}{pool.id}/change/"


def fields_of(pool: Pool, **changes: Any) -> dict[str, Any]:
    names = [
        *("tenant_id", "key", "name", "ordering", "mode", "time_control", "preset", "rule", "radius"),
        *("growth_per_second", "step_seconds", "cap", "latency_start_ms", "latency_growth_ms_per_second"),
        *("latency_cap_ms", "avoid_recent_seconds", "avoid_recent_relax_seconds"),
        *("teams", "team_size", "accept_seconds"),
    ]
    values = {name: getattr(pool, name) for name in names} | {"is_active": "on", "more_modes": "[]"}
    inline = {f"versions-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    return {k: "" if v is None else v for k, v in (values | inline | changes).items()}


def save(staff: Client, pool: Pool, **changes: Any) -> str:
    """Save the form; return what the page says, nothing where it was saved."""
    answer = staff.post(page_of(pool), fields_of(pool, **changes))
    pool.refresh_from_db()
    return "" if answer.status_code == 302 else answer.content.decode()


def numbers(pool: Pool) -> list[tuple[int, float, str]]:
    return [(v.number, v.rules["radius"], v.changed_by) for v in pool.versions.order_by("number")]


def test_a_change_of_the_rules_is_a_version_with_who_and_when(staff: Client, duel: Pool) -> None:
    assert save(staff, duel, preset="custom", radius=70) == ""
    assert duel.radius == 70
    assert numbers(duel) == [(1, 100, ""), (2, 70, "admin")]
    assert duel.versions.get(number=2).changed_at is not None


def test_a_change_of_anything_else_is_none(staff: Client, duel: Pool) -> None:
    save(staff, duel, preset="custom", radius=70)
    save(staff, duel, name="Another name")
    assert duel.name == "Another name"
    assert len(numbers(duel)) == 2


def test_teams_and_ready_check_are_set_in_the_form_and_are_no_rules(staff: Client, duel: Pool) -> None:
    assert save(staff, duel, teams=3, team_size=2, accept_seconds=20) == ""
    assert (duel.teams, duel.team_size, duel.accept_seconds) == (3, 2, 20)
    assert numbers(duel) == [(1, 100, "")], "as it was"


@pytest.mark.parametrize("changes", [{"teams": 3}, {"team_size": 2}])
def test_teams_stay_as_they_are_while_somebody_waits(
    staff: Client, duel: Pool, changes: dict[str, int]
) -> None:
    queued("ann", duel)
    assert "Somebody waits here" in save(staff, duel, **changes)
    assert (duel.teams, duel.team_size) == (2, 1)
    assert save(staff, duel, name="Another name", accept_seconds=20) == ""
    Ticket.objects.update(status="CANCELLED")
    assert save(staff, duel, **changes) == ""


def test_a_partys_page_tells_its_members_its_status_and_its_tickets(staff: Client, duel: Pool) -> None:
    Pool.objects.update(team_size=2)
    party_id = queued_party(duel, "ann", "bob")
    send("invite", "ann", party_id, "cat")
    assert party_id in staff.get("/admin/matchmaking/party/?q=bob").content.decode()
    page = staff.get(f"/admin/matchmaking/party/{party_id}/change/").content.decode()
    assert all(said in page for said in ("Ann", "Bob", "cat", "QUEUED", "2 tickets"))
    link = f"/admin/matchmaking/ticket/?party__id__exact={party_id}"
    assert link in page
    queued("dan", duel)
    listed = staff.get(link).content.decode()
    assert "Bob" in listed
    assert "Dan" not in listed


def test_a_new_pool_has_its_first_version(staff: Client, db: None) -> None:
    answer = staff.post(
        f"{LIST}add/", fields_of(Pool(tenant_id="demo", key="new", name="New", preset="fast"))
    )
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    pool = Pool.objects.get(key="new")
    assert (pool.rule, pool.radius, pool.growth_per_second) == ("mean", 12.5, 5)
    assert numbers(pool) == [(1, 12.5, "admin")]


def test_a_version_can_be_taken_back_and_counts_at_once(staff: Client, duel: Pool) -> None:
    save(staff, duel, preset="custom", radius=5, growth_per_second=0)
    queued("ann", duel, rating=1500)
    queued("bob", duel, rating=1550)
    loop.advance()
    assert not duel.matches.exists()
    first = duel.versions.get(number=1)
    chosen = {"action": "take_back", "_selected_action": [first.id]}
    staff.post("/admin/matchmaking/poolversion/", chosen)
    duel.refresh_from_db()
    assert (duel.preset, duel.radius) == ("classic", 100)
    assert numbers(duel)[-1] == (3, 100, "admin")
    assert duel.versions.get(number=3).note == "back to version 1"
    loop.advance()
    assert match_of("ann", "bob")


def test_two_versions_of_one_pool_are_not_taken_back_together(staff: Client, duel: Pool) -> None:
    save(staff, duel, preset="custom", radius=70)
    chosen = {"action": "take_back", "_selected_action": [v.id for v in PoolVersion.objects.all()]}
    answer = staff.post("/admin/matchmaking/poolversion/", chosen, follow=True)
    assert "One version of each pool, please." in answer.content.decode()
    duel.refresh_from_db()
    assert duel.radius == 70


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "custom", "cap": 50}, "cap 50.0 is below the radius 100.0"),
        ({"team_size": 11}, "less than or equal to 10"),
        ({"teams": 10, "team_size": 3}, "20 players in a match at most"),
        ({"teams": 1}, "greater than or equal to 2"),
        ({"accept_seconds": 1}, "greater than or equal to 3"),
        ({"preset": "custom", "radius": -1}, "greater than or equal to 0"),
        ({"preset": "custom", "radius": "nan"}, "radius"),
        ({"latency_cap_ms": 10}, "cap_ms 10.0 is below start_ms 80.0"),
        ({"avoid_recent_seconds": "inf"}, "Enter a number"),
        ({"more_modes": '["a", 5]'}, "A list of names"),
        ({"more_modes": '["1","2","3","4","5","6","7","8"]'}, "A list of names"),
        ({"more_modes": "{"}, "JSON"),
    ],
)
def test_rules_that_cannot_be_run_are_refused(
    staff: Client, duel: Pool, changes: dict[str, Any], said: str
) -> None:
    assert said in save(staff, duel, **changes)
    assert numbers(duel) == []


def test_a_preset_sets_the_fields_below_it(staff: Client, duel: Pool) -> None:
    save(staff, duel, preset="balanced", radius=7)
    assert (duel.rule, duel.radius, duel.cap) == ("mean", 25, 400)


def test_the_page_draws_the_window(staff: Client, duel: Pool) -> None:
    page = staff.get(page_of(duel)).content.decode()
    assert "<polyline points=" in page
    assert "0 s: ±100, 10 s: ±125, 30 s: ±175, 60 s: ±250, 120 s: ±400" in page
    assert "matchmaking/preview.js" in page


def test_the_pages_of_new_pools_and_of_versions_open(staff: Client, duel: Pool) -> None:
    save(staff, duel, preset="fast")
    assert staff.get(f"{LIST}add/").status_code == 200
    version = duel.versions.latest("number")
    for page in ("", f"{version.id}/change/"):
        assert staff.get(f"/admin/matchmaking/poolversion/{page}").status_code == 200


def test_a_tickets_page_says_why_it_is_not_matched(staff: Client, duel: Pool) -> None:
    ann = queued("ann", duel, rating=1500)
    queued("bob", duel, rating=2500)
    page = staff.get(f"/admin/matchmaking/ticket/{ann.id}/change/").content.decode()
    assert "fits_later: 1 others wait; turned away by window 1" in page
    assert "bob, 2500 (gap 1000)" in page
    Ticket.objects.filter(id=ann.id).update(status="CANCELLED")
    assert "It does not search." in staff.get(f"/admin/matchmaking/ticket/{ann.id}/change/").content.decode()


def test_the_demo_pools_are_made_once_and_added_to_those_that_are_there(db: None) -> None:
    for ordering, key in enumerate(("duel", "blitz", "casual")):
        pool(key, name=f"Old {key}", ordering=ordering)
    assert [made.key for made in make_demo_pools()] == ["ready", "teams"]
    assert make_demo_pools() == []
    shown = Rest("ann").get("/matchmaking/pools").body["results"]
    said = [(p["pool_key"], p["name"], p["teams"], p["team_size"], p["accept_seconds"]) for p in shown]
    assert said == [
        ("duel", "Old duel", 2, 1, None),
        ("blitz", "Old blitz", 2, 1, None),
        ("casual", "Old casual", 2, 1, None),
        ("ready", "Duel with ready check", 2, 1, 20),
        ("teams", "Two against two", 2, 2, None),
    ]
