"""Registers the Sync Audit console with Airflow; the pages live in the library."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

_ROOT = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + "/bothways"


class BothwaysConsole(AirflowPlugin):
    """Puts the console into the navigation, and its tabs on DAGs and DAG runs."""

    name = "bothways_console"
    external_views = [
        {
            "name": "Sync Audit",
            "href": f"{_ROOT}/",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "sync-audit",
            "icon": f"{_ROOT}/static/icon.svg",
            "icon_dark_mode": f"{_ROOT}/static/icon-dark.svg",
        },
        {
            "name": "Sync Audit",
            "href": f"{_ROOT}/dags/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "sync-audit-of-dag",
        },
        {
            "name": "Sync Audit",
            "href": f"{_ROOT}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "sync-audit-of-run",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Give the application; only API servers ask, so only they import it."""
        from bothways.console.app import PREFIX, create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Bothways"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Give what keeps addresses out of Airflow's event log, and what completes its address."""
        from bothways.console.gate import NoAddresses
        from bothways.console.slash import AddSlash

        return [
            {"middleware": NoAddresses, "name": "Bothways: no addresses in the event log"},
            {"middleware": AddSlash, "name": "Bothways: last slash"},
        ]
