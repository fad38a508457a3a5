"""Mapped values of people, as a write to the other side needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bothways.config.mapping import Direction, Mapping
from bothways.syncs.store_view import StoreView
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.columns import looked_up
from bothways.transform.fields import for_creation, to_shared, to_vendor, written_columns
from bothways.transform.json_rows import field_columns, json_objects
from bothways.vocabulary import RoleName, other


@dataclass(frozen=True, slots=True)
class NewValues:
    """What new records get.

    Attributes:
        values: JSON objects in the target's field names.
        after: The same in the mapping's names, for people.
        problems: Values that did not fit: row, field, message.
    """

    values: pd.Series
    after: pd.Series
    problems: pd.DataFrame


def creation_key(account: str, entity: str, marketing_ids: pd.Series) -> pd.Series:
    """Return what the creation of a CRM record for a platform contact is keyed by.

    It is the same whichever sync type creates the record, so that a person is made once.
    """
    return account + "-" + entity + "-" + in_key(marketing_ids)


def suppression_key(account: str, record_ids: pd.Series) -> pd.Series:
    """Return what the CRM's record of what a platform's record says of all mail is keyed by."""
    return keys_of(account) + in_key(record_ids)


def keys_of(account: str) -> str:
    """Return what the keys of an account's suppression records begin with."""
    return account + "-"  # of which no name of an account has one


def in_key(ids: pd.Series) -> pd.Series:
    """Return a platform's ids as parts of a key; a colon, which joins two ids, no CRM looks up."""
    return ids.str.replace(":", "-", regex=False)


def free_creation_keys(
    view: StoreView, entity: str, keys: pd.Series, email_keys: pd.Series
) -> pd.Series:
    """Return the keys to create CRM records with: a different one if a key is already taken.

    A record keeps the key it was created with, even after it has become another person with its
    own address. A create with that key would find this record and overwrite it.

    Args:
        view: What the store remembers.
        entity: The entity to be created.
        keys: The creation keys, the same each time the creation is tried.
        email_keys: The addresses of the people to be created, over the same index.
    """
    found = view.people("crm", entity=entity, external_keys=keys)
    holders = found.dropna(subset="external_key").drop_duplicates("external_key")
    holders = holders.set_index("external_key")
    taken = looked_up(keys, holders["email_key"]).ne(email_keys).fillna(value=False)
    return keys.mask(taken, keys + "-" + looked_up(keys, holders["id"]))


Overlay = Callable[[pd.DataFrame], pd.DataFrame]


def new_values(
    rows: pd.DataFrame, mapping: Mapping, target: RoleName, overlay: Overlay | None = None
) -> NewValues:
    """Return the mapped values of ``rows``, read on the other side, for new records on ``target``.

    In a CRM, a field that travels both ways is written even if it is empty: the CRM's own default
    would come back as somebody's change. On a platform, where a creation may find somebody who is
    there already, what is empty is left out. A value that does not fit is left out, and told.

    Args:
        rows: The source's records, with its vendor's field columns.
        mapping: The mapping of the CRM's entity.
        target: Where the records are made.
        overlay: Puts what people's other records agreed on over the rows in the shared format.
    """
    shared = to_shared(rows, mapping, other(target))
    ready = overlay(shared.frame) if overlay else shared.frame
    ready = for_creation(ready, mapping, target)
    ready = ready[ready.columns.intersection([*written_columns(mapping, target)], sort=False)]
    written = to_vendor(ready, mapping, target)
    return NewValues(
        values=json_objects(
            written.frame,
            field_columns(written.frame),
            mask=written.frame.notna() | _written_empty(written.frame, mapping, target),
            without=written.unfit,
        ),
        after=json_objects(ready, field_columns(ready), mask=ready.notna()),
        problems=pd.concat([shared.problems, written.problems], ignore_index=True),
    )


def _written_empty(rows: pd.DataFrame, mapping: Mapping, target: RoleName) -> pd.Series:
    both = {
        FIELD_PREFIX + column: mapping.fields[name].direction is Direction.BOTH and target == "crm"
        for name, column in mapping.written(target).items()
    }
    return pd.Series(both, dtype=bool).reindex(rows.columns, fill_value=False)
