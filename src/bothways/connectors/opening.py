"""Makes connectors by name; what imports one of them comes through here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from bothways.discovery import declaration

if TYPE_CHECKING:
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


def _load(path: str) -> Any:
    module, _, attribute = path.rpartition(".")
    return getattr(import_module(module), attribute)
