"""What the store knows, as a plan asks for it: living people, memberships and words of consent."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bothways.store import erase, records, suppressions
from bothways.store.members import load_members
from bothways.syncs.base import Inputs
from bothways.vocabulary import SIDES, FieldType, Side


def people(
    inputs: Inputs,
    side: Side,
    *,
    entity: str | None = None,
    ids: pd.Series | None = None,
    email_keys: pd.Series | None = None,
    fields: dict[str, FieldType] | None = None,
) -> pd.DataFrame:
    """Return people of one side who live, by id or by address (CONTACTS and `email_key`)."""
    return records.load_records(
        inputs.conn,
        account=inputs.account.name,
        side=side,
        entity=entity,
        ids=_distinct(ids),
        email_keys=_distinct(email_keys),
        fields=fields,
        with_deleted=False,
    )


def members(
    inputs: Inputs, side: Side, list_id: str, member_ids: pd.Series | None = None
) -> pd.DataFrame:
    """Return which of these people, or of all, are on a list (LIST_MEMBERS)."""
    return load_members(
        inputs.conn,
        account=inputs.account.name,
        side=side,
        list_ids=[list_id],
        member_ids=_distinct(member_ids),
        with_deleted=False,
    )


def ledger(
    inputs: Inputs,
    side: Side | None,
    email_keys: pd.Series,
    list_key: str | None = None,
    *,
    record_ids: pd.Series | None = None,
) -> pd.DataFrame:
    """Return the suppressions of these addresses or records.

    Args:
        inputs: The plan's inputs.
        side: Only those that this side reported; None for both.
        email_keys: The addresses.
        list_key: Only those of this list, or account-wide ones (""); None for all.
        record_ids: Also those with one of these records.
    """
    return suppressions.load_suppressions(
        inputs.conn,
        account=inputs.account.name,
        side=side,
        email_keys=_distinct(email_keys),
        record_ids=_distinct(record_ids),
        list_ids=None if list_key is None else _list_ids(inputs, list_key),
    )


def _list_ids(inputs: Inputs, list_key: str) -> Mapping[Side, str]:
    """Return a list's id on each side; a list that is yet to be created has none."""
    if not list_key:
        return suppressions.ACCOUNT_WIDE
    ids = {side: inputs.lists[side][list_key].id for side in SIDES}
    return {side: list_id for side, list_id in ids.items() if list_id}


def erased(inputs: Inputs, email_keys: pd.Series) -> pd.Series:
    """Return a mask of the addresses whose owner asked to be erased."""
    return erase.erased_keys(inputs.conn, account=inputs.account.name, email_keys=email_keys)


def free_creation_keys(
    inputs: Inputs, entity: str, keys: pd.Series, email_keys: pd.Series
) -> pd.Series:
    """Return the keys to create CRM records with: a different one if a key is already taken.

    A record keeps the key it was created with, even after it has become another person with its
    own address. A create with that key would find this record and overwrite it.

    Args:
        inputs: The plan's inputs.
        entity: The entity to be created.
        keys: The creation keys, the same each time the creation is tried.
        email_keys: The addresses of the people to be created, over the same index.
    """
    found = records.load_records(
        inputs.conn,
        account=inputs.account.name,
        side="crm",
        entity=entity,
        external_keys=_distinct(keys),
        with_deleted=False,
    )
    holders = found.dropna(subset="external_key").drop_duplicates("external_key")
    holders = holders.set_index("external_key")
    taken = looked_up(keys, holders["email_key"]).ne(email_keys).fillna(value=False)
    return keys.mask(taken, keys + "-" + looked_up(keys, holders["id"]))


def looked_up(keys: pd.Series, values: pd.Series) -> pd.Series:
    """Return for each key its value, null where there is none; the values keep their type.

    Args:
        keys: What is looked up.
        values: Over a unique index of keys.
    """
    return pd.Series(values.reindex(pd.Index(keys)).array, index=keys.index)


def _distinct(values: pd.Series | None) -> pd.Series | None:
    return None if values is None else values.dropna().drop_duplicates()
