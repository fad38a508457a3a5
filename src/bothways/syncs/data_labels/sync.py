"""What the sync of data labels reads, and in which of the two ways labels are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.connectors.base import Connector
from bothways.discovery import declaration
from bothways.streams.fields import DataLabels, Fields
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.data_labels import DATA_LABEL, SPEC, Settings, columns, rows
from bothways.syncs.data_labels.entering import LABELS
from bothways.syncs.jobs import ignored, joined
from bothways.vocabulary import Reason


def datasets(request: Request) -> list[Dataset]:
    """Read the platform's fields; of the CRM the table of labels, or the columns of people."""
    settings = _settings(request.account)
    if request.side == "marketing":
        return [Dataset("fields", Fields(entities=("contact",)))]
    if settings.labels == "columns":
        return [Dataset("fields", Fields(entities=settings.tables))]
    return [
        Dataset(LABELS, DataLabels(record=DATA_LABEL.name)),
        Dataset("all_labels", DataLabels(record=DATA_LABEL.name, everything=True)),
    ]


def plan(inputs: Inputs) -> Plan:
    """Give each new field a label, and each new label a field; few as they are, in one part."""
    if inputs.partition:
        return Plan(joined([]))
    settings = _settings(inputs.account)
    make = columns.jobs if settings.labels == "columns" else rows.jobs
    made = make(inputs, settings)
    return replace(made, jobs=joined([made.jobs, _gone(inputs, made.jobs)]))


def _gone(inputs: Inputs, jobs: pd.DataFrame) -> pd.DataFrame:
    """Settle retries that have nothing left to do, such as that of a label that was deleted."""
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


def obstacles(request: Request, connector: Connector) -> list[str]:
    """Return what the CRM cannot do that the settings ask for."""
    if request.side != "crm":
        return []
    settings, can = _settings(request.account), declaration(connector.declaration.name).capabilities
    as_rows = {"ReadsRecords", "WritesRecords"}
    needed = {"CreatesColumns"} if settings.labels == "columns" else as_rows
    if needed <= can:
        return []
    return [f"{connector.declaration.title} cannot keep data labels as {settings.labels}"]


def _settings(account: Account) -> Settings:
    return cast(Settings, account.settings_of(SPEC))


SYNC: Final = SyncType(datasets, plan, obstacles=obstacles)
