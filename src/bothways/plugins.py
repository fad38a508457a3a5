"""What the library adds to Airflow: the timetable and the Sync Audit console.

Airflow finds both by entry point (`airflow.plugins`), once, in each process that loads plugins. So
nothing heavy is imported here, and no file of `plugins/` may register them again.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from bothways.orchestration.timetable import IntervalWindowTimetable


class BothwaysSchedule(AirflowPlugin):
    """Makes account schedules known to the scheduler."""

    name = "bothways_schedule"
    timetables = [IntervalWindowTimetable]


class BothwaysConsole(AirflowPlugin):
    """Puts the console into the navigation, and its tabs on DAGs and DAG runs."""

    name = "bothways_console"

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return where the pages are, below the path that Airflow itself has."""
        root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + "/bothways"
        return [
            {
                "name": "Sync Audit",
                "href": f"{root}/",
                "destination": "nav",
                "nav_top_level": True,
                "url_route": "sync-audit",
                "icon": f"{root}/static/icon.svg",
                "icon_dark_mode": f"{root}/static/icon-dark.svg",
            },
            {
                "name": "Sync Audit",
                "href": f"{root}/dags/{{DAG_ID}}",
                "destination": "dag",
                "url_route": "sync-audit-of-dag",
            },
            {
                "name": "Sync Audit",
                "href": f"{root}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
                "destination": "dag_run",
                "url_route": "sync-audit-of-run",
            },
        ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the application; only API servers ask, so only they import it."""
        from bothways.console.app import PREFIX, create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Bothways"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return what keeps addresses and keys out of Airflow's logs, and adds a last slash."""
        from bothways.console.gate import NoAddresses, NoKeys
        from bothways.console.slash import AddSlash

        return [
            {"middleware": NoAddresses, "name": "Bothways: no addresses in the event log"},
            {"middleware": NoKeys, "name": "Bothways: no keys in the access log"},
            {"middleware": AddSlash, "name": "Bothways: last slash"},
        ]
