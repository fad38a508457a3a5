"""An undo takes back what a run wrote, where nobody has changed it since, and both sides rest."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import Finished, World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import state_of

SYNC = "marketing_lists"
NEWS = "Newsletter"
ANN = {"firstname": "Ann", "address1_city": "Paris", "jobtitle": "Cook"}


@pytest.fixture
def ann(world: World, crm: Crm, platform: Platform) -> str:
    """A contact whom both sides know, agree on, and have on the newsletter; her platform id."""
    record = crm.contact(
        "ann@mail.example", firstname="Ann", address1_city="Paris", jobtitle="Cook"
    )
    crm.join(NEWS, record)
    world.run(SYNC)
    assert platform.members(NEWS) == ["ann@mail.example"]
    assert at_rest(world)
    return platform.contact_id("ann@mail.example")


def at_rest(world: World) -> bool:
    """Return whether the next incremental and the next full sync write nothing."""
    runs = [world.run(SYNC), world.run(SYNC, full_resync=True)]
    return {written(run) for run in runs} == {0}


def written(run: Finished) -> int:
    assert run.status == "Completed", run.message
    return sum(run.counts[name] for name in ("new", "updated", "re_added", "deleted"))


def city(crm: Crm, platform: Platform) -> tuple[str | None, str | None]:
    """Ann's city, in the CRM and on the platform."""
    return crm.person("ann@mail.example")["address1_city"], platform.fields("ann@mail.example")[
        "city"
    ]


def edited(world: World, crm: Crm, platform: Platform, ann: str) -> Finished:
    """Her city is changed on the platform, her job in the CRM; a sync carries both over."""
    platform.edit("ann@mail.example", city="Rome")
    crm.change("contacts", crm.person("ann@mail.example")["contactid"], jobtitle="Chef")
    run = world.run(SYNC)
    assert city(crm, platform) == ("Rome", "Rome")
    assert written(run) == 2
    return run


@every_platform
def test_fields_go_back_on_both_sides_and_stay(
    world: World, crm: Crm, platform: Platform, ann: str, sandbox: SandboxServer
) -> None:
    run = edited(world, crm, platform, ann)
    undo = world.run(SYNC, undo_run=run.run_id)
    assert (undo.status, undo.counts["updated"], undo.counts["total"]) == ("Completed", 2, 2)
    assert city(crm, platform) == ("Paris", "Rome")  # what a person typed stays where it was
    assert platform.fields("ann@mail.example")["job_title"] == "Cook"
    assert crm.person("ann@mail.example")["jobtitle"] == "Chef"
    rested = state_of(sandbox)
    assert at_rest(world)
    assert state_of(sandbox) == rested
    (row,) = world.query("SELECT undo_of FROM runs WHERE run_id = :run", run=undo.run_id)
    assert row["undo_of"] == run.run_id


def test_a_second_undo_changes_nothing(
    world: World, crm: Crm, platform: Platform, ann: str, sandbox: SandboxServer
) -> None:
    run = edited(world, crm, platform, ann)
    world.run(SYNC, undo_run=run.run_id)
    before = state_of(sandbox)
    again = world.run(SYNC, undo_run=run.run_id)
    assert (again.counts["unchanged"], again.counts["total"]) == (2, 2)
    assert state_of(sandbox) == before
    assert at_rest(world)


def test_a_dry_run_of_an_undo_says_what_it_would_write_back(
    world: World, crm: Crm, platform: Platform, ann: str, sandbox: SandboxServer
) -> None:
    run = edited(world, crm, platform, ann)
    before = state_of(sandbox)
    dry = world.run(SYNC, undo_run=run.run_id, dry_run=True)
    assert (dry.status, dry.counts["updated"]) == ("Dry Run", 2)
    job = dry.jobs_of(target="crm").iloc[0]
    assert (job["before"], job["after"]) == ({"city": "Rome"}, {"city": "Paris"})
    assert state_of(sandbox) == before


@every_platform
def test_what_somebody_changed_since_is_left_alone(
    world: World, crm: Crm, platform: Platform, ann: str
) -> None:
    run = edited(world, crm, platform, ann)
    crm.change("contacts", crm.person("ann@mail.example")["contactid"], address1_city="Nice")
    undo = world.run(SYNC, undo_run=run.run_id)
    assert undo.counts["ignored"] == {"changed_since": 1}
    assert city(crm, platform) == ("Nice", "Rome")
    assert written(world.run(SYNC)) == 1  # the edit travels as any edit does
    assert city(crm, platform) == ("Nice", "Nice")
    assert at_rest(world)


@pytest.mark.parametrize("where", ["crm", "marketing"])
def test_a_new_edit_after_an_undo_travels(
    where: str, world: World, crm: Crm, platform: Platform, ann: str
) -> None:
    run = edited(world, crm, platform, ann)
    world.run(SYNC, undo_run=run.run_id)
    assert at_rest(world)
    if where == "crm":
        crm.change("contacts", crm.person("ann@mail.example")["contactid"], address1_city="Oslo")
    else:
        platform.edit("ann@mail.example", city="Oslo")
    world.run(SYNC)
    assert city(crm, platform) == ("Oslo", "Oslo")
    assert at_rest(world)


@every_platform
def test_an_undo_can_be_undone(world: World, crm: Crm, platform: Platform, ann: str) -> None:
    run = edited(world, crm, platform, ann)
    undo = world.run(SYNC, undo_run=run.run_id)
    world.run(SYNC, undo_run=undo.run_id)
    assert city(crm, platform) == ("Rome", "Rome")
    assert crm.person("ann@mail.example")["jobtitle"] == "Chef"
    assert at_rest(world)
    crm.change("contacts", crm.person("ann@mail.example")["contactid"], address1_city="Paris")
    world.run(SYNC)
    assert city(crm, platform) == ("Paris", "Paris")


def test_all_records_of_a_person_go_back_and_stay(
    world: World, crm: Crm, platform: Platform, ann: str
) -> None:
    twin = crm.contact("ann@mail.example", **ANN)
    crm.join(NEWS, twin)
    world.run(SYNC)
    assert at_rest(world)
    platform.edit("ann@mail.example", city="Rome")
    run = world.run(SYNC)
    assert {row["address1_city"] for row in crm.table("contact")} == {"Rome"}
    world.run(SYNC, undo_run=run.run_id)
    assert {row["address1_city"] for row in crm.table("contact")} == {"Paris"}
    assert at_rest(world)
    crm.change("contacts", twin, address1_city="Oslo")
    world.run(SYNC)
    assert {row["address1_city"] for row in crm.table("contact")} == {"Oslo"}
    assert platform.fields("ann@mail.example")["city"] == "Oslo"
    assert at_rest(world)


@every_platform
def test_joins_become_leaves_and_people_who_were_created_stay(
    world: World, crm: Crm, platform: Platform, ann: str
) -> None:
    platform.contact("bob@mail.example", NEWS, first_name="Bob")
    crm.join(NEWS, crm.contact("cleo@mail.example", firstname="Cleo"))
    run = world.run(SYNC)
    everybody = ["ann@mail.example", "bob@mail.example", "cleo@mail.example"]
    assert crm.members(NEWS) == platform.members(NEWS) == everybody
    undo = world.run(SYNC, undo_run=run.run_id)
    assert undo.counts["ignored"] == {"created_record_kept": 2}
    assert undo.counts["deleted"] == 2
    assert crm.members(NEWS) == ["ann@mail.example", "cleo@mail.example"]
    assert platform.members(NEWS) == ["ann@mail.example", "bob@mail.example"]
    assert crm.person("bob@mail.example")["firstname"] == "Bob"
    assert at_rest(world)
    assert written(world.run("address_books")) == 0
    assert world.run(SYNC, full_resync=True).counts["ignored"] == {"undone": 2}


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("side", ["crm", "marketing"])
@pytest.mark.parametrize("how", ["another is mapped", "made again"])
def test_nobody_is_taken_off_or_put_on_a_list_that_the_run_never_knew(
    how: str, side: str, world: World, crm: Crm, platform: Platform
) -> None:
    bob, cleo = "bob@mail.example", "cleo@mail.example"
    dora = crm.contact("dora@mail.example", firstname="Dora")
    crm.join(NEWS, dora)
    world.run(SYNC)
    crm.leave(NEWS, dora)
    platform.contact(bob, NEWS)
    crm.join(NEWS, crm.contact(cleo))
    run = world.run(SYNC)
    everybody = ["ann@mail.example", bob, cleo]
    assert crm.members(NEWS) == platform.members(NEWS) == everybody
    name = NEWS
    if how == "another is mapped":
        name = "News of 2027"
        world.configure(lists={"newsletter": {"crm": NEWS, "marketing": NEWS, side: name}})
    elif side == "crm":
        crm.delete("lists", crm.list_id(NEWS))
    else:
        platform.delete_list(NEWS)
    vendor: Crm | Platform = crm if side == "crm" else platform
    vendor.list(name)
    world.run(SYNC)
    world.run(SYNC, full_resync=True)
    assert vendor.members(name) == everybody
    undo = world.run(SYNC, undo_run=run.run_id)
    replaced = undo.jobs_of(reason="list_replaced")
    assert set(replaced["email"]) == ({bob} if side == "crm" else {cleo, "dora@mail.example"})
    assert set(replaced["target"]) == {side}
    assert vendor.members(name) == everybody


@every_platform
def test_who_was_taken_off_by_hand_comes_back_unless_they_said_no(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    ids = {}
    for name in ("ann", "bob", "cleo", "dora"):
        ids[name] = crm.contact(f"{name}@mail.example", firstname=name)
        crm.join(NEWS, ids[name])
    world.run(SYNC)
    assert at_rest(world)
    for name in ("ann", "bob"):
        crm.leave(NEWS, ids[name])
    platform.act("unsubscribe", "cleo@mail.example", list=NEWS)
    run = world.run(SYNC)
    assert crm.members(NEWS) == ["dora@mail.example"]
    platform.says_no("bob@mail.example")
    undo = world.run(SYNC, undo_run=run.run_id)
    # Of whoever is no contact any more the write finds it out, before any run has read it.
    reason = "do_not_mail" if platform.keeps_leavers else "complained"
    assert undo.counts["ignored"] == {reason: 1, "cannot_undo_unsubscribe": 1}
    assert undo.counts["re_added"] == 1
    assert "ann@mail.example" in platform.members(NEWS)
    assert crm.members(NEWS) == ["dora@mail.example"]
    assert "bob@mail.example" not in platform.mailable()
    assert ("ann@mail.example" in platform.mailable()) is platform.keeps_leavers, "else asked first"
    assert at_rest(world)
    assert "ann@mail.example" in platform.members(NEWS)


def test_suppressions_are_never_taken_back(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    crm.contact("ann@mail.example")
    platform.suppressed("ann@mail.example")
    run = world.run("suppressions")
    before = state_of(sandbox)
    undo = world.run("suppressions", undo_run=run.run_id)
    assert undo.counts["ignored"] == {"cannot_undo_unsubscribe": 2}
    assert state_of(sandbox) == before


def test_an_undo_names_a_run_that_can_be_undone(
    world: World, crm: Crm, platform: Platform, ann: str
) -> None:
    suppressing = world.run("suppressions")
    dry = world.run(SYNC, dry_run=True)
    for number, why in (
        (999, "There is no run 999"),
        (suppressing.run_id, "is suppressions of account test"),
        (dry.run_id, "was a dry run"),
    ):
        refused = world.run(SYNC, undo_run=number)
        assert refused.status == "Failed"
        assert why in refused.message


def test_a_bad_line_changes_nothing_about_an_undo(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    world = make_world(people=40)
    crm = Crm(sandbox)
    world.run("suppressions")
    world.run(SYNC)
    assert written(world.run(SYNC)) == 0
    for email in platform.addresses():
        platform.edit(email, city="Atlantis")
    before = state_of(sandbox)
    run = world.run(SYNC)
    moved = run.counts["updated"]
    assert moved > 3
    sandbox.faults({"*": {"share": {"429": 0.1, "500": 0.1, "cut": 0.1}, "after_write": 0.2}})
    undo = world.run(SYNC, undo_run=run.run_id)
    sandbox.faults()
    assert undo.counts["updated"] == moved, undo.counts
    assert state_of(sandbox) == before
    assert written(world.run(SYNC)) == 0
    assert "Atlantis" not in {row["address1_city"] for row in crm.table("contact")}
