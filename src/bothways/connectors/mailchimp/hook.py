"""The connection type "Mailchimp" of Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bothways.connectors.http.hook import ConnectorHook
from bothways.connectors.mailchimp.client import HOSTS, api_host
from bothways.connectors.mailchimp.connector import MailchimpConnector
from bothways.connectors.mailchimp.declaration import DECLARATION

if TYPE_CHECKING:
    from airflow.sdk import Connection


class MailchimpHook(ConnectorHook):
    """The password is an API key, whose end names the data centre and so the host."""

    default_conn_name = "mailchimp_default"
    conn_type = DECLARATION.name
    hook_name = DECLARATION.title
    hosts = HOSTS

    def host_of(self, connection: Connection) -> str:
        """Return the connection's host, or the one that its key names."""
        return api_host(connection.host or "", connection.password or "")

    def connector(self) -> MailchimpConnector:
        """Return the connector for this connection."""
        return MailchimpConnector(self.settings())
