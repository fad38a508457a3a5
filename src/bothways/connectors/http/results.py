"""Verdicts on operations, and the frames that they go in and out by; it knows no vendor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from bothways.errors import redact_code
from bothways.tables.operations import RESULTS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one thing that was sent.

    Args:
        outcome: As in RESULTS.
        record_id: The contact's id.
        code: The vendor's code.
        message: The vendor's words, without addresses.
        transient: Whether the same may succeed later.
    """

    outcome: Literal["written", "ignored", "error"]
    record_id: str | None = None
    code: str | None = None
    message: str | None = None
    transient: bool = False

    def of(self, seq: int) -> dict[str, Any]:
        """Return the verdict as a row of RESULTS."""
        return {
            "seq": seq,
            "outcome": self.outcome,
            "record_id": self.record_id,
            "membership_id": None,
            "code": redact_code(self.code or "") or None,
            "message": self.message or None,
            "transient": self.transient,
        }


def results_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of RESULTS as a frame that keeps Arrow's types."""
    return pa.Table.from_pylist(list(rows), RESULTS).to_pandas(types_mapper=pd.ArrowDtype)


def records(operations: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return one chunk's operations as dictionaries, with None for every kind of missing value."""
    frame = operations.reindex(columns=list(columns)).reset_index(drop=True)
    return pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
