"""Every row that entered a run leaves it in the audit, and the counts add up."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import Finished, World
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "updates": {"crm": "Product updates", "marketing": "Product updates", "entity": "lead"},
}


@every_platform
@pytest.mark.parametrize(("seed", "refused"), [(1, 0.0), (2, 0.3)])
def test_each_row_that_was_read_has_a_job(
    seed: int, refused: float, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(people=120, seed=seed, lists=LISTS)
    sandbox.faults({"dynamics": {"rows_refused": refused, "seed": seed}})
    for sync_type in ("suppressions", "address_books", "marketing_lists"):
        run = world.run(sync_type)
        assert adds_up(run)
        assert run.counts["total"] > 20
        # The last finds the others' work done, and has little to write.
        assert bool(run.counts["errors"]) == bool(refused) or sync_type == "marketing_lists"
        sources = set(run.jobs["source_id"].dropna()) | set(run.jobs["record_id"].dropna())
        for dataset, name in told_by_the_platform(sync_type).items():
            assert set(read(world, run, dataset)[name]) <= sources, dataset
        assert (run.jobs["result"] != "planned").all()


def told_by_the_platform(sync_type: str) -> dict[str, str]:
    """The datasets whose every row is somebody's word or membership, and what names the row."""
    if sync_type != "suppressions":
        return {"contacts_members": "member_id"}
    return dict.fromkeys(("suppressions", *(f"list_suppressions_{key}" for key in LISTS)), "id")


def read(world: World, run: Finished, dataset: str) -> pd.DataFrame:
    """Return what was staged; the name alone where the platform has no such listing."""
    pages = world._staging("test", run.run_id).pages("marketing", dataset)
    none = pd.DataFrame(columns=["id", "member_id"])
    return pd.concat([none, *(page.to_pandas() for page in pages)])


@every_platform
def test_each_row_that_is_refused_inside_a_good_answer_is_an_error_of_its_own(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    world = make_world(people=120, lists=LISTS)
    writes = {"target": "marketing", "kind": "create"}
    planned = world.run("marketing_lists", dry_run=True).jobs_of(**writes)
    before = platform.addresses()
    sandbox.faults({platform.name: {"rows_refused": 1.0, "import_faults": 1.0}})
    run = world.run("marketing_lists")
    sandbox.faults()
    errors = run.jobs_of(**writes)
    assert set(errors["result"]) == {"error"}
    assert len(errors) == len(planned) >= 3
    assert errors["error_message"].notna().all()
    assert adds_up(run)
    assert platform.addresses() == before


def adds_up(run: Finished) -> bool:
    single = ("new", "updated", "re_added", "unchanged", "duplicate", "deleted", "errors")
    parts = sum(run.counts[name] for name in single) + sum(run.counts["ignored"].values())
    of_lists = sum(item["counts"]["total"] for item in run.lists.values())
    on_lists = int(run.jobs["list_key"].notna().sum())
    return run.counts["total"] == parts == len(run.jobs) and of_lists == on_lists


def test_a_dry_run_counts_what_the_real_run_does(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(people=60, lists=LISTS)
    for sync_type in ("suppressions", "address_books", "marketing_lists"):
        sandbox.calls(forget=True)
        planned = world.run(sync_type, dry_run=True)
        assert set(sandbox.calls()["rows_written"].values()) == {0}
        assert (planned.status, planned.lists["updates"]["status"]) == ("Dry Run", "Dry Run")
        done = world.run(sync_type)
        assert done.status == "Completed"
        assert done.counts == planned.counts
        assert adds_up(done)
