"""What the sync of CRM metadata reads and tells: columns that are new, have changed or are gone."""

from __future__ import annotations

from typing import Final, cast

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account
from bothways.streams.definitions import Columns
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.crm_metadata import SPEC, Settings
from bothways.syncs.jobs import job_frame, joined, unchanged
from bothways.syncs.mapped_fields import complaints, fields_by_table
from bothways.transform.json_rows import json_objects, read_objects, with_more
from bothways.transform.named import is_named
from bothways.vocabulary import COLUMN, Result

_COLUMNS: Final = "columns"


def datasets(request: Request) -> list[Dataset]:
    """Read the columns of the chosen tables."""
    return [Dataset(_COLUMNS, Columns(tables=_tables(request.account)))]


def plan(inputs: Inputs) -> Plan:
    """Tell each column that differs from what an earlier run told; nothing is written anywhere."""
    if inputs.partition:
        return Plan(joined([]))
    there = inputs.view.definitions("crm", COLUMN)
    gone = inputs.view.definitions("crm", COLUMN, deleted=True)
    gone = _chosen(inputs, _told(gone[gone["written"].notna()]))
    now = _chosen(inputs, _told(there))
    read = inputs.staged.read_all("crm", _COLUMNS)
    differs = now["now"].ne(now["written"]).fillna(value=True)
    same = now[~differs & now["id"].isin(read["id"] if not read.empty else [])]
    new = now["written"].isna()
    jobs = [
        unchanged(same, **_about(same)),
        _jobs(now[differs & new], Result.NEW),
        _jobs(now[differs & ~new], Result.UPDATED),
        _jobs(gone.assign(now=None), Result.DELETED),
    ]
    told = pd.concat([now[differs], gone.assign(now=None)])
    keep = told[["id"]].assign(side="crm", kind=COLUMN, written=told["now"])
    return Plan(joined(jobs), notes=_notes(inputs, there), keep={"told_definitions": keep})


def _told(rows: pd.DataFrame) -> pd.DataFrame:
    """Return columns with all that is known of them as `now`, and `title`: table and column."""
    details = rows["details"]
    table = read_objects(details, {"table": pa.string()})["field:table"]
    now = with_more(json_objects(rows, {"name": "name"}), details)
    return rows.assign(now=now, title=table + "." + rows["name"])


def _chosen(inputs: Inputs, columns: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that the person at the trigger form named; all if none."""
    named = inputs.options.records
    return columns[is_named(columns.assign(id=columns["title"]), named)] if named else columns


def _jobs(rows: pd.DataFrame, result: Result) -> pd.DataFrame:
    return job_frame(rows, result=result, before=rows["written"], after=rows["now"], **_about(rows))


def _about(rows: pd.DataFrame) -> dict[str, object]:
    return {"source": "crm", "source_entity": COLUMN, "source_id": rows["title"], "entity": COLUMN}


def _notes(inputs: Inputs, columns: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence for each mapped field that the CRM does not have, or not as mapped."""
    known, title = fields_by_table(columns), inputs.systems["crm"]
    return tuple(
        f"Mapping of {entity}, field {name}: {message}; {remedy}."
        for entity, mapping in inputs.account.mappings.items()
        if entity in known
        for name, message, remedy in complaints(title, "crm", mapping.fields, known[entity])
    )


def _tables(account: Account) -> tuple[str, ...]:
    return cast(Settings, account.settings_of(SPEC)).tables


SYNC: Final = SyncType(datasets, plan)
