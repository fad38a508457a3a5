"""Makes connectors by name; what imports one of them comes through here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from bothways.discovery import declaration
from bothways.errors import ConfigurationError

if TYPE_CHECKING:
    from bothways.config.account import SystemConfig
    from bothways.connectors.base import ConnectionSettings, Connector


def make_connector(name: str, settings: ConnectionSettings) -> Connector:
    """Return a connector for settings from anywhere: tests, commands, a notebook.

    Raises:
        ConfigurationError: There is no such connector, or a setting is missing.
    """
    return cast("Connector", _load(declaration(name).connector)(settings))


def open_connector(name: str, connection_id: str) -> Connector:
    """Return a connector for an Airflow connection.

    Raises:
        ConfigurationError: There is no such connector, or a setting is missing.
    """
    hook = _load(declaration(name).hook)
    return cast("Connector", hook(**{hook.conn_name_attr: connection_id}).connector())


def with_tables(connector: Connector, system: SystemConfig) -> Connector:
    """Return a connector that uses the tables which an account's file names, if it names any.

    Raises:
        ConfigurationError: It cannot.
    """
    from bothways.connectors.base import NamedTable, UsesTables

    if not system.tables:
        return connector
    if not isinstance(connector, UsesTables):
        raise ConfigurationError(
            f"The connector for {connector.declaration.title} keeps no records in tables; "
            "remove `tables` from the system in the account's file."
        )
    connector.use_tables(
        {name: NamedTable(one.table or "", one.columns) for name, one in system.tables.items()}
    )
    return connector


def connector_class(name: str) -> type[Connector]:
    """Return the class of a connector, which is not opened.

    Raises:
        ConfigurationError: There is no such connector.
    """
    return cast("type[Connector]", _load(declaration(name).connector))


def _load(path: str) -> Any:
    module, _, attribute = path.rpartition(".")
    return getattr(import_module(module), attribute)
