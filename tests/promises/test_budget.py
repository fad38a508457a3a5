"""The smallest package of calls is enough for every sync type, and each call is accounted for."""

from __future__ import annotations

from bothways.vocabulary import RunStatus
from tests.promises.conftest import MakeWorld
from tests.support.able import sync_types_of
from tests.support.deployment import ACCOUNT
from tests.support.engine import MovingClock
from tests.support.sandbox import SandboxServer

BASIC = {"dotdigital": {"package": "Basic"}}
A_MINUTE = 35
WELL = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)


def test_all_sync_types_finish_with_the_smallest_package_who_may_not_be_mailed_first(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(40, syncs=ACCOUNT["syncs"])
    waiting = MovingClock(sandbox)  # which the platform goes by too
    world.clock = lambda: waiting
    sandbox.settings(BASIC)
    names = [name for name, sync in sync_types_of().items() if not sync.verifies]
    assert names[0] == "suppressions"
    for name in names:
        sandbox.calls(forget=True)
        run = world.run(name)
        assert run.status in WELL, (name, run.message)
        (row,) = world.query("SELECT calls FROM runs WHERE run_id = :run_id", run_id=run.run_id)
        for role, vendor in (("marketing", "dotdigital"), ("crm", "dynamics")):
            made = sum(sandbox.calls()[vendor].values())
            counted = row["calls"].get(role, {"calls": 0})["calls"]
            assert counted == made, (name, role)
        platform = row["calls"].get("marketing", {"calls": 0, "budgets": {}})
        for budget, used in platform["budgets"].items():
            assert used["calls"] <= platform["calls"]
            assert budget != "lowCallRate" or used["a_minute"] == A_MINUTE
    assert waiting.slept, "calls were held back"
    assert max(waiting.slept) <= 61, "to the end of a window, and no longer"
