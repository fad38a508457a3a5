"""Named things of a platform that are written to the CRM as records: campaigns, forms, tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import Inputs
from bothways.syncs.jobs import ignored, job_frame, joined, unchanged
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.json_rows import json_objects, read_objects, with_more
from bothways.vocabulary import OperationKind, Reason, Result, RoleName


def definition_jobs(
    inputs: Inputs,
    kind: str,
    dataset: str,
    *,
    details: Callable[[pd.Series], pd.Series] = lambda told: told,
    wanted: Callable[[pd.DataFrame], pd.Series] | None = None,
    ended: Callable[[pd.Series], pd.Series] | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Return a job for each thing that was read or is tried again, and the ids of those there.

    A thing is written when its values are others than those that were written last, and in a full
    resync. None is where people were named. One that the platform no longer has keeps its record,
    and so do the events that belong to it.

    Args:
        inputs: The plan's inputs.
        kind: What the things are, in the store and among the CRM's records.
        dataset: The platform's dataset that reads them.
        details: What is written of the details that the store has, both JSON objects.
        wanted: A mask of the DEFINITIONS to write; of what was written once, each change is.
        ended: What is written of the details of one that the platform no longer has, where its
            record is to say so.

    Returns:
        JOBS, and the ids of all things that the CRM has, or will have once the jobs are done.
    """
    known = inputs.view.definitions("marketing", kind)
    if wanted is not None:
        known = known[known["written"].notna() | wanted(known)]
    jobs = _jobs(inputs, kind, known[known["id"].isin(_entered(inputs, kind, dataset))], details)
    written = jobs.loc[jobs["kind"].notna(), "key"]
    there = known["written"].notna() | known["id"].isin(written)
    gone = inputs.view.definitions("marketing", kind, deleted=True).dropna(subset="written")
    if ended is not None and not inputs.options.records:
        told = _jobs(inputs, kind, gone, ended)
        jobs = joined([jobs, told[told["kind"].notna()]])
    return jobs, pd.concat([known.loc[there, "id"], gone["id"]])


def _jobs(
    inputs: Inputs, kind: str, rows: pd.DataFrame, details: Callable[[pd.Series], pd.Series]
) -> pd.DataFrame:
    if rows.empty:
        return joined([])
    values = with_more(json_objects(rows, {"name": "name"}), details(rows["details"]))
    changed = values.ne(rows["written"]).fillna(value=True) | inputs.options.full_resync
    result = pd.Series(Result.NEW.value, index=rows.index)
    about = {
        "source": "marketing",
        "source_entity": kind,
        "source_id": rows["id"],
        "entity": kind,
        "key": rows["id"],
    }
    return joined(
        [
            unchanged(rows[~changed], **about),
            job_frame(
                rows[changed],
                target="crm",
                kind=OperationKind.UPSERT,
                result=result.mask(rows["written"].notna(), Result.UPDATED.value),
                values=values,
                before=rows["written"],
                after=values,
                **about,
            ),
        ]
    )


def _entered(inputs: Inputs, kind: str, dataset: str) -> pd.Series:
    if inputs.options.records:
        return pd.Series(dtype="string")
    read = inputs.staged.read_all("marketing", dataset)
    if inputs.options.campaigns and not read.empty:
        return read["id"]
    again = inputs.retries[inputs.retries["entity"] == kind]["source_id"]
    return again if read.empty else pd.concat([read["id"], again])


def with_details(rows: pd.DataFrame, types: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Return DEFINITIONS with these members of their details as columns of the same names."""
    told = read_objects(rows["details"], types)
    return rows.assign(**{name: told[f"{FIELD_PREFIX}{name}"] for name in types})


def with_deleted(inputs: Inputs, kind: str) -> pd.DataFrame:
    """Return the platform's DEFINITIONS of a kind, those deleted too: `there` tells them apart."""
    known = [
        inputs.view.definitions("marketing", kind, deleted=gone).assign(there=not gone)
        for gone in (False, True)
    ]
    return pd.concat(known, ignore_index=True)


def read_ids(inputs: Inputs, side: RoleName, dataset: str, column: str = "id") -> pd.Series:
    """Return the ids of all that this run has read of a dataset."""
    rows = inputs.staged.read_all(side, dataset)
    return pd.Series([] if rows.empty else rows[column], dtype=pd.ArrowDtype(pa.string()))


def waiting(
    inputs: Inputs, sync_type: str, source: RoleName, ids: pd.Series, changed: pd.Series
) -> pd.Series:
    """Return a mask of what is in error and not due yet, unless somebody has changed it since.

    Args:
        inputs: The plan's inputs.
        sync_type: Whose errors.
        source: Of which side the things are.
        ids: The things.
        changed: The ids of those that were changed since the last run.
    """
    errors = inputs.view.retries(sync_type)
    failed = errors[errors["source"] == source]["source_id"]
    due = inputs.retries[inputs.retries["source"] == source]["source_id"]
    return ids.isin(failed) & ~ids.isin(due) & ~ids.isin(changed)


def settled(inputs: Inputs, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return jobs that end retries which have nothing left to do: what they are of is gone.

    Args:
        inputs: The plan's inputs.
        jobs: All others of the plan.
    """
    due = inputs.retries
    if inputs.options.records or due.empty:
        return joined([])
    left = due[~due["source_id"].isin(jobs["source_id"])]
    return ignored(
        left,
        Reason.GONE,
        source=left["source"],
        source_entity=left["entity"],
        source_id=left["source_id"],
        entity=left["entity"],
    )
