"""What the sync of data labels reads, and in which of the two ways labels are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from bothways.config.account import Account
from bothways.connectors.base import Connector
from bothways.discovery import declaration
from bothways.streams.definitions import Records
from bothways.streams.fields import Fields
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.data_labels import DATA_LABEL, SPEC, Settings, columns, rows
from bothways.syncs.data_labels.entering import LABELS
from bothways.syncs.definitions import settled
from bothways.syncs.jobs import joined


def datasets(request: Request) -> list[Dataset]:
    """Read the platform's fields; of the CRM the table of labels, or the columns of people."""
    settings = _settings(request.account)
    if request.side == "marketing":
        return [Dataset("fields", Fields(entities=("contact",)))]
    if settings.labels == "columns":
        return [Dataset("fields", Fields(entities=settings.tables))]
    return [
        Dataset(LABELS, Records(kind=DATA_LABEL.name)),
        Dataset("all_labels", Records(kind=DATA_LABEL.name, everything=True)),
    ]


def plan(inputs: Inputs) -> Plan:
    """Give each new field a label, and each new label a field; few as they are, in one part."""
    if inputs.partition:
        return Plan(joined([]))
    settings = _settings(inputs.account)
    make = columns.jobs if settings.labels == "columns" else rows.jobs
    made = make(inputs, settings)
    return replace(made, jobs=joined([made.jobs, settled(inputs, made.jobs)]))


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
