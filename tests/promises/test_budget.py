"""The smallest package of calls is enough for every sync type, and each call is accounted for."""

from __future__ import annotations

from typing import Any

from bothways.vocabulary import RunStatus
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.able import sync_types_of
from tests.support.deployment import ACCOUNT
from tests.support.engine import MovingClock
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

# The smallest package of calls, and as many at a time as one process makes: Mailchimp limits
# nothing else.
LEAST: dict[str, dict[str, Any]] = {
    "dotdigital": {"package": "Basic"},
    "mailchimp": {"connections": 2},
}
PEOPLE = {"dotdigital": 40, "mailchimp": 10}
A_MINUTE = 35
WELL = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)


@every_platform
def test_all_sync_types_finish_with_the_smallest_package_who_may_not_be_mailed_first(
    make_world: MakeWorld, sandbox: SandboxServer, platform: Platform
) -> None:
    names = [name for name, sync in sync_types_of(platform.name).items() if not sync.verifies]
    assert names[0] == "suppressions"
    syncs = {name: each for name, each in ACCOUNT["syncs"].items() if name in names}
    world = make_world(PEOPLE[platform.name], syncs=syncs)
    world.prepare_for(*names)
    waiting = MovingClock(sandbox)  # which the platform goes by too
    world.clock = lambda: waiting
    sandbox.settings({platform.name: LEAST[platform.name]})
    for name in names:
        sandbox.calls(forget=True)
        run = world.run(name)
        assert run.status in WELL, (name, run.message)
        (row,) = world.query("SELECT calls FROM runs WHERE run_id = :run_id", run_id=run.run_id)
        for role, vendor in (("marketing", platform.name), ("crm", "dynamics")):
            made = sum(sandbox.calls()[vendor].values())
            counted = row["calls"].get(role, {"calls": 0})["calls"]
            assert counted == made, (name, role)
        used_here = row["calls"].get("marketing", {"calls": 0, "budgets": {}})
        for budget, used in used_here["budgets"].items():
            assert used["calls"] <= used_here["calls"]
            assert budget != "lowCallRate" or used["a_minute"] == A_MINUTE
    if platform.name == "dotdigital":
        assert waiting.slept, "calls were held back"
        assert max(waiting.slept) <= 61, "to the end of a window, and no longer"
    else:
        assert waiting.slept == [], "no call was refused, as never more were in flight"
