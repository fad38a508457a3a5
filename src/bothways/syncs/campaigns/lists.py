"""Which of the account's lists a campaign was sent to."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs
from bothways.syncs.mapped_lists import crm_lists
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.json_rows import json_objects, read_objects, with_more

_LIST_IDS: Final = FIELD_PREFIX + "list_ids"
_SCOPE: Final = FIELD_PREFIX + "scope"


def with_lists(inputs: Inputs, details: pd.Series) -> pd.Series:
    """Add to campaigns' details the names and ids of the CRM lists that they were sent to.

    These are the lists that the account maps to the ones that the platform names. A campaign that
    went to a part of an audience that is not mapped belongs to the list of the whole audience,
    where a platform's audiences are lists themselves. Nothing is added to other campaigns.
    """
    told = read_objects(details, {"list_ids": pa.list_(pa.string()), "scope": pa.string()})
    named = crm_lists(inputs, told[_LIST_IDS].explode())
    rest = told.loc[~told.index.isin(named.index), _SCOPE]
    lists = pd.concat([named, crm_lists(inputs, rest)]).reindex(details.index)
    columns = {"marketing_lists": "name", "marketing_list_ids": "crm_list_id"}
    present = lists.notna()
    return with_more(details, json_objects(lists, columns, mask=present))
