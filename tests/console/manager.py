"""Airflow's simple auth manager, with one person who may see one account's DAGs only."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class Manager(SimpleAuthManager):
    """`north` has a role like everybody's, over the DAGs of account north."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **asked: Any) -> bool:
        dag_id = details.id if details else None
        if user.get_id() == "north" and not str(dag_id).startswith("north__"):
            return False
        return super().is_authorized_dag(user=user, details=details, **asked)
