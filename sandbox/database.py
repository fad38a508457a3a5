"""One SQLite file per vendor: it survives a restart and takes a million rows."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, local


class Database:
    """A vendor's tables.

    Those of another schema, which an older sandbox left, are made anew; so are those of a sandbox
    that was killed while it was filled, which left half of them.

    Reads run on a connection per thread; writes take one lock, because SQLite has one writer.
    Rows come back as `sqlite3.Row`.

    Args:
        path: The file; it is made, with its folder, when it is not there.
        schema: The SQL script that makes the tables; `CREATE … IF NOT EXISTS` throughout.
        register: Teaches each new connection the vendor's own collations and functions.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        register: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._schema = schema
        self._register = register
        self._writing = RLock()
        self._threads = local()
        self._version = zlib.crc32(schema.encode()) // 2 or 1
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.seeded:
            self.reset()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, for reading."""
        connection: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=60)
            connection.row_factory = sqlite3.Row
            self._register(connection)
            connection.executescript(
                # A crash of the machine may lose the last writes; a crash of the process may not.
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                " PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;"
            )
            self._threads.connection = connection
        return connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one unchanging state until the block ends."""
        connection = self.connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the only writing connection: committed when the block ends, undone if it raises.

        A block inside a block joins the outer one.
        """
        connection = self.connection()
        with self._writing:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self.connection().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        row: sqlite3.Row | None = self.connection().execute(sql, parameters).fetchone()
        return row

    def tables(self) -> list[str]:
        """Return the names of the tables, in alphabetical order."""
        return [
            row["name"]
            for row in self.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                " AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
        ]

    @property
    def seeded(self) -> bool:
        """Whether tables of this schema have been filled; it is remembered in the file."""
        row = self.row("PRAGMA user_version")
        return row is not None and row[0] == self._version

    @seeded.setter
    def seeded(self, value: bool) -> None:
        version = self._version if value else 0
        self.connection().execute(f"PRAGMA user_version = {version}")

    def copy(self) -> sqlite3.Connection:
        """Return a copy in memory of all that is here."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with self._writing:
            self.connection().backup(copy)
        return copy

    def restore(self, copy: sqlite3.Connection) -> None:
        """Go back to what was here when the copy was made."""
        with self._writing:
            copy.backup(self.connection())

    def reset(self) -> None:
        """Drop every table and make the schema anew, to be filled."""
        with self._writing:
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA user_version = 0")
            for name in self.tables():
                connection.execute(f'DROP TABLE "{name}"')
            connection.execute("COMMIT")
            connection.executescript(self._schema)
