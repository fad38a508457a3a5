"""Who is who: one row per CRM record and platform contact that are the same person."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from bothways.syncs.two_way.gather import Gathered
from bothways.transform.match import match

_TEXT = pd.ArrowDtype(pa.string())
_RECORD = ["active", "modified_at", "email", "email_key", "status", "deleted"]


@dataclass(frozen=True, slots=True)
class Persons:
    """The people of a plan.

    Attributes:
        rows: One row per pair, per CRM record without a contact, and per contact without a record:
            `person` (the same for all rows of one person), `entity`, `crm_id`, `marketing_id`,
            `speaks`, `new_link`, `case`; of the CRM record `crm_active`, `crm_modified_at`,
            `crm_email`, `crm_email_key`, `crm_status`, `crm_deleted`, and the same of the contact
            under `marketing_…`.
        dropped: Links that hold no longer: entity, crm_id.
    """

    rows: pd.DataFrame
    dropped: pd.DataFrame


def persons(gathered: Gathered) -> Persons:
    """Bring the people of both sides together.

    A CRM record that is on no list and linked with nobody is only looked at where a platform
    contact has its address and no record on a list has: of several, the likeliest.
    """
    listed = _listed(gathered)
    spare = _spare(gathered.crm[~gathered.crm["id"].isin(listed)], gathered, listed)
    crm = gathered.crm[gathered.crm["id"].isin(pd.concat([listed, spare]))]
    found = match(crm, gathered.marketing, gathered.links)
    rows = pd.concat([found.pairs, found.crm_only, found.marketing_only], ignore_index=True)
    rows = rows.merge(_beside(crm, "crm"), on=["entity", "crm_id"], how="left")
    contacts = _beside(gathered.marketing, "marketing").drop(columns="entity")
    rows = rows.merge(contacts, on="marketing_id", how="left")
    rows = rows[rows["crm_id"].notna() | rows["marketing_id"].notna()]
    rows = rows.assign(person=_person(rows), new_link=rows["new_link"].fillna(value=False))
    return Persons(_spoken_for(rows.reset_index(drop=True)), found.dropped)


def _listed(gathered: Gathered) -> pd.Series:
    return pd.concat(
        [
            gathered.members["crm"]["member_id"],
            gathered.links["crm_id"],
            gathered.states["crm_id"],
        ]
    ).drop_duplicates()


def _spare(unlisted: pd.DataFrame, gathered: Gathered, listed: pd.Series) -> pd.Series:
    """Return the likeliest record per address and entity that a platform contact could be."""
    taken = gathered.crm.loc[gathered.crm["id"].isin(listed), ["entity", "email_key"]]
    free = unlisted.merge(taken.drop_duplicates().assign(taken=True), how="left")
    free = free[free["taken"].isna() & free["email_key"].isin(gathered.marketing["email_key"])]
    free = free[free["merged_into"].isna()]
    best = free.sort_values(
        ["active", "modified_at", "id"], ascending=[False, False, True], kind="stable"
    )
    return best.drop_duplicates(["entity", "email_key"])["id"]


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


def _spoken_for(rows: pd.DataFrame) -> pd.DataFrame:
    """Let one record of each person speak, where matching had nobody to elect one for."""
    alone = rows["marketing_id"].isna()
    order = rows[alone].sort_values(
        ["person", "crm_active", "entity", "crm_modified_at", "crm_id"],
        ascending=[True, False, True, False, True],
        kind="stable",
    )
    first = order.drop_duplicates("person").index
    speaks = rows["speaks"].where(~alone, rows.index.isin(first))
    return rows.assign(speaks=speaks.fillna(value=False).astype(bool))
