"""What CRM metadata tells of columns, and of mappings that do not fit them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from bothways.spec import Options
from bothways.syncs.base import Plan
from bothways.syncs.crm_metadata.sync import SYNC
from bothways.tables.columns import COLUMNS
from bothways.testing.planning import Planning

WITH_ADDRESS = COLUMNS.append(pa.field("email", pa.string()))  # as staged rows of people have one
USUAL = {"type": "string", "label": None, "writable": True, "max_length": None, "options": None}


def desk(**mappings: Any) -> Planning:
    return Planning(mappings=mappings, syncs={"crm_metadata": {}})


def add(place: Planning, column_id: str, name: str, **more: Any) -> None:
    written, deleted_at = more.pop("written", None), more.pop("deleted_at", None)
    details = {"table": "contact"} | USUAL | more
    place.store.add_definition(
        "crm", "column", column_id, name, details=details, written=written, deleted_at=deleted_at
    )


def told(place: Planning, column_id: str) -> str:
    """What a plan would say of a column, if it were new."""
    keep = place.plan(SYNC.plan).keep["told_definitions"]
    return str(keep.loc[keep["id"] == column_id, "written"].iloc[0])


def results(plan: Plan) -> dict[str, str]:
    return dict(zip(plan.jobs["source_id"], plan.jobs["result"], strict=True))


def test_each_new_changed_and_removed_column_has_a_job() -> None:
    before = desk()
    add(before, "c2", "changed", max_length=50)
    add(before, "c4", "same")
    was = {one: told(before, one) for one in ("c2", "c4")}

    now = desk()
    add(now, "c1", "fresh")
    add(now, "c2", "changed", max_length=100, written=was["c2"])
    add(now, "c3", "gone", written='{"name":"gone"}', deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    add(now, "c4", "same", written=was["c4"])
    now.read_rows("crm", "columns", WITH_ADDRESS, {"id": "c4", "deleted": False})
    plan = now.plan(SYNC.plan)

    assert results(plan) == {
        "contact.fresh": "new",
        "contact.changed": "updated",
        "contact.gone": "deleted",
        "contact.same": "unchanged",
    }
    assert plan.jobs["kind"].isna().all()
    (changed,) = plan.jobs[plan.jobs["result"] == "updated"].to_dict("records")
    assert json.loads(changed["before"])["max_length"] == 50
    assert json.loads(changed["after"])["max_length"] == 100


def test_what_was_told_is_not_told_again() -> None:
    place = desk()
    add(place, "c3", "gone", written=None, deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    plan = place.plan(SYNC.plan)
    assert plan.jobs.empty
    assert plan.keep["told_definitions"].empty


def test_a_run_for_chosen_columns_tells_of_these_only() -> None:
    place = desk()
    add(place, "c1", "shoe")
    add(place, "c2", "hat")
    for name in ("contact.hat", "Contact.Hat", "hat"):
        plan = place.plan(SYNC.plan, options=Options(records=(name,)))
        assert results(plan) == {"contact.hat": "new"}


def test_notes_name_mapped_fields_that_do_not_fit() -> None:
    mapped = {
        "first_name": {"crm": "firstnme", "marketing": "FIRSTNAME"},
        "score": {"crm": "new_score", "marketing": "SCORE", "type": "string"},
        "title": {"crm": "jobtitle", "marketing": "TITLE", "max_length": 200},
        "full": {"crm": "fullname", "marketing": "FULLNAME"},
        "state": {"crm": "Region", "marketing": "STATE"},
    }
    place = desk(contact=mapped, lead=mapped)
    add(place, "c1", "firstname")
    add(place, "c2", "new_score", type="integer")
    add(place, "c3", "jobtitle", max_length=100)
    add(place, "c4", "fullname", writable=False)
    add(place, "c5", "address1_stateorprovince", label="Region")
    assert [
        note.removeprefix("Mapping of contact, field ") for note in place.plan(SYNC.plan).notes
    ] == [
        "first_name: the CRM has no field `firstnme`; did you mean `firstname`? Otherwise create "
        "it there, or remove it here.",
        "score: `new_score` is of type integer in the CRM, and not string; write `type:` as the "
        "vendor has it, or map another field.",
        "title: `jobtitle` takes 100 characters in the CRM; write `max_length: 100`.",
        "full: `fullname` is read-only in the CRM; write `direction: to_marketing`.",
        "state: the CRM has no field `Region`; did you mean `address1_stateorprovince`? Otherwise "
        "create it there, or remove it here.",
    ]
