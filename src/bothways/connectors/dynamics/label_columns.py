"""Columns of contacts and leads that stand for data fields of a platform."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from bothways.connectors.base import FieldInfo
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.labels import Body, base_language, in_language
from bothways.connectors.dynamics.metadata import read_fields
from bothways.connectors.dynamics.names import PEOPLE, Names
from bothways.connectors.dynamics.provisioning import (
    BETWEEN_S,
    COLUMN_TYPES,
    TRIES,
    column_path,
    person_column,
)
from bothways.connectors.dynamics.writing import Verdict, Verdicts, as_frame, failed, refused
from bothways.errors import Missing, ProtocolError, Rejected, TemporaryFailure
from bothways.vocabulary import FieldType

_NOT_NAME: Final = re.compile(r"[^a-z0-9_]")
# Schema names may have 100 characters at most, prefix included (assumed; 128 in some editions).
_LONGEST: Final = 80

Fields = Mapping[str, FieldInfo]


@dataclass(frozen=True, slots=True)
class _Wanted:
    seq: int
    table: str
    column: str
    type: FieldType
    definition: Body


def create_columns(
    client: Dataverse, names: Names, headers: Mapping[str, str], operations: pd.DataFrame
) -> pd.DataFrame:
    """Create columns, one after the other: no two definitions are made at a time; RESULTS.

    A repeat finds the column of the first try by its name, also where the answer was lost.

    Args:
        client: The Web API.
        names: Give the prefix of what is ours.
        headers: Of requests that create something: the solution, perhaps.
        operations: As `CreatesColumns` says.
    """
    verdicts: Verdicts = {}
    given = operations[["seq", "values"]].to_dict("records")
    language = base_language(client)
    wanted = [_wanted(int(row["seq"]), json.loads(row["values"]), names, language) for row in given]
    for table in sorted({one.table for one in wanted}):
        own = [one for one in wanted if one.table == table]
        if table in PEOPLE:
            verdicts |= _create(client, headers, table, own)
        else:
            told = refused(f"there are no people called `{table}`; use {' or '.join(PEOPLE)}")
            verdicts |= {one.seq: told for one in own}
    return as_frame(verdicts)


def _wanted(seq: int, values: Mapping[str, Any], names: Names, language: int) -> _Wanted:
    word = _NOT_NAME.sub("_", str(values["name"]).lower())[:_LONGEST]
    kind = FieldType(values["type"])
    column = names.own(word)
    definition = in_language(person_column(column, str(values["name"]), kind), language)
    return _Wanted(seq, str(values["table"]), column, kind, definition)


def _create(
    client: Dataverse, headers: Mapping[str, str], table: str, wanted: Sequence[_Wanted]
) -> Verdicts:
    verdicts: Verdicts = {}
    left = list(wanted)
    for attempt in range(TRIES):
        if attempt:
            client.sleep(BETWEEN_S)
        known = read_fields(client, table)
        for one in left:
            verdicts[one.seq] = _there(known, one) or _made(client, headers, one)
        left = [one for one in left if verdicts[one.seq].transient]
        if not left:
            return verdicts
    known = read_fields(client, table)
    return verdicts | {one.seq: _there(known, one) or verdicts[one.seq] for one in left}


def _made(client: Dataverse, headers: Mapping[str, str], one: _Wanted) -> Verdict:
    path = column_path(one.table)
    try:
        client.send("POST", path, one.definition, retry="never", headers=headers)
    except (Missing, ProtocolError, Rejected, TemporaryFailure) as error:
        return failed(error)
    return Verdict(record_id=one.column)


def _there(known: Fields, one: _Wanted) -> Verdict | None:
    """Return the verdict on a column that is there already; None where it is not."""
    info = known.get(one.column)
    if info is None:
        return None
    if info.type is COLUMN_TYPES[one.type]:
        return Verdict(record_id=one.column)
    return refused(
        f"there is a column {one.column} of the type {info.type}, not {one.type}; "
        "map it, or give it another name"
    )
