"""Looks a person up at the vendors, since the store may not know every record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.config.account import Account
from bothways.config.known import roles_to_search
from bothways.connectors.base import (
    Connector,
    ErasesRecords,
    ErasesSuppressions,
    Fields,
    FindsContacts,
    FindsOtherAddresses,
)
from bothways.discovery import record_kinds
from bothways.store import erase, erasures
from bothways.store.db import Store
from bothways.store.erase import FOUND, Person
from bothways.tables.frames import frame_of, to_pandas
from bothways.transform.json_rows import field_columns, json_objects
from bothways.transform.normalise import email_keys
from bothways.vocabulary import SIDES, SUPPRESSION_RECORD, RoleName

OpenSystem = Callable[[Account, RoleName], AbstractContextManager[Connector]]


def whereabouts(
    store: Store, account: Account, email_key: str, open_system: OpenSystem
) -> tuple[Person, pd.DataFrame]:
    """Ask every vendor that can be searched for a person; keep nothing of the answers.

    Args:
        store: Where links and earlier addresses are known.
        account: The account.
        email_key: The person's normalised address.
        open_system: Opens the connector of the system in a role.

    Returns:
        Who it is, and what there is of them at the vendors: FOUND.
    """
    found = frame_of(FOUND)
    for side in roles_to_search(account):
        with store.begin() as conn:
            person = erase.find_person(conn, account=account.name, email_key=email_key, found=found)
        with open_system(account, side) as connector:
            found = pd.concat([found, locate(account, side, connector, person)])
    with store.begin() as conn:
        person = erase.find_person(conn, account=account.name, email_key=email_key, found=found)
    return person, found.reset_index(drop=True)


def locate(account: Account, side: RoleName, connector: Connector, person: Person) -> pd.DataFrame:
    """Return what a side has of a person: FOUND, each record once.

    These are the records with one of the person's ids or addresses, as their first address or a
    further one, and our own records about them: suppressions of the addresses, and the rows that
    sync types keep of people.
    """
    addresses, ids = sorted(person.spellings), person.ids(side)
    parts = [frame_of(FOUND)]
    for entity in connector.entities:
        fields = _fields(account, side, entity)
        pages = list(
            cast(FindsContacts, connector).find_contacts(entity, fields, ids=ids, emails=addresses)
        )
        if isinstance(connector, FindsOtherAddresses):
            pages += connector.find_by_other_addresses(entity, fields, addresses)
        parts += [_found(side, page.rows) for page in pages if page.rows.num_rows]
    if isinstance(connector, ErasesSuppressions):
        records = connector.find_suppressions(addresses)
        parts.append(_of_ours(side, SUPPRESSION_RECORD, records))
    if isinstance(connector, ErasesRecords):
        people = sorted({*ids, *pd.concat(parts)["id"]})
        for kind in record_kinds().values():
            if kind.of_person:
                records = connector.find_records(kind, people, addresses)
                parts.append(_of_ours(side, kind.name, records))
    together = pd.concat(parts, ignore_index=True).drop_duplicates(["entity", "id"])
    return together.astype(frame_of(FOUND).dtypes).reset_index(drop=True)


def of_people(found: pd.DataFrame) -> pd.Series:
    """Return which of the rows that were found are people, and not records of ours about them."""
    return ~found["entity"].isin([SUPPRESSION_RECORD, *record_kinds()])


def address(conn: Connection, account: str, person: str | None) -> str | None:
    """Return the normalised address of a person.

    Args:
        conn: An open transaction.
        account: The account's name.
        person: An address, or the id of a record in any system; None where it is forgotten.

    Returns:
        None where nobody knows it.
    """
    if person is not None and "@" not in person:
        person = erasures.address_of(conn, account=account, record_id=person)
    keys = email_keys(pd.Series([person], dtype="string"))
    return None if keys.isna().any() else str(keys.iloc[0])


def _fields(account: Account, side: RoleName, entity: str) -> Fields:
    """Return the mapped fields of an entity: they tell people whose record it is."""
    if side not in SIDES:
        return {}
    if side == "crm":
        mapping = account.mappings.get(entity)
        return mapping.vendor_fields("crm") if mapping else {}
    found = [mapping.vendor_fields(side) for mapping in account.mappings.values()]
    return {name: kind for fields in found for name, kind in fields.items()}


def _of_ours(side: RoleName, entity: str, ids: list[str]) -> pd.DataFrame:
    return frame_of(FOUND).reindex(range(len(ids))).assign(side=side, entity=entity, id=ids)


def _found(side: RoleName, page: pa.Table) -> pd.DataFrame:
    rows = to_pandas(page)
    return pd.DataFrame(
        {
            "side": side,
            "entity": rows["entity"],
            "id": rows["id"],
            "email": rows["email"],
            "email_key": email_keys(rows["email"]),
            "fields": json_objects(rows, field_columns(rows)),
        }
    )
