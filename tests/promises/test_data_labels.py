"""Data labels: the platform's fields in the CRM, and the CRM's labels as fields, once each."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.cli.remembered import remembered_fields, remembered_problems
from bothways.config.load import load_account
from bothways.syncs.mapping_proposal import propose
from bothways.vocabulary import SIDES
from tests.promises.conftest import MakeWorld, every_platform
from tests.sandbox.dynamics_api import DynamicsApi, add_column, signed_in
from tests.support.engine import Finished, World
from tests.support.killable_worker import KillableWorker
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

ROWS = {"data_labels": {"labels": "rows"}}
COLUMNS = {"data_labels": {"labels": "columns", "columns": {"bw_shoe": {"name": "SHOE"}}}}
LOST = {"after_write": 0.5, "share": {"timeout": 0.1}, "timeout_s": 0.05}


def make_field(sandbox: SandboxServer, name: str, kind: str = "String", **more: Any) -> None:
    with sandbox.dotdigital() as api:
        body = {"name": name, "type": kind, **more}
        assert api.post("/v2/data-fields", json=body).status_code == 201


def fields(sandbox: SandboxServer) -> dict[str, Any]:
    with sandbox.dotdigital() as api:
        return {row["name"]: row for row in api.get("/v2/data-fields").json()}


def labels(sandbox: SandboxServer) -> list[str]:
    return sorted(row["bw_name"] for row in sandbox.table("dynamics", "bw_datalabel"))


def add_label(api: DynamicsApi, name: str, **values: Any) -> str:
    answer = api.send("POST", "bw_datalabels", {"bw_name": name, **values})
    assert answer.status_code == 204, answer.text
    return str(answer.headers["OData-EntityId"])


def option(api: DynamicsApi, word: str) -> int:
    """Return the value of a visibility, as people choose it."""
    found = api.get("GlobalOptionSetDefinitions(Name='bw_datalabelvisibility')").json()
    words = {one["Label"]["UserLocalizedLabel"]["Label"]: one["Value"] for one in found["Options"]}
    return int(words[word])


def settled(world: World) -> Finished:
    """Run until all is done, and once more, which writes nothing."""
    run = world.run("data_labels")
    assert run.status == "Completed", (run.message, run.jobs[["source_id", "error_message"]])
    last = world.run("data_labels")
    assert last.counts["new"] == last.counts["updated"] == 0, last.jobs
    return run


def test_labels_and_fields_are_each_made_once(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=ROWS)
    before = set(fields(sandbox))
    settled(world)
    assert labels(sandbox) == sorted(before)

    make_field(sandbox, "LOYALTY", "Numeric", visibility="Private", defaultValue=3)
    with signed_in(sandbox) as api:
        public = option(api, "Public")
        add_label(
            api, "Shoe_Size", bw_labeltype="Numeric", bw_visibility=public, bw_defaultvalue="4"
        )
        private = option(api, "Private")
        add_label(api, "shoe_size")  # the same name
        add_label(api, "firstname")  # which the platform has
    run = settled(world)
    assert run.message.startswith("1 field created, 1 data label written"), run.message
    assert run.counts["ignored"] == {"duplicate_name": 1}
    assert "LOYALTY" in run.details, "as the platform calls it, whatever its key"
    made = fields(sandbox)
    assert made["SHOE_SIZE"]["type"] == "Numeric"
    assert (made["SHOE_SIZE"]["visibility"], made["SHOE_SIZE"]["defaultValue"]) == ("Public", 4)
    assert set(made) == before | {"LOYALTY", "SHOE_SIZE"}
    (loyalty,) = (
        row for row in sandbox.table("dynamics", "bw_datalabel") if row["bw_name"] == "LOYALTY"
    )
    assert (loyalty["bw_labeltype"], loyalty["bw_defaultvalue"]) == ("number", "3")
    assert loyalty["bw_visibility"] == private
    assert len(labels(sandbox)) == len(before) + 4, "one row each, and those that people made"


def test_a_label_that_is_renamed_makes_no_second_field(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=ROWS)
    with signed_in(sandbox) as api:
        label = add_label(api, "Shoe")
        settled(world)
        assert "SHOE" in fields(sandbox)
        assert api.send("PATCH", label, {"bw_name": "Boot"}).status_code == 204
    run = settled(world)
    assert run.counts["ignored"] == {"renamed": 1}
    assert "BOOT" not in fields(sandbox)


def test_a_field_that_cannot_be_made_is_named_in_the_words_of_other_connectors(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=ROWS, settings={"retry_minutes": 0})
    with signed_in(sandbox) as api:
        label = add_label(api, "Shoe size")
        typo = add_label(api, "Shoe syze")
        add_label(api, "Hat")
        run = world.run("data_labels")
        assert run.status == "Completed With Errors"
        told = "ERROR_DATAFIELD_INVALID - Failed to sync dataLabel Shoe size to Dotdigital"
        assert told in run.message
        assert any(told in note for note in run.notes)
        failed = run.jobs_of(result="error")["error_message"]
        assert failed.str.contains("its name may have up to 20 letters, digits").sum() == 2
        assert "HAT" in fields(sandbox), "one bad label fails alone"
        assert api.send("PATCH", label, {"bw_name": "Shoe_size"}).status_code == 204
        assert api.send("DELETE", typo).status_code == 204
    sandbox.settings({"dotdigital": {"data_fields": len(fields(sandbox))}})
    full = world.run("data_labels")
    assert "ERROR_DATAFIELD_LIMITEXCEEDED - Failed to sync dataLabel Shoe_size to" in full.message
    assert full.counts["ignored"] == {"gone": 1}, "nobody wants that field any more"
    sandbox.settings({"dotdigital": {"data_fields": 1_000}})
    settled(world)
    assert "SHOE_SIZE" in fields(sandbox)


@every_platform
@pytest.mark.parametrize("syncs", [ROWS, COLUMNS], ids=["rows", "columns"])
def test_a_lost_answer_doubles_nothing(
    make_world: MakeWorld, sandbox: SandboxServer, platform: Platform, syncs: dict[str, Any]
) -> None:
    world = make_world(syncs=syncs, settings={"retry_minutes": 0})
    for number in range(5):
        platform.add_field(f"EXTRA_{number}")
    with signed_in(sandbox) as api:
        if syncs is ROWS:
            add_label(api, "Shoe")
        else:
            add_column(api, "contact", "bw_Shoe", MaxLength=20)
    sandbox.faults({"*": {**LOST, "seed": 5}})
    world.run("data_labels")
    world.run("data_labels")
    sandbox.faults()
    world.run("data_labels")
    settled(world)
    assert "SHOE" in platform.field_names()
    if syncs is ROWS:
        told = world.connector("marketing").fields("contact")  # type: ignore[attr-defined]
        assert len(labels(sandbox)) == len({name.casefold() for name in labels(sandbox)})
        assert len(labels(sandbox)) == len(told)
    else:
        assert {f"bw_extra_{number}" for number in range(5)} <= _contact_columns(sandbox)


def test_a_process_that_is_killed_while_it_writes_is_simply_run_again(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=COLUMNS)
    make_field(sandbox, "EXTRA")
    with signed_in(sandbox) as api:
        add_column(api, "contact", "bw_Shoe", MaxLength=20)
    world.open("data_labels", "killed")
    planned = world.found("data_labels", "killed")
    for side in SIDES:
        world.extract(planned, side)
    world.plan(planned)
    world.review(planned)
    with KillableWorker(world) as worker:
        for step in ("apply_crm", "apply_marketing"):
            assert worker.killed_all_along(step, "data_labels", "killed", stride=3) > 3
    world.close_run("data_labels", "killed")
    run = world.finished("data_labels", "killed")
    assert (run.status, run.counts["errors"]) == ("Completed", 0)
    assert run.message.startswith("1 field created"), run.message
    assert "SHOE" in fields(sandbox)
    assert "bw_extra" in _contact_columns(sandbox)
    assert world.run("data_labels").message == "No new objects to sync"


def test_columns_are_made_for_fields_that_have_none(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=COLUMNS)
    before = _contact_columns(sandbox)
    with signed_in(sandbox) as api:
        add_column(api, "contact", "bw_Shoe", MaxLength=20)
        add_column(api, "contact", "new_Loyalty", MaxLength=20)
    for name, kind in (("LOYALTY", "String"), ("POINTS", "Numeric"), ("MEMBER", "Boolean")):
        make_field(sandbox, name, kind)
    settled(world)
    new = _contact_columns(sandbox) - before
    assert {"bw_points", "bw_member", "bw_shoe", "new_loyalty"} <= new
    assert new.isdisjoint({"bw_loyalty", "bw_firstname", "bw_city"}), "these are there already"
    assert fields(sandbox)["SHOE"]["type"] == "String"


def test_lists_wait_for_labels_that_failed(make_world: MakeWorld, sandbox: SandboxServer) -> None:
    world = make_world(syncs=ROWS)
    sandbox.faults({"dotdigital": {"share": {"500": 1.0}}})
    failed = world.run("data_labels")
    assert failed.status == "Failed"
    sandbox.faults()
    run = world.run("marketing_lists")
    assert run.status == "Failed"
    assert run.message == (
        "Marketing list sync didn't start as Data Label sync failed; "
        f"fix run {failed.run_id} and try again."
    )
    world.configure()
    run = world.run("marketing_lists")
    assert run.status == "Completed", "an account that does not name them has none to wait for"
    world.configure(syncs=ROWS)
    assert world.run("data_labels").status == "Completed"
    assert world.run("marketing_lists").status == "Completed"


def _contact_columns(sandbox: SandboxServer) -> set[str]:
    with signed_in(sandbox) as api:
        path = "EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName"
        return {row["LogicalName"] for row in api.get(path).json()["value"]}


def test_a_mapping_is_proposed_from_what_was_read(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=ROWS)
    for sync_type in ("crm_metadata", "data_labels"):
        assert world.run(sync_type).status == "Completed"
    account = load_account("test")
    with world.store.begin() as conn:
        known = [remembered_fields(conn, account, role) for role in ("crm", "marketing")]
        assert list(remembered_problems(account, conn)) == []
    found = propose(known[0]["lead"], known[1]["contact"])
    pairs = {pair.keys["crm"]: pair.keys["marketing"] for pair in found.pairs}
    assert pairs["firstname"] == "FIRSTNAME"
    assert pairs["address1_city"] == "CITY"
    assert not {"emailaddress1", "donotbulkemail"} & set(pairs)
