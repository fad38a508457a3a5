"""Rights of PostgreSQL roles in the store, so that only migrating needs the owner's.

The role that migrates owns the database and its tables. The one that syncs and the console use may
read and write rows; another, for reports, may read them.
"""

from __future__ import annotations

import sqlalchemy as sa

from bothways.errors import ConfigurationError
from bothways.store.schema import metadata

_WITHHELD = frozenset({"secrets"})
"""Tables that nobody reads for a report."""

_FUNCTIONS = "add_partition, drop_partition"
"""What makes and drops partitions with the owner's rights."""

_PAGE = "docs/least-privilege.md"


def grant(conn: sa.Connection, *, version_table: str, running: str, reading: str = "") -> None:
    """Give roles their rights on today's tables, and take away any other that they had there.

    Args:
        conn: A transaction of the role that owns the tables.
        version_table: The name of the table of the migrations.
        running: The role of the connection `bothways_store`: reads and writes rows.
        reading: A role that only reads; none if empty.

    Raises:
        ConfigurationError: There is no such role, or it could do more whatever is granted.
    """
    for role in filter(None, (running, reading)):
        _check(conn, role)
    quoted = conn.dialect.identifier_preparer.quote_identifier
    database, schema = conn.execute(sa.text("SELECT current_database(), current_schema()")).one()
    place = f"SCHEMA {quoted(schema)}"
    _run(conn, f"REVOKE ALL ON DATABASE {quoted(database)} FROM PUBLIC")
    for role in filter(None, (running, reading)):
        _run(conn, f"REVOKE ALL ON FUNCTION {_FUNCTIONS} FROM {quoted(role)}")
        _run(conn, f"REVOKE ALL ON ALL TABLES IN {place} FROM {quoted(role)}")
        _run(conn, f"REVOKE ALL ON ALL SEQUENCES IN {place} FROM {quoted(role)}")
        _run(conn, f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(role)}")
        _run(conn, f"GRANT USAGE ON {place} TO {quoted(role)}")
        _run(conn, f"GRANT SELECT ON {quoted(version_table)} TO {quoted(role)}")
    tables = [table.name for table in metadata.sorted_tables]
    rows = ", ".join(map(quoted, tables))
    # Rows are staged in temporary tables.
    _run(conn, f"GRANT TEMPORARY ON DATABASE {quoted(database)} TO {quoted(running)}")
    _run(conn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {rows} TO {quoted(running)}")
    _run(conn, f"GRANT USAGE ON ALL SEQUENCES IN {place} TO {quoted(running)}")
    _run(conn, f"GRANT EXECUTE ON FUNCTION {_FUNCTIONS} TO {quoted(running)}")
    if reading:
        open_ = ", ".join(quoted(name) for name in tables if name not in _WITHHELD)
        _run(conn, f"GRANT SELECT ON {open_} TO {quoted(reading)}")


def _check(conn: sa.Connection, role: str) -> None:
    """Make sure that a role exists, and that what is granted to it limits it."""
    found = conn.execute(
        sa.text(
            "SELECT rolsuper OR pg_has_role(rolname, current_user, 'USAGE')"
            " FROM pg_roles WHERE rolname = :role"
        ),
        {"role": role},
    ).scalar_one_or_none()
    if found is None:
        raise ConfigurationError(
            f"PostgreSQL has no role `{role}`; create it as {_PAGE} says, and migrate again."
        )
    if found:
        raise ConfigurationError(
            f"PostgreSQL's role `{role}` may do whatever the migrating role may; "
            f"name one of its own, as {_PAGE} says."
        )


def _run(conn: sa.Connection, statement: str) -> None:
    conn.execute(sa.text(statement.replace(":", "\\:")))
