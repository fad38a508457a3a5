"""The third step: decide, for one partition of what was extracted, what is to be done."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pandas as pd
from sqlalchemy import Connection

from bothways.config.account import tagged_by
from bothways.config.load import load_rule_files
from bothways.discovery import declaration
from bothways.engine import bulk, keeping, meanings
from bothways.engine.progress import marks_of
from bothways.engine.recheck import with_state_hashes
from bothways.engine.run import Run
from bothways.engine.staging import PARTITIONS, StagedPartition
from bothways.errors import RunStopped
from bothways.store import jobs as job_store
from bothways.store import list_states, retries, runs
from bothways.store.view import PostgresView
from bothways.syncs.base import JOBS, Inputs, KnownList, Plan, implementation
from bothways.transform.ignore import Rules
from bothways.transform.normalise import email_keys
from bothways.transform.operations import chunks, equal_size, number
from bothways.vocabulary import SIDES, RoleName

log = logging.getLogger(__name__)

_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def plan(run: Run, partition: int) -> dict[str, int]:
    """Write the partition's jobs to the audit and its operations to staging; return numbers.

    A repeat replaces what the earlier try wrote.
    """
    division = run.staging.read_json(PARTITIONS) or {"partitions": 1, "first_part": 0}
    part = division["first_part"] + partition
    with run.store.begin() as conn:
        inputs = _inputs(run, conn, partition, division["partitions"])
        _note_new_pairs(run, conn, inputs)
        decided = _decide(run, inputs)
        jobs = _numbered(decided.jobs, part)
        for sentence in decided.notes:
            runs.note(conn, run_id=run.run_id, sentence=sentence)
        numbers = _chunked(run, conn, partition, jobs)
        job_store.write_jobs(
            conn,
            run_id=run.run_id,
            account=run.account.name,
            rows=jobs,
            part=part,
        )
        numbers["operations"] += bulk.stage(
            run, conn, decided.bulk, partition=partition, part=part, after=len(jobs)
        )
    keeping.stage(run.staging, decided.keep, partition)
    told = {**numbers, "skipped": decided.skipped}
    run.staging.write_json(told, "plan", f"{partition:04d}.json")
    log.info(
        "Planned part %d: %d records, %d changes to write",
        partition + 1,
        numbers["jobs"],
        numbers["operations"],
    )
    return numbers


def _decide(run: Run, inputs: Inputs) -> Plan:
    """Plan the sync, or the undo of an earlier run of it.

    Raises:
        RunStopped: Runs of this sync type cannot be undone.
    """
    sync = implementation(run.sync)
    if not run.options.undo_run:
        return sync.plan(inputs)
    if sync.revert is None:
        raise RunStopped(f"Runs of {run.sync.title} cannot be undone.")
    return sync.revert(inputs)


def _note_new_pairs(run: Run, conn: Connection, inputs: Inputs) -> None:
    """Note which pairs of lists replace others: list states of those do not apply to these."""
    account = run.account.name
    if not inputs.lists.keys() >= set(SIDES):
        return
    for key in inputs.lists["crm"]:
        pair = inputs.pair(key)
        if (
            not tagged_by(key)
            and all(pair)
            and list_states.is_replacement(conn, account=account, pair=pair)
        ):
            exact = not inputs.lists["crm"][key].static and (
                run.account.lists[key].when_left == "exact"
            )
            removed = "whoever its query does not find is removed" if exact else "nobody is removed"
            sentence = f"list {key}: these two lists are synced for the first time; {removed}."
            runs.note(conn, run_id=run.run_id, sentence=sentence)


def _numbered(jobs: pd.DataFrame, part: int) -> pd.DataFrame:
    numbered = number([jobs], JOBS)
    return numbered.assign(
        seq=numbered["seq"] + job_store.first_seq(part),
        email_key=email_keys(numbered["email"]),
    )


def _inputs(run: Run, conn: Connection, partition: int, partitions: int) -> Inputs:
    known = {role: _staged_lists(run, role) for role in run.sync.read_roles}
    everywhere = set.intersection(*map(set, known.values())) if known else set()
    files = load_rule_files()
    return Inputs(
        run_id=run.run_id,
        account=run.account,
        options=run.options,
        rules=Rules(
            run.account.ignore,
            role_names=files.role_names,
            known_domains=files.domains,
            only_active=run.account.settings.only_open_leads_and_active_contacts,
        ),
        lists={
            role: {key: item for key, item in found.items() if key in everywhere}
            for role, found in known.items()
        },
        staged=StagedPartition(run.staging, partition, partitions),
        systems=run.systems,
        view=PostgresView(conn, run.account.name),
        retries=_due(run, conn, partitions),
        started_at=runs.started_at(conn, run_id=run.run_id),
        whole=any(_read_whole(run, role) for role in run.sync.read_roles),
        compares=bool(run.sync.verifies),
        without_base=meanings.without_base(conn, run),
        partition=partition,
        partitions=partitions,
    )


def _read_whole(run: Run, side: RoleName) -> bool:
    return any(mark["whole"] for mark in marks_of(run.staging, side).values())


def _staged_lists(run: Run, side: RoleName) -> dict[str, KnownList]:
    staged = run.staging.read_json(side, "lists.json") or []
    return {item["key"]: KnownList(**item) for item in staged}


def _due(run: Run, conn: Connection, partitions: int) -> pd.DataFrame:
    """Return what is to be tried again; whoever names records does not want to wait for it.

    A run in several partitions reads everything, so that what is due is among it.
    """
    now = _END_OF_TIME if run.options.records else datetime.now(UTC)
    rows = retries.due(conn, account=run.account.name, sync_type=run.sync.name, now=now)
    return rows if partitions == 1 else rows.iloc[:0]


def _chunked(run: Run, conn: Connection, partition: int, jobs: pd.DataFrame) -> dict[str, int]:
    """Stage the operations of each system in chunks; return the numbers of jobs and operations.

    Raises:
        LookupError: An operation is for a role that the sync type does not write.
    """
    run.staging.drop_chunks(partition)
    planned = jobs[jobs["kind"].notna()]
    if planned.empty:
        return {"jobs": len(jobs), "operations": 0}
    operations = with_state_hashes(run, conn, planned)
    written = run.sync.written_roles
    if strays := set(operations["target"].dropna()) - set(written):
        raise LookupError(
            f"{run.sync.title} plans operations for {sorted(strays)}, but its SyncSpec writes "
            f"{list(written)}; correct one of the two."
        )
    for role in written:
        own = operations[operations["target"] == role]
        system = run.account.system(role)
        most = declaration(system.connector).limits.chunk_rows
        size = equal_size(len(own), at_most=most, workers=system.at_once)
        for position, chunk in enumerate(chunks(own, size)):
            run.staging.write_chunk(role, partition, position, chunk)
    return {"jobs": len(jobs), "operations": len(operations)}
