"""The Airflow connections of the demo's accounts, which point at the sandbox.

`python -m demo.connections http://host:port` prints them for `airflow connections import`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def demo_connections(sandbox_url: str) -> dict[str, dict[str, str]]:
    """Connection id to its fields; the credentials are those that the sandbox's page tells.

    Args:
        sandbox_url: where the sandbox answers, `http://host:port`.
    """
    return {
        "demo_dynamics": {
            "conn_type": "dynamics",
            "description": "The sandbox's Dynamics 365",
            "host": sandbox_url,
            "login": "00000000-0000-0000-0000-00000000b0b0",
            "password": "sandbox-secret",
            "extra": json.dumps({"tenant": "contoso.example", "authority": sandbox_url}),
        },
        "demo_dotdigital": {
            "conn_type": "dotdigital",
            "description": "The sandbox's Dotdigital",
            "host": sandbox_url,
            "login": "apiuser-sandbox@apiconnector.example",
            "password": "sandbox-password",
        },
        "demo_mailchimp": {
            "conn_type": "mailchimp",
            "description": "The sandbox's Mailchimp",
            "host": sandbox_url,
            "password": "0123456789abcdef0123456789abcdef-us1",
        },
    }


def as_entities(connections: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """The same for Airflow's REST API."""
    return [{"connection_id": name, **fields} for name, fields in connections.items()]


if __name__ == "__main__":
    print(json.dumps(demo_connections(sys.argv[1]), indent=2))
