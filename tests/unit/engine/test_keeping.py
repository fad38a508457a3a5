"""What is kept of what both sides agree on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from bothways.engine.keeping import _sound, stage
from bothways.engine.staging import Staging
from bothways.ledgers.registry import entries


@pytest.mark.parametrize("entry", ["links", "baselines", "states"])
@pytest.mark.parametrize(("failed", "kept"), [("c1", ["c2"]), ("m2", ["c1"]), ("x", ["c1", "c2"])])
def test_nothing_is_agreed_on_by_a_pair_one_side_of_which_is_in_error(
    entry: str, failed: str, kept: list[str]
) -> None:
    rows = pd.DataFrame({"crm_id": ["c1", "c2"], "marketing_id": ["m1", "m2"]})
    assert _sound(rows, entries()[entry], {failed})["crm_id"].tolist() == kept


def test_a_plan_is_staged_in_the_columns_that_a_ledger_declares(tmp_path: Path) -> None:
    staging = Staging(UPath(tmp_path))
    link = {"entity": "contact", "crm_id": "c1", "marketing_id": None, "key": "a@x.org", "case": 1}
    stage(staging, {"links": pd.DataFrame([link])}, 0)
    (links,) = staging.tables("keep/links")
    assert links.schema == entries()["links"].schema
    expected = {"crm_id": "c1", "marketing_id": None, "key": "a@x.org", "is_primary": None}
    (row,) = links.to_pylist()
    assert row == row | expected
    (states,) = staging.tables("keep/states")
    assert states.num_rows == 0


def test_a_plan_may_not_keep_what_no_ledger_declares(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No ledger declares \\['visits'\\]"):
        stage(Staging(UPath(tmp_path)), {"visits": pd.DataFrame()}, 0)
