"""What a person may choose at the trigger form of a sync DAG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from bothways.config.account import NAME_PATTERN, Account
from bothways.spec import Scope, SyncSpec
from bothways.syncs.options import Options
from bothways.vocabulary import RECORD_PATTERN


def sync_params(account: Account, sync: SyncSpec) -> dict[str, Param]:
    """Return the form's fields; their schema is what explains and checks them."""
    keys = sorted(account.lists)
    params = {
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Plans and writes nothing; the audit shows what would be written.",
        ),
        "records": Param(
            [],
            type="array",
            items={"type": "string", "pattern": RECORD_PATTERN},
            title="Only these records",
            description="Ids of records, one per line, or a selection. An email address is "
            "refused, since Airflow would keep it in its event log: give it to Sync now in the "
            f"Sync Audit console, or to `bothways select {account.name}`. Leave blank for all.",
        ),
    }
    if sync.verifies:
        params["repair"] = Param(
            default=False,
            type="boolean",
            title="Repair",
            description="Resolve the differences that no sync resolves, within the safety limits.",
        )
    else:
        params["full_resync"] = Param(
            default=False,
            type="boolean",
            title="Full resync",
            description="Re-read everything instead of what changed since the last run.",
        )
    if sync.reverts:
        params["undo_run"] = Param(
            None,
            type=["integer", "null"],
            minimum=1,
            title="Undo this run",
            description="Number of an earlier run of this sync in the audit: what it wrote is "
            "undone, unless somebody has changed it since. Leave blank for an ordinary run.",
        )
    if sync.scope is Scope.LISTS:
        params["lists"] = Param(
            [],
            type="array",
            items={"type": "string", "enum": keys}
            if keys
            else {"type": "string", "pattern": NAME_PATTERN},
            title="Only these lists",
            description="Keys of the account's lists, one per line. Leave blank for all.",
        )
    return params


def options(params: Mapping[str, Any]) -> Options:
    """Return the choices that a DAG run was triggered with."""
    return Options(
        dry_run=bool(params.get("dry_run", False)),
        full_resync=bool(params.get("full_resync", False)),
        lists=tuple(params.get("lists") or ()),
        undo_run=params.get("undo_run"),
        repair=bool(params.get("repair", False)),
        records=tuple(item.strip() for item in params.get("records") or () if item.strip()),
    )
