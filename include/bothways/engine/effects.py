"""What follows in the store from a write that succeeded: links, baselines, memberships, consent."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from sqlalchemy import Connection

from bothways.engine.run import Run
from bothways.store import baselines, links, list_states, suppressions
from bothways.tables import Side
from bothways.transform.normalise import email_keys


def keep(
    conn: Connection, run: Run, side: Side, operations: pd.DataFrame, results: pd.DataFrame
) -> None:
    """Keep what the store must know of the operations that were written.

    Args:
        conn: The transaction in which the verdicts are kept too.
        run: The run.
        side: Where the operations were written.
        operations: OPERATIONS that one call executed.
        results: The verdicts on them.
    """
    written = results[results["outcome"] == "written"].rename(
        columns={"record_id": "written_id", "membership_id": "written_membership"}
    )
    rows = operations.merge(written[["seq", "written_id"]], on="seq")
    rows = rows.assign(
        record_id=rows["written_id"].fillna(rows["record_id"]), email_key=email_keys(rows["email"])
    )
    for kind, keep_kind in _KEEPERS.items():
        part = rows[rows["kind"] == kind]
        if not part.empty:
            keep_kind(conn, run, side, part)


def _created(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    people = rows[rows["entity"] != "suppression"]
    if side == "crm" and not people.empty:
        pairs = pd.DataFrame(
            {
                "entity": people["entity"],
                "crm_id": people["record_id"],
                "marketing_id": people["source_id"],
                "email_key": people["email_key"],
                "speaks": True,
                "values": people["after"],
            }
        )
        links.upsert_links(conn, account=run.account.name, run_id=run.run_id, frame=pairs)
        baselines.upsert_baselines(conn, account=run.account.name, run_id=run.run_id, frame=pairs)
    records = rows[rows["entity"] == "suppression"]
    if not records.empty:
        _remember(conn, run, side, records)


def _suppressed(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    if side == "marketing":
        _remember(conn, run, side, rows)


def _remember(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """Put written suppressions into the ledger, as if they had been read."""
    suppressions.remember(
        conn,
        account=run.account.name,
        side=side,
        run_id=run.run_id,
        frame=pd.DataFrame(
            {
                "email_key": rows["email_key"],
                "list_key": rows["list_key"].fillna(""),
                "email": rows["email"],
                "reason": rows["reason"],
                "record_id": rows["record_id"],
                "suppressed_at": datetime.now(UTC),
            }
        ).dropna(subset="email_key"),
    )


def _joined(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    _state(conn, run, side, rows, "joined")


def _left(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """The reason says whether a person took somebody off a list, or that person's own word did."""
    by_hand = rows["reason"].isin(["left_crm", "left_marketing"])
    _state(conn, run, side, rows, rows["reason"].where(by_hand, "unsubscribed"))


def _state(
    conn: Connection, run: Run, side: Side, rows: pd.DataFrame, state: str | pd.Series
) -> None:
    own, other = ("crm_id", "marketing_id") if side == "crm" else ("marketing_id", "crm_id")
    frame = pd.DataFrame(
        {
            "list_key": rows["list_key"],
            "entity": rows["entity"],
            own: rows["record_id"],
            other: rows["source_id"],
            "state": state,
        }
    )
    list_states.upsert_states(conn, account=run.account.name, run_id=run.run_id, frame=frame)


_KEEPERS = {"create": _created, "suppress": _suppressed, "join": _joined, "leave": _left}
