"""CRM metadata: what the CRM's tables have, read once and then by changes."""

from __future__ import annotations

from bothways.cli.remembered import remembered_problems
from bothways.config.load import load_account
from tests.sandbox.dynamics_api import add_column, signed_in
from tests.support.engine import World
from tests.support.killable_worker import KillableWorker
from tests.support.sandbox import SandboxServer


def counted(world: World) -> dict[str, int]:
    run = world.run("crm_metadata")
    assert run.status == "Completed", run.message
    names = ("new", "updated", "deleted", "unchanged", "errors")
    return {name: run.counts[name] for name in names if run.counts[name]}


def test_columns_are_read_once_and_then_as_they_change(
    world: World, sandbox: SandboxServer
) -> None:
    with signed_in(sandbox) as api:
        first = world.run("crm_metadata")
        assert first.status == "Completed", first
        assert first.counts["new"] == first.counts["total"] > 100
        assert first.message == f"{first.counts['new']:,} columns new, changed or removed"
        assert world.run("crm_metadata").message == "No new objects to sync"

        add_column(api, "contact", "bw_Shoe", MaxLength=20)
        add_column(api, "list", "bw_Shoe", MaxLength=20)  # a table that nobody asked for
        run = world.run("crm_metadata")
        (job,) = run.jobs.to_dict("records")
        assert (job["source_id"], job["result"]) == ("contact.bw_shoe", "new")
        assert job["after"]["max_length"] == 20

        shoe = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='bw_shoe')"
        definition = api.get(f"{shoe}/Microsoft.Dynamics.CRM.StringAttributeMetadata").json()
        assert api.send("PUT", shoe, {**definition, "MaxLength": 40}).status_code == 204
        assert counted(world) == {"updated": 1}
        assert api.send("DELETE", shoe).status_code == 204
        assert counted(world) == {"deleted": 1}
        assert counted(world) == {}


def test_a_read_goes_on_after_faults_and_an_expired_stamp(
    world: World, sandbox: SandboxServer
) -> None:
    sandbox.faults({"dynamics": {"share": {"502": 0.3, "cut": 0.2}, "seed": 3}})
    assert counted(world)["new"] > 100
    sandbox.faults()
    world.execute("UPDATE watermarks SET value = '1000000!01/02/2020 10:00:00'")
    run = world.run("crm_metadata")
    assert run.status == "Completed"
    assert any("everything was re-read" in note for note in run.notes), run.notes
    assert run.counts["unchanged"] == run.counts["total"] > 100


def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(world: World) -> None:
    alone = counted(world)
    world.execute("TRUNCATE definitions, watermarks")
    world.open("crm_metadata", "killed")
    with KillableWorker(world) as worker:
        for step in ("extract_crm", "plan", "review", "close"):
            assert worker.killed_all_along(step, "crm_metadata", "killed", stride=1) > 3
    run = world.finished("crm_metadata", "killed")
    assert (run.status, run.counts["new"]) == ("Completed", alone["new"])
    assert counted(world) == {}


def test_a_table_that_is_not_there_is_named(world: World) -> None:
    world.configure(syncs={"crm_metadata": {"tables": ["contact", "akkount"]}})
    run = world.run("crm_metadata")
    assert run.status == "Failed"
    assert "there is no table `akkount`" in run.message


def test_mappings_are_checked_against_what_was_read(world: World) -> None:
    world.run("crm_metadata")

    def problems() -> list[str]:
        with world.store.begin() as conn:
            return [str(one) for one in remembered_problems(load_account("test"), conn)]

    assert problems() == []
    path = world.include / "mappings" / "dynamics_dotdigital" / "contact.yaml"
    text = path.read_text()
    assert "crm: firstname" in text
    path.write_text(text.replace("crm: firstname", "crm: frstname"))
    (found,) = problems()
    assert "Dynamics 365 has no field `frstname`; did you mean `firstname`?" in found
