"""A hash, for each operation, of what the store knows about the people concerned.

A plan keeps these hashes with its operations. If an operation has another hash when it is about to
be written, something that the plan was based on has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import matching, read_frame
from bothways.store.schema import members, records, suppressions
from bothways.vocabulary import (
    LIST_MOVES,
    MAILABLE_OR_PENDING,
    SUPPRESSION_RECORD,
    OperationKind,
    RoleName,
)

COLUMN: Final = "state_hash"

Lists = Mapping[RoleName, Mapping[str, str]]
"""The ids of an account's lists, by side and list key."""

_HASHED: Final[list[pa.Field[Any]]] = [
    pa.field("hash", pa.int64()),
    pa.field("unmailable", pa.bool_()),
]


def state_hashes(
    conn: sa.Connection,
    *,
    account: str,
    operations: pd.DataFrame,
    lists: Lists,
) -> pd.DataFrame:
    """Hash what the store knows about the people of each operation.

    The hash of a create, update or join covers all records of its people (found by id, or by one of
    their addresses, on the platform in the operation's scope) and the suppressions of these
    addresses. That of a join or a leave covers their memberships of its list; a leave has nothing
    else. An operation that suppresses somebody depends on nothing: its hash is 0.

    Args:
        conn: An open transaction.
        account: The account's name.
        operations: OPERATIONS with `email_key`.
        lists: The ids of the account's lists, by side and list key.

    Returns:
        `state_hash`, and `unmailable`, whether one of these people may not be mailed, over the
        index of the operations.
    """
    rows = operations.reset_index(drop=True)
    suppressing = (rows["kind"] == OperationKind.SUPPRESS) | (rows["entity"] == SUPPRESSION_RECORD)
    rows = rows[~suppressing]
    leaving = rows["kind"] == OperationKind.LEAVE
    ids = _long(rows, ["record_id", "source_id"], "id")
    found = [_members(conn, account, rows, ids, lists)]
    people = ids[~ids["row"].isin(rows.index[leaving])]
    keys = _long(rows[~leaving], ["email_key"], "email_key")
    if len(people) or len(keys):
        by_id = people.merge(_records(conn, account, "id", people["id"]), on="id")
        keys = pd.concat([keys, by_id[["row", "email_key"]].dropna()]).drop_duplicates()
        by_key = keys.merge(_records(conn, account, "email_key", keys["email_key"]), on="email_key")
        by_key = by_key[~_of_other_scope(by_key, rows)]
        alike = pd.concat([by_id, by_key]).drop_duplicates(["row", "side", "entity", "id"])
        found += [alike, _suppressions(conn, account, rows, keys, lists)]
    hashed = pd.concat([part[["row", "hash", "unmailable"]] for part in found], ignore_index=True)
    by_row = hashed.astype({"row": "int64", "hash": "int64", "unmailable": "bool"}).groupby("row")
    every = range(len(operations))
    return pd.DataFrame(
        {
            COLUMN: by_row["hash"].sum().reindex(every, fill_value=0).array,
            "unmailable": by_row["unmailable"].max().reindex(every, fill_value=False).array,
        },
        index=operations.index,
    )


def _of_other_scope(found: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return a mask of the platform's records that are in another scope than their operation."""
    scopes = rows.reindex(columns=["scope"])["scope"].astype(found["scope"].dtype)
    own = scopes.reindex(found["row"]).set_axis(found.index)
    other = found["scope"].ne(own) & own.notna()
    return (other & found["side"].eq("marketing")).fillna(value=False).astype(bool)


def _long(rows: pd.DataFrame, columns: list[str], name: str) -> pd.DataFrame:
    """Return every value of these columns as `name`, with its `row`."""
    found = [pd.DataFrame({"row": rows.index, name: rows[item].array}) for item in columns]
    return pd.concat(found).dropna().drop_duplicates()


def _records(conn: sa.Connection, account: str, column: str, values: pd.Series) -> pd.DataFrame:
    hashed = ("side", "entity", "id", "email_key", "status", "active", "merged_into", "fields")
    alive = records.c.deleted_at.is_(None)
    unmailable = sa.and_(
        alive, records.c.merged_into.is_(None), records.c.status.not_in(MAILABLE_OR_PENDING)
    )
    texts = ("side", "entity", "id", "email_key", "scope")
    query = sa.select(
        *(records.c[name] for name in texts),
        _hash(*(records.c[name] for name in hashed), alive),
        sa.func.coalesce(unmailable, sa.false()),
    ).where(records.c.account == account, *matching(records, {column: values}))
    return read_frame(conn, query, _schema(*texts))


def _suppressions(
    conn: sa.Connection, account: str, rows: pd.DataFrame, keys: pd.DataFrame, lists: Lists
) -> pd.DataFrame:
    """Return the suppressions of the addresses, account-wide and on the operation's list."""
    hashed = ("side", "email_key", "list_id", "member_id", "reason", "told_at", "lifted_at")
    texts = ("side", "email_key", "list_id")
    query = sa.select(
        *(suppressions.c[name] for name in texts),
        _hash(*(suppressions.c[name] for name in hashed)),
        suppressions.c.lifted_at.is_(None),
    ).where(
        suppressions.c.account == account, *matching(suppressions, {"email_key": keys["email_key"]})
    )
    found = keys.merge(read_frame(conn, query, _schema(*texts)), on="email_key")
    own = _of_own_list(found, rows, lists)
    return found[(found["list_id"] == "") | own]


def _members(
    conn: sa.Connection,
    account: str,
    rows: pd.DataFrame,
    ids: pd.DataFrame,
    lists: Lists,
) -> pd.DataFrame:
    """Return the memberships of the operation's list, on both sides."""
    moving = rows.index[rows["kind"].isin(LIST_MOVES)]
    ids = ids[ids["row"].isin(moving)]
    texts = ("side", "list_id", "member_id")
    unmailable = sa.and_(
        members.c.status.is_not(None), members.c.status.not_in(MAILABLE_OR_PENDING)
    )
    query = sa.select(
        *(members.c[name] for name in texts),
        _hash(*(members.c[name] for name in (*texts, "entity", "status"))),
        unmailable,
    ).where(
        members.c.account == account,
        members.c.deleted_at.is_(None),
        *matching(members, {"member_id": ids["id"]}),
    )
    found = read_frame(conn, query, _schema(*texts))
    found = ids.merge(found, left_on="id", right_on="member_id")
    return found[_of_own_list(found, rows, lists)]


def _of_own_list(found: pd.DataFrame, rows: pd.DataFrame, lists: Lists) -> pd.Series:
    """Return a mask of the rows that belong to the list of their operation."""
    own = rows["list_key"].reindex(found["row"]).set_axis(found.index)
    same = pd.Series(data=False, index=found.index)
    for side, ids in lists.items():
        wanted = own.map(dict(ids)).astype(found["list_id"].dtype)
        same |= (found["side"] == side) & (found["list_id"] == wanted).fillna(value=False)
    return same


def _hash(*values: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.hash_record_extended(sa.func.row(*values), 0)


def _schema(*texts: str) -> pa.Schema:
    named: list[pa.Field[Any]] = [pa.field(name, pa.string()) for name in texts]
    return pa.schema([*named, *_HASHED])
