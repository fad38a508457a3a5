"""Which connectors there are, without importing any: DAG parsing reads this.

A new vendor is one entry; what it declares here is held to its code by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from bothways.errors import ConfigurationError
from bothways.vocabulary import Side

if TYPE_CHECKING:
    from bothways.connectors.base import ConnectionSettings, Connector, Limits

_EVERY_CONNECTOR = frozenset(
    {
        "ErasesContacts",
        "FindsContacts",
        "HasFields",
        "HasLists",
        "ReadsContacts",
        "ReadsListSuppressions",
        "ReadsSuppressions",
        "WritesContacts",
        "WritesListMembers",
    }
)


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known of a connector before it is imported.

    Args:
        name: Its name in account files; also the Airflow connection type.
        title: What people call the vendor.
        side: Which side of an account it can be.
        connector: Module and class of the connector.
        hook: Module and class of the Airflow hook.
        capabilities: Names of the protocols in `base` that it has.
        chunk_rows: Operations for one apply task.
        parallel: Calls in flight from one process.
    """

    name: str
    title: str
    side: Side
    connector: str
    hook: str
    capabilities: frozenset[str]
    chunk_rows: int
    parallel: int


_CONNECTORS: Final[Mapping[str, Registration]] = {
    "dynamics": Registration(
        name="dynamics",
        title="Dynamics 365",
        side="crm",
        connector="bothways.connectors.dynamics.connector.DynamicsConnector",
        hook="bothways.connectors.dynamics.hook.DynamicsHook",
        capabilities=_EVERY_CONNECTOR
        | {
            "ErasesSuppressions",
            "FindsOtherAddresses",
            "Prepares",
            "ReadsListMembers",
            "WritesSuppressions",
        },
        chunk_rows=10_000,
        parallel=4,
    ),
    "dotdigital": Registration(
        name="dotdigital",
        title="Dotdigital",
        side="marketing",
        connector="bothways.connectors.dotdigital.connector.DotdigitalConnector",
        hook="bothways.connectors.dotdigital.hook.DotdigitalHook",
        capabilities=_EVERY_CONNECTOR,
        chunk_rows=25_000,
        parallel=4,
    ),
}


def registration(name: str) -> Registration:
    """Return what is known of a connector.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name in _CONNECTORS:
        return _CONNECTORS[name]
    near = get_close_matches(name, _CONNECTORS, n=1)
    known = ", ".join(_CONNECTORS)
    remedy = f"did you mean `{near[0]}`?" if near else f"use one of: {known}."
    raise ConfigurationError(f"There is no connector `{name}`; {remedy}")


def names(side: Side | None = None) -> tuple[str, ...]:
    """Return the names of all connectors, or of those for one side."""
    return tuple(name for name, known in _CONNECTORS.items() if side in {None, known.side})


def title(name: str) -> str:
    """Return what people call the vendor."""
    return registration(name).title


def capabilities(name: str) -> frozenset[str]:
    """Return the names of the protocols in `base` that a connector has."""
    return registration(name).capabilities


def limits(name: str) -> Limits:
    """Return how much a connector wants at a time."""
    from bothways.connectors.base import Limits

    known = registration(name)
    return Limits(chunk_rows=known.chunk_rows, parallel=known.parallel)


def make_connector(name: str, settings: ConnectionSettings) -> Connector:
    """Return a connector for settings from anywhere: tests, commands, a notebook.

    Raises:
        ConfigurationError: There is no such connector, or a setting is missing.
    """
    return cast("Connector", _load(registration(name).connector)(settings))


def open_connector(name: str, connection_id: str) -> Connector:
    """Return a connector for an Airflow connection.

    Raises:
        ConfigurationError: There is no such connector, or a setting is missing.
    """
    hook = _load(registration(name).hook)(http_conn_id=connection_id)
    return cast("Connector", hook.connector())


def _load(path: str) -> Any:
    module, _, attribute = path.rpartition(".")
    return getattr(import_module(module), attribute)
