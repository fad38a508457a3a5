"""Who is who: one row per CRM record and platform contact that are the same person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from bothways.syncs.two_way.affected import Gathered
from bothways.transform.match import match

_TEXT = pd.ArrowDtype(pa.string())
_RECORD = ["active", "modified_at", "email", "email_key", "status", "deleted", "deleted_at"]


@dataclass(frozen=True, slots=True)
class Persons:
    """The people of a plan.

    Attributes:
        rows: One row per pair, per CRM record without a contact, and per contact without a record:
            `person` (the same for all rows of one person), `entity`, `crm_id`, `marketing_id`,
            `link_key` (the address that a link was made by), `is_primary`, `new_link`, `case`; of
            the CRM record `crm_active`, `crm_modified_at`, `crm_email`, `crm_email_key`,
            `crm_status`, `crm_deleted`, `crm_deleted_at` (null if it only counts as deleted because
            no read has shown it), and the same of the contact under `marketing_…`.
        dropped: Links that hold no longer: entity, crm_id.
        split_off: Of these, the records that have turned out to be another person than the contact
            they followed: entity, crm_id, marketing_id.
    """

    rows: pd.DataFrame
    dropped: pd.DataFrame
    split_off: pd.DataFrame


def persons(gathered: Gathered, entities: Mapping[str, str]) -> Persons:
    """Bring the people of both sides together.

    A CRM record that is on no list and linked with nobody is only looked at where somebody with
    its address is on a platform list of its entity, and no such record is on a list: of several,
    the likeliest.

    Args:
        gathered: What both sides and the store know.
        entities: What each list holds, by list key.
    """
    listed = _listed(gathered)
    spare = _spare(gathered, listed, entities)
    crm = gathered.crm[gathered.crm["id"].isin(pd.concat([listed, spare]))]
    found = match(crm, gathered.marketing, gathered.links)
    rows = pd.concat([found.pairs, found.crm_only, found.marketing_only], ignore_index=True)
    rows = rows.rename(columns={"email_key": "link_key"})
    rows = rows.merge(_beside(crm, "crm"), on=["entity", "crm_id"], how="left")
    contacts = _beside(gathered.marketing, "marketing").drop(columns="entity")
    rows = rows.merge(contacts, on="marketing_id", how="left")
    rows = rows[rows["crm_id"].notna() | rows["marketing_id"].notna()]
    rows = rows.assign(person=_person(rows), new_link=rows["new_link"].fillna(value=False))
    split_off = found.dropped.loc[
        found.dropped["case"] == "left", ["entity", "crm_id", "marketing_id"]
    ]
    return Persons(_with_primary(rows.reset_index(drop=True)), found.dropped, split_off)


def _listed(gathered: Gathered) -> pd.Series:
    """Return the CRM records that are on a list, or were, or are linked."""
    known: pd.Series = pd.concat(
        [
            gathered.members["crm"]["member_id"],
            gathered.links["crm_id"],
            gathered.states["crm_id"],
        ]
    )
    return known.drop_duplicates()


def _spare(gathered: Gathered, listed: pd.Series, entities: Mapping[str, str]) -> pd.Series:
    """Return the likeliest record per address and entity that a platform member could be."""
    key = ["entity", "email_key"]
    on_list = gathered.crm["id"].isin(listed)
    taken = gathered.crm.loc[on_list, key].drop_duplicates().assign(taken=True)
    wanted = _wanted(gathered, entities).assign(wanted=True)
    free = gathered.crm[~on_list & gathered.crm["merged_into"].isna()]
    free = free.merge(taken, on=key, how="left").merge(wanted, on=key)
    free = free[free["taken"].isna() & ~free["deleted"].astype(bool)]
    best = free.sort_values(
        ["active", "modified_at", "id"], ascending=[False, False, True], kind="stable"
    )
    return best.drop_duplicates(["entity", "email_key"])["id"]


def _wanted(gathered: Gathered, entities: Mapping[str, str]) -> pd.DataFrame:
    """Return which address should have a record of which entity: the lists of the platform say."""
    members = gathered.members["marketing"][["member_id", "list_key"]]
    addresses = gathered.marketing[["id", "email_key"]]
    found = members.merge(addresses, left_on="member_id", right_on="id")
    held = found["list_key"].map(entities).astype(_TEXT)
    return found.assign(entity=held)[["entity", "email_key"]].dropna().drop_duplicates()


def _beside(rows: pd.DataFrame, side: str) -> pd.DataFrame:
    named = rows[["entity", "id", *_RECORD]]
    return named.rename(
        columns={"id": f"{side}_id", **{name: f"{side}_{name}" for name in _RECORD}}
    )


def _person(rows: pd.DataFrame) -> pd.Series:
    """Name each person: by platform contact, else by address, else by CRM record."""
    by_contact = "m:" + rows["marketing_id"].astype(_TEXT)
    by_address = "a:" + rows["crm_email_key"].astype(_TEXT)
    return by_contact.fillna(by_address).fillna("c:" + rows["crm_id"].astype(_TEXT))


def _with_primary(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose the primary record of each person for whom matching had no contact to do so."""
    alone = rows["marketing_id"].isna()
    order = rows[alone].sort_values(
        ["person", "crm_active", "entity", "crm_modified_at", "crm_id"],
        ascending=[True, False, True, False, True],
        kind="stable",
    )
    first = order.drop_duplicates("person").index
    is_primary = rows["is_primary"].where(~alone, rows.index.isin(first))
    return rows.assign(is_primary=is_primary.fillna(value=False).astype(bool))
