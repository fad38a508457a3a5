"""Verdicts on operations that never reached the vendor, or came back without one each."""

from __future__ import annotations

import pandas as pd

from bothways.errors import ConnectorError
from bothways.tables.frames import frame_of
from bothways.tables.operations import RESULTS


def failed(part: pd.DataFrame, error: ConnectorError) -> pd.DataFrame:
    """Return an error for each operation of a part that failed as a whole."""
    results = frame_of(RESULTS).reindex(range(len(part)))
    return results.assign(
        seq=part["seq"].to_numpy(),
        outcome="error",
        code=error.code,
        message=error.message,
        transient=error.transient,
    )
