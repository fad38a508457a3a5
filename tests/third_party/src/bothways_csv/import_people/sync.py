"""Brings people and their titles from the source to the platform, by their addresses.

Rows that enter a run are the people of the source, where these have changed.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, unchanged
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import FieldType, OperationKind, Reason, Result

_FIELDS: Final = {"title": FieldType.STRING}


def datasets(_request: Request) -> list[Dataset]:
    """Read the people of both systems with their titles."""
    return [Dataset("contacts", People(entity="contact", fields=_FIELDS))]


def plan(inputs: Inputs) -> Plan:
    """Decide on each person of the source: create, update, leave, or ignore."""
    people = inputs.staged.read("source", "contacts")
    if not people.empty:
        people = chosen(inputs, people[~people["deleted"].astype(bool)], "id")
    again = inputs.view.people(
        "source", ids=due(inputs, "source", "contact")["source_id"], fields=_FIELDS
    )
    people = pd.concat([people, again], ignore_index=True).drop_duplicates("id")
    known = inputs.view.people("marketing", email_keys=people["email_key"], fields=_FIELDS)
    known = known.drop_duplicates("email_key")[["email_key", "id", "field:title"]]
    rows = people.merge(known, on="email_key", how="left", suffixes=("", "_there"))
    reason = pd.Series(None, index=rows.index, dtype="string[pyarrow]")
    reason = reason.mask(rows["email_key"].duplicated(), Reason.DUPLICATE)
    reason = reason.mask(inputs.view.erased(rows["email_key"]), Reason.ERASED)
    reason = reason.mask(rows["email_key"].isna(), Reason.EMPTY)
    fits = reason.isna()
    absent = fits & rows["id_there"].isna()
    same = (rows["field:title"].fillna("") == rows["field:title_there"].fillna("")) & fits & ~absent
    return Plan(
        joined(
            [
                ignored(rows[~fits], reason, **_about(rows[~fits])),
                unchanged(rows[same], **_about(rows[same])),
                _writes(rows[absent], OperationKind.CREATE, Result.NEW),
                _writes(rows[fits & ~absent & ~same], OperationKind.UPDATE, Result.UPDATED),
            ]
        )
    )


def _writes(rows: pd.DataFrame, kind: OperationKind, result: Result) -> pd.DataFrame:
    return job_frame(
        rows,
        kind=kind,
        result=result,
        key=rows["email_key"],
        values=json_objects(rows, {"title": "field:title"}),
        before=json_objects(rows, {"title": "field:title_there"}),
        after=json_objects(rows, {"title": "field:title"}),
        **_about(rows),
    )


def _about(rows: pd.DataFrame) -> dict[str, object]:
    return {
        "target": "marketing",
        "entity": "contact",
        "record_id": rows["id_there"],
        "source": "source",
        "source_entity": "contact",
        "source_id": rows["id"],
        "email": rows["email"],
    }


SYNC: Final = SyncType(datasets=datasets, plan=plan)
