"""A plan that would change more than the guard allows writes nothing."""

from __future__ import annotations

import pytest

from tests.support.engine import World
from tests.support.people import Crm, Platform
from tests.support.sandbox import SandboxServer

TIGHT = {"suppressions": 2, "free": 0, "suppressions_percent": None}
MESSAGE = "3 suppressions planned on the CRM of 3 known people, 2 allowed"


@pytest.fixture
def crowd(world: World, crm: Crm, platform: Platform) -> World:
    """Three people who are to be flagged, where two are allowed."""
    for number in range(3):
        platform.suppressed(f"p{number}@mail.example")
        crm.contact(f"p{number}@mail.example")
    world.configure(guard=TIGHT)
    return world


def flags(crm: Crm) -> int:
    return sum(row["donotbulkemail"] for row in crm.table("contact"))


def test_beyond_the_guard_the_run_fails_and_what_it_read_is_read_again(
    crowd: World, crm: Crm, sandbox: SandboxServer
) -> None:
    sandbox.calls(forget=True)
    run = crowd.run("suppressions")
    assert run.status == "Failed"
    assert run.message == f"Stopped by the guard, nothing was written: {MESSAGE}."
    assert set(sandbox.calls()["rows_written"].values()) == {0}
    assert (run.counts["planned"], run.counts["total"]) == (6, 6)
    crowd.configure(guard={"suppressions": 3})
    assert crowd.run("suppressions").status == "Completed"
    assert flags(crm) == 3


def test_a_dry_run_says_that_the_guard_would_stop_it(crowd: World) -> None:
    run = crowd.run("suppressions", dry_run=True)
    assert run.status == "Dry Run"
    assert MESSAGE in run.message


@pytest.mark.parametrize("approve", [True, False, None])
def test_a_person_decides_where_the_account_asks(
    approve: bool | None, crowd: World, crm: Crm
) -> None:
    crowd.configure(guard=TIGHT, settings={"on_guard": "ask"})
    run = crowd.run("suppressions", approve=approve)
    (row,) = crowd.query("SELECT guard FROM runs")
    if approve:
        assert (run.status, flags(crm)) == ("Completed", 3)
        assert (row["guard"]["by"], row["guard"]["note"]) == ("tester", "looked at it")
    else:
        who = "Stopped by the guard" if approve is None else "Rejected by tester"
        assert run.message == f"{who}, nothing was written: {MESSAGE}."
        assert (run.status, flags(crm)) == ("Failed", 0)
