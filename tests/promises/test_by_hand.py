"""What a person may choose at the trigger form, and what a run says that may not start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bothways.engine.maintenance import prune_selections
from bothways.errors import RunStopped, TemporaryFailure
from bothways.ledgers.registry import erase_person
from bothways.store import erase
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer


@pytest.fixture
def two_lists(world: World, platform: Platform) -> World:
    world.configure(
        lists={
            "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
            "updates": {"crm": "Product updates", "marketing": "Product updates"},
        }
    )
    platform.contact("ann@mail.example", "Newsletter")
    platform.contact("bob@mail.example", "Product updates")
    platform.contact("cyd@mail.example", "Newsletter", "Product updates")
    return world


@every_platform
def test_chosen_lists_only_and_nothing_is_read_past(
    two_lists: World, crm: Crm, sandbox: SandboxServer
) -> None:
    sandbox.advance(1800)  # longer ago than reads overlap
    run = two_lists.run("address_books", lists=("newsletter",))
    assert set(run.lists) == {"newsletter"}
    assert crm.members("Newsletter") == ["ann@mail.example", "cyd@mail.example"]
    assert crm.members("Product updates") == []
    two_lists.run("address_books")
    assert crm.members("Product updates") == ["bob@mail.example", "cyd@mail.example"]
    assert sorted(row["emailaddress1"] for row in crm.table("contact") + crm.table("lead")) == [
        "ann@mail.example", "bob@mail.example", "cyd@mail.example", "cyd@mail.example",
    ]  # fmt: skip


@every_platform
def test_chosen_records_only_and_nothing_is_read_past(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    ids = {name: platform.suppressed(f"{name}@mail.example") for name in ("ann", "bob", "cyd")}
    for name in ids:
        crm.contact(f"{name}@mail.example")
    sandbox.advance(1800)  # longer ago than reads overlap
    run = world.run("suppressions", records=("ANN@mail.example", ids["bob"]))
    assert set(run.jobs["email"]) == {"ann@mail.example", "bob@mail.example"}
    assert crm.person("cyd@mail.example")["donotbulkemail"] == 0
    assert world.run("suppressions").status == "Completed"
    assert crm.person("cyd@mail.example")["donotbulkemail"] == 1
    # A named record is looked at even if nothing about it is new.
    again = world.run("suppressions", records=("ann@mail.example",))
    assert set(again.jobs["email"]) == {"ann@mail.example"}
    assert again.counts["unchanged"] == again.counts["total"] > 0


def _erase(world: World, address: str) -> None:
    with world.store.begin() as conn:
        person = erase.find_person(conn, account="test", email_key=address)
        erase_person(conn, person)


def test_who_is_erased_leaves_a_selection_and_none_left_is_not_everybody(
    world: World, crm: Crm, platform: Platform
) -> None:
    for name in ("ann", "bob", "cyd"):
        platform.contact(f"{name}@mail.example", "Newsletter")
    world.open("address_books", "chosen", records=("Ann@mail.example", "bob@mail.example"))
    _erase(world, "ann@mail.example")
    run = world.found("address_books", "chosen")
    assert run.options.records == ("bob@mail.example",)
    _erase(world, "bob@mail.example")
    run = world.found("address_books", "chosen")
    assert run.options.restricted
    with pytest.raises(RunStopped, match="not kept any more, or its people have been erased"):
        world.extract(run, "marketing")
    world.close_run("address_books", "chosen")
    assert world.finished("address_books", "chosen").status == "Failed"
    assert world.query("SELECT * FROM selections") == []
    assert "mail.example" not in repr(world.query("SELECT params FROM runs"))
    assert crm.members("Newsletter") == []


def test_a_selection_is_kept_for_a_week(world: World, platform: Platform) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    world.open("address_books", "first", records=("ann@mail.example",))
    (token,) = (row["selection"] for row in world.query("SELECT selection FROM selections"))
    now = datetime.now(UTC)
    assert prune_selections(world.store, now=now + timedelta(days=6)) == 0
    assert prune_selections(world.store, now=now + timedelta(days=8)) == 1
    run = world.run("address_books", records=(token,))
    assert (run.status, run.counts["total"]) == ("Failed", 0)
    assert run.message.startswith("The selection of records is not kept any more")


@every_platform
def test_a_full_resync_finds_what_no_change_told(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    sandbox.advance(600)
    for _ in range(2):  # the second takes in what the first wrote
        world.run("address_books")
    world.execute("DELETE FROM members WHERE side = 'crm'")
    world.execute("DELETE FROM list_states")
    crm.leave("Newsletter", crm.person("ann@mail.example")["contactid"])
    assert world.run("address_books").counts["total"] == 0
    assert world.run("address_books", full_resync=True).counts["new"] == 1
    assert crm.members("Newsletter") == ["ann@mail.example"]


def test_whom_somebody_took_off_the_marketing_list_stays_off(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    world.run("address_books")
    crm.leave("Newsletter", crm.person("ann@mail.example")["contactid"])
    run = world.run("address_books", full_resync=True)
    assert run.counts["ignored"] == {"removed_in_crm": 1}
    assert crm.members("Newsletter") == []


@pytest.mark.parametrize("only_active", [True, False])
def test_inactive_contacts_and_closed_leads_as_the_account_says(
    only_active: bool, world: World, crm: Crm, platform: Platform
) -> None:
    world.configure(
        settings={"only_open_leads_and_active_contacts": only_active},
        lists={
            "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
            "updates": {"crm": "Product updates", "marketing": "Product updates"},
        },
    )
    platform.contact("ann@mail.example", "Newsletter", "Product updates")
    crm.change("contacts", crm.contact("ann@mail.example"), statecode=1, statuscode=2)
    crm.disqualify(crm.lead("ann@mail.example"))
    run = world.run("address_books")
    assert run.counts["ignored"] == ({"inactive": 2} if only_active else {})
    expected = [] if only_active else ["ann@mail.example"]
    assert crm.members("Newsletter") == crm.members("Product updates") == expected


@pytest.mark.parametrize(
    ("sync_type", "changes", "options", "message"),
    [
        ("suppressions", {"enabled": False}, {}, "Account test is disabled"),
        ("suppressions", {}, {"lists": ("nope",)}, "Account test maps no list `nope`"),
        (
            "marketing_lists",
            {},
            {},
            "Marketing list sync didn't start as Suppressions sync failed",
        ),
    ],
)
def test_a_run_that_may_not_start_says_why(
    sync_type: str,
    changes: dict[str, object],
    options: dict[str, object],
    message: str,
    world: World,
) -> None:
    world.missing_connections = [f"demo_{world.platform.name}"]
    first = world.run("suppressions")
    assert (first.status, first.counts) == ("Failed", first.counts)
    assert first.message.startswith(f"Airflow has no connection `demo_{world.platform.name}`")
    world.missing_connections = []
    world.configure(**changes)
    with pytest.raises(RunStopped, match=message):
        world.steps(sync_type, "stopped", **options)
    world.close_run(sync_type, "stopped")
    run = world.finished(sync_type, "stopped")
    assert run.status == "Failed"
    assert run.message.startswith(message)


def test_what_nobody_has_prepared_is_the_reason_of_the_run(
    world: World, sandbox: SandboxServer
) -> None:
    sandbox.reset(people=0)
    run = world.run("suppressions")
    assert run.status == "Failed"
    assert run.message.startswith("Dynamics 365: table bw_suppression is not there; ")


def test_a_failed_step_that_is_cleared_lets_the_run_complete(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.suppressed("ann@mail.example")
    crm.contact("ann@mail.example")
    sandbox.faults({"dotdigital": {"share": {"500": 1.0}, "paths": "suppressed-since"}})
    with pytest.raises(TemporaryFailure):
        world.steps("suppressions", "cleared", tries=1)
    world.close_run("suppressions", "cleared")
    failed = world.finished("suppressions", "cleared")
    assert failed.status == "Failed"
    assert failed.message.startswith("Dotdigital: ")
    sandbox.faults()
    run = world.found("suppressions", "cleared")
    world.extract(run, "marketing")
    world.plan(run)
    for chunk in world.review(run):
        world.apply(run, "crm", chunk)
    assert world.close_run("suppressions", "cleared") == ("Completed", "1 person suppressed")


def test_a_vendor_that_fails_the_very_first_question_is_named_too(
    world: World, sandbox: SandboxServer
) -> None:
    sandbox.faults({"dotdigital": {"share": {"500": 1.0}}})
    run = world.run("suppressions")
    assert run.status == "Failed"
    assert run.message.startswith("Dotdigital: ")
    sandbox.faults()
    assert world.run("suppressions").status == "Completed"


def test_what_no_task_wrote_is_an_error_until_the_task_is_cleared(
    world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed("ann@mail.example")
    crm.contact("ann@mail.example")
    world.open("suppressions", "killed")
    run = world.found("suppressions", "killed")
    world.extract(run, "crm")
    world.extract(run, "marketing")
    world.plan(run)
    world.review(run)
    status, message = world.close_run("suppressions", "killed")
    assert (status, message) == ("Completed With Errors", "1 record in error")
    world.apply(run, "crm", 0)
    assert world.close_run("suppressions", "killed") == ("Completed", "1 person suppressed")
    assert world.query("SELECT * FROM retries") == []
