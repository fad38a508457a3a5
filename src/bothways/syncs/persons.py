"""Find the CRM record of a person whom a platform reports."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs
from bothways.transform.columns import looked_up
from bothways.vocabulary import Reason

_TEXT: Final = pd.ArrowDtype(pa.string())


def crm_person(
    inputs: Inputs, rows: pd.DataFrame, entities: Collection[str] = ("contact", "lead")
) -> pd.DataFrame:
    """Return the CRM record of each row's person: person_entity, person_id; or else a reason.

    Of several records an active one comes before others, one that is linked before one with the
    address only, the primary record before other linked ones, a contact before a lead, and the
    lowest id.

    Args:
        inputs: The plan's inputs.
        rows: record_id and email_key: the person's on the platform.
        entities: Among which records.
    """
    links = inputs.view.links(marketing_ids=rows["record_id"])
    records = inputs.view.people("crm", ids=links["crm_id"], email_keys=rows["email_key"])
    records = records[records["entity"].isin(list(entities)) & records["merged_into"].isna()]
    records = records.assign(idle=records["active"].eq(other=False).fillna(value=False))
    linked = links[["entity", "crm_id", "marketing_id", "is_primary"]].merge(
        records, left_on=["entity", "crm_id"], right_on=["entity", "id"]
    )
    order = ["idle", "second", "entity", "id"]
    linked = linked.assign(second=~linked["is_primary"].fillna(value=False).astype(bool))
    by_link = _first(linked.sort_values(order), "marketing_id", rows["record_id"])
    addressed = records.assign(second=False).sort_values(order)
    by_address = _first(addressed, "email_key", rows["email_key"])
    better = by_link["id"].isna() | (
        by_link["idle"].eq(other=True).fillna(value=False)
        & by_address["idle"].eq(other=False).fillna(value=False)
    )
    found = by_link.where(~better, by_address)
    reason = pd.Series(None, index=rows.index, dtype=_TEXT)
    if inputs.account.settings.only_open_leads_and_active_contacts:
        reason = reason.mask(found["idle"].eq(other=True).fillna(value=False), Reason.INACTIVE)
    reason = reason.mask(found["id"].isna(), Reason.NO_CRM_RECORD)
    return pd.DataFrame(
        {"person_entity": found["entity"], "person_id": found["id"], "reason": reason}
    )


def _first(records: pd.DataFrame, column: str, keys: pd.Series) -> pd.DataFrame:
    """Return entity, id and idle of the first record that has each key, null where none has."""
    by_key = records.dropna(subset=column).drop_duplicates(column).set_index(column)
    return pd.DataFrame({name: looked_up(keys, by_key[name]) for name in ("entity", "id", "idle")})
