"""The way to the store: one PostgreSQL database, and what can be wrong with it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from bothways.errors import ConfigurationError, StoreError
from bothways.store import erasure_keys, roles
from bothways.store.erasure_keys import GiveKeys, no_keys

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "store_version"
_CONNECT_SECONDS = 10
# A connection that has rested for longer is tried before it is used: the server may have been
# restarted since. At each use that would be one more way to the server and back per transaction.
_REST_S = 5
_SINCE = "rests_since"


class Store:
    """One store; connections are made when they are needed.

    Args:
        url: `postgresql://user:password@host:port/database`.
        give_keys: Gives the keys of erased addresses, the newest first; asked when one is needed.
        pool_wait_s: How long to wait for a connection while all are in use.
        idle_in_transaction_s: How long a transaction may do nothing before PostgreSQL ends its
            session; None leaves it to the server.

    Raises:
        ConfigurationError: The URL is not one of PostgreSQL.
    """

    def __init__(
        self,
        url: str,
        give_keys: GiveKeys = no_keys,
        *,
        pool_wait_s: float = 30,
        idle_in_transaction_s: int | None = None,
    ) -> None:
        self.engine = sa.create_engine(
            _psycopg_url(url),
            execution_options={erasure_keys.OPTION: give_keys},
            pool_timeout=pool_wait_s,
            hide_parameters=True,  # rows are personal data, and errors reach logs
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "bothways",
                # A statement that is prepared is planned without its arrays of ids, and then looks
                # through them one by one, for each row.
                "prepare_threshold": None,
            },
        )
        sa.event.listen(self.engine, "connect", _use_utc)
        sa.event.listen(self.engine, "checkin", _rests)
        sa.event.listen(self.engine, "checkout", partial(_try, dialect=self.engine.dialect))
        if idle_in_transaction_s is not None:
            setting = f"SET idle_in_transaction_session_timeout = '{idle_in_transaction_s}s'"
            sa.event.listen(self.engine, "connect", partial(_set, statement=setting))

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction that commits when the block ends, and rolls back when it raises.

        Raises:
            StoreError: The store is out of reach, not migrated, or refused a statement.
        """
        try:
            with self.engine.begin() as conn:
                yield conn
        except (sa.exc.DBAPIError, psycopg.Error) as error:
            # Not chained: what PostgreSQL says quotes the row.
            raise _store_error(error) from None
        except sa.exc.TimeoutError:
            raise StoreError(
                "All connections to the store are in use; try again in a moment."
            ) from None

    def migrate(self) -> None:
        """Bring the tables to the newest revision; safe to repeat and to run concurrently.

        The key of erased addresses, which earlier versions kept here, goes once the connection
        holds it.
        """
        from alembic import command  # a task, which starts anew each time, has no use for Alembic

        with self.begin() as conn:
            advisory_lock(conn, "migrate")
            command.upgrade(alembic_config(conn), "head")
            erasure_keys.remove_stored_key(conn)

    def grant(self, running: str, reading: str = "") -> None:
        """Give PostgreSQL roles their rights in the store, as its owner.

        Args:
            running: The role that reads and writes rows.
            reading: A role that only reads; none if empty.

        Raises:
            ConfigurationError: There is no such role, or it could do more whatever is granted.
            StoreError: The store is out of reach, or is not this role's own.
        """
        with self.begin() as conn:
            advisory_lock(conn, "migrate")
            roles.grant(conn, version_table=VERSION_TABLE, running=running, reading=reading)

    def check(self) -> None:
        """Make sure that the store answers and is migrated.

        Raises:
            StoreError: It is out of reach, or its tables are of another revision.
        """
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        with self.begin() as conn:
            context = MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE})
            found = context.get_current_revision()
            head = ScriptDirectory.from_config(alembic_config(conn)).get_current_head()
        if found != head:
            raise StoreError(
                f"The store is at revision {found or 'none'} and this version needs {head}; "
                "run `bothways migrate`."
            )

    def dispose(self) -> None:
        """Release the connections."""
        self.engine.dispose()


def alembic_config(conn: sa.Connection) -> Config:
    """Return the configuration under which Alembic works on this connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def advisory_lock(conn: sa.Connection, *parts: object) -> None:
    """Wait until nobody else holds the lock of this name; it ends with the transaction."""
    name = "\x1f".join(str(part) for part in ("bothways", *parts))
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _rests(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_SINCE] = time.monotonic()


def _try(
    connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object, *, dialect: sa.Dialect
) -> None:
    """Have a connection that the server has ended meanwhile replaced by a new one.

    Raises:
        InvalidatePoolError: The server has ended it, and so all that were made before it.
    """
    since = record.info.get(_SINCE)
    if since is None or time.monotonic() - since < _REST_S:
        return
    try:
        dialect.do_ping(connection)
    except psycopg.Error as error:
        raise sa.exc.InvalidatePoolError from error


def _use_utc(connection: DBAPIConnection, record: object) -> None:
    """Make the server return times in UTC, whatever PGTZ, the server or the role are set to.

    This takes a statement, since PGTZ overrides the options that a connection is opened with.
    """
    _set(connection, record, statement="SET TIME ZONE 'UTC'")


def _set(connection: DBAPIConnection, _record: object, *, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()


def _psycopg_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # Not chained: the text may hold a password.
        raise ConfigurationError(
            "The store's address is not a URL; write postgresql://user:password@host:port/database."
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"The store's address begins with `{parsed.get_backend_name()}`; "
            "give a PostgreSQL database, postgresql://user:password@host:port/database."
        )
    return parsed.set(drivername="postgresql+psycopg")


def _store_error(error: Exception) -> StoreError:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    if state in ("42P01", "42703"):  # undefined table, undefined column
        return StoreError("The store's tables are missing or old; run `bothways migrate`.")
    if state == "42501":  # insufficient privilege
        return StoreError(
            "The store's role lacks a right for that; run `bothways migrate --runs-as ROLE` as the "
            "role that owns the store."
        )
    if state is None or state[:2] in ("08", "53", "57"):
        return StoreError(_unavailable(state, str(cause)))
    constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
    detail = f"{type(cause).__name__}, {state}" + (f", {constraint}" if constraint else "")
    return StoreError(
        f"The store refused a statement ({detail}) and kept nothing of it; "
        "try again, and report it if it happens twice."
    )


# While a connection is opened, PostgreSQL's words are all there is: libpq hands on no code. In
# another language they are not known, and the store counts as out of reach.
_FULL = ("too many clients", "too many connections", "remaining connection slots")
_REFUSED = ("authentication failed", "does not exist", "permission denied", "no pg_hba.conf entry")


def _unavailable(state: str | None, words: str) -> str:
    if state == "53300" or (state is None and any(part in words for part in _FULL)):
        return (
            "The store has no connection left; raise PostgreSQL's `max_connections` (or the limit "
            "of the role or database), or run fewer tasks at a time, and try again."
        )
    if state == "53100":
        return "The disk of the store's PostgreSQL is full; make room, and try again."
    if state is None and any(part in words for part in _REFUSED):
        return (
            "The store refuses the login; check user, password and database of the connection "
            "`bothways_store`, and try again."
        )
    return (
        "The store cannot be reached or is shutting down; "
        "check that PostgreSQL runs and that its address is right, and try again."
    )
