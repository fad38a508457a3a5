"""Bring the store up to date with the verdicts on what was written.

A success may add links, baselines, memberships and suppressions. A record that the vendor did not
find is marked as deleted.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.engine import lists, meanings
from bothways.engine.run import Run
from bothways.store import baselines, links, list_states, suppressions
from bothways.store.records import (
    absorb_contacts,
    absorb_members,
    absorb_written,
    load_members,
)
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.operations import GONE
from bothways.transform.json_rows import read_objects
from bothways.transform.normalise import email_keys
from bothways.vocabulary import BY_HAND, FLAGGED, Side, Status, other


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
    rows = operations.merge(written[["seq", "written_id", "written_membership"]], on="seq")
    rows = rows.assign(
        record_id=rows["written_id"].fillna(rows["record_id"]), email_key=email_keys(rows["email"])
    )
    for kind, keep_kind in _KEEPERS.items():
        part = rows[rows["kind"] == kind]
        if not part.empty:
            keep_kind(conn, run, side, part)
    missing = results.loc[(results["outcome"] == "error") & (results["code"] == GONE), "seq"]
    _gone(conn, run, side, operations[operations["seq"].isin(missing)])


def _gone(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """Mark records that the vendor no longer has as deleted, with their memberships."""
    rows = rows[rows["record_id"].notna()].drop_duplicates(["entity", "record_id"])
    if rows.empty:
        return
    place = run.place(side)
    gone = pd.DataFrame({"entity": rows["entity"], "id": rows["record_id"], "deleted": True})
    people = pa.Table.from_pandas(gone, preserve_index=False)
    absorb_contacts(conn, **place, run_id=run.run_id, rows=people)
    ended = load_members(conn, **place, member_ids=rows["record_id"], with_deleted=False)
    ended = ended[LIST_MEMBERS.names].assign(deleted=True, membership_id=None)
    members = pa.Table.from_pandas(ended, LIST_MEMBERS, preserve_index=False)
    absorb_members(conn, **place, run_id=run.run_id, rows=members)


def _created(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    people = rows[rows["entity"] != "suppression"]
    if not people.empty:
        own, other = _ids(side)
        pairs = pd.DataFrame(
            {
                "entity": _crm_entity(people, side),
                own: people["record_id"],
                other: people["source_id"],
                "email_key": people["email_key"],
                "speaks": True,
                "values": people["after"],
            }
        )
        links.upsert_links(conn, account=run.account.name, run_id=run.run_id, frame=pairs)
        baselines.upsert_baselines(
            conn,
            account=run.account.name,
            run_id=run.run_id,
            frame=pairs,
            outdated=meanings.outdated(conn, run),
        )
    records = rows[rows["entity"] == "suppression"]
    if not records.empty:
        _remember(conn, run, side, records)


def _updated(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """Put the values into the last seen state: people on no list may never be read again."""
    frame = rows[["entity", "record_id", "values"]].rename(columns={"record_id": "id"})
    absorb_written(conn, **run.place(side), frame=frame)


def _suppressed(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    if side == "marketing":
        _remember(conn, run, side, rows)


def _remember(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """Put written suppressions into the ledger; the side has yet to report their times."""
    written = read_objects(rows["values"], {"member_id": pa.string(), "list_id": pa.string()})
    suppressions.remember(
        conn,
        account=run.account.name,
        side=side,
        run_id=run.run_id,
        frame=pd.DataFrame(
            {
                "email_key": rows["email_key"],
                "list_id": written[FIELD_PREFIX + "list_id"],
                "email": rows["email"],
                "reason": rows["reason"],
                "record_id": rows["record_id"],
                "member_id": written[FIELD_PREFIX + "member_id"],
            }
        ).dropna(subset="email_key"),
    )


def _joined(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    _state(conn, run, side, rows, f"only_{side}" if run.options.undo_run else "joined")
    _membership(conn, run, side, rows, deleted=False)


def _left(conn: Connection, run: Run, side: Side, rows: pd.DataFrame) -> None:
    """The reason says whether a user took somebody off a list, or they opted out themselves.

    A flag in the CRM is neither: once it is cleared, the member joins again.
    """
    by_hand = rows["reason"].isin(BY_HAND)
    state = rows["reason"].where(by_hand, "unsubscribed")
    state = state.mask(rows["reason"] == FLAGGED, f"left_{side}")
    _state(conn, run, side, rows, f"only_{other(side)}" if run.options.undo_run else state)
    _membership(conn, run, side, rows, deleted=True)


def _state(
    conn: Connection, run: Run, side: Side, rows: pd.DataFrame, state: str | pd.Series
) -> None:
    own, other = _ids(side)
    pairs = lists.pairs(conn, run)
    keys = rows["list_key"]
    frame = pd.DataFrame(
        {
            "crm_list_id": keys.map({key: pair.crm for key, pair in pairs.items()}),
            "marketing_list_id": keys.map({key: pair.marketing for key, pair in pairs.items()}),
            "entity": _crm_entity(rows, side),
            own: rows["record_id"],
            other: rows["source_id"],
            "state": state,
        }
    )
    # A list whose counterpart is yet to be created is in step with none.
    frame = frame[keys.isin(pairs)]
    list_states.upsert_states(conn, account=run.account.name, run_id=run.run_id, frame=frame)


def _membership(
    conn: Connection, run: Run, side: Side, rows: pd.DataFrame, *, deleted: bool
) -> None:
    """Put the membership into the last seen state: a vendor need not tell it as a change."""
    told = pd.DataFrame(
        {
            "list_id": rows["list_id"],
            "entity": rows["entity"],
            "member_id": rows["record_id"],
            "membership_id": None if deleted else rows["written_membership"],
            "status": Status.MAILABLE.value,
            "changed_at": None,
            "deleted": deleted,
        }
    )
    page = pa.Table.from_pandas(told, LIST_MEMBERS, preserve_index=False)
    place = run.place(side)
    absorb_members(conn, **place, run_id=run.run_id, rows=page, written=True)


def _ids(side: Side) -> tuple[str, str]:
    """Return what the ids of the written side and of the other one are called."""
    return ("crm_id", "marketing_id") if side == "crm" else ("marketing_id", "crm_id")


def _crm_entity(rows: pd.DataFrame, side: Side) -> pd.Series:
    return rows["entity"] if side == "crm" else rows["source_entity"]


_KEEPERS = {
    "create": _created,
    "update": _updated,
    "suppress": _suppressed,
    "join": _joined,
    "leave": _left,
}
