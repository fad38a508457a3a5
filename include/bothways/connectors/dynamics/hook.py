"""The Airflow connection type "Dynamics 365"."""

from __future__ import annotations

from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.dynamics.names import TITLE
from bothways.connectors.http.hook import ConnectorHook


class DynamicsHook(ConnectorHook):
    """Gives a connector for an Airflow connection.

    Host is the environment's URL, login the client id, password the client secret; the further
    fields stand in the connection's extra.
    """

    conn_type = "dynamics"
    hook_name = TITLE
    default_conn_name = "dynamics_default"

    def connector(self) -> DynamicsConnector:
        """Return the connector for this connection."""
        return DynamicsConnector(self.settings())
