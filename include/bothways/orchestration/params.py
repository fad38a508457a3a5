"""What a person may choose at the trigger form of a sync DAG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from bothways.config.account import NAME_PATTERN, Account
from bothways.syncs.catalog import SyncType
from bothways.syncs.options import Options
from bothways.terms import RECORD_PATTERN


def sync_params(account: Account, sync: SyncType) -> dict[str, Param]:
    """Return the form's fields; their schema is what explains and checks them."""
    keys = sorted(account.lists)
    params = {
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Plan only: the audit shows what would be written, and nothing is.",
        ),
        "records": Param(
            [],
            type="array",
            items={"type": "string", "pattern": RECORD_PATTERN},
            title="Only these records",
            description="Ids of records, one a line, or a selection. An e-mail address is refused, "
            "since Airflow would keep it in its event log: give it to Sync now in the Sync Audit "
            f"console, or to `bothways select {account.name}`. Empty: everybody.",
        ),
    }
    if sync.compares:
        params["mend"] = Param(
            default=False,
            type="boolean",
            title="Mend",
            description="Write what would mend drift, after the same review as any run.",
        )
    else:
        params["full_resync"] = Param(
            default=False,
            type="boolean",
            title="Full resync",
            description="Read both sides whole instead of what changed since the last run.",
        )
    params["undo_run"] = Param(
        None,
        type=["integer", "null"],
        minimum=1,
        title="Undo this run",
        description="Number of an earlier run of this sync in the audit: what it wrote is taken "
        "back, where nobody has changed it since. Empty: an ordinary run.",
    )
    if sync.uses_lists:
        params["lists"] = Param(
            [],
            type="array",
            items={"type": "string", "enum": keys}
            if keys
            else {"type": "string", "pattern": NAME_PATTERN},
            title="Only these lists",
            description="Keys of the account's lists, one a line. Empty: all of them.",
        )
    return params


def options(params: Mapping[str, Any]) -> Options:
    """Return the choices that a DAG run was triggered with."""
    return Options(
        dry_run=bool(params.get("dry_run", False)),
        full_resync=bool(params.get("full_resync", False)),
        lists=tuple(params.get("lists") or ()),
        undo_run=params.get("undo_run"),
        mend=bool(params.get("mend", False)),
        records=tuple(item.strip() for item in params.get("records") or () if item.strip()),
    )
