"""Links of CRM records that were merged into others."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import Array, nulls, pc
from bothways.transform.columns import column, typed

_TEXT = pa.string()
_TEXTS = ("entity", "crm_id", "marketing_id", "email_key", "case")
_LINKS = pa.schema(
    [pa.field(name, _TEXT) for name in _TEXTS]
    + [pa.field(name, pa.bool_()) for name in ("is_primary", "new_link")]
)
# Each pass doubles the length of chain that is followed: enough for any, and an end for circles.
_PASSES = 32


def record_ids(rows: pd.DataFrame, id_column: str) -> Array:
    """Return entity and id in one, since ids are an entity's own."""
    texts = column(rows, "entity", _TEXT), column(rows, id_column, _TEXT)
    return pc.binary_join_element_wise(*texts, "\n")


def follow_merges(links: pd.DataFrame, crm: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the links as they are once merged CRM records have handed theirs over.

    A link goes to the record that survived (``merged``). Where that one has a link of its own to
    another contact, or two records bring different contacts, the link stays where it is, idle
    (``merged_away``): of two, the primary one is handed over, then the lower platform id, then that
    of the record with the lower id.

    Args:
        links: As `match.match` takes them.
        crm: CRM rows with `entity`, `id` and `merged_into`.

    Returns:
        The links with `case` and `new_link`, and those that were handed over, as they were.
    """
    links = typed(links, _LINKS).reset_index(drop=True)
    merged = crm.loc[column(crm, "merged_into", _TEXT).is_valid().to_numpy(zero_copy_only=False)]
    losers, survivors = _survivors(merged)
    place = pc.index_in(record_ids(links, "crm_id"), value_set=losers)
    if place.null_count == len(links):
        return links, links.iloc[:0]
    mine = place.is_valid().to_numpy(zero_copy_only=False)
    moved = links[mine].assign(loser=links.loc[mine, "crm_id"])
    moved["crm_id"] = pd.arrays.ArrowExtensionArray(survivors.take(place.drop_null()))
    return _hand_over(links[~mine], moved)


def _survivors(merged: pd.DataFrame) -> tuple[Array, Array]:
    """Return the merged records and the id of the one that each ended in, through any chain.

    Records that are merged in a circle end nowhere and are left out.
    """
    losers = record_ids(merged, "id")
    entities, ids = column(merged, "entity", _TEXT), column(merged, "merged_into", _TEXT)
    onward = nulls(0, pa.int32())
    for _ in range(_PASSES):
        onward = pc.index_in(pc.binary_join_element_wise(entities, ids, "\n"), value_set=losers)
        if onward.null_count == len(onward):
            break
        ids = pc.coalesce(ids.take(onward), ids)
    ended = onward.is_null()
    return losers.filter(ended), ids.filter(ended)


def _hand_over(rest: pd.DataFrame, moved: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    record, contact = ["entity", "crm_id"], ["entity", "crm_id", "marketing_id"]
    moved = moved.sort_values(
        [*record, "is_primary", "marketing_id", "loser"], ascending=[True, True, False, True, True]
    )
    own = rest[record].assign(own=rest["marketing_id"])
    moved = moved.merge(own, on=record, how="left")
    same = (moved["own"] == moved["marketing_id"]).fillna(value=False).astype(bool)
    first = moved["own"].isna() & ~moved.duplicated(record)
    heirs = moved[first]
    same |= moved.duplicated(contact)
    same |= _in(moved, heirs, contact) & ~first
    idle = moved[~first & ~same]
    idle = idle.assign(crm_id=idle["loser"], case="merged_away", is_primary=False)
    heirs = heirs.assign(case="merged", new_link=True)
    gone = moved[first | same]
    gone = gone.assign(crm_id=gone["loser"], case="merged")
    return typed(pd.concat([rest, heirs, idle], ignore_index=True), _LINKS), typed(gone, _LINKS)


def _in(rows: pd.DataFrame, others: pd.DataFrame, names: list[str]) -> pd.Series:
    return pd.Series(
        pd.MultiIndex.from_frame(rows[names]).isin(pd.MultiIndex.from_frame(others[names])),
        index=rows.index,
    )
