"""Which of several CRM records of one person is primary: its fields count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import pc
from bothways.transform.columns import any_in_group, column, flag
from bothways.transform.link_ends import take_rows, truths

_TEXT = pa.string()
_TIME = pa.timestamp("us", tz="UTC")
_RANKS = {"contact": 0, "lead": 1}


def keep_one_primary(links: pd.DataFrame) -> pd.DataFrame:
    """Leave one primary record for each contact, if several are stored as primary.

    A platform contact on lists of contacts and of leads is created as both in the CRM, and each of
    the two is stored as the only one. A contact takes precedence over a lead, then the lowest id.

    Args:
        links: `entity`, `crm_id`, `marketing_id`, `is_primary` and `new_link`, which becomes true
            where `is_primary` changes.
    """
    primary = links[links["is_primary"].fillna(value=False)]
    several = primary[primary["marketing_id"].duplicated(keep=False)]
    if several.empty:
        return links
    ranked = several.assign(rank=several["entity"].map(_RANKS).fillna(len(_RANKS)))
    ranked = ranked.sort_values(["marketing_id", "rank", "entity", "crm_id"])
    demoted = links.index.isin(ranked.index[ranked["marketing_id"].duplicated()])
    return links.assign(
        is_primary=links["is_primary"].mask(demoted, other=False),
        new_link=links["new_link"].mask(demoted, other=True),
    )


def choose_primary(pairs: pd.DataFrame, person: np.ndarray, people: pd.DataFrame) -> pd.Series:
    """Return for each pair whether its CRM record is the primary one of its platform contact.

    The order: one that is not deleted, that is primary already, that is active, a contact before a
    lead before others, the latest modified, the lowest id. One that is idle (``merged_away``) never
    is. Where no record of a person is among ``people``, the one that is primary stays so.

    Args:
        pairs: `entity`, `crm_id`, `is_primary` (null for new pairs), `gone`, `idle` and `row`: the
            row of `people`, -1 where the record did not change.
        person: A number per platform contact.
        people: CRM rows with `active` and `modified_at`.
    """
    row = pairs["row"].to_numpy(dtype=np.int64)
    idle = pairs["idle"].to_numpy(dtype=bool)
    before = column(pairs, "is_primary", pa.bool_())
    size = np.bincount(person, minlength=1)[person]
    seen = any_in_group(person, row >= 0)
    was = (truths(before) | (truths(before.is_null()) & (size == 1))) & ~idle
    unsettled = (np.bincount(person, weights=was, minlength=1) > 1)[person]
    is_primary = np.where(seen, (size == 1) & ~idle, was & ~unsettled)
    several = np.flatnonzero((seen & (size > 1) | unsettled) & ~idle)
    is_primary[_first_of_each(pairs, people, several, person)] = True
    return pd.Series(is_primary, index=pairs.index)


def _first_of_each(
    pairs: pd.DataFrame, people: pd.DataFrame, rows: np.ndarray, person: np.ndarray
) -> np.ndarray:
    """Return which of ``rows`` come first for their person."""
    some = pairs.iloc[rows]
    row = some["row"].to_numpy(dtype=np.int64)
    active = pc.fill_null(take_rows(flag(people, "active", default=True), row), fill_value=True)
    entity = column(some, "entity", _TEXT)
    keys = {
        "person": pa.array(person[rows]),
        "gone": pa.array(some["gone"].to_numpy(dtype=bool)),
        "secondary": pc.invert(flag(some, "is_primary", default=False)),
        "inactive": pc.invert(active),
        "rank": pc.fill_null(pc.index_in(entity, value_set=pa.array(list(_RANKS))), len(_RANKS)),
        "entity": entity,
        "modified_at": take_rows(column(people, "modified_at", _TIME), row),
        "crm_id": column(some, "crm_id", _TEXT),
    }
    order = [(key, "descending" if key == "modified_at" else "ascending") for key in keys]
    places = pc.sort_indices(pa.table(keys), sort_keys=order).to_numpy()
    first = np.diff(person[rows][places], prepend=-1) != 0
    chosen: np.ndarray = rows[places[first]]
    return chosen
