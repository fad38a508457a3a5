"""Erasing a person on their request: in every system that can, then in the store, but for a hash.

What is to be deleted is looked up, kept as a plan and reviewed before anything is. The hash comes
first, so that no sync brings anybody back in between; the store comes last, since it knows where
the person is. Every step may be repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pandas as pd
from sqlalchemy import Connection, Row

from bothways.config.account import Account
from bothways.config.known import roles_to_erase, system_titles
from bothways.config.load import config_hash, load_account
from bothways.connectors.base import Connector, ErasesContacts, ErasesRecords, ErasesSuppressions
from bothways.discovery import record_kinds
from bothways.engine import whereabouts
from bothways.engine.review import Verdict
from bothways.engine.run import Run
from bothways.engine.staging import Staging
from bothways.engine.step import failure_in
from bothways.engine.whereabouts import of_people
from bothways.errors import (
    BothwaysError,
    ConfigurationError,
    RunStopped,
    StoreError,
    TemporaryFailure,
)
from bothways.ledgers.registry import erase_person
from bothways.spec import ERASE
from bothways.store import erase, erasure_keys, erasures, jobs, runs
from bothways.store.counts import count_jobs
from bothways.store.db import Store
from bothways.store.erase import Person
from bothways.vocabulary import (
    SUPPRESSION_RECORD,
    OperationKind,
    Result,
    RoleName,
    RunStatus,
)

log = logging.getLogger(__name__)


def open_erasure(
    store: Store,
    *,
    account: str,
    request: str | None,
    confirm: str | None,
    dry_run: bool,
    dag_id: str,
    dag_run_id: str,
    submitted_by: str,
    missing_connections: Callable[[list[str]], list[str]],
) -> int:
    """Write the audit row, and bar the person's addresses from every sync; return the run's id.

    A dry run bars nobody.

    Args:
        store: Where the request is kept.
        account: The account's name.
        request: The id that `bothways erase` printed.
        confirm: The same id again; a dry run needs none.
        dry_run: Only look up what would be deleted.
        dag_id: Airflow's id of the DAG.
        dag_run_id: Airflow's id of the DAG run.
        submitted_by: The user who triggered it.
        missing_connections: Says which of these connection ids do not exist.

    Raises:
        RunStopped: There is no such request, or it was not confirmed; nothing was erased.
        ConfigurationError: There is no key for the hashes; nothing was erased.
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
            params={"request": request, "dry_run": dry_run},
            dry_run=dry_run,
            config_hash=config_hash(configured),
        )
    roles = roles_to_erase(configured)
    if not roles:
        raise _stopped(store, run_id, RunStopped(f"Account {account} has no system to erase from."))
    missing = missing_connections([configured.system(role).connection for role in roles])
    if missing:
        reason = f"Airflow has no connection `{missing[0]}`; create it under Admin, Connections."
        raise _stopped(store, run_id, RunStopped(reason))
    try:
        obstacle = _obstacle(store, account, request, request if dry_run else confirm)
    except ConfigurationError as error:
        raise _stopped(store, run_id, error) from None
    if obstacle:
        raise _stopped(store, run_id, RunStopped(obstacle))
    if dry_run:
        return run_id
    # The bar comes first: a run that starts writing later finds it, and one that has already
    # started is found by the check below.
    with store.begin() as conn:
        email_key = cast(str, _email_key(conn, account, cast(str, request)))
        person = erase.find_person(conn, account=account, email_key=email_key)
        erase.bar(conn, person, request=request)
    if busy := _running_sync(store, account):
        with store.begin() as conn:
            runs.note(conn, run_id=run_id, sentence=f"open: {busy}")
        raise StoreError(busy)
    return run_id


def find_records(run: Run, side: RoleName, connector: Connector) -> dict[str, int]:
    """Put into the audit what is to be deleted in one system; return how many records that is.

    Raises:
        ConnectorError: The vendor refused or failed.
    """
    with run.store.begin() as conn:
        person = _person(conn, run)
    found = whereabouts.locate(run.account, side, connector, person)
    part = sorted(run.account.systems).index(side)
    rows = pd.DataFrame(
        {
            "seq": pd.Series(range(len(found)), dtype="int64") + jobs.first_seq(part),
            "entity": found["entity"],
            "kind": OperationKind.ERASE,
            "target": side,
            "record_id": found["id"],
            "email": found["email"],
            "email_key": found["email_key"],
            "before": found["fields"],
            "result": Result.DELETED,
        }
    )
    with run.store.begin() as conn:
        jobs.write_jobs(conn, run_id=run.run_id, account=run.account.name, rows=rows, part=part)
    return {"found": len(found)}


def review_erasure(run: Run) -> Verdict:
    """Compare what was found with the limit of a request, and keep the verdict in the audit.

    Where the account names approvers, one of them must approve every erasure. The verdict has one
    chunk where the records may be deleted. From here on no sync writes under
    any address that was found.
    """
    limit = run.account.guard.erasures
    with run.store.begin() as conn:
        planned = erase.planned(conn, run_id=run.run_id)
        people = int(of_people(planned).sum())
        within = limit is None or people <= limit
        passed = within and not run.account.approvers
        message = "" if passed else _concern(people, None if within else limit)
        asks = run.account.settings.on_guard == "ask" or (within and not passed)
        ask = asks and not passed and not run.options.dry_run
        verdict = {"passed": passed, "breaches": [], "message": message, "planned": []}
        runs.set_guard(conn, run_id=run.run_id, guard=verdict)
        if ask:
            runs.set_status(conn, run_id=run.run_id, status=RunStatus.AWAITING_APPROVAL)
        if not run.options.dry_run:
            erase.bar(conn, _person(conn, run), request=_request(run, conn))
    return Verdict([0] if passed and not run.options.dry_run else [], message, ask)


def _concern(people: int, limit: int | None) -> str:
    """Return why a person has to review an erasure."""
    records = "1 record" if people == 1 else f"{people} records"
    if limit is None:
        return f"{records} would be deleted, which one of the account's approvers has to approve"
    return f"{records} would be deleted ({limit} allowed)"


def erase_records(run: Run, side: RoleName, connector: Connector) -> dict[str, int]:
    """Delete the records that were reviewed in one system; return how many.

    Raises:
        RunStopped: The review has not let the run pass, or more of the person has turned up since;
            nothing was deleted in this system.
        TemporaryFailure: Some could not be deleted for now; what was is gone.
        ConnectorError: The vendor refused or failed.
    """
    with run.store.begin() as conn:
        if not _may_delete(runs.get_run(conn, run_id=run.run_id)):
            raise RunStopped("The review has not let this run pass, so nothing was deleted.")
        planned = erase.planned(conn, run_id=run.run_id)
        person = _person(conn, run)
    mine = planned[planned["side"] == side]
    now = whereabouts.locate(run.account, side, connector, person)
    reviewed = pd.MultiIndex.from_frame(mine[["entity", "id"]])
    unseen = ~pd.MultiIndex.from_frame(now[["entity", "id"]]).isin(reviewed)
    if unseen.any():
        raise RunStopped(
            f"{unseen.sum()} more records of the person have turned up since the review, so none "
            f"was deleted in {connector.declaration.title}; trigger the DAG with the same request "
            "again."
        )
    with run.store.begin() as conn:
        erase.bar(conn, person)  # for good: what is deleted now must not come back
        erase.try_again(conn, run_id=run.run_id, side=side)
    failed = _delete(run, connector, mine[mine["result"] != Result.DELETED])
    if failed:
        raise TemporaryFailure(
            f"{failed} records could not be deleted; clear the task to try again",
            vendor=connector.declaration.title,
        )
    with run.store.begin() as conn:
        runs.note(conn, run_id=run.run_id, sentence=_done(run, side))
    log.info("Erased from %s: %d records", connector.declaration.title, len(mine))
    return {"erased": len(mine)}


def close_erasure(run: Run, folders: Iterable[Staging]) -> tuple[str, str]:
    """Erase the person from the store if all systems that can have; finish the audit row.

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
        done = {_done(run, role) for role in roles_to_erase(run.account)} <= set(row.notes)
        counts = count_jobs(conn, run_id=run.run_id, as_planned=run.options.dry_run)
    if done:
        files = _forget_files(run, folders)
    with run.store.begin() as conn:
        if done:
            status = RunStatus.COMPLETED
            message = _forget(conn, run, counts.deleted, files)
        else:
            status, message = _not_erased(conn, run, row)
        runs.finish_run(
            conn, run_id=run.run_id, status=status, counts=counts.as_json(), message=message
        )
    log.info("Closed run %d: %s. %s", run.run_id, status, message)
    return status, message


def _obstacle(store: Store, account: str, request: str | None, confirm: str | None) -> str | None:
    if not request:
        return f"Nothing was chosen; file a request with `bothways erase {account}`."
    if confirm != request:
        return "The request was not confirmed; repeat its id under Confirm."
    with store.begin() as conn:
        erasure_keys.newest_key(conn)
        erasures.expire(conn, account=account, now=datetime.now(UTC))
        row = erasures.find_request(conn, account=account, request=request)
        email_key = _email_key(conn, account, request)
    if row is None:
        return f"Account {account} has no such request; file one with `bothways erase {account}`."
    if row.person is None:
        return _over(row)
    if email_key is None:
        return "No record of that id with an address is known; file a request with the address."
    return None


def _over(row: Row[Any]) -> str:
    """Return the error for a request whose subject is no longer known."""
    if row.erased_at is not None:
        return f"The request was carried out by run {row.run_id}; nothing is left to do."
    return (
        f"The request expired {erasures.EXPIRES_AFTER.days} days after it was filed, and whom it "
        f"was about has been forgotten; file it again with `bothways erase {row.account}`."
    )


def _stopped(store: Store, run_id: int, error: BothwaysError) -> BothwaysError:
    """Record in the audit why nothing was erased."""
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


def _email_key(conn: Connection, account: str, request: str) -> str | None:
    """Return the normalised address that a request is about; None where nobody knows it."""
    row = erasures.find_request(conn, account=account, request=request)
    return whereabouts.address(conn, account, row.person if row else None)


def _request(run: Run, conn: Connection) -> str:
    row = runs.get_run(conn, run_id=run.run_id)
    return str(row.params["request"]) if row else ""


def _person(conn: Connection, run: Run) -> Person:
    """Return whom the run is about, with what it has found at the vendors so far."""
    account = run.account.name
    email_key = cast(str, _email_key(conn, account, _request(run, conn)))
    found = erase.planned(conn, run_id=run.run_id)
    return erase.find_person(conn, account=account, email_key=email_key, found=found)


def _may_delete(row: Row[Any] | None) -> bool:
    if row is None or row.dry_run or row.guard is None:
        return False
    return bool(row.guard["passed"] or row.guard.get("approved"))


def _delete(run: Run, connector: Connector, planned: pd.DataFrame) -> int:
    """Have records deleted, and keep the verdicts; return how many could not be."""
    failed = 0
    for entity, rows in planned.groupby("entity"):
        ids = rows["id"].tolist()
        kind = record_kinds().get(str(entity))
        if kind:
            results = cast(ErasesRecords, connector).erase_records(kind, ids)
        elif entity == SUPPRESSION_RECORD:
            results = cast(ErasesSuppressions, connector).erase_suppressions(ids)
        else:
            results = cast(ErasesContacts, connector).erase_contacts(str(entity), ids)
        seqs = rows["seq"].to_numpy()
        verdicts = results.assign(seq=seqs[results["seq"].to_numpy()])
        with run.store.begin() as conn:
            jobs.settle_jobs(conn, run_id=run.run_id, seqs=rows["seq"], results=verdicts)
        failed += len(ids) - int((results["outcome"] == "written").sum())
    return failed


def _done(run: Run, side: RoleName) -> str:
    return f"The person is erased from {run.systems[side]}."


def _not_erased(conn: Connection, run: Run, row: Row[Any]) -> tuple[RunStatus, str]:
    """Return how a run ended that has not erased everything, and why."""
    failure, guard = failure_in(row.notes), row.guard or {}
    if run.options.dry_run and guard:
        stop = "" if guard["passed"] else f" The safety limits would stop it: {guard['message']}."
        return RunStatus.DRY_RUN, f"Dry run: nothing was deleted.{stop}"
    if failure is None and guard and not _may_delete(row):
        erase.unbar(conn, request=_request(run, conn))
        reason = f"Rejected by {guard['by']}" if "by" in guard else "Stopped by the safety limits"
        return RunStatus.FAILED, f"{reason}, nobody was erased: {guard['message']}."
    why = failure or "A step did not finish; see its log."
    return RunStatus.FAILED, f"{why} The request is kept; clear the task that failed."


def _forget(conn: Connection, run: Run, deleted: int, files: int) -> str:
    """Erase the person from the store; return what the audit says, without a name."""
    person = _person(conn, run)
    erasures.carried_out(conn, request=_request(run, conn), run_id=run.run_id)
    receipt = erase_person(conn, person)
    texts = ("hashes", "jobs", "runs", "run_lists", "run_details")
    rows = sum(number for name, number in receipt.items() if name not in texts)
    told = (
        f"Erased: {deleted} records at the vendors and {rows} rows of the store; "
        f"{receipt['jobs']} jobs of the audit were blanked, and the files of {files} runs removed; "
        f"{receipt['hashes']} keyed hashes stay."
    )
    return " ".join(filter(None, (told, told_by_hand(run.account))))


def told_by_hand(account: Account) -> str:
    """Return a sentence on the systems that a person must erase from by hand; "" if none."""
    able, titles = roles_to_erase(account), system_titles(account)
    left = dict.fromkeys(title for role, title in titles.items() if role not in able)
    if not left:
        return ""
    return f"Bothways cannot delete in {' and '.join(left)}: delete the person there by hand."


def _forget_files(run: Run, folders: Iterable[Staging]) -> int:
    """Remove what the account's ended runs staged; return how many runs had files.

    Of a run that still waits for approval only the person's rows are removed.
    """
    with run.store.begin() as conn:
        person = _person(conn, run)
    removed = 0
    for staging in folders:
        with run.store.begin() as conn:
            row = runs.get_run(conn, run_id=int(staging.root.name))
        if row is None or row.finished_at is not None:
            staging.remove()
            removed += 1
        else:
            staging.forget(sorted(person.all_ids), person.in_files)
    return removed
