"""The connection type "CSV folder" of Airflow."""

from __future__ import annotations

from airflow.sdk import BaseHook

from bothways.connectors.base import ConnectionSettings
from bothways.errors import BothwaysError, ConfigurationError
from bothways_csv.connector import CsvConnector
from bothways_csv.declaration import DECLARATION


class CsvHook(BaseHook):
    """The connection's host is the folder; there are no credentials."""

    conn_type = DECLARATION.name
    hook_name = DECLARATION.title
    conn_name_attr = "csv_conn_id"
    default_conn_name = "csv_folder_default"

    def __init__(self, csv_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.csv_conn_id = csv_conn_id

    def connector(self) -> CsvConnector:
        """Return the connector for this connection.

        Raises:
            ConfigurationError: The connection is of another type.
        """
        connection = self.get_connection(self.csv_conn_id)
        if connection.conn_type != self.conn_type:
            raise ConfigurationError(
                f"Connection `{self.csv_conn_id}` is of type `{connection.conn_type}`; "
                f"name one of type {self.hook_name} (`{self.conn_type}`)."
            )
        return CsvConnector(ConnectionSettings(connection.host or ""))

    def test_connection(self) -> tuple[bool, str]:
        """Look whether the files are there: what the Test button on the Connections page does."""
        try:
            return True, self.connector().check()
        except BothwaysError as error:
            return False, str(error)
