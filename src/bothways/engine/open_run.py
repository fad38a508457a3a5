"""The first step: write the run's audit row, or say why the run may not start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from bothways import discovery
from bothways.config.account import Account, how_to_bind
from bothways.config.known import prerequisites
from bothways.config.load import config_hash, load_account
from bothways.engine import meanings, undo
from bothways.engine.partitions import ListsOffered, partitions
from bothways.engine.run import Run
from bothways.engine.staging import PARTITIONS, Staging
from bothways.engine.step import step
from bothways.errors import RunStopped, StagingError
from bothways.spec import ERASE, Options, SyncSpec
from bothways.store import applying, runs, selections, watermarks
from bothways.store.db import Store
from bothways.syncs.base import implementation
from bothways.vocabulary import RunStatus

log = logging.getLogger(__name__)

_LOST: Final = (
    "The run died before its last step, as the next run noticed, which reads again what this one "
    "did not finish."
)

StagingFor = Callable[[str, int], Staging]
MissingConnections = Callable[[list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that may begin, and the number of partitions that it is planned in."""

    run_id: int
    partitions: int


def open_run(
    store: Store,
    *,
    account: str,
    sync_type: str,
    options: Options,
    staging_for: StagingFor,
    dag_id: str,
    dag_run_id: str,
    submitted_by: str,
    missing_connections: MissingConnections,
    lists_offered: ListsOffered,
) -> Opened:
    """Write the audit row of a run; a repeat for the same DAG run re-opens the same row.

    Args:
        store: Where it is recorded.
        account: The account's name.
        sync_type: Its name.
        options: What the person who triggered it chose.
        staging_for: Gives the run's staging folder.
        dag_id: Airflow's id of the DAG.
        dag_run_id: Airflow's id of the DAG run.
        submitted_by: The user who triggered it, or "schedule".
        missing_connections: Says which of these connection ids do not exist.
        lists_offered: Asks the vendors which lists there are.

    Raises:
        RunStopped: The account is disabled, a prerequisite failed or a connection is missing;
            the audit row is Failed and says so.
        BothwaysError: A vendor could not say how many people its lists have; noted as of any step.
    """
    configured, sync = load_account(account), discovery.sync_type(sync_type)
    with store.begin() as conn:
        owed = None if sync.verifies else _owed(conn, account, sync, options, (dag_id, dag_run_id))
        remapped = meanings.changed(conn, configured)
        afresh = bool(remapped) and sync.keeps_fields and not options.restricted
        due = _whole_read_due(conn, account, sync, options)
        if sync.verifies or owed or afresh or due:
            options = options.model_copy(update={"full_resync": True})
        run_id = runs.open_run(
            conn,
            account=account,
            sync_type=sync_type,
            dag_id=dag_id,
            dag_run_id=dag_run_id,
            submitted_by=submitted_by,
            params=options.model_dump(mode="json"),
            dry_run=options.dry_run,
            config_hash=config_hash(configured),
            undo_of=options.undo_run,
        )
        lost = runs.end_lost(conn, run_id=run_id, message=_LOST)
        if owed:
            sentence = f"Reads everything, since the full resync of run {owed} was not applied."
            runs.note(conn, run_id=run_id, sentence=sentence)
        elif due:
            runs.note(conn, run_id=run_id, sentence=due)
    if lost:
        log.warning("Runs %s died before their last step; they are Failed now", lost)
    staging = staging_for(account, run_id)
    staging.clear()
    reason = _obstacle(store, configured, sync, options, missing_connections) or (
        _objection(configured, sync, options, submitted_by)
    )
    if reason:
        with store.begin() as conn:
            runs.finish_run(conn, run_id=run_id, status=RunStatus.FAILED, counts={}, message=reason)
        raise RunStopped(reason)
    run = Run(run_id, configured, sync, options, store, staging)
    with step(run, "open"):
        meanings.stage(staging, configured, remapped)
        if sync.verifies or sync.keeps_fields:
            _note(store, run_id, meanings.sentences(remapped))
        number = partitions(run, lists_offered)
        with store.begin() as conn:
            first = applying.keep_written(conn, run_id=run_id)
        staging.write_json({"partitions": number, "first_part": first}, PARTITIONS)
    log.info("Opened run %d of account %s: %s, %d part(s)", run_id, account, sync.title, number)
    return Opened(run_id, number)


def find_run(store: Store, *, dag_id: str, dag_run_id: str, staging_for: StagingFor) -> Run:
    """Return the run that `open_run` recorded for this DAG run.

    Raises:
        StagingError: It was never opened.
    """
    with store.begin() as conn:
        row = runs.find_run(conn, dag_id=dag_id, dag_run_id=dag_run_id)
    if row is None:
        raise StagingError("This run was never opened; clear it from `open`.")
    account, sync = load_account(row.account), discovery.sync_type(row.sync_type)
    options = _options(row.params)
    with store.begin() as conn:
        records = selections.resolve(conn, account=row.account, chosen=options.records)
    return Run(
        run_id=row.run_id,
        account=account,
        sync=sync,
        options=options.model_copy(update={"records": records}),
        store=store,
        staging=staging_for(row.account, row.run_id),
        submitted_by=row.submitted_by,
        # An erasure does not depend on what the account keeps in step.
        reconfigured=sync is not ERASE and row.config_hash != config_hash(account),
    )


def _owed(
    conn: Connection, account: str, sync: SyncSpec, options: Options, this: tuple[str, str]
) -> int | None:
    """Return the run whose full resync this one has to repeat, as it was stopped or did not finish.

    Only a full read finds some of those who left a list; reads of changes would miss them.
    """
    if options.full_resync or options.restricted or options.dry_run:
        return None
    last = runs.last_full_resync(conn, account=account, sync_type=sync.name, excluding=this)
    applied = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)
    return None if last is None or last.status in applied else int(last.run_id)


def _whole_read_due(conn: Connection, account: str, sync: SyncSpec, options: Options) -> str | None:
    """Return why an ordinary run has to read everything again; None if it does not."""
    if sync.whole_every is None or options.restricted or options.dry_run:
        return None
    if not watermarks.has_read(conn, account=account, sync_type=sync.name):
        return None
    last = watermarks.last_whole_read(conn, account=account, sync_type=sync.name)
    if last is not None and last > datetime.now(UTC) - sync.whole_every:
        return None
    return (
        f"Reads everything, as every {sync.whole_every.days} days, since not every deletion is "
        "reported as a change."
    )


def _note(store: Store, run_id: int, sentences: list[str]) -> None:
    with store.begin() as conn:
        for sentence in sentences:
            runs.note(conn, run_id=run_id, sentence=sentence)


def _options(params: dict[str, object]) -> Options:
    known = {name: params[name] for name in Options.model_fields if name in params}
    return Options.model_validate(known)


def _obstacle(
    store: Store,
    account: Account,
    sync: SyncSpec,
    options: Options,
    missing_connections: MissingConnections,
) -> str | None:
    if not account.enabled:
        return f"Account {account.name} is disabled; set `enabled: true` in its file to run it."
    if unbound := sync.unbound(account.systems):
        return (
            f"{sync.title} needs a system in the role `{unbound[0]}`, which account {account.name} "
            f"does not have; {how_to_bind(unbound[0])}."
        )
    names = [account.system(role.name).connection for role in sync.roles]
    missing = missing_connections(names)
    if missing:
        return f"Airflow has no connection `{missing[0]}`; create it under Admin, Connections."
    unknown = sorted(set(options.lists) - set(account.lists))
    if unknown:
        return f"Account {account.name} maps no list `{unknown[0]}`; choose one of its lists' keys."
    return (
        _lost_selection(store, account, options)
        or undo.obstacle(store, account, sync, options)
        or _failed_prerequisite(store, account, sync)
    )


def _objection(account: Account, sync: SyncSpec, options: Options, submitted_by: str) -> str | None:
    objection = implementation(sync).objection
    return objection(account, options, submitted_by) if objection else None


def _lost_selection(store: Store, account: Account, options: Options) -> str | None:
    with store.begin() as conn:
        records = selections.resolve(conn, account=account.name, chosen=options.records)
    return selections.LOST if selections.unresolved(records) else None


def _failed_prerequisite(store: Store, account: Account, sync: SyncSpec) -> str | None:
    with store.begin() as conn:
        for name in (*sync.after, *prerequisites(account, sync)):
            last = runs.last_run(conn, account=account.name, sync_type=name)
            if last is not None and last.status == RunStatus.FAILED:
                first = discovery.sync_type(name)
                return (
                    f"{sync.called or sync.title} sync didn't start as "
                    f"{first.called or first.title} sync failed; "
                    f"fix run {last.run_id} and try again."
                )
    return None
