"""What records of ours and of consents have in common: a key, values, and a person."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from bothways.connectors.dynamics.names import GUID, PEOPLE, TITLE, PersonTable
from bothways.connectors.dynamics.writing import Verdicts, records_of, text_or_none

log = logging.getLogger(__name__)

_WITHOUT: Final = "the person no longer exists; the record is written without them"


@dataclass(frozen=True, slots=True)
class KeyedRow:
    """One operation: its values are read once."""

    seq: int
    key: str
    given: Mapping[str, Any]
    record_id: str | None = None

    @property
    def person(self) -> PersonTable | None:
        """The table of the person whom it names; None where it names nobody."""
        known = GUID.fullmatch(str(self.given.get("person_id") or ""))
        return PEOPLE.get(str(self.given.get("person_entity"))) if known else None

    @property
    def person_address(self) -> str:
        """The address of the person's record; "" where it names nobody."""
        return f"/{self.person.entity_set}({self.given['person_id']})" if self.person else ""


def read_rows(operations: pd.DataFrame) -> list[KeyedRow]:
    """Return OPERATIONS as rows."""
    return [
        KeyedRow(
            row["seq"],
            text_or_none(row["key"]) or "",
            json.loads(text_or_none(row["values"]) or "{}"),
            text_or_none(row.get("record_id")),
        )
        for row in records_of(operations)
    ]


def without_person(verdicts: Verdicts) -> Verdicts:
    """Return verdicts on rows that were written again, as their people no longer exist."""
    log.warning(
        "%s: %d records are written without their person, who no longer exists",
        TITLE,
        len(verdicts),
    )
    return {
        seq: replace(verdict, message=_WITHOUT) if verdict.outcome == "written" else verdict
        for seq, verdict in verdicts.items()
    }


def tell_lost(lost: Counter[str]) -> None:
    """Log how many values were left out since they do not fit, by column."""
    for column, number in lost.items():
        log.warning("%s: %d values of %s do not fit and are left out", TITLE, number, column)
