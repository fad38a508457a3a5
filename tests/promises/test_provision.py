"""What the CRM lacks is planned, shown and made, once, whatever fails on the way."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.connectors.base import Provisions
from tests.promises.conftest import MakeWorld
from tests.sandbox.dynamics_api import add_column, label, signed_in
from tests.support.engine import AT_ONCE, World
from tests.support.killable_worker import KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Dotdigital
from tests.support.sandbox import SandboxServer

SPACE = "Microsoft.Dynamics.CRM"
TIDY = {"schedules": {"suppressions": {"interval": "1h"}}}
DETAILED = {"syncs": {"campaigns": {"level": "detailed"}}}


def bare(make_world: MakeWorld, sandbox: SandboxServer, **account: Any) -> World:
    """An account whose CRM nobody has prepared."""
    world = make_world(**account)
    sandbox.reset(people=0)
    sandbox.settings(AT_ONCE)
    return world


def lacks(world: World) -> set[str]:
    """Return what the CRM lacks for suppressions."""
    connector = world.connector("crm")
    assert isinstance(connector, Provisions)
    try:
        return {item.key for item in connector.missing([])}
    finally:
        connector.close()


def test_a_dry_run_shows_each_thing_and_a_run_makes_it_and_a_second_finds_nothing(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = bare(make_world, sandbox, **TIDY)
    Dotdigital(sandbox).suppressed("ada@mail.example")
    wanted = lacks(world)
    shown = world.run("provision", dry_run=True)
    assert shown.status == "Dry Run"
    assert set(shown.jobs["key"]) == wanted >= {"publisher:bw", "solution:Bothways"}
    assert shown.counts["new"] == len(wanted), "as it would be"
    assert lacks(world) == wanted
    # The dry run of what would be written there goes on all the same; a run that writes does not.
    planned = world.run("suppressions", dry_run=True)
    assert (planned.status, planned.counts["new"]) == ("Dry Run", 1), planned.message
    table = "Dynamics 365: table bw_suppression is not there; name the sync type in the account's"
    assert [note for note in planned.notes if note.startswith(table)], planned.notes
    stopped = world.run("suppressions")
    assert (stopped.status, stopped.message[: len(table)]) == ("Failed", table)

    made = world.run("provision")
    assert (made.status, made.counts["new"]) == ("Completed", len(wanted)), made.notes
    assert made.message == f"{len(wanted)} definitions created"
    assert lacks(world) == set()
    assert "table:bw_campaign" not in wanted, "the file names no sync type that needs it"
    again = world.run("provision")
    assert (again.status, again.message) == ("Completed", "No new objects to sync")
    assert again.counts["total"] == 0
    assert world.run("suppressions").status == "Completed"


@pytest.mark.parametrize(
    "faults",
    [
        {"after_write": 0.4, "seed": 5},
        {"share": {"500": 0.1, "502": 0.1, "429": 0.1, "cut": 0.1}, "seed": 7},
    ],
)
def test_answers_that_are_lost_double_nothing(
    make_world: MakeWorld, sandbox: SandboxServer, faults: dict[str, Any]
) -> None:
    world = bare(make_world, sandbox, **DETAILED)
    sandbox.faults({"dynamics": faults})
    runs = [world.run("provision") for _ in range(2)]
    sandbox.faults()
    assert {run.status for run in runs} <= {"Completed", "Completed With Errors"}
    last = world.run("provision")
    assert (last.status, last.counts["errors"]) == ("Completed", 0)
    assert lacks(world) == set()
    crm = Crm(sandbox)
    assert [row["customizationprefix"] for row in crm.table("publisher")].count("bw") == 1
    assert [row["uniquename"] for row in crm.table("solution")].count("Bothways") == 1
    assert crm.table("bw_campaignevent") == []


def test_a_process_that_is_killed_while_it_makes_things_is_simply_run_again(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = bare(make_world, sandbox, **TIDY)
    wanted = lacks(world)
    world.open("provision", "killed")
    planned = world.found("provision", "killed")
    world.extract(planned, "crm")
    world.plan(planned)
    world.review(planned)
    with KillableWorker(world) as worker:
        assert worker.killed_all_along("apply_crm", "provision", "killed", stride=9) > 3
    world.close_run("provision", "killed")
    run = world.finished("provision", "killed")
    assert (run.status, run.counts["new"]) == ("Completed", len(wanted)), run.notes
    assert lacks(world) == set()


def test_what_is_refused_is_in_error_by_itself_and_made_once_nothing_is_in_its_way(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = bare(make_world, sandbox, **TIDY)
    first = world.run("provision", records=["publisher:bw", "solution:Bothways"])
    assert first.counts["new"] == 2
    column = ["column:contact.bw_externalid", "column:lead.bw_externalid"]
    assert world.run("provision", records=column).counts["new"] == 2
    crm = Crm(sandbox)
    doubles = [crm.contact(f"{name}@mail.example", bw_externalid="same") for name in ("a", "b")]
    run = world.run("provision")
    assert run.status == "Completed With Errors"
    (failed,) = run.jobs_of(result="error").to_dict("records")
    assert failed["key"] == "key:contact.bw_externalid_key"
    assert "doubled values" in failed["error_message"]
    assert lacks(world) == {failed["key"]}
    crm.delete("contacts", doubles[0])
    assert world.run("provision").counts["new"] == 1
    assert lacks(world) == set()


def test_what_failed_and_was_made_by_hand_is_not_tried_again(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = bare(make_world, sandbox, **TIDY)
    world.run("provision", records=["column:contact.bw_externalid"])
    run = world.run("provision", records=["table:bw_suppression"])
    assert run.counts["errors"] + run.counts["new"] == 1
    assert world.run("provision").counts["errors"] == 0
    assert world.query("SELECT * FROM retries WHERE sync_type = 'provision'") == []


NEWSLETTER = {
    "connector": "dynamics",
    "connection": "demo_dynamics",
    "tables": {
        "campaign": {
            "table": "new_newsletter",
            "columns": {"name": "new_name", "subject": "new_topic"},
        }
    },
}


def newsletters(sandbox: SandboxServer) -> None:
    """Make a table of the customer's."""
    primary = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "DisplayName": label("Name"),
    }
    body = {
        "@odata.type": f"{SPACE}.EntityMetadata",
        "SchemaName": "new_Newsletter",
        "DisplayName": label("Newsletter"),
        "DisplayCollectionName": label("Newsletters"),
        "OwnershipType": "UserOwned",
        "Attributes": [primary],
    }
    with signed_in(sandbox) as api:
        assert api.send("POST", "EntityDefinitions", body).status_code == 204
        add_column(api, "new_newsletter", "new_Topic", MaxLength=10)


def test_a_table_of_the_customers_is_used_where_the_account_names_it(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = bare(make_world, sandbox, **DETAILED)
    world.configure(crm=NEWSLETTER, **DETAILED)
    run = world.run("provision")
    refused = run.jobs_of(result="error")
    (told,) = refused.loc[refused["key"] == "table:new_newsletter", "error_message"]
    assert "the account names it; make it there" in told
    parts = refused[refused["key"].str.contains(":new_newsletter.")]["error_message"]
    assert len(parts) > 20
    assert set(parts) == {"its table new_newsletter is not there; see to that first"}

    newsletters(sandbox)
    run = world.run("provision")
    assert (run.status, run.counts["errors"]) == ("Completed", 0), run.notes
    assert "table:bw_campaign" not in set(run.jobs["key"])
    platform, crm = Dotdigital(sandbox), Crm(sandbox)
    platform.contact("ann@mail.example")
    crm.contact("ann@mail.example")
    sandbox.act("dotdigital", "campaign", name="Spring", subject="A subject that is long")
    sandbox.act("dotdigital", "send", campaign="Spring", hours_ago=48)
    assert world.run("campaigns").status == "Completed"
    (row,) = crm.table("new_newsletter")
    assert (row["new_name"], row["new_topic"]) == ("Spring", "A subject…")
    (event,) = crm.table("bw_campaignevent")
    assert event["bw_campaignid"] == row["new_newsletterid"]
    assert world.run("campaigns").message == "No new objects to sync"
