"""Airflow assets: one for each account and sync type, with an event for each run that went well.

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


def outlet(account: str, sync_type: str) -> AssetAlias:
    """Return the outlet of the task that may tell the asset's event."""
    return AssetAlias(f"{account}__{sync_type}")


def tell(context: Context, account: str, sync_type: str, extra: Mapping[str, Any]) -> None:
    """Have Airflow record an event of the asset, once this task has succeeded."""
    events = context["outlet_events"][outlet(account, sync_type)]
    events.add(asset(account, sync_type), extra=dict(extra))
