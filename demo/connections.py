"""The Airflow connections of the demo account: the sandbox's two vendors, and the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


def demo_connections(sandbox_url: str, store_url: str) -> list[dict[str, Any]]:
    """Connections as Airflow's REST API takes them.

    Args:
        sandbox_url: where the sandbox answers, `http://host:port`.
        store_url: Bothways' own database, `postgresql://user:password@host:port/name`.
    """
    store = urlsplit(store_url)
    return [
        {
            "connection_id": "demo_dynamics",
            "conn_type": "dynamics",
            "description": "The sandbox's Dynamics 365",
            "host": sandbox_url,
            "login": "00000000-0000-0000-0000-00000000b0b0",
            "password": "sandbox-secret",
            "extra": json.dumps({"tenant": "contoso.example", "authority": sandbox_url}),
        },
        {
            "connection_id": "demo_dotdigital",
            "conn_type": "dotdigital",
            "description": "The sandbox's Dotdigital",
            "host": sandbox_url,
            "login": "apiuser-sandbox@apiconnector.example",
            "password": "sandbox-password",
        },
        {
            "connection_id": "bothways_store",
            "conn_type": "postgres",
            "description": "Bothways' own database: audit, links, baselines, watermarks",
            "host": store.hostname,
            "port": store.port,
            "login": store.username,
            "password": store.password,
            "schema": store.path.lstrip("/"),
        },
    ]


def as_environment(connections: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The same as `AIRFLOW_CONN_…` variables, for commands that run outside of Airflow."""
    return {
        f"AIRFLOW_CONN_{connection['connection_id'].upper()}": json.dumps(
            {k: v for k, v in connection.items() if k != "connection_id"}
        )
        for connection in connections
    }
