"""Who is on a marketing list, and who may be (fact sheet, "Marketing-list membership actions")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.dynamics import records, storage, webhooks
from sandbox.dynamics.errors import VendorError, not_found
from sandbox.dynamics.model import Table
from sandbox.dynamics.values import new_guid
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import bury

MEMBER_TABLES = {1: "account", 2: "contact", 4: "lead"}
_LOCKED = ("0x80040302", "List is Locked. Cannot perform this action.")
_INACTIVE = ("0x8004033a", "List is not active. Cannot perform this action.")
_DYNAMIC = ("0x8004f701", "This action is not available for a dynamic marketing list.")
_WRONG_TYPE = ("0x80040301", "Unsupported list member type.")
_NOT_A_MEMBER = ("0x80048458", "Specified Item not a member of the specified List.")


def _refused(error: tuple[str, str]) -> VendorError:
    # The codes come from the SDK's list; status 400 is assumed.
    return VendorError(400, *error)


def open_list(work: Work, list_id: str) -> dict[str, Any]:
    """Return a list whose members may be changed by hand.

    Raises:
        VendorError: It is dynamic, locked or inactive.
    """
    row = records.stored(work, work.table("list"), list_id)
    if row["type"]:
        raise _refused(_DYNAMIC)
    if row["lockstatus"]:
        raise _refused(_LOCKED)
    if row["statecode"] != 0:
        raise _refused(_INACTIVE)
    return row


def add_members(work: Work, list_id: str, members: Iterable[tuple[str, str]]) -> list[str]:
    """Add members; one that is there already stays as it is (assumed).

    Args:
        work: The request's surroundings, in a write transaction.
        list_id: The list.
        members: Table and id of each.

    Returns:
        The listmember id of each, in order.

    Raises:
        VendorError: The list takes no members, or not this one; nothing is added then.
    """
    target = MEMBER_TABLES[open_list(work, list_id)["createdfromcode"]]
    ids, new = [], []
    for table, row_id in members:
        if table != target:
            raise _refused(_WRONG_TYPE)
        if not records.exists(work, work.table(table), row_id):
            raise not_found(table, row_id)
        known = membership(work, list_id, row_id)
        ids.append(known or new_guid())
        if known is None:
            new.append((ids[-1], row_id))
            _insert(work, list_id, target, *new[-1])
    _count(work, list_id, len(new))
    return ids


def _insert(work: Work, list_id: str, target: str, member_id: str, row_id: str) -> None:
    work.connection.execute(
        "INSERT INTO listmember (listmemberid, entityid, entityid__type, listid, entitytype,"
        " entityidtypecode, createdon, modifiedon, createdby, modifiedby, versionnumber)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            member_id,
            row_id,
            target,
            list_id,
            target,
            target,
            work.now_text,
            work.now_text,
            work.user_id,
            work.user_id,
            storage.next_versions(work.connection),
        ),
    )


def membership(work: Work, list_id: str, row_id: str) -> str | None:
    """Return the listmember id of a member, or None."""
    # `+` keeps SQLite from looking through the whole list: a person is on few.
    row = work.connection.execute(
        "SELECT listmemberid FROM listmember WHERE entityid = ? AND +listid = ?", (row_id, list_id)
    ).fetchone()
    return None if row is None else str(row[0])


def members_of(work: Work, list_id: str) -> list[tuple[str, str]]:
    """Return table and id of each member."""
    rows = work.connection.execute(
        "SELECT entityid__type, entityid FROM listmember WHERE listid = ?", (list_id,)
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def _count(work: Work, list_id: str, difference: int) -> None:
    work.connection.execute(
        "UPDATE list SET membercount = COALESCE(membercount, 0) + ? WHERE listid = ?",
        (difference, list_id),
    )
    work.context.calls.wrote(abs(difference))


def remove_members(work: Work, list_id: str, row_ids: Iterable[str]) -> None:
    """Remove members.

    Raises:
        VendorError: The list may not be changed, or one is no member; nothing is removed then.
    """
    open_list(work, list_id)
    found = []
    for row_id in row_ids:
        member_id = membership(work, list_id, row_id)
        if member_id is None:
            raise _refused(_NOT_A_MEMBER)
        found.append(member_id)
    _bury(work, list_id, list(dict.fromkeys(found)))


def _bury(work: Work, list_id: str, member_ids: list[str]) -> None:
    if member_ids:
        bury(work, work.table("listmember"), member_ids)
        work.connection.execute(
            "UPDATE list SET membercount = membercount - ? WHERE listid = ?",
            (len(member_ids), list_id),
        )


def delete_listmember(work: Work, member_id: str) -> None:
    """Carry out `DELETE listmembers(id)`."""
    row = records.stored(work, work.table("listmember"), member_id)
    open_list(work, row["listid"])
    _bury(work, row["listid"], [member_id])
    table = work.table("listmember")
    webhooks.tell_row(work, "Delete", table, {table.primary_id: member_id})


def is_member_collection(table: Table, navigation: str) -> bool:
    """Whether a navigation is one of list ↔ member, which is changed under the list's rules."""
    sides = {"list", *MEMBER_TABLES.values()}
    return table.name in sides and navigation in {
        f"list{member}_association" for member in MEMBER_TABLES.values()
    }
