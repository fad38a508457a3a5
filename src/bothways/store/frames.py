"""Rows in and out of PostgreSQL in bulk: COPY on both ways, Arrow in between, no row loops."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, cast

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyarrow import csv
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.types import NullType

from bothways.errors import StoreError
from bothways.store.distinct import distinct_on
from bothways.tables.frames import to_pandas

Rows = pd.DataFrame | pa.Table
Changes = Callable[[Any], Mapping[str, Any]]
"""What an upsert sets, given the columns of the new row."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_ARROW: Final[tuple[tuple[type[sa.types.TypeEngine[Any]], pa.DataType], ...]] = (
    (JSONB, pa.string()),
    (sa.Text, pa.string()),
    (sa.Integer, pa.int64()),
    (sa.Float, pa.float64()),
    (sa.Boolean, pa.bool_()),
    (sa.DateTime, _TIME),
    (sa.Date, pa.date32()),
)
_BATCH_ROWS: Final = 20_000
_BLOCK_BYTES: Final = 8 << 20  # a row must fit into one
_ANALYZE_ROWS: Final = 1_000
_NUL_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_OPEN: Final = "staged"


def copy_frame(conn: sa.Connection, table: sa.Table, rows: Rows) -> int:
    """Append rows to a table by COPY, and return how many.

    Columns are found by name and cast to the table's types; a column that the rows lack becomes
    null, one that the table lacks is left out. JSON columns are given as text. NUL characters,
    which PostgreSQL cannot keep, are removed.

    Raises:
        StoreError: A column does not hold what the table keeps there.
    """
    data = _typed(table, rows)
    names = ", ".join(f'"{name}"' for name in data.column_names)
    with (
        _cursor(conn) as cursor,
        cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT csv)'.encode()) as copy,
    ):
        for batch in data.to_batches(max_chunksize=_BATCH_ROWS):
            sink = pa.BufferOutputStream()
            csv.write_csv(batch, sink, csv.WriteOptions(include_header=False))
            copy.write(memoryview(sink.getvalue()))
    return data.num_rows


@contextmanager
def staged(
    conn: sa.Connection, columns: Sequence[sa.Column[Any]], rows: Rows, *, joined: bool = True
) -> Iterator[sa.Table]:
    """Copy rows into a temporary table that lasts for the block.

    Args:
        conn: An open transaction.
        columns: Names and types, from any table.
        rows: What it holds, as for `copy_frame`.
        joined: Whether it is joined with others, for which PostgreSQL must know what is in it.
    """
    open_tables = conn.info.get(_OPEN, 0)
    table = _staging_table(open_tables, tuple((column.name, column.type) for column in columns))
    table.create(conn, checkfirst=False)
    conn.info[_OPEN] = open_tables + 1
    try:
        if copy_frame(conn, table, rows) >= _ANALYZE_ROWS and joined:
            conn.execute(sa.text(f"ANALYZE {table.name}"))
        yield table
    finally:
        conn.info[_OPEN] = open_tables
    # Not after an error: the table goes with the transaction.
    table.drop(conn, checkfirst=False)


@lru_cache(maxsize=256)
def _staging_table(
    number: int, columns: tuple[tuple[str, sa.types.TypeEngine[Any]], ...]
) -> sa.Table:
    """Return the same table object for the same columns, so that SQLAlchemy can cache statements.

    Args:
        number: How many such tables are open already, as `staged` blocks may be nested.
        columns: Names and types; types are compared by identity.
    """
    return sa.Table(
        f"staged_{number}",
        sa.MetaData(),
        *(sa.Column(name, kind) for name, kind in columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


def columns_of(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    """Return columns of a table by name."""
    return [table.c[name] for name in names]


def matching(
    table: sa.Table, asked: Mapping[str, pd.Series | None]
) -> list[sa.ColumnElement[bool]]:
    """Return the condition that a row has any of the values that are asked for.

    The values stand in the statement, as arrays, and not in a table to be joined: a join with rows
    that PostgreSQL has no statistics of, such as an account's first, looks at every pair. An array
    is looked up in an index, or hashed.

    Args:
        table: Whose rows.
        asked: Values by column; None asks nothing, and where all are None every row matches.
    """
    chosen = {name: values for name, values in asked.items() if values is not None}
    ways = [any_of(table.c[name], values) for name, values in chosen.items()]
    return [sa.or_(*ways)] if ways else []


def any_of(value: sa.ColumnElement[Any], values: pd.Series) -> sa.ColumnElement[bool]:
    """Return the condition that a value is one of these, as `matching` has it."""
    return value == sa.any_(_array(values))


def _array(values: pd.Series) -> sa.ColumnElement[Any]:
    """Return texts as one literal: the driver would take them into an array one by one."""
    texts: Any = pa.array(values, pa.string(), from_pandas=True)
    texts = texts.drop_null().unique()
    for sign, written in (("\x00", ""), ("\\", "\\\\"), ('"', '\\"')):
        texts = pc.replace_substring(texts, sign, written)
    words = texts.to_pylist()
    literal = '","'.join(words).join(('{"', '"}')) if words else "{}"
    # Without a type of its own it is read as an array while the statement is planned, and hashed.
    return sa.cast(sa.literal(literal, NullType()), ARRAY(sa.Text))


@contextmanager
def joined_whole(conn: sa.Connection) -> Iterator[None]:
    """Have PostgreSQL join tables as wholes, by hash or by order, for the block.

    Of tables that it has no statistics of, such as an account's first, it expects one row, and
    would look through one for each row of the other.
    """
    conn.execute(sa.text("SET LOCAL enable_nestloop = off"))
    yield
    # Not after an error: the setting goes with the transaction.
    conn.execute(sa.text("SET LOCAL enable_nestloop TO DEFAULT"))


def upsert(
    conn: sa.Connection,
    table: sa.Table,
    source: sa.FromClause,
    constants: Mapping[str, Any],
    *,
    changes: Changes | None = None,
    prefer: sa.ColumnElement[Any] | None = None,
) -> int:
    """Insert staged rows, or update those that are there; return how many rows were touched.

    Args:
        conn: An open transaction.
        table: Where the rows go. In a key column with a default, null stands for "".
        source: The staged rows.
        constants: Columns that are the same for every row.
        changes: What an update sets, from the new row; None sets all that the new row brings.
        prefer: Of several rows with one key the first in this order stays.
    """
    keys = [column.name for column in table.primary_key.columns]
    brought = {
        column.name: _key_text(table, column) for column in source.c if column.name in table.c
    } | {name: _constant(value, table.c[name]) for name, value in constants.items()}
    distinct = [brought[name] for name in keys if name not in constants]
    query = sa.select(*(value.label(name) for name, value in brought.items()))
    query = distinct_on(query, *distinct).order_by(*distinct)
    if prefer is not None:
        query = query.order_by(prefer)
    statement = insert(table).from_select(list(brought), query)
    new = statement.excluded
    setting = changes(new) if changes else {name: new[name] for name in brought if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=setting)
    return insert_counted(conn, statement)


def insert_counted(conn: sa.Connection, statement: sa.Insert) -> int:
    """Execute an INSERT … SELECT and return how many rows it touched."""
    return conn.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def read_table(conn: sa.Connection, query: sa.Select[Any], schema: pa.Schema) -> pa.Table:
    """Return what a query selects, in the types of ``schema``, whose columns follow the query's.

    Raises:
        StoreError: The store holds a value that does not fit its type.
    """
    compiled = query.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    statement = f"COPY ({compiled.string}) TO STDOUT (FORMAT csv)".encode()
    with _cursor(conn) as cursor, cursor.copy(statement, compiled.params) as copy:
        text = b"".join(bytes(part) for part in copy)
    if not text:
        return schema.empty_table()
    try:
        return csv.read_csv(
            io.BytesIO(text),
            csv.ReadOptions(column_names=schema.names, block_size=_BLOCK_BYTES),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t", "true"],
                false_values=["f", "false"],
            ),
        ).cast(schema)
    except pa.ArrowInvalid:
        # Not chained: the message quotes the value.
        raise StoreError(
            "The store holds a value that does not fit its type; run with `full_resync`."
        ) from None


def read_frame(conn: sa.Connection, query: sa.Select[Any], schema: pa.Schema) -> pd.DataFrame:
    """Return what a query selects as a frame with Arrow dtypes."""
    return to_pandas(read_table(conn, query, schema))


def read_matching(
    conn: sa.Connection,
    query: sa.Select[Any],
    table: sa.Table,
    asked: Mapping[str, pd.Series | None],
    schema: pa.Schema,
) -> pd.DataFrame:
    """Return what a query selects of the rows that `matching` finds.

    Where none of the values is one, as in a run that finds nothing new, PostgreSQL is not asked.
    """
    given = [values for values in asked.values() if values is not None]
    if given and all(values.isna().all() for values in given):
        return to_pandas(schema.empty_table())
    return read_frame(conn, query.where(*matching(table, asked)), schema)


def _constant(value: Any, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return value if isinstance(value, sa.ColumnElement) else sa.literal(value, column.type)


def _key_text(table: sa.Table, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    column = table.c[str(value.key)]
    if column.primary_key and column.server_default is not None:
        return sa.func.coalesce(value, "")
    return value


def _cursor(conn: sa.Connection) -> psycopg.Cursor[Any]:
    cursor: Any = conn.connection.cursor()
    return cast("psycopg.Cursor[Any]", cursor)


def _typed(table: sa.Table, rows: Rows) -> pa.Table:
    present = set(rows.columns if isinstance(rows, pd.DataFrame) else rows.column_names)
    names = [column.name for column in table.c if column.name in present]
    return pa.table({name: _column(rows, table.c[name]) for name in names})


def _column(rows: Rows, column: sa.Column[Any]) -> Any:
    kind = next(arrow for sql, arrow in _ARROW if isinstance(column.type, sql))
    try:
        if isinstance(rows, pd.DataFrame):
            found = pa.array(rows[column.name], from_pandas=True)
        else:
            found = rows.column(column.name)
        found = found.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        # Not chained: the message quotes the value.
        raise StoreError(
            f"Column {column.name} does not hold {kind}, which the store keeps there; "
            "correct the mapping's type."
        ) from None
    if kind == pa.string():
        found = _without_nul(found, json=isinstance(column.type, JSONB))
    return found


def _without_nul(texts: Any, *, json: bool) -> Any:
    """Remove what neither text nor jsonb of PostgreSQL can keep."""
    texts = pc.replace_substring(texts, "\x00", "")
    if json and pc.any(pc.match_substring(texts, "\\u0000")).as_py():
        return pa.array(pd.Series(texts.to_pandas()).str.replace(_NUL_ESCAPE, r"\1", regex=True))
    return texts
