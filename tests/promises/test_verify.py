"""Verify tells every mismatch of the two sides with its reason, and mends drift on request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bothways.connectors.base import since_text
from bothways.engine.progress import marks_of
from bothways.ledgers import registry
from bothways.store import erase, unchanged
from bothways.vocabulary import SIDES, Difference
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import state_of

SYNC = "marketing_lists"
NEWS = "Newsletter"
NAMES = ("ann", "bob", "cleo")


def address(name: str) -> str:
    return f"{name}@mail.example"


@pytest.fixture
def people(world: World, crm: Crm, platform: Platform) -> dict[str, str]:
    """Three people on the newsletter whom both sides agree on, by name: their CRM ids."""
    ids = {
        name: crm.contact(address(name), firstname=name, address1_city="Paris") for name in NAMES
    }
    for record in ids.values():
        crm.join(NEWS, record)
    world.run(SYNC)
    world.run(SYNC)
    return ids


@every_platform
def test_two_sides_in_step_have_no_mismatch(
    world: World, people: dict[str, str], sandbox: SandboxServer
) -> None:
    before = state_of(sandbox)
    marks = world.query("SELECT * FROM watermarks ORDER BY 1, 2, 3, 4")
    run = world.run("verify")
    assert (run.status, run.message) == ("Completed", "Both systems agree")
    assert run.counts["unchanged"] == run.counts["total"] == len(run.jobs) == 3
    assert state_of(sandbox) == before
    assert world.query("SELECT * FROM watermarks ORDER BY 1, 2, 3, 4") == marks


@pytest.mark.parametrize("sync", ["verify", SYNC])
def test_many_that_agree_are_counted_and_found_without_a_job_each(
    sync: str, world: World, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = world.run(sync, full_resync=True)
    monkeypatch.setattr(unchanged, "LISTED_AT_MOST", 2)
    run = world.run(sync, full_resync=True)
    assert (run.status, run.counts) == (listed.status, listed.counts)
    assert run.counts["unchanged"] == 3
    assert {key: item["counts"] for key, item in run.lists.items()} == {
        key: item["counts"] for key, item in listed.lists.items()
    }
    assert (len(listed.jobs), len(run.jobs)) == (3, 0)
    with world.store.begin() as conn:
        ann = erase.find_person(conn, account="test", email_key=address("ann"))
        (found,) = registry.show_person(conn, ann)["unchanged"]
    assert (found.run_id, found.list_key, found.sync_type) == (run.run_id, "newsletter", sync)


@every_platform
def test_each_mismatch_has_its_reason(
    world: World, crm: Crm, platform: Platform, people: dict[str, str], sandbox: SandboxServer
) -> None:
    drifted(world, crm, people["ann"])
    sandbox.advance(60)  # a platform may tell times in whole seconds
    crm.change("contacts", people["bob"], address1_city="Oslo", jobtitle="Cook")
    sandbox.advance(60)
    platform.edit(address("bob"), city="Bergen")
    crm.change("contacts", people["cleo"], firstname="Cléo")
    platform.contact(address("dan"), NEWS)
    crm.contact(address("flagged"), firstname="Here", donotbulkemail=True)
    platform.contact(address("flagged"), NEWS, first_name="There")
    before = state_of(sandbox)
    run = world.run("verify")
    reasons = {
        name: set(run.jobs_of(email=address(name), result="ignored")["reason"])
        for name in (*NAMES, "dan", "flagged")
    }
    assert reasons["ann"] == {"drift"}
    assert reasons["bob"] == {"conflict"}
    assert reasons["cleo"] == {"pending"}
    assert reasons["dan"] == {"pending"}
    assert "drift" not in reasons["flagged"]
    ignored = run.counts["ignored"]
    assert ignored["drift"] == 1
    left_out = sum(ignored.values()) - sum(ignored[name] for name in Difference if name in ignored)
    assert run.status == "Completed With Errors"  # somebody has to act on drift
    assert run.message == (
        "7 differences: 1 that no sync will resolve, 2 changed in both systems, 4 changed since "
        f"the last sync; {left_out} record left out on purpose"
    )
    assert state_of(sandbox) == before
    assert run.counts["total"] == len(run.jobs)


def test_who_is_inactive_and_in_step_on_both_sides_is_no_mismatch(
    world: World, crm: Crm, people: dict[str, str]
) -> None:
    crm.change("contacts", people["ann"], statecode=1, statuscode=2)
    assert world.run("marketing_lists").counts["ignored"] == {"inactive": 1}
    assert world.run("verify").counts["ignored"] == {}


def test_people_who_are_left_out_on_purpose_are_no_difference(
    world: World, crm: Crm, platform: Platform, people: dict[str, str]
) -> None:
    crm.contact(address("flagged"), firstname="Here", donotbulkemail=True)
    platform.contact(address("flagged"), NEWS, first_name="There")
    world.run(SYNC)
    run = world.run("verify")
    left_out = sum(run.counts["ignored"].values())
    told = (
        f"Both systems agree; {left_out} record{'' if left_out == 1 else 's'} left out on purpose"
    )
    assert left_out
    assert (run.status, run.message) == ("Completed", told)


def test_what_a_run_could_not_write_says_so(
    world: World, crm: Crm, people: dict[str, str], platform: Platform, sandbox: SandboxServer
) -> None:
    world.configure(settings={"retry_attempts": 2, "retry_minutes": 0})
    crm.change("contacts", people["ann"], address1_city="Oslo")
    for word in ("retry_pending", "given_up"):
        sandbox.faults({platform.name: {"rows_refused": 1.0, "import_faults": 1.0}})
        failed = world.run(SYNC)
        sandbox.faults()
        assert failed.counts["errors"] == 1, failed.message
        run = world.run("verify")
        assert run.counts["ignored"] == {word: 1}


@every_platform
def test_drift_is_mended_on_request_and_nothing_else(
    world: World, crm: Crm, platform: Platform, people: dict[str, str]
) -> None:
    drifted(world, crm, people["ann"])
    crm.change("contacts", people["cleo"], firstname="Cléo")
    dry = world.run("verify", repair=True, dry_run=True)
    assert (dry.status, dry.counts["updated"]) == ("Dry Run", 1)
    mended = world.run("verify", repair=True)
    assert (mended.status, mended.counts["updated"]) == ("Completed", 1)
    assert mended.counts["ignored"] == {"pending": 1}
    assert platform.fields(address("ann"))["city"] == "Oslo"
    assert platform.fields(address("cleo"))["first_name"] == "cleo"
    world.run(SYNC)
    assert platform.fields(address("cleo"))["first_name"] == "Cléo"
    assert world.run("verify").message == "Both systems agree"


def test_what_an_undo_left_apart_is_told_as_meant(
    world: World, crm: Crm, platform: Platform, people: dict[str, str]
) -> None:
    crm.change("contacts", people["ann"], address1_city="Oslo")
    run = world.run(SYNC)
    world.run(SYNC, undo_run=run.run_id)
    verified = world.run("verify", repair=True)
    assert verified.counts["ignored"] == {"undone": 1}
    job = verified.jobs_of(result="ignored").iloc[0]
    assert (job["before"], job["after"]) == ({"city": "Paris"}, {"city": "Oslo"})
    assert platform.fields(address("ann"))["city"] == "Paris"


def drifted(world: World, crm: Crm, record_id: str) -> None:
    """Change somebody in a way that the sync has read past without carrying it over.

    A platform is read with some overlap, so that what is old by then has to be older in the test.
    """
    crm.change("contacts", record_id, address1_city="Oslo")
    world.open(SYNC, "lost")
    run = world.found(SYNC, "lost")
    for side in SIDES:
        world.extract(run, side)
        for name, mark in marks_of(run.staging, side).items():
            world.execute(
                "UPDATE watermarks SET value = :value WHERE side = :side AND dataset = :name",
                value=mark["value"] if side == "crm" else since_text(datetime.now(UTC)),
                side=side,
                name=name,
            )
    world.close_run(SYNC, "lost")
