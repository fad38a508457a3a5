"""What a run of provisioning reads and decides: what is missing is made, a job for each thing."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bothways.config.known import records_kept
from bothways.streams.missing import Missing
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import due, job_frame, joined, unchanged
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import DEFINITION, OperationKind, Result

MISSING: Final = "missing"
_TOLD: Final = {"kind": "kind", "name": "name", "part_of": "part_of"}


def datasets(request: Request) -> list[Dataset]:
    """Ask what is missing for the sync types that the account uses."""
    names = tuple(kind.name for kind in records_kept(request.account))
    return [Dataset(MISSING, Missing(records=names))]


def plan(inputs: Inputs) -> Plan:
    """Make what is missing, or of that what the person at the trigger form named.

    One partition plans it all, since one thing has to be there before another.
    """
    if inputs.partition:
        return Plan(joined([]))
    rows = inputs.staged.read_all("crm", MISSING)
    ids = rows["id"] if len(rows) else pd.Series(dtype="string")
    # What failed and has been made by hand since is not tried any more.
    made = due(inputs, "crm", DEFINITION)
    made = made[~made["source_id"].isin(ids)]
    if inputs.options.records:
        rows = rows[ids.isin(inputs.options.records)]
    if rows.empty:
        return Plan(unchanged(made, **_about(made["source_id"])))
    told = json_objects(rows, _TOLD)
    jobs = job_frame(
        rows,
        kind=OperationKind.PROVISION,
        result=Result.NEW,
        values=told,
        after=told,
        **_about(rows["id"]),
    )
    return Plan(joined([unchanged(made, **_about(made["source_id"])), jobs]))


def _about(ids: pd.Series) -> dict[str, object]:
    return {
        "target": "crm",
        "entity": DEFINITION,
        "key": ids,
        "source": "crm",
        "source_entity": DEFINITION,
        "source_id": ids,
    }


SYNC: Final = SyncType(datasets, plan)
