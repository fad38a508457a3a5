"""Which lists of the CRM the account maps to lists of the platform: what records say of it."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs
from bothways.transform.columns import looked_up

_TEXT: Final = pd.ArrowDtype(pa.string())


def crm_lists(inputs: Inputs, list_ids: pd.Series) -> pd.DataFrame:
    """Return the CRM's lists that are mapped to lists of the platform, as far as runs have found.

    Args:
        inputs: The plan's inputs.
        list_ids: Ids of lists of the platform; an index may stand there several times.

    Returns:
        `name` and `crm_list_id`, with commas between several, over the index of those that are
        mapped, each once.
    """
    rows = list_ids.astype(_TEXT).rename("list_id").to_frame()
    rows = rows.join(_mapped(inputs), on="list_id", how="inner")
    return rows[["name", "crm_list_id"]].groupby(level=0, sort=False).agg(", ".join).astype(_TEXT)


def _mapped(inputs: Inputs) -> pd.DataFrame:
    """Return name and crm_list_id of the account's lists, by their id on the platform."""
    names = pd.Series({key: item.crm for key, item in inputs.account.lists.items()}, dtype=_TEXT)
    known = inputs.view.mapped_lists()
    known = known.assign(name=looked_up(known["list_key"], names)).dropna(subset="name")
    return known.set_index("marketing_list_id")[["name", "crm_list_id"]]
