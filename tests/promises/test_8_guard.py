"""A plan that would change more than the guard allows writes nothing."""

from __future__ import annotations

import pytest

from bothways.engine.review import may_approve
from bothways.engine.step import step
from bothways.vocabulary import SIDES
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

TIGHT = {"suppressions": 2, "free": 0, "suppressions_percent": None}
MESSAGE = "3 suppressions planned in Dynamics 365, of 3 known people (2 allowed)"


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


@every_platform
def test_beyond_the_guard_the_run_fails_and_what_it_read_is_read_again(
    crowd: World, crm: Crm, sandbox: SandboxServer
) -> None:
    sandbox.calls(forget=True)
    run = crowd.run("suppressions")
    assert run.status == "Failed"
    assert run.message == f"Stopped by the safety limits, nothing was written: {MESSAGE}."
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
        who = "Stopped by the safety limits" if approve is None else "Rejected by tester"
        assert run.message == f"{who}, nothing was written: {MESSAGE}."
        assert (run.status, flags(crm)) == ("Failed", 0)


@pytest.mark.parametrize(
    ("by", "approvers", "may"),
    [
        ("ada", [], True),
        ("tester", [], True),  # who started the run, where the account names nobody
        ("ada", ["ada", "tester"], True),
        ("tester", ["ada", "tester"], False),
        ("tester", ["tester"], False),
        ("bob", ["ada"], False),
        ("timeout", ["ada"], False),
    ],
)
def test_only_the_approvers_of_an_account_may_approve_and_not_what_they_started(
    *, by: str, approvers: list[str], may: bool, crowd: World
) -> None:
    crowd.configure(guard=TIGHT, settings={"on_guard": "ask"})
    crowd.open("suppressions", "asked")
    # Whom to ask may be decided while the run waits.
    crowd.configure(guard=TIGHT, settings={"on_guard": "ask"}, approvers=approvers)
    run = crowd.found("suppressions", "asked")
    for side in SIDES:
        crowd.extract(run, side)
    crowd.plan(run)
    assert crowd.review(run) == []
    with step(run, "review"):
        assert may_approve(run, by) is may
    (row,) = crowd.query("SELECT status, notes FROM runs")
    assert row["status"] == ("In Progress" if may else "Awaiting Approval")
    assert [note for note in row["notes"] if f"{by} approved the run, but may not: " in note] == (
        [] if may else row["notes"][-1:]
    )


@every_platform
@pytest.mark.parametrize(("percent", "allowed"), [(40, 4), (30, 3)])
def test_people_whom_no_run_has_read_are_counted_as_the_platform_does(
    percent: float, allowed: int, world: World, crm: Crm, platform: Platform
) -> None:
    for number in range(10):
        platform.contact(f"p{number}@mail.example", "Newsletter")
    for number in range(4):
        crm.suppression(f"p{number}@mail.example")
    world.configure(guard={"free": 0, "suppressions_percent": percent})
    run = world.run("suppressions")
    if allowed < 4:
        assert run.message == (
            "Stopped by the safety limits, nothing was written: 4 suppressions planned in "
            f"{platform.title}, of 10 known people (3 allowed)."
        )
    else:
        assert run.counts["people"]["suppressed"] == 4


@pytest.fixture
def readers(world: World, sandbox: SandboxServer) -> Scenario:
    """Two dozen people on the newsletter of both sides, in step, under the default guard."""
    scenario = Scenario(world, sandbox)
    scenario.on_both(*(f"p{number:02}@mail.example" for number in range(24)))
    sandbox.advance(600)
    world.configure(guard={})
    scenario.sync()
    return scenario


def empty(scenario: Scenario) -> None:
    for row in scenario.crm.table("contact"):
        scenario.crm.leave("Newsletter", row["contactid"])


@every_platform
@pytest.mark.parametrize("limits", [{}, {"removals": None, "free": 1_000_000}])
def test_a_list_that_would_become_empty_is_beyond_every_limit(
    limits: dict[str, int | None], readers: Scenario
) -> None:
    readers.world.configure(guard=limits)
    empty(readers)
    run = readers.world.run("marketing_lists")
    assert run.message == (
        "Stopped by the safety limits, nothing was written: list `Newsletter` "
        f"in {readers.platform.title} would be left empty by 24 removals."
    )
    assert len(readers.members()) == 24
    readers.world.configure(guard=limits, settings={"on_guard": "ask"})
    assert readers.world.run("marketing_lists", approve=True).counts["deleted"] == 24
    assert readers.members() == []


@every_platform
def test_removals_are_counted_by_the_list_they_are_from(readers: Scenario) -> None:
    for number in range(10):  # the side knows more people than the list has
        readers.platform.contact(f"other{number}@mail.example", "Product updates")
    readers.world.run("marketing_lists")
    readers.world.configure(guard={"free": 3, "removals_percent": 20})
    for row in readers.crm.table("contact")[:5]:
        readers.crm.leave("Newsletter", row["contactid"])
    run = readers.world.run("marketing_lists")
    assert run.message == (
        "Stopped by the safety limits, nothing was written: 5 removals planned from list "
        f"`Newsletter` in {readers.platform.title}, of 24 members (4 allowed)."
    )


def test_a_list_whose_counterpart_is_yet_to_be_created_is_counted_by_its_own_members(
    readers: Scenario,
) -> None:
    who = [f"p{number:02}@mail.example" for number in range(5)]
    for number in range(6):  # the side knows more people than the list has
        readers.crm.contact(f"other{number}@mail.example")
    for email in who:
        readers.act("unsubscribe", email, list="Newsletter")
    readers.sync("suppressions", "suppressions")
    for email in who:
        readers.crm.join("Newsletter", readers.crm.person(email)["contactid"])
    new = {"newsletter": {**LISTS["newsletter"], "marketing": "News", "create_missing": True}}
    readers.world.configure(lists=new, guard={"free": 3, "removals_percent": 20})
    run = readers.world.run("marketing_lists")
    assert run.message == (
        "Stopped by the safety limits, nothing was written: 5 removals planned from list "
        "`Newsletter` in Dynamics 365, of 24 members (4 allowed)."
    )
    readers.world.configure(lists=new, guard={"free": 3, "removals_percent": 25})
    run = readers.world.run("marketing_lists")
    assert (run.status, run.counts["deleted"]) == ("Completed", 5)
    assert len(readers.members("News")) == len(readers.crm.members("Newsletter")) == 19


def test_a_persons_own_word_may_empty_a_list(world: World, sandbox: SandboxServer) -> None:
    scenario = Scenario(world, sandbox)
    scenario.on_both("ann@mail.example")
    sandbox.advance(600)
    world.configure(guard={})
    scenario.sync()
    scenario.act("unsubscribe", "ann@mail.example", list="Newsletter")
    run = world.run("suppressions")
    assert (run.status, run.counts["deleted"]) == ("Completed", 1)
    assert world.run("marketing_lists", full_resync=True).status == "Completed"
    assert scenario.on_lists() == ([], [])


def left_unseen(scenario: Scenario) -> None:
    """Let people leave a platform list in a way that only a full read sees."""
    for number in range(3):
        scenario.leave(f"p{number:02}@mail.example")


@pytest.mark.parametrize("how", ["stopped", "rejected", "crashed"])
def test_what_a_full_resync_found_is_not_forgotten_with_the_run(
    how: str, readers: Scenario
) -> None:
    world = readers.world
    left_unseen(readers)
    assert world.run("marketing_lists").counts["total"] == 0
    asks = {"on_guard": "ask" if how == "rejected" else "fail"}
    world.configure(guard={"removals": 2}, settings=asks)
    if how == "crashed":
        world.open("marketing_lists", "killed", full_resync=True)
        run = world.found("marketing_lists", "killed")
        for side in SIDES:
            world.extract(run, side)
        world.close_run("marketing_lists", "killed")
        run_id = run.run_id
    else:
        failed = world.run("marketing_lists", full_resync=True, approve=False)
        assert (failed.status, failed.run_id > 0) == ("Failed", True)
        run_id = failed.run_id
    world.configure(guard={})
    run = world.run("marketing_lists")
    told = f"Reads everything, since the full resync of run {run_id} was not applied."
    assert (told in run.notes, run.counts["deleted"]) == (True, 3)
    assert len(readers.crm.members("Newsletter")) == 21
    after = world.run("marketing_lists")
    assert (after.notes, after.counts["total"]) == ([], 0)


def test_a_dry_run_of_a_full_resync_is_owed_to_nobody(readers: Scenario) -> None:
    left_unseen(readers)
    assert readers.world.run("marketing_lists", full_resync=True, dry_run=True).status == "Dry Run"
    run = readers.world.run("marketing_lists")
    assert (run.notes, run.counts["total"]) == ([], 0)
