"""The Airflow connection type "Dynamics 365"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bothways.connectors.dynamics.client import HOSTS, Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.dynamics.declaration import DECLARATION
from bothways.connectors.http.auth import HeaderAuth
from bothways.connectors.http.hook import ConnectorHook

if TYPE_CHECKING:
    import requests


class DynamicsHook(ConnectorHook):
    """Gives a connector for an Airflow connection.

    Host is the environment's URL, login the client id, password the client secret; the further
    fields stand in the connection's extra.
    """

    conn_type = DECLARATION.name
    hook_name = DECLARATION.title
    default_conn_name = "dynamics_default"
    hosts = HOSTS

    def connector(self) -> DynamicsConnector:
        """Return the connector for this connection."""
        return DynamicsConnector(self.settings())

    def get_conn(
        self,
        headers: dict[Any, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
    ) -> requests.Session:
        """Return a session with a token; the client secret goes to the token endpoint only."""
        session = super().get_conn(headers, extra_options)
        client = Dataverse(self.settings(), parallel=1)
        try:
            session.auth = HeaderAuth(client.credentials())
        finally:
            client.close()
        return session
