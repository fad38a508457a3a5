"""A mapping that changes between two runs: what was agreed on under the old one proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bothways.errors import RunStopped
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario

ANN = "ann@mail.example"
STATE = "address1_stateorprovince"
SENTENCE = "The mapping of `city` (contact) has changed; both systems are compared anew."


class Mapped(Scenario):
    """Both vendors, where the marketing team edits the mapping of contacts."""

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
        return self.record(record)["address1_city"], self.fields(ANN).get("city")


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Mapped:
    return Mapped(world, sandbox)


def test_another_platform_field_is_filled_and_clears_nothing(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(marketing="TOWN")
    run = scenario.sync()
    assert run.notes.count(SENTENCE) == 1
    assert scenario.city(ann) == ("Oslo", "Oslo")
    assert scenario.fields(ANN)["TOWN"] == "Oslo"
    assert scenario.at_rest()
    # Both have agreed again: what a person clears from now on is cleared.
    scenario.edit(ANN, TOWN=None)
    run = scenario.sync()
    assert not run.notes
    assert not scenario.record(ann)["address1_city"]
    assert scenario.fields(ANN)["city"] == "Oslo"
    assert scenario.at_rest()


def test_another_crm_field_is_filled_and_clears_nothing(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(crm=STATE)
    run = scenario.sync()
    assert SENTENCE in run.notes
    assert scenario.city(ann) == ("Oslo", "Oslo")
    assert scenario.record(ann)[STATE] == "Oslo"
    assert scenario.at_rest()


@pytest.mark.parametrize("winner", ["crm", "marketing"])
def test_two_fields_that_differ_when_they_are_mapped_are_a_conflict(
    winner: str, scenario: Mapped
) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.edit(ANN, TOWN="Bonn")
    scenario.sync()
    scenario.map(marketing="TOWN", conflict=winner)
    run = scenario.sync()
    assert "conflict: city" in set(run.jobs["reason"].dropna())
    expected = "Oslo" if winner == "crm" else "Bonn"
    assert (scenario.record(ann)["address1_city"], scenario.fields(ANN)["TOWN"]) == (
        expected,
        expected,
    )
    assert scenario.fields(ANN)["city"] == "Oslo"
    assert scenario.at_rest()


def test_a_mapping_that_is_changed_back_clears_nothing(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(marketing="TOWN")
    scenario.sync()
    scenario.edit(ANN, TOWN=None)
    scenario.sync()
    assert scenario.city(ann) == (None, "Oslo")
    scenario.map()
    assert SENTENCE in scenario.sync().notes
    assert scenario.city(ann) == ("Oslo", "Oslo")
    assert scenario.at_rest()


def test_a_field_that_travels_another_way_clears_nothing(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(direction="to_crm")
    scenario.change(ann, address1_city=None)
    scenario.sync()
    scenario.edit(ANN, city=None)
    scenario.map(direction="to_marketing")
    run = scenario.sync()
    assert SENTENCE in run.notes
    assert scenario.city(ann) == ("Oslo", "Oslo")
    assert scenario.at_rest()


def test_another_policy_decides_the_next_conflict_and_no_single_edit(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", jobtitle="Cook")
    scenario.change(ann, firstname="Anna")
    scenario.change(ann, jobtitle=None)
    scenario.map("first_name", conflict="marketing")
    run = scenario.sync()
    assert not run.notes
    assert scenario.fields(ANN)["first_name"] == "Anna"
    assert not scenario.fields(ANN).get("job_title")
    scenario.change(ann, firstname="Annie")
    scenario.edit(ANN, first_name="Anne")
    scenario.sync()
    assert scenario.record(ann)["firstname"] == "Anne"
    assert scenario.at_rest()


def test_other_options_clear_nothing(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, gendercode=2)
    scenario.edit(ANN, gender=None)
    scenario.map("gender", options={1: "M", 2: "F"}, conflict="marketing")
    scenario.sync()
    assert (scenario.record(ann)["gendercode"], scenario.fields(ANN)["gender"]) == (2, "F")
    assert scenario.at_rest()


def test_a_field_of_another_name_is_compared_afresh_for_everybody(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(under="scenario")
    scenario.sync()
    assert scenario.city(ann) == ("Oslo", "Oslo")
    # She was read though nobody had changed her, so that both have agreed again.
    scenario.change(ann, address1_city=None)
    scenario.sync()
    assert not any(scenario.city(ann))


@pytest.mark.parametrize("run", [{"dry_run": True}, {"records": (ANN,)}, {"verify": True}])
def test_a_run_that_only_looks_forgets_nothing(run: dict[str, Any], scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.map(marketing="TOWN")
    scenario.sync("verify") if "verify" in run else scenario.sync(**run)
    scenario.map()
    scenario.change(ann, address1_city=None)
    scenario.sync()
    assert not any(scenario.city(ann))


def test_a_run_keeps_to_the_mapping_that_it_was_opened_with(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    world = scenario.world
    world.open("marketing_lists", "between")
    run = world.found("marketing_lists", "between")
    for side in ("crm", "marketing"):
        world.extract(run, side)  # type: ignore[arg-type]
    scenario.map(marketing="TOWN")
    with pytest.raises(RunStopped, match="The account's configuration has changed since"):
        world.plan(world.found("marketing_lists", "between"))
    assert world.close_run("marketing_lists", "between")[0] == "Failed"
    scenario.sync()
    assert scenario.city(ann) == ("Oslo", "Oslo")


def test_a_run_that_waited_adds_nothing_that_was_agreed_under_another_mapping(
    scenario: Mapped,
) -> None:
    scenario.on_both(ANN, address1_city="Oslo", firstname="Ann")
    world = scenario.world
    scenario.edit(ANN, city="Bonn")
    world.open("marketing_lists", "waiting")
    run = world.found("marketing_lists", "waiting")
    for side in ("crm", "marketing"):
        world.extract(run, side)  # type: ignore[arg-type]
    world.plan(run)
    chunks = world.review(run)
    scenario.map(marketing="TOWN")
    scenario.sync()
    scenario.map()  # as it was when the run was opened
    world.execute("DELETE FROM baselines")  # as if nothing newer had been agreed on
    for chunk in chunks:
        world.apply(run, "crm", chunk)
    status, _ = world.close_run("marketing_lists", "waiting")
    assert status == "Completed"
    kept = world.query('SELECT "values" FROM baselines')
    assert not any("city" in row["values"] for row in kept)


def test_an_undo_writes_back_nothing_to_a_field_that_was_mapped_later(scenario: Mapped) -> None:
    (ann,) = scenario.on_both(ANN, address1_city="Oslo")
    scenario.change(ann, address1_city="Rome")
    written = scenario.sync()
    assert scenario.fields(ANN)["city"] == "Rome"
    scenario.map(marketing="TOWN")
    scenario.sync()
    run = scenario.sync(undo_run=written.run_id)
    assert run.counts["ignored"] == {"changed_since": 1}
    assert (scenario.fields(ANN)["city"], scenario.fields(ANN)["TOWN"]) == ("Rome", "Rome")
