"""No write is lost and none is doubled: whatever breaks, and whenever the process is killed."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from bothways.connectors.base import Connector
from bothways.discovery import sync_types
from bothways.engine.progress import marks_of
from bothways.errors import TemporaryFailure
from bothways.vocabulary import SIDES, RoleName
from demo.waiting import at_most
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import Finished, World
from tests.support.killable_worker import STEPS, KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import State, state_of

LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "guests": {
        "crm": "Guests",
        "marketing": "Product updates",
        "entity": "lead",
        "create_missing": True,
    },
}
SYNCS = ("suppressions", "address_books", "marketing_lists")
PAGE_ROWS = 5
LISTINGS = ("GET contacts", "GET leads", "GET listmembers")
LOST_ANSWERS = {"after_write": 0.4, "share": {"timeout": 0.1}, "timeout_s": 0.05}
BAD_LINE = {"share": {"429": 0.1, "500": 0.1, "502": 0.05, "cut": 0.1}, "after_write": 0.1}


def left_alone(make_world: MakeWorld, sandbox: SandboxServer) -> tuple[State, list[Finished]]:
    world = crowded(make_world, sandbox)
    return state_of(sandbox), [world.run(sync_type) for sync_type in SYNCS]


def crowded(make_world: MakeWorld, sandbox: SandboxServer) -> World:
    """People on both sides, among them every kind of work for these sync types."""
    world = make_world(people=60, lists=LISTS)
    crm, platform = Crm(sandbox), world.platform
    crm.suppression("added@mail.example")
    platform.contact("both@mail.example", "Newsletter", "Product updates")
    platform.contact("gone@mail.example", "Newsletter")
    crm.join("Newsletter", crm.contact("gone@mail.example"))
    platform.act("unsubscribe", "gone@mail.example", list="Newsletter")
    return world


@every_platform
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


@pytest.mark.parametrize(
    ("platform", "sync_type"),
    [*(("dotdigital", name) for name in SYNCS), ("mailchimp", "suppressions")],
    indirect=["platform"],
)
def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(
    sync_type: str, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    lucky = ready_for(sync_type, crowded(make_world, sandbox))
    alone, expected = lucky.run(sync_type), state_of(sandbox)
    second, later = lucky.run(sync_type), state_of(sandbox)
    world = ready_for(sync_type, crowded(make_world, sandbox))
    world.open(sync_type, "killed")
    with KillableWorker(world) as worker:
        kills = {
            step: worker.killed_all_along(step, sync_type, "killed") for step in (*STEPS, "close")
        }
    assert kills["apply_crm"] >= 6, kills
    run = world.finished(sync_type, "killed")
    assert (run.status, run.message, run.counts) == (alone.status, alone.message, alone.counts)
    assert state_of(sandbox) == expected
    assert world.run(sync_type).counts == second.counts
    assert state_of(sandbox) == later


def ready_for(sync_type: str, world: World) -> World:
    """Run what a schedule runs before."""
    for name in sync_types()[sync_type].after:
        world.run(name)
    return world


def in_step_and_changed(make_world: MakeWorld, sandbox: SandboxServer) -> World:
    """People whom both sides agree on, all of whom somebody has changed since, each differently."""
    world = make_world()
    crm, platform = Crm(sandbox), world.platform
    world.configure(
        lists={
            "newsletter": LISTS["newsletter"],
            "vips": {"crm": "VIPs", "marketing": platform.beside},
        }
    )
    crm.list("VIPs")
    everybody = ("edited", "moved", "leaving", "gone", "back", "vip", "former", "quiet", "typed")
    ids = {name: crm.contact(f"{name}@mail.example", firstname=name) for name in everybody}
    for record in ids.values():
        crm.join("Newsletter", record)
    crm.join("VIPs", ids["former"])
    world.run("marketing_lists")
    crm.leave("Newsletter", ids["back"])
    sandbox.advance(600)
    world.run("marketing_lists")
    crm.change("contacts", ids["edited"], firstname="Edith", address1_city="Oslo")
    crm.change("contacts", ids["moved"], emailaddress1="elsewhere@mail.example")
    for name in ("leaving", "gone"):
        crm.leave("Newsletter", ids[name])
    crm.join("Newsletter", ids["back"])
    crm.join("VIPs", ids["vip"])
    crm.leave("VIPs", ids["former"])
    crm.change("contacts", ids["quiet"], donotbulkemail=True)
    platform.edit("typed@mail.example", first_name="Tyra")
    for name in ("ann", "bob", "cleo"):
        crm.join("Newsletter", crm.contact(f"{name}@mail.example", firstname=name))
    crm.join("VIPs", crm.person("bob@mail.example")["contactid"])
    sandbox.advance(600)
    return world


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_a_process_that_is_killed_at_any_of_its_writes_is_simply_run_again(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    """Where there are many ways to write: in bulk, in a batch, one by one; audiences and tags."""
    sync_type = "marketing_lists"
    lucky = in_step_and_changed(make_world, sandbox)
    before, alone, expected = state_of(sandbox), lucky.run(sync_type), state_of(sandbox)
    assert alone.status == "Completed", alone
    assert expected != before
    world = in_step_and_changed(make_world, sandbox)
    assert state_of(sandbox) == before
    world.open(sync_type, "killed")
    run = world.found(sync_type, "killed")
    for side in SIDES:
        world.extract(run, side)
    world.plan(run)
    world.review(run)
    with KillableWorker(world, constants=world.platform.small_writes) as worker:
        # What is written to the CRM is the same on every platform.
        worker.killed_all_along("apply_crm", sync_type, "killed", stride=5)
        kills = worker.killed_all_along("apply_marketing", sync_type, "killed")
    assert kills >= 20, kills
    world.close_run(sync_type, "killed")
    told = world.finished(sync_type, "killed")
    assert (told.status, told.message, told.counts) == (alone.status, alone.message, alone.counts)
    assert state_of(sandbox) == expected
    assert not world.run(sync_type, full_resync=True).jobs["kind"].notna().any()


@pytest.mark.parametrize(
    ("platform", "side", "kill_point"),
    [
        ("dotdigital", "crm", 30),
        ("dotdigital", "marketing", 30),
        ("mailchimp", "marketing", 45),  # its lists have parts, which are read first
    ],
    indirect=["platform"],
)
def test_a_read_goes_on_at_the_page_where_its_worker_was_killed(
    side: RoleName,
    kill_point: int,
    make_world: MakeWorld,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither are pages read again that were kept, nor is anybody staged twice or lost."""
    sync_type, step = "marketing_lists", f"extract_{side}"
    alone = make_world(people=120, lists=LISTS)
    platform = alone.platform
    short = {
        "bothways.connectors.dynamics.reading.PAGE_ROWS": PAGE_ROWS,
        "bothways.engine.ahead.WAITING": PAGE_ROWS,
        **platform.short_pages(PAGE_ROWS),
    }
    for constant, value in short.items():
        monkeypatch.setattr(constant, value)
    alone.open(sync_type, "alone")
    sandbox.calls(forget=True)
    alone.extract(alone.found(sync_type, "alone"), side)
    pages, staged = pages_of(platform, sandbox), people_staged(alone, "alone", side)
    assert pages > 15

    world = make_world(people=120, lists=LISTS)
    world.open(sync_type, "killed")
    sandbox.calls(forget=True)
    with KillableWorker(world, constants=short) as worker:
        kills = 0
        for _ in at_most(20, f"the end of {step}, which is killed again and again"):
            if not worker.killed(step, sync_type, "killed", kill_point=kill_point):
                break
            kills += 1
            if came_to_its_end(world, "killed", side):  # and was killed after that
                break
    assert kills >= 3
    # Each time those are lost that are being kept, two at most, as many that wait, and two to come.
    assert pages_of(platform, sandbox) <= pages + 6 * kills
    assert people_staged(world, "killed", side) == staged
    world.extract(world.found(sync_type, "killed"), side)
    assert pages_of(platform, sandbox) >= 2 * pages, "what is cleared is read anew"


@every_platform
def test_a_task_that_is_cut_off_repeats_only_what_it_had_not_recorded(
    make_world: MakeWorld, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(lists={"newsletter": LISTS["newsletter"]})
    crm = Crm(sandbox)
    for number in range(5):
        crm.join("Newsletter", crm.contact(f"new-{number}@mail.example"))
    kind = type(world.connector("marketing"))
    few = replace(kind.declaration, limits=replace(kind.declaration.limits, keep_rows=2))
    write, sizes = kind.write_contacts, []

    def cut_off_once(self: Connector, operations: pd.DataFrame) -> pd.DataFrame:
        sizes.append(len(operations))
        if len(sizes) == 2:
            raise TemporaryFailure("it is out of reach", vendor="The platform")
        return write(self, operations)

    monkeypatch.setattr(kind, "declaration", few)
    monkeypatch.setattr(kind, "write_contacts", cut_off_once)
    run = world.run("marketing_lists")
    assert sizes == [2, 2, 2, 1]
    assert run.counts["errors"] == 0
    emails = {f"new-{number}@mail.example" for number in range(5)}
    assert set(world.platform.members("Newsletter")) == emails


def came_to_its_end(world: World, name: str, side: RoleName) -> bool:
    """Return whether all that an extract reads has been read; it would begin anew."""
    return bool(marks_of(world.found("marketing_lists", name).staging, side))


def pages_of(platform: Platform, sandbox: SandboxServer) -> int:
    """Return how many pages of people and members have been asked for."""
    return sum(
        number
        for vendor in ("dynamics", platform.name)
        for endpoint, number in sandbox.calls()[vendor].items()
        if endpoint in (*LISTINGS, platform.people_at)
    )


def people_staged(world: World, name: str, side: RoleName) -> list[tuple[str, str]]:
    """Return what was staged of a side's people: dataset and address."""
    run = world.found("marketing_lists", name)
    return sorted(
        (dataset, email or "")
        for dataset in ("contacts", "leads")
        for page in run.staging.pages(side, dataset)
        for email in page["email"].to_pylist()
    )
