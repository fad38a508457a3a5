"""Of which runs others are told, so that they start: those that brought a sync type up to date."""

from __future__ import annotations

import json

from bothways.engine.outcome import outcome
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform

ANN = "ann@mail.example"


def told(world: World) -> dict[str, object] | None:
    (row,) = world.query("SELECT dag_run_id FROM runs ORDER BY run_id DESC LIMIT 1")
    return outcome(world.found("suppressions", row["dag_run_id"]))


def test_of_a_run_that_ends_well_its_number_and_counts_are_told(
    world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed(ANN)
    record = crm.contact(ANN)
    run = world.run("suppressions")
    found = told(world)
    assert found == {
        "run": run.run_id,
        "status": "Completed",
        "counts": run.counts,
        "streams": {"crm": {"people": 1}, "marketing": {"suppressions": 1}},
    }
    assert run.counts["total"] > 0
    assert not any(secret in json.dumps(found) for secret in (ANN, record))


def test_of_one_that_brought_nothing_up_to_date_nothing_is_told(
    world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed(ANN)
    record = crm.contact(ANN)
    assert world.run("suppressions", dry_run=True).status == "Dry Run"
    assert told(world) is None
    assert world.run("suppressions", records=[record]).status == "Completed"
    assert told(world) is None
    world.configure(guard={"suppressions": 0, "free": 0})
    platform.suppressed("bob@mail.example")
    crm.contact("bob@mail.example")
    assert world.run("suppressions").status == "Failed"
    assert told(world) is None
