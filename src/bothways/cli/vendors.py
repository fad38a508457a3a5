"""A connector for one side of an account, outside of Airflow's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bothways.config.account import Account, SideConfig
from bothways.connectors.base import Connector
from bothways.connectors.opening import open_connector
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import missing_connections
from bothways.vocabulary import Side


@contextmanager
def opened(side: SideConfig) -> Iterator[Connector]:
    """Open the connector of a side, and close it.

    Raises:
        ConfigurationError: Airflow has no such connection, or a setting is missing in it.
    """
    if missing_connections([side.connection]):
        raise ConfigurationError(
            f"Airflow has no connection `{side.connection}`; create it under Admin, Connections, "
            "and run this command with Airflow's own environment (AIRFLOW__…, AIRFLOW_CONN_…)."
        )
    connector = open_connector(side.connector, side.connection)
    try:
        yield connector
    finally:
        connector.close()


def open_side(account: Account, side: Side) -> AbstractContextManager[Connector]:
    """Open the connector of one side of an account, as `opened` does."""
    return opened(account.side(side))
