"""Writes the column `title` to the job titles of the contacts with the same address.

Each change is a record in a table of its own, too. Rows that enter a run are the people of the
files, where these have changed.
"""

from __future__ import annotations

from typing import Final

from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import chosen, ignored, job_frame, joined, unchanged
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import FieldType
from bothways_csv.job_titles import TITLE_CHANGE

_FILES: Final = {"title": FieldType.STRING}
_CRM: Final = {"jobtitle": FieldType.STRING}


def datasets(request: Request) -> list[Dataset]:
    """Read the contacts of both systems with their titles."""
    fields = _CRM if request.side == "crm" else _FILES
    return [Dataset("contacts", People(entity="contact", fields=fields))]


def plan(inputs: Inputs) -> Plan:
    """Decide on each person of the files: update, leave, or ignore who is not in the CRM."""
    people = inputs.staged.read("marketing", "contacts")
    people = chosen(inputs, people[~people["deleted"].astype(bool)], "id")
    known = inputs.view.people(
        "crm", entity="contact", email_keys=people["email_key"], fields=_CRM
    ).drop_duplicates("email_key")
    known = known[["email_key", "id", "field:jobtitle"]].rename(columns={"id": "crm_id"})
    rows = people.merge(known, on="email_key", how="left")
    absent = rows["crm_id"].isna()
    same = rows["field:title"].isna() | (rows["field:title"] == rows["field:jobtitle"]).fillna(
        value=False
    )
    changed = rows[~absent & ~same]
    about = {
        "target": "crm",
        "entity": "contact",
        "record_id": rows["crm_id"],
        "source_id": rows["id"],
        "email": rows["email"],
        "source": "marketing",
        "source_entity": "contact",
    }
    updates = job_frame(
        changed,
        kind="update",
        result="updated",
        values=json_objects(changed, {"jobtitle": "field:title"}),
        before=json_objects(changed, {"job_title": "field:jobtitle"}),
        after=json_objects(changed, {"job_title": "field:title"}),
        **about,
    )
    told = {"email": "email", "person_entity": "entity", "person_id": "crm_id"}
    changes = job_frame(
        changed,
        kind="upsert",
        result="new",
        key=changed["id"] + f"-{inputs.run_id}",
        values=json_objects(changed, {**told, "was": "field:jobtitle", "becomes": "field:title"}),
        **{**about, "entity": TITLE_CHANGE.name, "record_id": None},
    )
    left_alone = unchanged(rows[~absent & same], **about)
    left_out = ignored(rows[absent], "not_in_crm", **about)
    return Plan(joined([left_out, left_alone, updates, changes]))


SYNC: Final = SyncType(datasets=datasets, plan=plan)
