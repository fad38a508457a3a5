"""Which fields and labels a run looks at."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.data_labels import SPEC
from bothways.syncs.definitions import read_ids, waiting
from bothways.transform.named import is_named

LABELS: Final = "labels"
"""The labels that were changed since the last run."""


def entered(inputs: Inputs, source: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is in error and not due yet, unless it was read again; or was not named."""
    named = inputs.options.records
    if named:
        return rows[is_named(rows, named)]
    changed = read_ids(inputs, "crm", LABELS) if source == "crm" else rows["id"].iloc[:0]
    return rows[~waiting(inputs, SPEC.name, source, rows["id"], changed)]
