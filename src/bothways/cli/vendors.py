"""A connector for one system of an account, outside of Airflow's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bothways.config.account import Account, SystemConfig
from bothways.connectors.base import Connector
from bothways.connectors.opening import open_connector, with_tables
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import missing_connections
from bothways.vocabulary import RoleName


@contextmanager
def opened(system: SystemConfig) -> Iterator[Connector]:
    """Open the connector of a system, and close it.

    Raises:
        ConfigurationError: Airflow has no such connection, or a setting is missing in it.
    """
    if missing_connections([system.connection]):
        raise ConfigurationError(
            f"Airflow has no connection `{system.connection}`; create it under Admin, Connections, "
            "and run this command with Airflow's own environment (AIRFLOW__…, AIRFLOW_CONN_…)."
        )
    connector = open_connector(system.connector, system.connection)
    try:
        yield with_tables(connector, system)
    finally:
        connector.close()


def open_system(account: Account, role: RoleName) -> AbstractContextManager[Connector]:
    """Open the connector of one system of an account, as `opened` does."""
    return opened(account.system(role))
