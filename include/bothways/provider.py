"""What Airflow asks an installed provider for: its name and its connection types."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Tells Airflow what this package brings (entry point `apache_airflow_provider`)."""
    return {
        "package-name": "bothways",
        "name": "Bothways",
        "description": "Keeps a CRM and a marketing platform in step.",
    }
