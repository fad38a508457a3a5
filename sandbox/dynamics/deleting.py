"""Deleting a row, with what its relationships take along, cut off, or stand up for."""

from __future__ import annotations

from sandbox.dynamics import records, webhooks
from sandbox.dynamics.errors import VendorError, not_found
from sandbox.dynamics.model import OneToMany, Table
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import bury, point

Row = tuple[str, str]
"""Table and id."""


def delete(work: Work, table: Table, row_id: str) -> None:
    """Delete a row, its memberships, and what its relationships cascade to.

    Raises:
        VendorError: There is no such row, or a row that restricts the deletion points at it or at
            one that would go with it.
    """
    if not records.exists(work, table, row_id):
        raise not_found(table.name, row_id)
    doomed = _with_children(work, (table.name, row_id))
    for row in doomed:
        _check_restrictions(work, row, doomed)
    for row in doomed:
        _remove_links(work, row, doomed)
        _remove_memberships(work, row)
        _remove_associations(work, row)
    for name, one in doomed:
        gone = work.table(name)
        bury(work, gone, [one])
        webhooks.tell_row(work, "Delete", gone, {gone.primary_id: one})


def _with_children(work: Work, first: Row) -> dict[Row, None]:
    """Return a row and all that are deleted with it, in the order in which they are met."""
    doomed = {first: None}
    waiting = [first]
    while waiting:
        row = waiting.pop()
        for relationship in _relations(work, row, "Cascade"):
            fresh = [child for child in _rows(work, relationship, row) if child not in doomed]
            doomed.update(dict.fromkeys(fresh))
            waiting += fresh
    return doomed


def _relations(work: Work, row: Row, behaviour: str) -> list[OneToMany]:
    return [
        one
        for one in work.catalogue.one_to_many
        if one.referenced == row[0] and one.cascade["Delete"] == behaviour
    ]


def _rows(work: Work, relationship: OneToMany, row: Row) -> list[Row]:
    """Return the rows that point at a row by a relationship."""
    table = work.table(relationship.referencing)
    column = table.by_name[relationship.column]
    only, values = "", [row[1]]
    if column.polymorphic:
        only, values = f" AND {column.name}__type = ?", [row[1], row[0]]
    found = work.connection.execute(
        f'SELECT {table.primary_id} FROM "{table.name}" WHERE {column.name} = ?{only}', values
    ).fetchall()
    return [(table.name, one) for (one,) in found]


def _check_restrictions(work: Work, row: Row, doomed: dict[Row, None]) -> None:
    for relationship in _relations(work, row, "Restrict"):
        if any(child not in doomed for child in _rows(work, relationship, row)):
            raise VendorError(  # CannotDeleteDueToAssociation
                405,
                "0x80040227",
                "The object you tried to delete is associated with another object and cannot be"
                " deleted.",
            )


def _remove_links(work: Work, row: Row, doomed: dict[Row, None]) -> None:
    for relationship in _relations(work, row, "RemoveLink"):
        for child in _rows(work, relationship, row):
            if child not in doomed:
                point(work, work.table(child[0]), child[1], relationship.column, None)


def _remove_memberships(work: Work, row: Row) -> None:
    column = "listid" if row[0] == "list" else "entityid"
    rows = work.connection.execute(
        f"SELECT listmemberid, listid FROM listmember WHERE {column} = ?", (row[1],)
    ).fetchall()
    if not rows:
        return
    bury(work, work.table("listmember"), [member_id for member_id, _ in rows])
    work.connection.executemany(
        "UPDATE list SET membercount = membercount - 1 WHERE listid = ?",
        [(list_id,) for _, list_id in rows],
    )


def _remove_associations(work: Work, row: Row) -> None:
    for through in work.catalogue.many_to_many:
        ends = ((through.first, through.first_column), (through.second, through.second_column))
        for side, column in ends:
            if side == row[0] and not through.only:
                work.connection.execute(
                    f'DELETE FROM "{through.intersect}" WHERE {column} = ?', (row[1],)
                )
