"""How tables lie in SQLite: one SQLite table per Dataverse table, and a few of the sandbox's own.

A lookup that may point at several tables has a second column, `<name>__type`, that says at which.
Values lie as JSON shows them (GUIDs in lower case, times as `2026-01-31T09:00:00Z`), so that a
page needs no conversion except for booleans.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator

from sandbox.dynamics import collation
from sandbox.dynamics.model import Column, Key, ManyToMany, Table

# A fresh organisation does not start at 1; nothing depends on the number.
FIRST_VERSION = 1_000_000

_OWN_TABLES = f"""
CREATE TABLE IF NOT EXISTS _state (name TEXT PRIMARY KEY, value);
INSERT OR IGNORE INTO _state VALUES ('version', {FIRST_VERSION});
CREATE TABLE IF NOT EXISTS _definition (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _relationship (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _option_set (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _deleted (
    entity TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (entity, id));
CREATE INDEX IF NOT EXISTS _deleted_version ON _deleted (entity, version);
CREATE TABLE IF NOT EXISTS _webhook_key (id TEXT PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _definition_change (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, deleted INTEGER NOT NULL);
"""

_SQL_TYPES = {
    "Integer": "INTEGER",
    "BigInt": "INTEGER",
    "Picklist": "INTEGER",
    "State": "INTEGER",
    "Status": "INTEGER",
    "Boolean": "INTEGER",
    "Decimal": "REAL",
    "Money": "REAL",
    "Double": "REAL",
    "DateTime": "TEXT",
    "Uniqueidentifier": "TEXT",
}

# Lookups that nearly every row has, and by which nobody asks: an index would only cost time.
_UNINDEXED = {
    *("createdby", "createdonbehalfby", "modifiedby", "modifiedonbehalfby"),
    *("ownerid", "owningbusinessunit", "transactioncurrencyid"),
}


def schema_script(tables: Iterable[Table], many_to_many: Iterable[ManyToMany]) -> str:
    """Return the SQL that makes everything; it may be run again."""
    statements = [_OWN_TABLES]
    for table in tables:
        statements += table_ddl(table)
    for relationship in many_to_many:
        statements += intersect_ddl(relationship)
    return ";\n".join(statements) + ";"


def table_ddl(table: Table) -> Iterator[str]:
    """Yield the statements that make one table and its indexes."""
    columns = ", ".join(
        definition for column in table.columns for definition in _column_ddl(table, column)
    )
    yield f'CREATE TABLE IF NOT EXISTS "{table.name}" ({columns})'
    if table.has("versionnumber"):
        yield (
            f'CREATE INDEX IF NOT EXISTS "{table.name}__version" ON "{table.name}" (versionnumber)'
        )
    if table.has("modifiedon"):
        yield (
            f'CREATE INDEX IF NOT EXISTS "{table.name}__modified"'
            f' ON "{table.name}" (modifiedon, {table.primary_id})'
        )
    for column in table.columns:
        yield from index_ddl(table, column)


def index_ddl(table: Table, column: Column) -> Iterator[str]:
    """Yield the index of a column by which rows are looked for."""
    wanted = column.is_lookup and column.name not in _UNINDEXED
    if wanted or column.name == "emailaddress1":
        yield (
            f'CREATE INDEX IF NOT EXISTS "{table.name}__{column.name}" ON "{table.name}"'
            f" ({column.name}, {table.primary_id}) WHERE {column.name} IS NOT NULL"
        )


def intersect_ddl(relationship: ManyToMany) -> Iterator[str]:
    """Yield the intersect table of a relationship that has one for itself."""
    if relationship.only:
        return
    first, second = relationship.first_column, relationship.second_column
    yield (
        f'CREATE TABLE IF NOT EXISTS "{relationship.intersect}"'
        f" ({first} TEXT NOT NULL, {second} TEXT NOT NULL, PRIMARY KEY ({first}, {second}))"
        " WITHOUT ROWID"
    )
    yield (
        f'CREATE INDEX IF NOT EXISTS "{relationship.intersect}__second"'
        f' ON "{relationship.intersect}" ({second})'
    )


def _column_ddl(table: Table, column: Column) -> Iterator[str]:
    sql_type = "TEXT" if column.is_lookup else _SQL_TYPES.get(column.type)
    kind = sql_type or f"TEXT COLLATE {collation.NAME}"
    primary = " PRIMARY KEY NOT NULL" if column.name == table.primary_id else ""
    yield f"{column.name} {kind}{primary}"
    if column.polymorphic:
        yield f"{column.name}__type TEXT"


def add_column(connection: sqlite3.Connection, table: Table, column: Column) -> None:
    """Add a column to a table that has rows."""
    for definition in _column_ddl(table, column):
        connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN {definition}')
    for statement in index_ddl(table, column):
        connection.execute(statement)


def drop_column(connection: sqlite3.Connection, table: Table, column: Column) -> None:
    """Remove a column with its values."""
    connection.execute(f'DROP INDEX IF EXISTS "{table.name}__{column.name}"')
    for name in (column.name, f"{column.name}__type") if column.polymorphic else (column.name,):
        connection.execute(f'ALTER TABLE "{table.name}" DROP COLUMN {name}')


def key_index(table: Table, key: Key) -> str:
    """Return the name of an alternate key's index."""
    return f"{table.name}__key_{key.name}"


def build_key(connection: sqlite3.Connection, table: Table, key: Key) -> bool:
    """Build a key's index; return False where two rows have the same values."""
    columns = ", ".join(key.columns)
    try:
        connection.execute(
            f'CREATE UNIQUE INDEX "{key_index(table, key)}" ON "{table.name}" ({columns})'
        )
    except sqlite3.IntegrityError:
        return False
    return True


def next_versions(connection: sqlite3.Connection, count: int = 1) -> int:
    """Take `count` row versions, rising over the whole organisation; return the first."""
    row = connection.execute(
        "UPDATE _state SET value = value + ? WHERE name = 'version' RETURNING value", (count,)
    ).fetchone()
    return int(row[0]) - count + 1


def next_in_sequence(connection: sqlite3.Connection, name: str, first: int) -> int:
    """Return the next number of a sequence that begins with `first`."""
    row = connection.execute(
        "INSERT INTO _state VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        (f"sequence {name}", first),
    ).fetchone()
    return int(row[0])


def current_version(connection: sqlite3.Connection) -> int:
    """Return the last row version that was given out."""
    row = connection.execute("SELECT value FROM _state WHERE name = 'version'").fetchone()
    return int(row[0])


def catalogue_stamp(connection: sqlite3.Connection) -> str:
    """Return what changes whenever a definition changes; empty as long as none has."""
    row = connection.execute("SELECT value FROM _state WHERE name = 'catalogue'").fetchone()
    return "" if row is None else str(row[0])


def new_catalogue_stamp(connection: sqlite3.Connection) -> int:
    """Record that a definition has changed; return the version of the change."""
    version = next_versions(connection)
    connection.executemany(
        "INSERT OR REPLACE INTO _state VALUES (?, ?)",
        [("catalogue", str(uuid.uuid4())), ("metadata", version)],
    )
    return version


def record_changes(
    connection: sqlite3.Connection,
    version: int,
    changed: Iterable[tuple[str, str]],
    deleted: Iterable[tuple[str, str]] = (),
) -> None:
    """Record which definitions a change was about: pairs of MetadataId and kind."""
    rows = [(one, kind, version, 0) for one, kind in changed]
    rows += [(one, kind, version, 1) for one, kind in deleted]
    connection.executemany("INSERT OR REPLACE INTO _definition_change VALUES (?, ?, ?, ?)", rows)


def definition_changes(connection: sqlite3.Connection, since: int) -> list[tuple[str, str, bool]]:
    """Return what has changed after a version: MetadataId, kind, and whether it was deleted."""
    rows = connection.execute(
        "SELECT id, kind, deleted FROM _definition_change WHERE version > ? ORDER BY version, id",
        (since,),
    )
    return [(one, kind, bool(deleted)) for one, kind, deleted in rows]


def metadata_version(connection: sqlite3.Connection) -> int:
    """Return the version of the last change of a definition."""
    row = connection.execute("SELECT value FROM _state WHERE name = 'metadata'").fetchone()
    return FIRST_VERSION if row is None else int(row[0])
