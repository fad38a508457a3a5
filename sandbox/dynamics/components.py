"""Which definitions are part of which solution (the vendor's table solutioncomponent).

A definition that is made with the header MSCRM.SolutionUniqueName is part of that solution. With a
part of a table, the table is so as well, also one of the vendor's (assumed: as its root component).
"""

from __future__ import annotations

from sandbox.dynamics.model import Table
from sandbox.dynamics.values import new_guid
from sandbox.dynamics.work import Work

TABLE, COLUMN, OPTION_SET, RELATIONSHIP, KEY = 1, 2, 9, 10, 14
"""Values of `componenttype`."""


def add(work: Work, kind: int, object_id: str, of: Table | None = None) -> None:
    """Make a definition, and the table that it is a part of, part of the request's solution."""
    name = work.call.header("mscrm.solutionuniquename")
    query = "SELECT solutionid FROM solution WHERE uniquename = ? COLLATE NOCASE"
    found = work.connection.execute(query, (name,)).fetchone()
    if found is None:
        return
    wanted = {object_id: kind} | ({of.metadata_id: TABLE} if of else {})
    for one, its_kind in wanted.items():
        work.connection.execute(
            "INSERT INTO solutioncomponent (solutioncomponentid, solutionid, objectid,"
            " componenttype) SELECT ?, ?, ?, ? WHERE NOT EXISTS"
            " (SELECT 1 FROM solutioncomponent WHERE solutionid = ? AND objectid = ?)",
            (new_guid(), found[0], one, its_kind, found[0], one),
        )


def forget(work: Work, *object_ids: str) -> None:
    """Take definitions that have been deleted out of every solution."""
    work.connection.executemany(
        "DELETE FROM solutioncomponent WHERE objectid = ?", [(one,) for one in object_ids]
    )
