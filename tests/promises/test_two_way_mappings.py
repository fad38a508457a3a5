"""A mapping that changes between two runs: what was agreed on under the old one proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bothways.errors import RunStopped
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.town import Town

ANN = "ann@mail.example"
STATE = "address1_stateorprovince"
SENTENCE = "The mapping of `city` (contact) has changed; both systems are compared anew."


class Mapped(Town):
    """A town whose marketing team edits the mapping of contacts."""

    def __init__(self, world: World, sandbox: SandboxServer) -> None:
        super().__init__(world, sandbox)
        with sandbox.dotdigital() as api:
            field = {"name": "TOWN", "type": "String", "visibility": "Private"}
            made = api.post("/v2/data-fields", json=field)
            assert made.status_code == 201, made.text
        self._path = world.include / "mappings/dynamics_dotdigital/contact.yaml"
        self._first = yaml.safe_load(self._path.read_text())

    def map(self, name: str = "city", *, under: str | None = None, **item: Any) -> None:
        """Change the field of a name, beginning from the mapping that comes with Bothways."""
        fields = {key: dict(value) for key, value in self._first["fields"].items()}
        fields[under or name] = fields.pop(name) | item
        self._path.write_text(yaml.safe_dump({"entity": "contact", "fields": fields}))

    def city(self, record: str) -> tuple[str | None, str | None]:
        """What both sides have in the fields that are mapped to each other at first."""
        return self.record(record)["address1_city"], self.fields(ANN).get("CITY")


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Mapped:
    return Mapped(world, sandbox)


def test_another_platform_field_is_filled_and_clears_nothing(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(marketing="TOWN")
    run = town.sync()
    assert run.notes.count(SENTENCE) == 1
    assert town.city(ann) == ("Oslo", "Oslo")
    assert town.fields(ANN)["TOWN"] == "Oslo"
    assert town.at_rest()
    # Both have agreed again: what a person clears from now on is cleared.
    town.edit(ANN, TOWN=None)
    run = town.sync()
    assert not run.notes
    assert not town.record(ann)["address1_city"]
    assert town.fields(ANN)["CITY"] == "Oslo"
    assert town.at_rest()


def test_another_crm_field_is_filled_and_clears_nothing(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(crm=STATE)
    run = town.sync()
    assert SENTENCE in run.notes
    assert town.city(ann) == ("Oslo", "Oslo")
    assert town.record(ann)[STATE] == "Oslo"
    assert town.at_rest()


@pytest.mark.parametrize("winner", ["crm", "marketing"])
def test_two_fields_that_differ_when_they_are_mapped_are_a_conflict(
    winner: str, town: Mapped
) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.edit(ANN, TOWN="Bonn")
    town.sync()
    town.map(marketing="TOWN", conflict=winner)
    run = town.sync()
    assert "conflict: city" in set(run.jobs["reason"].dropna())
    expected = "Oslo" if winner == "crm" else "Bonn"
    assert (town.record(ann)["address1_city"], town.fields(ANN)["TOWN"]) == (expected, expected)
    assert town.fields(ANN)["CITY"] == "Oslo"
    assert town.at_rest()


def test_a_mapping_that_is_changed_back_clears_nothing(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(marketing="TOWN")
    town.sync()
    town.edit(ANN, TOWN=None)
    town.sync()
    assert town.city(ann) == (None, "Oslo")
    town.map()
    assert SENTENCE in town.sync().notes
    assert town.city(ann) == ("Oslo", "Oslo")
    assert town.at_rest()


def test_a_field_that_travels_another_way_clears_nothing(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(direction="to_crm")
    town.change(ann, address1_city=None)
    town.sync()
    town.edit(ANN, CITY=None)
    town.map(direction="to_marketing")
    run = town.sync()
    assert SENTENCE in run.notes
    assert town.city(ann) == ("Oslo", "Oslo")
    assert town.at_rest()


def test_another_policy_decides_the_next_conflict_and_no_single_edit(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann", jobtitle="Cook")
    town.change(ann, firstname="Anna")
    town.change(ann, jobtitle=None)
    town.map("first_name", conflict="marketing")
    run = town.sync()
    assert not run.notes
    assert town.fields(ANN)["FIRSTNAME"] == "Anna"
    assert not town.fields(ANN).get("JOBTITLE")
    town.change(ann, firstname="Annie")
    town.edit(ANN, FIRSTNAME="Anne")
    town.sync()
    assert town.record(ann)["firstname"] == "Anne"
    assert town.at_rest()


def test_other_options_clear_nothing(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, gendercode=2)
    town.edit(ANN, GENDER=None)
    town.map("gender", options={1: "M", 2: "F"}, conflict="marketing")
    town.sync()
    assert (town.record(ann)["gendercode"], town.fields(ANN)["GENDER"]) == (2, "F")
    assert town.at_rest()


def test_a_field_of_another_name_is_compared_afresh_for_everybody(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(under="town")
    town.sync()
    assert town.city(ann) == ("Oslo", "Oslo")
    # She was read though nobody had changed her, so that both have agreed again.
    town.change(ann, address1_city=None)
    town.sync()
    assert not any(town.city(ann))


@pytest.mark.parametrize("run", [{"dry_run": True}, {"records": (ANN,)}, {"verify": True}])
def test_a_run_that_only_looks_forgets_nothing(run: dict[str, Any], town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.map(marketing="TOWN")
    town.sync("verify") if "verify" in run else town.sync(**run)
    town.map()
    town.change(ann, address1_city=None)
    town.sync()
    assert not any(town.city(ann))


def test_a_run_keeps_to_the_mapping_that_it_was_opened_with(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    world = town.world
    world.open("marketing_lists", "between")
    run = world.found("marketing_lists", "between")
    for side in ("crm", "marketing"):
        world.extract(run, side)  # type: ignore[arg-type]
    town.map(marketing="TOWN")
    with pytest.raises(RunStopped, match="The account's configuration has changed since"):
        world.plan(world.found("marketing_lists", "between"))
    assert world.close_run("marketing_lists", "between")[0] == "Failed"
    town.sync()
    assert town.city(ann) == ("Oslo", "Oslo")


def test_a_run_that_waited_adds_nothing_that_was_agreed_under_another_mapping(
    town: Mapped,
) -> None:
    town.on_both(ANN, address1_city="Oslo", firstname="Ann")
    world = town.world
    town.edit(ANN, CITY="Bonn")
    world.open("marketing_lists", "waiting")
    run = world.found("marketing_lists", "waiting")
    for side in ("crm", "marketing"):
        world.extract(run, side)  # type: ignore[arg-type]
    world.plan(run)
    chunks = world.review(run)
    town.map(marketing="TOWN")
    town.sync()
    town.map()  # as it was when the run was opened
    world.execute("DELETE FROM baselines")  # as if nothing newer had been agreed on
    for chunk in chunks:
        world.apply(run, "crm", chunk)
    status, _ = world.close_run("marketing_lists", "waiting")
    assert status == "Completed"
    kept = world.query('SELECT "values" FROM baselines')
    assert not any("city" in row["values"] for row in kept)


def test_an_undo_writes_back_nothing_to_a_field_that_was_mapped_later(town: Mapped) -> None:
    (ann,) = town.on_both(ANN, address1_city="Oslo")
    town.change(ann, address1_city="Rome")
    written = town.sync()
    assert town.fields(ANN)["CITY"] == "Rome"
    town.map(marketing="TOWN")
    town.sync()
    run = town.sync(undo_run=written.run_id)
    assert run.counts["ignored"] == {"changed_since": 1}
    assert (town.fields(ANN)["CITY"], town.fields(ANN)["TOWN"]) == ("Rome", "Rome")
