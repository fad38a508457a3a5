"""Labels as columns of the CRM's people.

A field of the platform has its column where one of the same name is there, by name or label,
whatever their prefix and case, or where a mapping or the settings name one. So a column that was
made for a field is found again, and a field that was made for a column has its column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs, Plan
from bothways.syncs.data_labels import Settings
from bothways.syncs.data_labels.entering import entered
from bothways.syncs.definitions import with_details
from bothways.syncs.jobs import ignored, job_frame, joined, unchanged
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import DATA_FIELD, LABEL_COLUMN, OperationKind, Reason, Result

_DETAILS: Final = {name: pa.string() for name in ("table", "type", "label", "visibility")}
_PREFIX: Final = r"^[a-z][a-z0-9]{1,7}_"
_NOT_NAME: Final = r"[^a-z0-9]+"


def jobs(inputs: Inputs, settings: Settings) -> Plan:
    """Return a job for each field of the platform and table, and for each column that is named."""
    fields = with_details(inputs.view.definitions("marketing", DATA_FIELD), _DETAILS)
    columns = with_details(inputs.view.definitions("crm", DATA_FIELD), _DETAILS)
    wished = pd.DataFrame(
        [{"column": column, **wish.model_dump()} for column, wish in settings.columns.items()],
        columns=["column", "name", "visibility", "default"],
        dtype=object,
    )
    made, notes = _to_platform(inputs, settings, wished, fields, columns)
    return Plan(joined([_to_crm(inputs, settings, wished, fields, columns), *made]), notes=notes)


def _to_crm(
    inputs: Inputs,
    settings: Settings,
    wished: pd.DataFrame,
    fields: pd.DataFrame,
    columns: pd.DataFrame,
) -> pd.DataFrame:
    fields = fields[~_among(fields["name"], settings.leave_out)]
    wanted = fields.merge(pd.DataFrame({"entity": list(settings.tables)}), how="cross")
    is_first = wanted["entity"].eq(settings.tables[0])
    wanted = wanted[~(is_first & _among(wanted["name"], wished["name"]))]
    wanted = wanted.assign(key=wanted["entity"] + "." + wanted["name"])
    places = _places(wanted["entity"], _word(wanted["name"]))
    there, again = places.isin(_taken(inputs, columns, wished)), places.duplicated()
    wanted = entered(
        inputs, "marketing", wanted.assign(id=wanted["key"], there=there, again=again & ~there)
    )
    about = {
        "source": "marketing",
        "source_entity": DATA_FIELD,
        "source_id": wanted["key"],
        "entity": LABEL_COLUMN,
    }
    new = wanted[~wanted["there"] & ~wanted["again"]]
    values = json_objects(new, {"table": "entity", "name": "name", "type": "type"})
    return joined(
        [
            unchanged(wanted[wanted["there"]], **about),
            ignored(wanted[wanted["again"]], Reason.DUPLICATE_NAME, **about),
            job_frame(
                new,
                target="crm",
                kind=OperationKind.CREATE,
                key=new["key"],
                values=values,
                after=values,
                result=Result.NEW,
                **about,
            ),
        ]
    )


def _to_platform(
    inputs: Inputs,
    settings: Settings,
    wished: pd.DataFrame,
    fields: pd.DataFrame,
    columns: pd.DataFrame,
) -> tuple[list[pd.DataFrame], tuple[str, ...]]:
    """Create the fields of named columns; note those whose column is not there."""
    table = settings.tables[0]
    known = columns[columns["table"] == table][["name", "type"]]
    known = known.rename(columns={"name": "column"})
    rows = wished.merge(known, on="column", how="left")
    missing = rows[rows["type"].isna()]["column"]
    notes = tuple(
        f"{inputs.systems['crm']} has no column `{name}` in the table {table}; correct `columns` "
        "of data_labels."
        for name in missing
    )
    rows = rows[rows["type"].notna()].assign(id=table + "." + rows["column"])
    rows = entered(inputs, "crm", rows)
    there = _among(rows["name"], fields["name"])
    about = {"source": "crm", "source_entity": "column", "source_id": rows["id"]}
    new = rows[~there]
    new = new.assign(default=new["default"].map(_as_text)).astype("string[pyarrow]")
    values = json_objects(new, {"type": "type", "visibility": "visibility", "default": "default"})
    return [
        unchanged(rows[there], **about, entity=DATA_FIELD),
        job_frame(
            new,
            target="marketing",
            kind=OperationKind.CREATE,
            key=new["name"],
            values=values,
            after=json_objects(new, {"name": "name", "type": "type", "visibility": "visibility"}),
            result=Result.NEW,
            entity=DATA_FIELD,
            **about,
        ),
    ], notes


def _taken(inputs: Inputs, columns: pd.DataFrame, wished: pd.DataFrame) -> pd.Series:
    """Return the places that have a column already.

    They have it by its name, by its label, by a mapping, or as that of another table has it by the
    settings.
    """
    bare = columns["name"].str.lower().str.replace(_PREFIX, "", regex=True)
    mapped = [
        (entity, item.marketing)
        for entity, mapping in inputs.account.mappings.items()
        for item in mapping.fields.values()
        if item.marketing
    ]
    by_mapping = pd.DataFrame(mapped, columns=["entity", "name"], dtype="string[pyarrow]")
    named = wished.astype("string[pyarrow]").rename(columns={"name": "field"})
    alike = columns.merge(named[["column", "field"]], left_on="name", right_on="column")
    found = [
        _places(alike["table"], _word(alike["field"])),
        _places(columns["table"], _word(columns["name"])),
        _places(columns["table"], _word(bare)),
        _places(columns["table"], _word(columns["label"].fillna(""))),
        _places(by_mapping["entity"], _word(by_mapping["name"])),
    ]
    return pd.concat(found, ignore_index=True)


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _among(names: pd.Series, others: Iterable[str]) -> pd.Series:
    return names.str.casefold().isin([name.casefold() for name in others]).astype(bool)


def _word(names: pd.Series) -> pd.Series:
    return names.str.lower().str.replace(_NOT_NAME, "", regex=True)


def _places(tables: pd.Series, words: pd.Series) -> pd.Series:
    return tables + "." + words
