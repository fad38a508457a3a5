"""The connection type "Dotdigital" of Airflow."""

from __future__ import annotations

from bothways.connectors.dotdigital.client import HOSTS
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.dotdigital.declaration import DECLARATION
from bothways.connectors.http.hook import ConnectorHook


class DotdigitalHook(ConnectorHook):
    """Login and password are those of an API user; any regional host will do."""

    default_conn_name = "dotdigital_default"
    conn_type = DECLARATION.name
    hook_name = DECLARATION.title
    default_host = "https://r1-api.dotdigital.com"
    hosts = HOSTS

    def connector(self) -> DotdigitalConnector:
        """Return the connector for this connection."""
        return DotdigitalConnector(self.settings())
