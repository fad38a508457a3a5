"""What Airflow asks an installed provider for: its name and its connection types.

Airflow builds the Connections form from this alone; the hooks are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DYNAMICS_FIELDS: Mapping[str, Any] = {
    "tenant": {
        "label": "Tenant",
        "description": "Directory (tenant) id or domain of the Microsoft Entra tenant.",
        "schema": {"type": "string", "minLength": 1},
    },
    "authority": {
        "label": "Authority URL",
        "description": "Where tokens come from: one of Microsoft's sign-in hosts; other than the"
        " default in national clouds only.",
        "schema": {
            "type": ["string", "null"],
            "format": "url",
            "default": "https://login.microsoftonline.com",
        },
    },
    "publisher_prefix": {
        "label": "Publisher prefix",
        "description": "Begins the names of the columns and the table that Bothways creates.",
        "schema": {"type": ["string", "null"], "default": "bw"},
    },
    "solution": {
        "label": "Solution",
        "description": "Unique name of the unmanaged solution that they become part of; may be"
        " empty.",
        "schema": {"type": ["string", "null"]},
    },
}

# Airflow's Test button (3.3.2) sends 0 for an empty port and refuses what differs from the stored
# connection, so that it works only where a port is stored.
_PORT = "443, or empty where Airflow's Test button is switched off"

# Shown by no vendor's form, but of use with a private certificate authority: `ca_file` in extra.
_CONNECTION_TYPES: tuple[dict[str, Any], ...] = (
    {
        "connection-type": "dynamics",
        "hook-name": "Dynamics 365",
        "hook-class-name": "bothways.connectors.dynamics.hook.DynamicsHook",
        "conn-fields": _DYNAMICS_FIELDS,
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {
                "host": "Environment URL",
                "login": "Client id",
                "password": "Client secret",
            },
            "placeholders": {
                "host": "https://yourorg.crm4.dynamics.com",
                "port": _PORT,
                "login": "Application (client) id of the app registration",
            },
        },
    },
    {
        "connection-type": "dotdigital",
        "hook-name": "Dotdigital",
        "hook-class-name": "bothways.connectors.dotdigital.hook.DotdigitalHook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {
                "host": "API host",
                "login": "API user",
                "password": "API password",
            },
            "placeholders": {
                "host": "https://r1-api.dotdigital.com",
                "port": _PORT,
                "login": "apiuser-xxxxxxxxxxxx@apiconnector.com",
            },
        },
    },
)


def get_provider_info() -> dict[str, Any]:
    """Tells Airflow what this package brings (entry point `apache_airflow_provider`)."""
    return {
        "package-name": "bothways",
        "name": "Bothways",
        "description": "Keeps a CRM and a marketing platform in step.",
        "connection-types": list(_CONNECTION_TYPES),
    }
