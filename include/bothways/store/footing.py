"""What a plan stands on: what the store knows of the people whom an operation is about.

It is told as a number for each operation. A plan keeps the numbers beside its operations; where an
operation has another number when it is to be written, something that the plan was made from has
changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import matching, read_frame
from bothways.store.schema import members, records, suppressions
from bothways.terms import Side, Status

COLUMN: Final = "footing"

_HEARD: Final = (Status.MAILABLE.value, Status.PENDING.value)
Lists = Mapping[Side, Mapping[str, str]]
"""The ids of an account's lists by side and key."""

_FACTS: Final[list[pa.Field[Any]]] = [pa.field("fact", pa.int64()), pa.field("silent", pa.bool_())]


def footings(
    conn: sa.Connection,
    *,
    account: str,
    operations: pd.DataFrame,
    lists: Lists,
) -> pd.DataFrame:
    """Return what each operation stands on: `footing`, a number, and `silent`.

    A create, update or join stands on every record of its people (by id, or by an address of
    theirs), on the words about these addresses, and a join on the memberships of its list; a leave
    stands on the memberships alone. What suppresses somebody stands on nothing. `silent` says that
    somebody among them may not be mailed.

    Args:
        conn: An open transaction.
        account: The account's name.
        operations: OPERATIONS with `email_key`.
        lists: The ids of the account's lists by side and key.
    """
    rows = operations.reset_index(drop=True)
    suppressing = (rows["kind"] == "suppress") | (rows["entity"] == "suppression")
    rows = rows[~suppressing]
    leaving = rows["kind"] == "leave"
    ids = _long(rows, ["record_id", "source_id"], "id")
    found = [_members(conn, account, rows, ids, lists)]
    people = ids[~ids["row"].isin(rows.index[leaving])]
    keys = _long(rows[~leaving], ["email_key"], "email_key")
    if len(people) or len(keys):
        by_id = people.merge(_records(conn, account, "id", people["id"]), on="id")
        keys = pd.concat([keys, by_id[["row", "email_key"]].dropna()]).drop_duplicates()
        by_key = keys.merge(_records(conn, account, "email_key", keys["email_key"]), on="email_key")
        alike = pd.concat([by_id, by_key]).drop_duplicates(["row", "side", "entity", "id"])
        found += [alike, _words(conn, account, rows, keys, lists)]
    facts = pd.concat([one[["row", "fact", "silent"]] for one in found], ignore_index=True)
    by_row = facts.astype({"row": "int64", "fact": "int64", "silent": "bool"}).groupby("row")
    every = range(len(operations))
    return pd.DataFrame(
        {
            COLUMN: by_row["fact"].sum().reindex(every, fill_value=0).array,
            "silent": by_row["silent"].max().reindex(every, fill_value=False).array,
        },
        index=operations.index,
    )


def _long(rows: pd.DataFrame, columns: list[str], name: str) -> pd.DataFrame:
    """Return every value of these columns beside its row."""
    found = [pd.DataFrame({"row": rows.index, name: rows[item].array}) for item in columns]
    return pd.concat(found).dropna().drop_duplicates()


def _records(conn: sa.Connection, account: str, column: str, values: pd.Series) -> pd.DataFrame:
    told = ("side", "entity", "id", "email_key", "status", "active", "merged_into", "fields")
    alive = records.c.deleted_at.is_(None)
    silent = sa.and_(alive, records.c.merged_into.is_(None), records.c.status.not_in(_HEARD))
    texts = ("side", "entity", "id", "email_key")
    query = sa.select(
        *(records.c[name] for name in texts),
        _hash(*(records.c[name] for name in told), alive),
        sa.func.coalesce(silent, sa.false()),
    ).where(records.c.account == account, *matching(records, {column: values}))
    return read_frame(conn, query, _schema(*texts))


def _words(
    conn: sa.Connection, account: str, rows: pd.DataFrame, keys: pd.DataFrame, lists: Lists
) -> pd.DataFrame:
    """Return the words about the addresses, of the whole account and of the operation's list."""
    told = ("side", "email_key", "list_id", "member_id", "reason", "told_at", "lifted_at")
    texts = ("side", "email_key", "list_id")
    query = sa.select(
        *(suppressions.c[name] for name in texts),
        _hash(*(suppressions.c[name] for name in told)),
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
    moving = rows.index[rows["kind"].isin(["join", "leave"])]
    ids = ids[ids["row"].isin(moving)]
    texts = ("side", "list_id", "member_id")
    silent = sa.and_(members.c.status.is_not(None), members.c.status.not_in(_HEARD))
    query = sa.select(
        *(members.c[name] for name in texts),
        _hash(*(members.c[name] for name in (*texts, "entity", "status"))),
        silent,
    ).where(
        members.c.account == account,
        members.c.deleted_at.is_(None),
        *matching(members, {"member_id": ids["id"]}),
    )
    found = read_frame(conn, query, _schema(*texts))
    found = ids.merge(found, left_on="id", right_on="member_id")
    return found[_of_own_list(found, rows, lists)]


def _of_own_list(found: pd.DataFrame, rows: pd.DataFrame, lists: Lists) -> pd.Series:
    """Say which rows are about the list of their operation."""
    own = rows["list_key"].reindex(found["row"]).set_axis(found.index)
    same = pd.Series(data=False, index=found.index)
    for side, ids in lists.items():
        wanted = own.map(dict(ids)).astype(found["list_id"].dtype)
        same |= (found["side"] == side) & (found["list_id"] == wanted).fillna(value=False)
    return same


def _hash(*values: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.hashtextextended(sa.cast(sa.func.jsonb_build_array(*values), sa.Text), 0)


def _schema(*texts: str) -> pa.Schema:
    named: list[pa.Field[Any]] = [pa.field(name, pa.string()) for name in texts]
    return pa.schema([*named, *_FACTS])
