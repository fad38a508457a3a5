"""The data fields of contacts: which there are, and new ones (facts 1.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from bothways.connectors.base import FieldInfo
from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.paging import rows_of
from bothways.connectors.http.results import records, results_frame
from bothways.errors import Rejected
from bothways.vocabulary import FieldType

_PATH = "/v2/data-fields"
# A Date field holds a time of day too (the vendor's own LASTSUBSCRIBED does).
_TYPES = {
    "string": FieldType.STRING,
    "numeric": FieldType.NUMBER,
    "date": FieldType.DATETIME,
    "boolean": FieldType.BOOLEAN,
}
_WORDS: Mapping[str, str] = {
    FieldType.STRING: "String",
    FieldType.INTEGER: "Numeric",
    FieldType.NUMBER: "Numeric",
    FieldType.OPTION: "Numeric",
    FieldType.BOOLEAN: "Boolean",
    FieldType.DATE: "Date",
    FieldType.DATETIME: "Date",
}
_TAKEN = "ERROR_NON_UNIQUE_DATAFIELD"
# The vendor says no more than the code.
_REMEDIES = {
    "ERROR_DATAFIELD_INVALID": "its name may have up to 20 letters, digits, - and _, its type is "
    "string, number, boolean or date, and its default value has to be of that type",
    "ERROR_DATAFIELD_LIMITEXCEEDED": "the account has as many data fields as it may; delete one",
}


def fields(client: DotdigitalClient) -> dict[str, FieldInfo]:
    """Return the data fields. Types that are newer than this code are read as text."""
    found = rows_of(client.request("GET", _PATH, retry="read").json(), TITLE)
    infos = (
        FieldInfo(
            str(row["name"]),
            _TYPES.get(str(row.get("type")).lower(), FieldType.STRING),
            visibility=str(row.get("visibility") or "").lower(),
            default=row.get("defaultValue"),
        )
        for row in found
        if row.get("name")
    )
    return {info.name: info for info in infos}


def create_fields(client: DotdigitalClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Create data fields, one call each: the vendor takes no more.

    Names are unique whatever their case, so that a repeat finds the first try's. Which names, and
    how many, an account can have is left to the vendor to say.
    """
    rows = records(operations, ("seq", "key", "values"))
    answers = list(parallel_map(lambda row: _created(client, row), rows, client.parallel))
    there = fields(client) if any(answer is None for answer in answers) else {}
    known = {name.casefold(): info for name, info in there.items()}
    return results_frame(
        (answer or _found(row, known.get(str(row["key"]).casefold()))).of(row["seq"])
        for row, answer in zip(rows, answers, strict=True)
    )


def _created(client: DotdigitalClient, row: Row) -> Verdict | None:
    """Create a field; return None if one of that name is there already."""
    wish = json.loads(row["values"])
    body: dict[str, Any] = {"name": row["key"], "type": _word(wish)}
    if wish.get("visibility"):
        body["visibility"] = str(wish["visibility"]).capitalize()
    if wish.get("default") is not None:
        body["defaultValue"] = wish["default"]
    try:
        answer = client.request("POST", _PATH, retry="keyed", json=body)
    except Rejected as error:
        return None if error.code == _TAKEN else _refused(error)
    made = answer.json() if answer.content else None  # one of the vendor's files has no body here
    name = made.get("name") if isinstance(made, dict) else None
    return Verdict("written", str(name or row["key"]))


def _refused(error: Rejected) -> Verdict:
    verdict, remedy = Verdict.failed(error), _REMEDIES.get(error.code)
    return replace(verdict, message=f"{verdict.message}; {remedy}") if remedy else verdict


def _word(wish: Mapping[str, Any]) -> str:
    # What is no type of ours goes as it is, for the vendor to refuse in its own words.
    return _WORDS.get(wish["type"], str(wish["type"]))


def _found(row: Row, info: FieldInfo | None) -> Verdict:
    wanted = _word(json.loads(row["values"]))
    if info is None:
        message = "the name is taken, and yet no field has it; give the field another name"
        return Verdict("error", None, _TAKEN, message)
    if _WORDS[info.type] != wanted:
        message = f"there is a field of this name with the type {_WORDS[info.type]}, not {wanted}"
        return Verdict("error", info.name, _TAKEN, f"{message}; give one of them another name")
    return Verdict("written", info.name)
