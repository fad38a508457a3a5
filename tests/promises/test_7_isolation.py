"""One bad record fails nobody else, one bad list no other list, and errors are tried again."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import state_of

# Longer than an address may be in the CRM, and as valid as any.
LONG = "a" * 60 + "@" + "b" * 50 + ".example"


@every_platform
def test_refused_rows_are_errors_of_their_own_and_go_through_later(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    calm = make_world(people=100)
    for _ in range(platform.rounds):
        calm.run("suppressions")
    expected = state_of(sandbox)
    world = make_world(people=100, settings={"retry_minutes": 0})
    sandbox.faults({"*": {"rows_refused": 0.3, "import_faults": 0.3}})
    run = world.run("suppressions")
    sandbox.faults()
    assert run.status == "Completed With Errors"
    # A record may have several jobs; the page of errors has it once, as the run's message does.
    number = len(world.query("SELECT * FROM retries WHERE attempts > 0"))
    assert 0 < number <= run.counts["errors"]
    assert run.message.startswith(f"{number} record{'s' * (number != 1)} in error")
    errors = run.jobs_of(result="error")
    assert 0 < len(errors) < run.counts["total"] / 2
    assert errors["error_message"].notna().all()
    again = world.run("suppressions")
    assert again.status == "Completed"
    for _ in range(1, platform.rounds):
        again = world.run("suppressions")
    assert state_of(sandbox) == expected
    assert world.query("SELECT * FROM retries") == []


@every_platform
def test_a_list_that_cannot_be_synced_says_why_and_stops_no_other(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    names = {
        "partners": "Partners",
        "london": "Everyone in London",
        "locked": "Old locked list",
        "missing": "Nowhere",
    }
    for name in names:
        platform.list(name)
    lists = {key: {"crm": name, "marketing": key} for key, name in names.items()}
    lists["elsewhere"] = {"crm": crm_list(crm), "marketing": "Not there"}
    good = {"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}}
    world.configure(lists={**lists, **good})
    platform.contact("ann@mail.example", "Newsletter", "missing")
    sandbox.advance(1800)  # longer ago than reads overlap
    run = world.run("address_books")
    assert run.status == "Completed With Errors"
    assert crm.members("Newsletter") == ["ann@mail.example"]
    told = {key: item["message"] for key, item in run.lists.items()}
    assert told == {
        "partners": "`Partners` holds accounts; only a list of contacts or leads can be synced.",
        "london": "`Everyone in London` is dynamic: nobody can be put on it in Dynamics 365; map a "
        f"static list, or set `syncs: [marketing_lists]` to bring its members to {platform.title} "
        "one way.",
        "locked": "`Old locked list` is locked; unlock it to sync it.",
        "missing": "CrmMarketingList is null. Sync aborted: There is no list `Nowhere`; "
        "create it there or set `create_missing: true`.",
        "elsewhere": "There is no list `Not there`; create it there or set `create_missing: true`.",
        "newsletter": "1 person created, 1 added to a list",
    }
    assert "list partners: `Partners` holds accounts" in run.message
    # Once mended, a list is read whole, although the platform tells of nobody new.
    crm.list("Nowhere")
    assert world.run("address_books").lists["missing"]["counts"]["new"] == 1


def crm_list(crm: Crm) -> str:
    crm.list("Guests")
    return "Guests"


def test_two_lists_of_one_name_are_not_guessed_between(
    world: World, crm: Crm, platform: Platform
) -> None:
    meant = crm.list("Newsletter")
    platform.contact("ann@mail.example", "Newsletter")
    run = world.run("address_books")
    assert run.status == "Completed With Errors"
    assert run.lists["newsletter"]["message"] == (
        "2 lists are called `Newsletter`; map the right one by its id."
    )
    world.configure(lists={"newsletter": {"crm": meant, "marketing": "Newsletter"}})
    assert world.run("address_books").status == "Completed"
    (row,) = crm.table("listmember")
    assert row["listid"] == meant


@pytest.mark.parametrize("create", [True, False])
def test_a_list_that_somebody_renamed_is_followed_and_told(
    create: bool, world: World, crm: Crm, platform: Platform
) -> None:
    mapped = {"crm": "Newsletter", "marketing": "Newsletter", "create_missing": create}
    world.configure(lists={"newsletter": mapped})
    platform.contact("ann@mail.example", "Newsletter")
    world.run("address_books")
    number = len(crm.table("list"))
    crm.change("lists", crm.list_id("Newsletter"), listname="News of 2026")
    platform.contact("bob@mail.example", "Newsletter")
    run = world.run("address_books", full_resync=True)
    assert run.status == "Completed"
    told = "list newsletter: `Newsletter` is called `News of 2026` now; write that in its file."
    assert told in run.notes
    assert crm.members("News of 2026") == ["ann@mail.example", "bob@mail.example"]
    assert len(crm.table("list")) == number


def test_an_inactive_list_is_refused(world: World, crm: Crm, platform: Platform) -> None:
    crm.change("lists", crm.list_id("Newsletter"), statecode=1, statuscode=1)
    platform.contact("ann@mail.example", "Newsletter")
    run = world.run("address_books")
    assert run.lists["newsletter"]["message"] == (
        "`Newsletter` is inactive; activate it to sync it."
    )


@pytest.fixture
def stubborn(world: World, platform: Platform, sandbox: SandboxServer) -> World:
    """A world with one member whom the CRM refuses."""
    world.configure(settings={"retry_minutes": 15, "retry_attempts": 3})
    platform.contact(LONG, "Newsletter")
    platform.contact("ann@mail.example", "Newsletter")
    sandbox.advance(600)
    run = world.run("address_books")
    assert (run.status, run.counts["new"]) == ("Completed With Errors", 2)
    return world


@every_platform
def test_an_error_waits_longer_each_time_and_is_given_up(stubborn: World) -> None:
    assert stubborn.run("address_books").counts["total"] == 0
    waits = []
    for attempts in (2, 3):
        stubborn.execute("UPDATE retries SET next_at = now()")
        run = stubborn.run("address_books")
        assert run.counts["errors"] == 2
        (row,) = stubborn.query("SELECT *, next_at - now() AS wait FROM retries")
        assert row["attempts"] == attempts
        waits.append(row["wait"].total_seconds() / 60)
    assert waits[0] == pytest.approx(30, abs=1)
    assert waits[1] == pytest.approx(60, abs=1)
    assert row["given_up"]
    assert set(run.jobs_of(result="error")["reason"]) == {"given_up"}
    assert run.message == "1 record in error; 1 of them given up after 3 tries"
    stubborn.execute("UPDATE retries SET next_at = now()")
    assert stubborn.run("address_books").counts["total"] == 0


def test_a_named_record_is_tried_at_once_and_nobody_else_is(
    stubborn: World, platform: Platform
) -> None:
    run = stubborn.run("address_books", records=(LONG,))
    assert set(run.jobs["email"]) == {LONG}
    number = run.jobs["source_id"].iloc[0]
    assert set(stubborn.run("address_books", records=(number,)).jobs["email"]) == {LONG}


@every_platform
def test_who_left_the_list_meanwhile_is_not_tried_for_ever(
    stubborn: World, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.act("unsubscribe", LONG, list="Newsletter")
    stubborn.execute("UPDATE retries SET next_at = now()")
    run = stubborn.run("address_books", full_resync=True)
    assert run.counts["errors"] == 0
    assert stubborn.query("SELECT * FROM retries") == []


def test_a_run_that_died_is_failed_with_a_reason_once_the_next_one_begins(world: World) -> None:
    world.open("address_books", "died")
    world.open("suppressions", "of another DAG")
    assert world.run("address_books").status == "Completed"
    died = world.finished("address_books", "died")
    assert (died.status, died.message.split(",")[0]) == (
        "Failed",
        "The run died before its last step",
    )
    assert world.finished("suppressions", "of another DAG").status == "In Progress"
