"""What Airflow asks an installed provider for: its name and its connection types.

Airflow builds the Connections form from this alone; the hooks are imported when they are used.
"""

from __future__ import annotations

from typing import Any

from bothways.discovery import connectors
from bothways.spec import Declaration

# Airflow's Test button (3.3.2) sends 0 for an empty port and refuses what differs from the stored
# connection, so that it works only where a port is stored.
_PORT = "443, or empty where Airflow's Test button is switched off"


def get_provider_info() -> dict[str, Any]:
    """Tell Airflow what is installed: a connection type for each connector, whoever brings it."""
    return {
        "package-name": "bothways",
        "name": "Bothways",
        "description": "Keeps a CRM and a marketing platform in step.",
        "connection-types": [_connection_type(known) for known in connectors().values()],
    }


def _connection_type(known: Declaration) -> dict[str, Any]:
    # No form shows `ca_file` in extra, which is of use with a private certificate authority.
    return {
        "connection-type": known.name,
        "hook-name": known.title,
        "hook-class-name": known.hook,
        "conn-fields": dict(known.form.fields),
        "ui-field-behaviour": {
            "hidden-fields": list(known.form.hidden),
            "relabeling": dict(known.form.labels),
            "placeholders": {"port": _PORT, **known.form.placeholders},
        },
    }
