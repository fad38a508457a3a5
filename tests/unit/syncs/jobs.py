"""Jobs as tests speak of them."""

from __future__ import annotations

import pandas as pd

Job = tuple[str, ...]


def said(jobs: pd.DataFrame, *columns: str) -> list[Job]:
    """Return jobs as sorted tuples of some columns; "" is null."""
    names = list(columns) or ["target", "kind", "result", "reason"]
    rows = jobs[names].astype(object).where(jobs[names].notna(), "")
    return sorted(tuple(str(value) for value in row) for row in rows.to_numpy().tolist())
