"""What is planned for a field of the platform, or a label of the CRM, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bothways.spec import Options
from bothways.syncs.base import Plan
from bothways.syncs.data_labels import Settings
from bothways.syncs.data_labels.sync import SYNC
from bothways.testing.planning import Planning


def desk(**settings: Any) -> Planning:
    mapped = {"city": {"crm": "address1_city", "marketing": "TOWN"}}
    return Planning(syncs={"data_labels": settings}, mappings={"contact": mapped})


def field(place: Planning, name: str, kind: str = "string", written: str | None = None) -> None:
    details = {"table": "contact", "type": kind, "visibility": "public", "default": None}
    place.store.add_definition(
        "marketing", "data_field", name.lower(), name, details=details, written=written
    )


def label(place: Planning, row: str, name: str, **more: Any) -> None:
    written = more.pop("written", None)
    empty = dict.fromkeys(("key", "label_type", "visibility", "default_value", "modified_at"))
    place.store.add_definition(
        "crm", "data_label", row, name, details=empty | more, written=written
    )


def column(
    place: Planning,
    name: str,
    title: str | None = None,
    kind: str = "string",
    table: str = "contact",
) -> None:
    details = {"table": table, "type": kind, "label": title, "visibility": None}
    place.store.add_definition("crm", "data_field", f"{table}.{name}", name, details=details)


def told(plan: Plan) -> dict[str, tuple[Any, ...]]:
    """Return what becomes of each row: target, key and result or reason."""
    rows = plan.jobs.astype(object).where(plan.jobs.notna(), None).to_dict("records")
    return {
        row["source_id"]: (row["target"], row["key"], row["reason"] or row["result"])
        for row in rows
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Shoe", ("marketing", "Shoe", "new")),
        (" Shoe ", ("marketing", "Shoe", "new")),
        ("points", (None, None, "unchanged")),
        ("", None),
    ],
)
def test_a_label_that_a_person_made(name: str, expected: tuple[Any, ...] | None) -> None:
    place = desk()
    field(place, "POINTS")
    label(place, "r1", name)
    assert told(place.plan(SYNC.plan)).get("r1") == expected


@pytest.mark.parametrize(
    ("written", "kind"),
    [("numeric", "number"), ("Text", "string"), (None, "string"), (" ", "string")],
)
def test_a_label_says_what_the_field_is_to_be(written: str | None, kind: str) -> None:
    place = desk()
    label(place, "r1", "Shoe", label_type=written, visibility="Public", default_value="4")
    (values,) = place.plan(SYNC.plan).jobs["values"]
    assert json.loads(values) == {"type": kind, "visibility": "public", "default": "4"}


def test_a_field_gets_a_label_once_and_again_when_it_changes() -> None:
    place = desk(leave_out=["secret"])
    field(place, "NEW")
    field(place, "SECRET")
    field(place, "CHANGED", written='{"name":"CHANGED"}')
    label(place, "r1", "mine")
    field(place, "MINE")
    assert told(place.plan(SYNC.plan)) == {
        "new": ("crm", "new", "new"),
        "changed": ("crm", "changed", "updated"),
        "r1": (None, None, "unchanged"),
    }
    for name in ("new", "New"):
        named = place.plan(SYNC.plan, options=Options(records=(name,)))
        assert set(told(named)) == {"new"}


def test_of_two_labels_with_one_name_the_older_gets_the_field() -> None:
    place = desk()
    label(place, "r1", "shoe", modified_at="2026-01-02T10:00:00.000Z")
    label(place, "r2", "Shoe", modified_at="2026-01-01T10:00:00.000Z")
    assert told(place.plan(SYNC.plan)) == {
        "r2": ("marketing", "Shoe", "new"),
        "r1": (None, None, "duplicate_name"),
    }


def test_what_somebody_deleted_on_the_platform_comes_back_with_a_full_resync_only() -> None:
    place = desk()
    label(place, "r1", "Shoe", written="SHOE")
    assert told(place.plan(SYNC.plan)) == {"r1": (None, None, "field_deleted")}
    again = place.plan(SYNC.plan, options=Options(full_resync=True))
    assert told(again) == {"r1": ("marketing", "Shoe", "new")}


def test_a_label_of_a_field_that_was_there_is_remembered_as_its_label() -> None:
    place = desk()
    field(place, "SHOE")
    label(place, "r1", "Shoe")
    field(place, "HAT")
    label(place, "r2", "Hat", modified_at="2026-01-01T10:00:00.000Z")
    label(place, "r3", "HAT", written="HAT", modified_at="2026-01-02T10:00:00.000Z")
    (kept,) = place.plan(SYNC.plan).keep["told_definitions"].to_dict("records")
    assert kept == {"side": "crm", "kind": "data_label", "id": "r1", "written": "Shoe"}


def test_a_second_label_does_not_bring_back_the_field_of_the_first() -> None:
    place = desk()
    label(place, "r1", "Hat", modified_at="2026-01-01T10:00:00.000Z")
    label(place, "r2", "HAT", written="HAT", modified_at="2026-01-02T10:00:00.000Z")
    assert told(place.plan(SYNC.plan)) == {
        "r1": (None, None, "duplicate_name"),
        "r2": (None, None, "field_deleted"),
    }


def test_what_failed_waits_for_its_turn() -> None:
    place = desk()
    label(place, "r1", "Shoe")
    label(place, "r2", "Hat")
    for row in ("r1", "r2"):
        place.store.add_retry("data_labels", "crm", row)
    place.try_again("crm", "data_label", "r2")
    assert set(told(place.plan(SYNC.plan))) == {"r2"}


def test_what_failed_and_is_not_there_any_more_is_settled() -> None:
    place = desk()
    label(place, "r2", "Hat")
    for row in ("r1", "r2"):
        place.store.add_retry("data_labels", "crm", row)
        place.try_again("crm", "data_label", row)
    assert told(place.plan(SYNC.plan)) == {
        "r1": (None, None, "gone"),
        "r2": ("marketing", "Hat", "new"),
    }


def test_two_fields_that_would_have_the_same_column_get_one() -> None:
    place = desk(labels="columns", tables=["contact", "lead"])
    for name in ("HAT-SIZE", "HAT_SIZE"):
        field(place, name)
    made = {
        "contact.HAT-SIZE": ("crm", "contact.HAT-SIZE", "new"),
        "lead.HAT-SIZE": ("crm", "lead.HAT-SIZE", "new"),
    }
    again = {f"{table}.HAT_SIZE": (None, None, "duplicate_name") for table in ("contact", "lead")}
    assert told(place.plan(SYNC.plan)) == made | again


def test_a_column_that_becomes_a_field_gives_the_other_table_one_unless_it_has_the_same() -> None:
    wished = {"new_size": {"name": "SHOE"}, "new_head": {"name": "HAT"}}
    place = desk(labels="columns", tables=["contact", "lead"], columns=wished)
    for name in ("SHOE", "HAT"):
        field(place, name)
    for name in ("new_size", "new_head"):
        column(place, name)
    column(place, "new_head", table="lead")
    assert told(place.plan(SYNC.plan)) == {
        "lead.SHOE": ("crm", "lead.SHOE", "new"),
        "lead.HAT": (None, None, "unchanged"),
        "contact.new_size": (None, None, "unchanged"),
        "contact.new_head": (None, None, "unchanged"),
    }


def test_two_columns_cannot_become_one_field() -> None:
    twice = {"new_a": {"name": "SHOE"}, "new_b": {"name": "shoe"}}
    with pytest.raises(ValueError, match="two columns are to become the field `shoe`"):
        Settings(labels="columns", columns=twice)


def test_of_columns_only_what_is_missing_is_made() -> None:
    place = desk(
        labels="columns",
        columns={"new_shoe": {"name": "SHOE", "default": 4}, "new_gone": {"name": "GONE"}},
    )
    for name in ("SHIRT", "POINTS", "HATSIZE", "TOWN"):
        field(place, name)
    column(place, "new_shoe", kind="integer")
    column(place, "cr12_points")
    column(place, "new_hat", "Hat size")
    plan = place.plan(SYNC.plan)
    assert told(plan) == {
        "contact.SHIRT": ("crm", "contact.SHIRT", "new"),
        "contact.POINTS": (None, None, "unchanged"),
        "contact.HATSIZE": (None, None, "unchanged"),
        "contact.TOWN": (None, None, "unchanged"),
        "contact.new_shoe": ("marketing", "SHOE", "new"),
    }
    shoe = plan.jobs.set_index("source_id").loc["contact.new_shoe", "values"]
    assert json.loads(str(shoe)) == {"type": "integer", "visibility": "private", "default": "4"}
    assert plan.notes == (
        "the CRM has no column `new_gone` in the table contact; correct `columns` of data_labels.",
    )
