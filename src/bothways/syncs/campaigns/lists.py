"""Which of the account's lists a campaign was sent to."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import json_objects, read_objects, with_more

_LIST_IDS: Final = FIELD_PREFIX + "list_ids"
_SCOPE: Final = FIELD_PREFIX + "scope"
_TEXT: Final = pd.ArrowDtype(pa.string())


def with_lists(inputs: Inputs, details: pd.Series) -> pd.Series:
    """Add to campaigns' details the names and ids of the CRM lists that they were sent to.

    These are the lists that the account maps to the ones that the platform names. A campaign that
    went to a part of an audience that is not mapped belongs to the list of the whole audience,
    where a platform's audiences are lists themselves. Nothing is added to other campaigns.
    """
    mapped = _mapped(inputs)
    told = read_objects(details, {"list_ids": pa.list_(pa.string()), "scope": pa.string()})
    ids = told[_LIST_IDS].explode().astype(_TEXT)
    named = _found(mapped, ids)
    rest = told.loc[~told.index.isin(named.index), _SCOPE]
    found = pd.concat([named, _found(mapped, rest)])
    lists = found.groupby(level=0, sort=False).agg(", ".join).reindex(details.index)
    lists = lists.astype(_TEXT)
    columns = {"marketing_lists": "name", "marketing_list_ids": "crm_list_id"}
    present = lists.notna()
    return with_more(details, json_objects(lists, columns, mask=present))


def _mapped(inputs: Inputs) -> pd.DataFrame:
    """Return name and crm_list_id of the account's lists, by their id on the platform."""
    names = pd.Series({key: item.crm for key, item in inputs.account.lists.items()}, dtype=_TEXT)
    known = inputs.view.mapped_lists()
    known = known.assign(name=looked_up(known["list_key"], names)).dropna(subset="name")
    return known.set_index("marketing_list_id")[["name", "crm_list_id"]]


def _found(mapped: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Return the mapped lists with these ids, over the same index."""
    rows = ids.rename("list_id").to_frame().join(mapped, on="list_id", how="inner")
    return rows[["name", "crm_list_id"]]
