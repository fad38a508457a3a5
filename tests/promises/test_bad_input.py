"""What vendors and people send that nobody should: a clear error each, and nothing else stops."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bothways.connectors.dynamics import reading
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario
from tests.support.vendors import state_of

SYNCS = ("suppressions", "address_books")


@pytest.mark.parametrize(
    ("platform", "side"),
    [("dotdigital", "crm"), ("dotdigital", "marketing"), ("mailchimp", "marketing")],
    indirect=["platform"],
)
@pytest.mark.parametrize(
    "faults",
    [{"html_200": 1.0}, {"repeat_page": True}],
    ids=["HTML in a 200", "a page that repeats"],
)
def test_an_answer_that_makes_no_sense_ends_the_run_and_writes_nothing(
    side: str,
    faults: dict[str, object],
    make_world: MakeWorld,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "page_size", lambda: "odata.maxpagesize=20")
    world = make_world(people=100)
    platform = world.platform
    for constant, value in platform.short_pages(20).items():
        monkeypatch.setattr(constant, value)
    before = state_of(sandbox)
    vendor, title = (
        ("dynamics", "Dynamics 365") if side == "crm" else (platform.name, platform.title)
    )
    sandbox.faults({vendor: faults})
    run = world.run("address_books")
    sandbox.faults()
    assert run.status == "Failed"
    assert run.message.startswith(title)
    assert "page" in run.message
    assert state_of(sandbox) == before
    assert world.run("address_books").status == "Completed"


@every_platform
def test_odd_people_are_carried_or_refused_one_by_one(
    world: World, crm: Crm, platform: Platform
) -> None:
    names = {
        "emoji": "Zoë 🦄🏳️‍🌈",
        "lines": "Ann\r\nBcc: all",
        "long": "x" * 400,
        "nul": "An\0na",
        "number": 42,
        "quote": 'O\'Hara "& Söhne" \\',
        "right": "\u202eאבג",
    }
    for key, name in names.items():
        platform.contact(f"{key}@mail.example", "Newsletter", first_name=name)
    crm.suppression("a" * 300 + "@mail.example")
    crm.suppression("no address at all")
    crm.suppression(None)
    crm.suppression("fine@mail.example")
    run = world.run("suppressions")
    assert (
        platform.addresses().count("fine@mail.example"),
        "fine@mail.example" in platform.mailable(),
    ) == (1, False)
    assert run.counts["ignored"] == {"empty": 1}
    assert run.counts["errors"] <= 2
    assert run.counts["total"] == len(run.jobs) == 4
    run = world.run("address_books")
    assert run.status == "Completed"
    stored = {row["emailaddress1"]: row["firstname"] for row in crm.table("contact")}
    for key in ("emoji", "lines", "quote", "right"):
        assert stored[f"{key}@mail.example"].split() == str(names[key]).split()
    assert (stored["nul@mail.example"], stored["number@mail.example"]) == ("Anna", "42")
    assert stored["long@mail.example"] in (None, names["long"][:50])


def test_what_a_vendor_should_not_even_hold_costs_nobody_else_anything(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    for name in ("ann", "endless", "nested", "none"):
        platform.contact(f"{name}@mail.example", "Newsletter", first_name="Ann")
    changes = [
        ("email = ?", "a" * 387 + "@mail.example", "endless"),
        ("fields = ?", '{"FIRSTNAME": {"de": ["Ann", null]}, "BIRTHDATE": true}', "nested"),
        ("email = ?", None, "none"),
    ]
    with closing(sqlite3.connect(sandbox.data / "dotdigital.sqlite")) as held, held:
        for what, value, name in changes:
            held.execute(
                f"UPDATE contacts SET {what} WHERE email = ?",
                (value, f"{name}@mail.example"),
            )
    run = world.run("address_books")
    assert run.status == "Completed"
    assert run.counts["ignored"] == {"invalid": 1, "empty": 1}
    assert crm.members("Newsletter") == ["ann@mail.example", "nested@mail.example"]
    assert run.notes == [
        "list newsletter: 1 times `BIRTHDATE` has a value that `birth_date` cannot take; "
        "give a date written as ISO 8601, or change the mapping"
    ]


def test_a_value_that_does_not_fit_the_mapping_clears_nothing(
    world: World, sandbox: SandboxServer
) -> None:
    scenario = Scenario(world, sandbox)
    birthday = "{crm: birthdate, marketing: CITY, type: date, conflict: marketing}"
    mapping = f"entity: contact\nfields:\n  birth_date: {birthday}\n"
    (world.include / "mappings" / "own.yaml").write_text(mapping)
    world.configure(lists=LISTS, mappings={"contact": "own.yaml"})
    (ann,) = scenario.on_both("ann@mail.example", birthdate="1980-01-02")
    assert scenario.fields("ann@mail.example")["city"] == "1980-01-02"
    scenario.edit("ann@mail.example", city="soon")
    run = scenario.sync()
    assert scenario.record(ann)["birthdate"] == "1980-01-02"
    assert [note.partition(": ")[0] for note in run.notes] == ["contacts"]
    scenario.edit("ann@mail.example", city="1981-01-02")
    scenario.sync()
    assert scenario.record(ann)["birthdate"] == "1981-01-02"
    scenario.edit("ann@mail.example", city="")
    scenario.sync()
    assert scenario.record(ann)["birthdate"] is None


def test_a_token_that_expired_leads_to_a_full_read_that_says_so(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.suppressed("ann@mail.example")
    gone = crm.contact("gone@mail.example")
    world.run("suppressions")
    crm.contact("ann@mail.example")
    crm.delete("contacts", gone)
    sandbox.advance(8 * 24 * 3600)
    run = world.run("suppressions")
    assert run.status == "Completed"
    assert run.counts["updated"] == 1
    assert (
        "Dynamics 365 no longer knows how far contacts was read; everything was re-read."
        in run.notes
    )
    assert (
        world.query("SELECT id FROM records WHERE deleted_at IS NULL AND id = :id", id=gone) == []
    )
    assert not world.run("suppressions").notes
