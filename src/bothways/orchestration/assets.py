"""Airflow assets: one for each sync type of an account, and one for each stream of its systems.

The first has an event for each run that went well, the second for each of them that read any rows
of the stream, whatever its sync type.

Airflow records an event of a task's outlet whenever the task succeeds, and a dry run succeeds too.
So the outlet of `close` is an alias, and `close` adds the asset to it where there is something to
tell (`airflow.sdk.execution_time.context.OutletEventAccessor.add`, Airflow 3.3.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import Context


def asset(account: str, sync_type: str) -> Asset:
    """Return what has an event whenever a sync type of an account has run."""
    return Asset(f"bothways://{account}/{sync_type}")


def stream_asset(account: str, role: str, stream: str) -> Asset:
    """Return what has an event whenever there was news of a stream of one system."""
    return Asset(f"bothways://{account}/{role}/{stream}")


def outlet(account: str, sync_type: str) -> AssetAlias:
    """Return the outlet of the task that may tell the asset's event."""
    return AssetAlias(f"{account}__{sync_type}")


def tell(context: Context, account: str, sync_type: str, extra: Mapping[str, Any]) -> None:
    """Have Airflow record events of the assets, once this task has succeeded."""
    events = context["outlet_events"][outlet(account, sync_type)]
    events.add(asset(account, sync_type), extra=dict(extra))
    for role, streams in extra["streams"].items():
        for stream, rows in streams.items():
            told = {"run": extra["run"], "sync_type": sync_type, "rows": rows}
            events.add(stream_asset(account, role, stream), extra=told)
