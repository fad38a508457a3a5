"""What the last step keeps of what both sides agree on."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from bothways.engine.keeping import _sound
from bothways.ledgers.base import Entry


@pytest.mark.parametrize(("failed", "kept"), [("c1", ["c2"]), ("m2", ["c1"]), ("x", ["c1", "c2"])])
def test_nothing_is_agreed_on_by_a_pair_one_side_of_which_is_in_error(
    failed: str, kept: list[str]
) -> None:
    rows = pd.DataFrame({"crm_id": ["c1", "c2"], "marketing_id": ["m1", "m2"]})
    entry = Entry(pa.schema([]), about=("crm_id", "marketing_id"), keep=lambda _run, _rows: None)
    assert _sound(rows, entry, {failed})["crm_id"].tolist() == kept
