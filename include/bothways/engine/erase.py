"""Erasing a person on their request: on both sides, then in the store, but for a keyed hash.

The hash comes first, so that no sync brings anybody back in between; the store comes last, since
it knows where the person is. Every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, cast

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.config.load import config_hash, load_account
from bothways.connectors.base import (
    Connector,
    ErasesContacts,
    ErasesSuppressions,
    FindsContacts,
)
from bothways.engine.run import Run
from bothways.engine.staging import Staging
from bothways.engine.step import failure_in
from bothways.errors import BothwaysError, RunStopped, StoreError, TemporaryFailure
from bothways.store import erase, erasures, jobs, records, runs
from bothways.store.counts import count_jobs
from bothways.store.db import Store
from bothways.syncs.base import frame_of
from bothways.syncs.catalog import ERASE
from bothways.tables import RESULTS
from bothways.terms import SIDES, RunStatus, Side
from bothways.transform.normalise import email_keys

_DONE: Final[dict[Side, str]] = {
    "crm": "Nothing of the person is left in the CRM.",
    "marketing": "Nothing of the person is left on the marketing platform.",
}
_PARTS: Final[dict[Side, int]] = {"crm": 0, "marketing": 1}


def open_erasure(
    store: Store,
    *,
    account: str,
    request: int | None,
    confirm: int | None,
    dag_id: str,
    dag_run_id: str,
    submitted_by: str,
    missing_connections: Callable[[list[str]], list[str]],
) -> int:
    """Write the audit row, and bar the person's addresses from every sync; return the run's id.

    Args:
        store: Where the request is kept.
        account: The account's name.
        request: The number that `bothways erase` printed.
        confirm: The same number again.
        dag_id: Airflow's id of the DAG.
        dag_run_id: Airflow's id of the DAG run.
        submitted_by: The user who triggered it.
        missing_connections: Says which of these connection ids do not exist.

    Raises:
        RunStopped: There is no such request, or it was not confirmed; nothing was erased.
        StoreError: A sync of the account is in progress; try again once it has ended.
    """
    configured = load_account(account)
    with store.begin() as conn:
        run_id = runs.open_run(
            conn,
            account=account,
            sync_type=ERASE.name,
            dag_id=dag_id,
            dag_run_id=dag_run_id,
            submitted_by=submitted_by,
            params={"request": request},
            dry_run=False,
            config_hash=config_hash(configured),
        )
    missing = missing_connections([configured.side(side).connection for side in SIDES])
    if missing:
        reason = f"Airflow has no connection `{missing[0]}`; create it under Admin, Connections."
        raise _stopped(store, run_id, RunStopped(reason))
    if obstacle := _obstacle(store, account, request, confirm):
        raise _stopped(store, run_id, RunStopped(obstacle))
    # The bar comes first: a run that starts writing later finds it, and one that has already
    # started is found by the check below.
    with store.begin() as conn:
        email_key = cast(str, _email_key(conn, account, cast(int, request)))
        erase.bar(conn, account=account, email_key=email_key)
    if busy := _running_sync(store, account):
        raise _stopped(store, run_id, StoreError(busy))
    return run_id


def erase_side(run: Run, side: Side, connector: Connector) -> dict[str, int]:
    """Delete the person's records on one side; return how many, and how many could not be.

    Raises:
        TemporaryFailure: Some could not be deleted for now; what was is gone.
        ConnectorError: The vendor refused or failed.
    """
    place = run.place(side)
    with run.store.begin() as conn:
        email_key = cast(str, _email_key(conn, run.account.name, _request(run, conn)))
        _, addresses = erase.whereabouts(conn, **place, email_key=email_key)
    _look_up(run, side, connector, addresses)
    with run.store.begin() as conn:
        ids, addresses = erase.whereabouts(conn, **place, email_key=email_key)
    eraser = cast(ErasesContacts, connector)
    found = {entity: eraser.erase_contacts(entity, some) for entity, some in ids.items()}
    if isinstance(connector, ErasesSuppressions):
        found["suppression"] = connector.erase_suppressions(addresses)
    parts = [rows.assign(entity=entity) for entity, rows in found.items() if not rows.empty]
    results = pd.concat([frame_of(RESULTS).assign(entity=""), *parts], ignore_index=True)
    failed = int((results["outcome"] == "error").sum())
    _keep(run, side, results)
    if failed:
        raise TemporaryFailure(
            f"{failed} records could not be deleted; clear the task to try again",
            vendor=connector.title,
        )
    return {"erased": len(results)}


def close_erasure(run: Run, folders: Iterable[Staging]) -> tuple[str, str]:
    """Erase the person from the store if both sides have; finish the audit row.

    Args:
        run: The run.
        folders: Where the account's runs staged their files.

    Raises:
        StoreError: The run is not in the store.
    """
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
        if row is None:
            raise StoreError(f"Run {run.run_id} is not in the store; trigger a new one.")
        if row.status != RunStatus.IN_PROGRESS:  # `open` said why, or it was closed before
            return row.status, row.message or ""
        done = set(_DONE.values()) <= set(row.notes)
        counts = count_jobs(conn, run_id=run.run_id)
    if done:
        files = _forget_files(run, folders)
    with run.store.begin() as conn:
        status = RunStatus.COMPLETED if done else RunStatus.FAILED
        message = _forget(conn, run, counts.deleted, files) if done else _unfinished(row.notes)
        runs.finish_run(
            conn, run_id=run.run_id, status=status, counts=counts.as_json(), message=message
        )
    return status, message


def _obstacle(store: Store, account: str, request: int | None, confirm: int | None) -> str | None:
    if request is None:
        return f"Nothing was chosen; file a request with `bothways erase {account}`."
    if confirm != request:
        return "The request was not confirmed; repeat its number under Confirm."
    with store.begin() as conn:
        row = erasures.find_request(conn, account=account, request=request)
        email_key = _email_key(conn, account, request)
    if row is None:
        return f"Account {account} has no request {request}; file one with `bothways erase`."
    if row.person is None:
        return f"Request {request} was carried out by run {row.run_id}; nothing is left to do."
    if email_key is None:
        return "No record of that id with an address is known; file a request with the address."
    return None


def _stopped(store: Store, run_id: int, error: BothwaysError) -> BothwaysError:
    """Say in the audit why nothing was erased."""
    with store.begin() as conn:
        runs.finish_run(conn, run_id=run_id, status=RunStatus.FAILED, counts={}, message=str(error))
    return error


def _running_sync(store: Store, account: str) -> str | None:
    """Let nobody be erased while a sync, planned before, could write them again."""
    only = runs.RunFilter(accounts=[account], statuses=[RunStatus.IN_PROGRESS])
    with store.begin() as conn:
        busy = [row for row in runs.find_runs(conn, only=only) if row.sync_type != ERASE.name]
    if not busy:
        return None
    return (
        f"Run {busy[0].run_id} ({busy[0].sync_type}) is in progress; try again once it has ended. "
        "Nobody has been erased yet, but from now on no sync writes this person."
    )


def _email_key(conn: Connection, account: str, request: int) -> str | None:
    """Return the normalised address that a request is about; None where nobody knows it."""
    row = erasures.find_request(conn, account=account, request=request)
    person = row.person if row else None
    if person is not None and "@" not in person:
        person = erasures.address_of(conn, account=account, record_id=person)
    keys = email_keys(pd.Series([person], dtype="string"))
    return None if keys.isna().any() else str(keys.iloc[0])


def _request(run: Run, conn: Connection) -> int:
    row = runs.get_run(conn, run_id=run.run_id)
    return int(row.params["request"]) if row else 0


def _look_up(run: Run, side: Side, connector: Connector, addresses: list[str]) -> None:
    """Let the store know everybody on the side who has one of these addresses."""
    for entity in connector.entities:
        for page in cast(FindsContacts, connector).find_contacts(entity, {}, emails=addresses):
            keys = email_keys(page.rows["email"].to_pandas(types_mapper=pd.ArrowDtype))
            rows = page.rows.append_column("email_key", pa.array(keys, pa.string()))
            with run.store.begin() as conn:
                records.absorb_contacts(conn, **run.place(side), run_id=run.run_id, rows=rows)


def _keep(run: Run, side: Side, results: pd.DataFrame) -> None:
    """Put a job without a name into the audit for each record."""
    part = _PARTS[side]
    seqs = pd.Series(range(len(results)), dtype="int64") + jobs.first_seq(part)
    rows = pd.DataFrame(
        {
            "seq": seqs,
            "entity": results["entity"],
            "kind": "erase",
            "target": side,
            "result": "deleted",
        }
    )
    verdicts = results.drop(columns="entity").assign(seq=seqs, record_id=None)
    with run.store.begin() as conn:
        jobs.write_jobs(conn, run_id=run.run_id, account=run.account.name, rows=rows, part=part)
        jobs.settle_jobs(conn, run_id=run.run_id, seqs=seqs, results=verdicts)
        if not (results["outcome"] == "error").any():
            runs.note(conn, run_id=run.run_id, sentence=_DONE[side])


def _unfinished(notes: list[str]) -> str:
    why = failure_in(notes) or "A step did not finish; see its log."
    return f"{why} The request is kept; clear the task that failed."


def _forget(conn: Connection, run: Run, deleted: int, files: int) -> str:
    """Erase the person from the store; return what the audit says, without a name."""
    request = _request(run, conn)
    email_key = cast(str, _email_key(conn, run.account.name, request))
    receipt = erase.erase_person(conn, account=run.account.name, email_key=email_key)
    erasures.carried_out(conn, request=request, run_id=run.run_id)
    texts = ("hashes", "jobs", "runs", "run_lists")
    rows = sum(number for name, number in receipt.items() if name not in texts)
    return (
        f"Erased: {deleted} records at the vendors and {rows} rows of the store; "
        f"{receipt['jobs']} jobs of the audit were blanked, and the files of {files} runs removed; "
        f"{receipt['hashes']} keyed hashes stay."
    )


def _forget_files(run: Run, folders: Iterable[Staging]) -> int:
    """Remove what the account's ended runs staged; return how many runs had files.

    Of a run that still waits for approval only the person's rows are removed.
    """
    with run.store.begin() as conn:
        email_key = cast(str, _email_key(conn, run.account.name, _request(run, conn)))
        ids, pattern = erase.identifiers(conn, account=run.account.name, email_key=email_key)
    removed = 0
    for staging in folders:
        with run.store.begin() as conn:
            row = runs.get_run(conn, run_id=int(staging.root.name))
        if row is None or row.finished_at is not None:
            staging.remove()
            removed += 1
        else:
            staging.forget(ids, pattern)
    return removed
