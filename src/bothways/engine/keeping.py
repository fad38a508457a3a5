"""What is remembered of a run: the ledgers keep what was written, and what both sides agree on.

What was written is kept with the verdicts. What a plan says that both sides agree on is staged
beside it, and kept once all jobs have their verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.engine import lists, meanings
from bothways.engine.run import Run
from bothways.engine.staging import Staging
from bothways.ledgers.base import Entry, RunContext
from bothways.ledgers.registry import LEDGERS, entries
from bothways.store import applying
from bothways.tables.frames import to_pandas
from bothways.tables.operations import GONE
from bothways.transform.columns import column
from bothways.transform.normalise import email_keys
from bothways.vocabulary import RoleName

_FOLDER = "keep"


def keep_written(
    conn: Connection, run: Run, side: RoleName, operations: pd.DataFrame, results: pd.DataFrame
) -> None:
    """Let the ledgers keep what operations have done.

    Args:
        conn: The transaction in which the verdicts are kept too.
        run: The run.
        side: Where the operations were written.
        operations: OPERATIONS that one call executed.
        results: The verdicts on them.
    """
    context = _context(conn, run)
    rows = _written(operations, results)
    missing = results.loc[(results["outcome"] == "error") & (results["code"] == GONE), "seq"]
    gone = operations[operations["seq"].isin(missing) & operations["record_id"].notna()]
    gone = gone.drop_duplicates(["entity", "record_id"])
    by_kind = {str(kind): part for kind, part in rows.groupby("kind")}
    for ledger in LEDGERS:
        for kind, keep in ledger.written.items():
            if kind in by_kind:
                keep(context, side, by_kind[kind])
        if not gone.empty:
            ledger.keep_gone(context, side, gone)


def _written(operations: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Return the operations that were written, as ledgers take them."""
    written = results[results["outcome"] == "written"].rename(
        columns={"record_id": "written_id", "membership_id": "written_membership"}
    )
    rows = operations.merge(written[["seq", "written_id", "written_membership"]], on="seq")
    return rows.assign(
        record_id=rows["written_id"].fillna(rows["record_id"]), email_key=email_keys(rows["email"])
    )


def stage(staging: Staging, keep: Mapping[str, pd.DataFrame], partition: int) -> None:
    """Stage what a partition's plan lets the ledgers keep.

    Columns that an entry does not declare are left out, those that a frame lacks are null.

    Raises:
        ValueError: No ledger declares an entry of that name.
    """
    known = entries()
    if unknown := keep.keys() - known.keys():
        raise ValueError(f"No ledger declares {sorted(unknown)}; there are {sorted(known)}.")
    for name, entry in known.items():
        rows = _as_declared(keep.get(name, pd.DataFrame()), entry.schema)
        staging.write_table(rows, f"{_FOLDER}/{name}", partition)


def keep_agreed(conn: Connection, run: Run) -> None:
    """Let the ledgers keep what the plan says that both sides agree on.

    Nothing is kept about people whose operations were held back, and where an entry says so,
    nothing about those with a job in error.
    """
    context = _context(conn, run)
    held_back = _words(applying.held_back(conn, run_id=run.run_id))
    failed = _words(applying.failed(conn, run_id=run.run_id))
    for name, entry in entries().items():
        barred = held_back if entry.despite_errors else failed
        for staged in _staged(run, name):
            rows = _sound(_resolved(conn, run, staged), entry, barred)
            if not rows.empty:
                entry.keep(context, rows)


def _as_declared(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    columns = [column(rows, field.name, field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _context(conn: Connection, run: Run) -> RunContext:
    return RunContext(
        conn=conn,
        account=run.account.name,
        run_id=run.run_id,
        systems=run.systems,
        undoes=bool(run.options.undo_run),
        outdated=lambda: meanings.outdated(conn, run),
        list_pairs=lambda: lists.pairs(conn, run),
    )


def _staged(run: Run, name: str) -> Iterator[pd.DataFrame]:
    for table in run.staging.tables(f"{_FOLDER}/{name}"):
        if table.num_rows:
            yield to_pandas(table)


def _resolved(conn: Connection, run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in the contacts that this run created, by the key of their creation."""
    if "key" not in rows or rows["marketing_id"].notna().all():
        return rows
    ids = applying.created_ids(conn, run_id=run.run_id, target="marketing", keys=rows["key"])
    found = pd.Series(ids.reindex(pd.Index(rows["key"])).array, index=rows.index)
    rows = rows.assign(marketing_id=rows["marketing_id"].fillna(found))
    return rows[rows["marketing_id"].notna()]


def _words(people: pd.DataFrame) -> set[str]:
    """Return the ids and addresses of people."""
    return {word for name in people for word in people[name].dropna()}


def _sound(rows: pd.DataFrame, entry: Entry, barred: set[str]) -> pd.DataFrame:
    """Leave out the people of whom nothing is kept."""
    return rows[~rows[list(entry.about)].isin(barred).any(axis=1)]
