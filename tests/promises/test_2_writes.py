"""No write is lost and none is doubled: whatever breaks, and whenever the process is killed."""

from __future__ import annotations

import pytest

from bothways.discovery import sync_types
from demo.waiting import at_most
from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished, World
from tests.support.killable_worker import STEPS, KillableWorker
from tests.support.people import Crm, Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import State, state_of

LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "guests": {
        "crm": "Guests",
        "marketing": "Webinar guests",
        "entity": "lead",
        "create_missing": True,
    },
}
SYNCS = ("suppressions", "address_books", "marketing_lists")
LOST_ANSWERS = {"after_write": 0.4, "share": {"timeout": 0.1}, "timeout_s": 0.05}
BAD_LINE = {"share": {"429": 0.1, "500": 0.1, "502": 0.05, "cut": 0.1}, "after_write": 0.1}


def left_alone(make_world: MakeWorld, sandbox: SandboxServer) -> tuple[State, list[Finished]]:
    world = crowded(make_world, sandbox)
    return state_of(sandbox), [world.run(sync_type) for sync_type in SYNCS]


def crowded(make_world: MakeWorld, sandbox: SandboxServer) -> World:
    """People on both sides, among them every kind of work for these sync types."""
    world = make_world(people=60, lists=LISTS)
    crm, platform = Crm(sandbox), Platform(sandbox)
    crm.suppression("added@mail.example")
    platform.contact("both@mail.example", "Newsletter", "Webinar guests")
    platform.contact("gone@mail.example", "Newsletter")
    crm.join("Newsletter", crm.contact("gone@mail.example"))
    sandbox.act("dotdigital", "unsubscribe", email="gone@mail.example", list="Newsletter")
    return world


@pytest.mark.parametrize("faults", [LOST_ANSWERS, BAD_LINE], ids=["lost answers", "bad line"])
def test_a_bad_line_changes_nothing_about_the_outcome(
    faults: dict[str, object], make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    before, alone = left_alone(make_world, sandbox)
    expected = state_of(sandbox)
    assert expected != before
    world = crowded(make_world, sandbox)
    for number, sync_type in enumerate(SYNCS):
        sandbox.faults({"*": {**faults, "seed": number}})
        run = world.run(sync_type)
        sandbox.faults()
        assert (run.status, run.counts) == (alone[number].status, alone[number].counts)
    assert state_of(sandbox) == expected


@pytest.mark.parametrize("sync_type", SYNCS)
def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(
    sync_type: str, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    lucky = ready_for(sync_type, crowded(make_world, sandbox))
    alone, expected = lucky.run(sync_type), state_of(sandbox)
    lucky.run(sync_type)
    later = state_of(sandbox)
    world = ready_for(sync_type, crowded(make_world, sandbox))
    world.open(sync_type, "killed")
    with KillableWorker(world) as worker:
        kills = {step: kill_all_along(worker, sync_type, step) for step in (*STEPS, "close")}
    assert kills["apply_crm"] >= 6, kills
    run = world.finished(sync_type, "killed")
    assert (run.status, run.message, run.counts) == (alone.status, alone.message, alone.counts)
    assert state_of(sandbox) == expected
    assert world.run(sync_type).counts["new"] == 0
    assert state_of(sandbox) == later


def ready_for(sync_type: str, world: World) -> World:
    """Run what a schedule runs before."""
    for name in sync_types()[sync_type].after:
        world.run(name)
    return world


def kill_all_along(worker: KillableWorker, sync_type: str, step: str) -> int:
    """Kill a step ever later, until it comes to its end; return how often it was killed."""
    # Each try goes further than the last: every kill point while writing, and some while reading.
    stride = 1 if step.startswith("apply") else 11
    for turn in at_most(1_000, f"the end of {step}, which is killed ever later"):
        if not worker.killed(step, sync_type, "killed", kill_point=1 + (turn - 1) * stride):
            break
    return turn - 1
