"""Labels as rows of a table of Bothways' own.

A row with a key was written for a field of the platform. One without was made by a person, and is
to become a field. Names are compared whatever their case, so that neither comes back as the other.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs, Plan
from bothways.syncs.data_labels import DATA_LABEL, Settings
from bothways.syncs.data_labels.entering import entered
from bothways.syncs.definitions import with_details
from bothways.syncs.jobs import ignored, job_frame, joined, unchanged
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import DATA_FIELD, FieldType, OperationKind, Reason, Result

_FIELD: Final = {name: pa.string() for name in ("type", "visibility", "default")}
_WRITTEN: Final = {name: name for name in ("name", *_FIELD)}
_LABEL: Final = {
    "key": pa.string(),
    "label_type": pa.string(),
    "visibility": pa.string(),
    "default_value": pa.string(),
    "modified_at": pa.string(),
}
# What people write for a type, beside the name that it has here.
_TYPES: Final = {
    "text": FieldType.STRING,
    "numeric": FieldType.NUMBER,
    "decimal": FieldType.NUMBER,
    "yes/no": FieldType.BOOLEAN,
    "date": FieldType.DATE,
}


def jobs(inputs: Inputs, settings: Settings) -> Plan:
    """Return a job for each field of the platform, and for each label that a person made."""
    fields = with_details(inputs.view.definitions("marketing", DATA_FIELD), _FIELD)
    labels = with_details(inputs.view.definitions("crm", DATA_LABEL.name), _LABEL)
    labels = labels[labels["key"].isna() & labels["name"].fillna("").str.strip().ne("")]
    labels = labels.assign(name=labels["name"].str.strip())
    fields, labels = (rows.assign(folded=rows["name"].str.casefold()) for rows in (fields, labels))
    labels = _in_order(labels)
    left_out = [name.casefold() for name in settings.leave_out]
    told = fields[~fields["folded"].isin(labels["folded"]) & ~fields["folded"].isin(left_out)]
    jobs = [
        _to_crm(inputs, entered(inputs, "marketing", told)),
        *_to_platform(inputs, entered(inputs, "crm", labels), fields),
    ]
    return Plan(joined(jobs), keep={"told_definitions": _found(labels, fields)})


def _in_order(labels: pd.DataFrame) -> pd.DataFrame:
    """Sort labels by who gets the field of their name: whoever has had it, then the oldest.

    Of the same second, the one that says what its field is to be.
    """
    has_had = labels["written"].str.casefold().eq(labels["folded"]).fillna(value=False)
    rest = ["modified_at", "label_type", "id"]
    return labels.assign(later=~has_had).sort_values(["later", *rest], na_position="last")


def _found(labels: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """Return which labels have a field that this sync has not made, or does not know to have."""
    has = labels["folded"].isin(fields["folded"]) & ~labels["folded"].duplicated()
    mine = labels[has & labels["written"].isna()]
    return mine[["id"]].assign(side="crm", kind=DATA_LABEL.name, written=mine["name"])


def _to_crm(inputs: Inputs, fields: pd.DataFrame) -> pd.DataFrame:
    """Write each field that has no row, or another type, visibility or default than its row."""
    values = json_objects(fields, _WRITTEN)
    same = values.eq(fields["written"]).fillna(value=False) & (not inputs.options.full_resync)
    result = pd.Series(Result.NEW.value, index=fields.index)
    about = _about("marketing", DATA_FIELD, fields) | {"entity": DATA_LABEL.name}
    return joined(
        [
            unchanged(fields[same], **about),
            job_frame(
                fields[~same],
                target="crm",
                kind=OperationKind.UPSERT,
                key=fields["id"],
                values=values,
                before=fields["written"],
                after=values,
                result=result.mask(fields["written"].notna(), Result.UPDATED.value),
                **about,
            ),
        ]
    )


def _to_platform(inputs: Inputs, labels: pd.DataFrame, fields: pd.DataFrame) -> list[pd.DataFrame]:
    """Create the fields that are not there yet; of labels with one name, the first one's."""
    there = labels["folded"].isin(fields["folded"])
    # A label that has had its field keeps it: the platform cannot rename one.
    had = labels["written"].str.casefold()
    renamed = ~there & had.isin(fields["folded"])
    # What somebody deleted there stays deleted, until everything is to be written again.
    deleted = ~there & had.eq(labels["folded"]).fillna(value=False)
    deleted &= not inputs.options.full_resync
    again = labels["folded"].duplicated() & ~there & ~renamed & ~deleted
    new = labels[~there & ~renamed & ~deleted & ~again]
    kind = new["label_type"].str.strip().str.lower().replace(_TYPES)
    wished = new.assign(
        type=kind.mask(kind.eq(""), None).fillna(FieldType.STRING.value),
        visibility=new["visibility"].str.strip().str.lower().fillna("private"),
        default=new["default_value"],
    )
    values = json_objects(
        wished, {"type": "type", "visibility": "visibility", "default": "default"}
    )
    about = _about("crm", DATA_LABEL.name, labels) | {"entity": DATA_FIELD}
    return [
        unchanged(labels[there], **about),
        ignored(labels[renamed], Reason.RENAMED, **about),
        ignored(labels[deleted], Reason.FIELD_DELETED, **about),
        ignored(labels[again], Reason.DUPLICATE_NAME, **about),
        job_frame(
            new,
            target="marketing",
            kind=OperationKind.CREATE,
            key=new["name"],
            values=values,
            after=json_objects(wished, _WRITTEN),
            result=Result.NEW,
            **about,
        ),
    ]


def _about(source: str, entity: str, rows: pd.DataFrame) -> dict[str, Any]:
    return {"source": source, "source_entity": entity, "source_id": rows["id"]}
