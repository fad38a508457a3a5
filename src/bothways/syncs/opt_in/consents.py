"""What members consented to, as records in a table of the CRM: each is written once."""

from __future__ import annotations

import hashlib
from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.streams.attributes import ATTRIBUTE, CONSENTS
from bothways.syncs.base import Inputs
from bothways.syncs.jobs import job_frame, joined
from bothways.syncs.opt_in import ConsentTable
from bothways.syncs.persons import crm_person
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.consents import TOLD, unpacked
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import CONSENT_RECORD, FieldType, OperationKind, Result

_NAME: Final = ATTRIBUTE + CONSENTS
_TEXT: Final = pd.ArrowDtype(pa.string())
_SEPARATOR: Final = "\x1f"
_PLACE: Final = ("table", "key_column", "lookup", "person_entity", "person_id")


def consent_jobs(inputs: Inputs, table: ConsentTable, members: pd.DataFrame) -> pd.DataFrame:
    """Return a job for each consent of these members that is to be written.

    One of somebody whom the CRM does not know, or who may get nothing written, has none: what the
    sync says of the member says it all. It is written once there is a record to relate it to.

    Args:
        inputs: The plan's inputs.
        table: Where consents go.
        members: CONTACTS who entered.
    """
    rows = _told(inputs, table, members)
    written = rows["key"].isin(inputs.view.written_consents(rows["key"]))
    if not inputs.options.full_resync:
        rows = rows[~written]
    rows = pd.concat([rows, crm_person(inputs, rows, table.entities)], axis=1)
    rows = rows[rows["reason"].isna() & ~inputs.view.erased(rows["email_key"])]
    if rows.empty:
        return joined([])
    new = pd.Series(Result.NEW.value, index=rows.index)
    return job_frame(
        rows,
        target="crm",
        kind=OperationKind.UPSERT,
        entity=CONSENT_RECORD,
        source="marketing",
        source_entity="contact",
        source_id=rows["record_id"],
        key=rows["key"],
        email=rows["email"],
        values=_values(table, rows),
        after=json_objects(rows, {name: name for name in table.told}),
        result=new.mask(written, Result.UPDATED.value),
    )


def _told(inputs: Inputs, table: ConsentTable, members: pd.DataFrame) -> pd.DataFrame:
    """Return the members' consents, each once: TOLD, record_id, email, email_key and key."""
    fields = {_NAME: FieldType.STRING}
    people = inputs.view.people("marketing", ids=members["id"], fields=fields)
    people = people[people[FIELD_PREFIX + _NAME].notna()]
    told = unpacked(people[FIELD_PREFIX + _NAME])
    whose = people.loc[told.index, ["id", "email", "email_key"]].rename(columns={"id": "record_id"})
    rows = pd.concat([frame.reset_index(drop=True) for frame in (told, whose)], axis=1)
    keyed = rows.assign(key=_keys(table, rows))
    return keyed.drop_duplicates("key", ignore_index=True)


def _keys(table: ConsentTable, rows: pd.DataFrame) -> pd.Series:
    """Return what tells each consent from all others: a consent has no id, and never changes.

    Another table has other records.
    """
    parts = rows[["record_id", *TOLD]].fillna("")
    texts = parts["record_id"].str.cat(parts[list(TOLD)], sep=_SEPARATOR)
    start = table.table + _SEPARATOR
    # One by one: Arrow and pandas have no hash that is promised to stay the same for ever.
    digests = [
        hashlib.md5((start + text).encode(), usedforsecurity=False).hexdigest() for text in texts
    ]
    return pd.Series(digests, index=rows.index, dtype=_TEXT)


def _values(table: ConsentTable, rows: pd.DataFrame) -> pd.Series:
    """Return the values of operations, as `WritesConsents` takes them."""
    lookup = rows["person_entity"].map(table.lookups).astype(_TEXT)
    related = lookup.notna()
    place = pd.DataFrame(
        {
            "table": pd.Series(table.table, index=rows.index, dtype=_TEXT),
            "key_column": pd.Series(table.key, index=rows.index, dtype=_TEXT),
            "lookup": lookup,
            "person_entity": rows["person_entity"].where(related),
            "person_id": rows["person_id"].where(related),
        }
    )
    columns = {column: name for name, column in table.told.items()}
    if table.email:
        columns |= {table.email: "email"}
    inner = json_objects(rows, columns)
    outer = json_objects(place, {name: name for name in _PLACE})
    return outer.str.slice(0, -1) + ',"columns":' + inner + "}"
