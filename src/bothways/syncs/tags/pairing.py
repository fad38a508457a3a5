"""Which row of the CRM belongs to which tag of the platform.

A row belongs to the tag whose id is its key; without a key, to the tag that was created from it, or
to one of its name. Names are compared whatever their case, within one audience or category only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.records import RecordKind
from bothways.syncs.base import Inputs
from bothways.syncs.definitions import with_deleted, with_details
from bothways.syncs.mapped_lists import crm_lists
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import ListPair
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import read_objects
from bothways.vocabulary import MembershipState

_TEXT: Final = pa.string()
_NULLABLE: Final = pd.ArrowDtype(_TEXT)
_OF_TAG: Final[Mapping[str, pa.DataType]] = {
    "parent_id": _TEXT,
    "list_id": _TEXT,
    "rating": pa.int64(),
}
_OF_ROW: Final[Mapping[str, pa.DataType]] = {
    "key": _TEXT,
    "parent_row": _TEXT,
    "list_id": _TEXT,
    "marketing_lists": _TEXT,
    "rating": pa.int64(),
    "gone": pa.bool_(),
    "modified_at": _TEXT,
}
_TAG_COLUMNS: Final = [
    "id",
    "there",
    "name",
    "parent",
    "list",
    "mapped",
    "rated",
    "written",
    "agreed",
]
_ROW_COLUMNS: Final = [
    "row", "of", "key", "own_name", "own_parent", "own_list", "own_mapped", "own_rated", "gone",
    "again",
]  # fmt: skip


def paired(inputs: Inputs, kind: RecordKind, parents: pd.DataFrame | None) -> pd.DataFrame:
    """Return each tag of a kind with its row, tags without one, and rows without a tag.

    Rows of other accounts, whose tags this platform never had, are left out.

    Args:
        inputs: The plan's inputs.
        kind: Which.
        parents: The pairs of the kind that these belong to, if any.

    Returns:
        Of the tag `id`, `there` (whether it still exists), `name`, `parent`, `list`,
        `mapped` (names of the CRM's lists that are mapped to it), `rated` (how active an audience
        is), `written` (what was last written to the CRM) and `agreed` (what both sides last called
        it); of the row `row`, `key`, `own_name`, `own_parent` (the id of what it belongs to),
        `own_list`, `own_mapped`, `own_rated`, `gone`, and `again` (whether another row stands for
        the tag).
    """
    tags = _tags(inputs, kind)
    rows = _rows(inputs, kind, parents)
    rows = rows.assign(of=rows["key"].fillna(rows["written"]))
    # If two accounts have created a tag from one row, the first keeps it; the other gets a new row.
    lost = rows.loc[~rows["of"].isin(tags["id"]), "written"].dropna()
    tags = tags.assign(written=tags["written"].mask(tags["id"].isin(lost)))
    rows = rows[rows["of"].isna() | rows["of"].isin(tags["id"])]
    rows = rows.assign(unkeyed=rows["key"].isna()).sort_values(["unkeyed", "modified_at", "row"])
    rows = rows.assign(of=rows["of"].fillna(_by_name(tags, rows)))
    if not kind.parent:  # audiences are created on the platform only
        rows = rows[rows["of"].notna()]
    rows = rows.assign(again=rows["of"].notna() & rows["of"].duplicated())
    first, others = rows[~rows["again"]][_ROW_COLUMNS], rows[rows["again"]][_ROW_COLUMNS]
    pairs = tags.merge(first, how="outer", left_on="id", right_on="of")
    pairs = pd.concat([pairs, others], ignore_index=True)
    return pairs.assign(
        **{name: pairs[name].fillna(value=False).astype(bool) for name in ("there", "again")}
    )


def place(parent: pd.Series, name: pd.Series) -> pd.Series:
    """Return a text that tags of one name in one audience or category share."""
    return parent.fillna("") + "\n" + name.str.casefold()


def agreed_members(inputs: Inputs, tags: pd.Series) -> pd.DataFrame:
    """Return LIST_STATES: who has these tags, as both sides last agreed.

    To the ledger a tag is a list with the same id on both sides.
    """
    states = inputs.view.list_states(pairs=[ListPair(tag, tag) for tag in tags])
    return states[states["state"].eq(MembershipState.JOINED.value)]


def _tags(inputs: Inputs, kind: RecordKind) -> pd.DataFrame:
    tags = with_details(with_deleted(inputs, kind.name), _OF_TAG)
    agreed = read_objects(tags["written"], {"name": _TEXT})[f"{FIELD_PREFIX}name"]
    tags = tags.rename(columns={"parent_id": "parent", "list_id": "list", "rating": "rated"})
    mapped = crm_lists(inputs, tags["list"])["name"].reindex(tags.index)
    names = {"name": _stripped(tags["name"]), "agreed": _stripped(agreed), "mapped": mapped}
    return tags.assign(**names)[_TAG_COLUMNS]


def _rows(inputs: Inputs, kind: RecordKind, parents: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows and what they belong to, without those of another account's audiences."""
    rows = with_details(inputs.view.definitions("crm", kind.name), _OF_ROW)
    called = {"name": "own_name", "list_id": "own_list", "marketing_lists": "own_mapped"}
    rows = rows.rename(columns={"id": "row", "rating": "own_rated", **called})
    rows = rows.assign(own_parent=pd.Series(None, rows.index, _NULLABLE))
    rows = rows.assign(own_name=_stripped(rows["own_name"]))
    if parents is None:
        return rows
    theirs = parents.dropna(subset="row").set_index("row")["of"]
    named = rows["parent_row"]
    own = looked_up(named, theirs)
    only = parents.loc[parents["there"], "id"]
    if len(only) == 1:
        own = own.mask(named.isna() & rows["key"].isna(), only.iloc[0])
    mine = rows["key"].notna() | named.isna() | named.isin(theirs.index)
    return rows.assign(own_parent=own)[mine]


def _by_name(tags: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return for each row the tag of its name that has no row yet; null if there is none."""
    free = tags[tags["there"] & ~tags["id"].isin(rows["of"])]
    by_place = free.assign(place=place(free["parent"], free["name"])).drop_duplicates("place")
    asking = rows[rows["of"].isna() & rows["own_name"].notna() & rows["own_parent"].notna()]
    found = looked_up(
        place(asking["own_parent"], asking["own_name"]).drop_duplicates(),
        by_place.set_index("place")["id"],
    )
    return found.reindex(rows.index)


def _stripped(names: pd.Series) -> pd.Series:
    stripped = names.str.strip()
    return stripped.mask(stripped.eq("").fillna(value=False))
