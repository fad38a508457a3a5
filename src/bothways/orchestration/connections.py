"""Airflow's connections as this library uses them: the same in tasks, API server and commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bothways.errors import ConfigurationError

if TYPE_CHECKING:
    from bothways.store.db import Store
    from bothways.store.erasure_keys import Keys

STORE_CONNECTION = "bothways_store"


@dataclass(frozen=True, slots=True)
class EventSecrets:
    """What the events of a system are told from others by.

    Attributes:
        secrets: Of the webhooks that are registered.
        user: The vendor's id of the user that the connection signs in as; "" if unknown.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    user: str = ""


def join_airflow() -> None:
    """Let a command find connections where Airflow's servers do; its stdout stays its own.

    They are in the environment (`AIRFLOW_CONN_…`), a secrets backend or the metadata database. The
    Task SDK leaves out the last in a process that it does not know; the variable is what
    `airflow connections get` sets for itself (Airflow 3.3.2, cli/commands/connection_command.py).
    Airflow logs to what is stdout when it is imported.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    with redirect_stdout(sys.stderr):
        import airflow.settings  # noqa: F401 - configures logging


@contextmanager
def open_store() -> Iterator[Store]:
    """Open the store that the Airflow connection `bothways_store` names.

    Raises:
        ConfigurationError: There is no such connection, or it is not one to PostgreSQL.
    """
    from bothways.store.db import Store

    store = Store(store_url(), find_erasure_keys)
    try:
        yield store
    finally:
        store.dispose()


def store_url() -> str:
    """Return the store's URL, `postgresql://…`.

    Raises:
        ConfigurationError: There is no connection `bothways_store`, or it is of another type.
    """
    connection = _find(STORE_CONNECTION)
    if connection is None:
        raise ConfigurationError(
            f"Airflow has no connection `{STORE_CONNECTION}`; "
            "create it with type postgres and the address of the store's database."
        )
    if connection.conn_type not in {"postgres", "postgresql"}:
        raise ConfigurationError(
            f"Airflow's connection `{STORE_CONNECTION}` is of type `{connection.conn_type}`; "
            "give it type postgres and the address of the store's database."
        )
    uri = str(connection.get_uri())
    return "postgresql" + uri[uri.index("://") :]


def find_erasure_keys() -> Keys:
    """Return the keys of erased addresses, the newest first; none where there is no connection.

    Raises:
        ConfigurationError: The connection's password is not a key.
    """
    from bothways.store.erasure_keys import CONNECTION, parse_keys

    connection = _find(CONNECTION)
    return () if connection is None else parse_keys(connection.password or "")


def event_secrets(name: str) -> EventSecrets:
    """Return what an Airflow connection says of the events of its system.

    They are `event_secrets`, a text or a list of texts, and `event_user` in its extra; nothing
    where there is no such connection.
    """
    connection = _find(name)
    extra = {} if connection is None else connection.extra_dejson
    given = extra.get("event_secrets") or ()
    texts = [given] if isinstance(given, str) else given
    return EventSecrets(
        tuple(text for text in texts if isinstance(text, str) and text),
        str(extra.get("event_user") or ""),
    )


def missing_connections(names: Iterable[str]) -> list[str]:
    """Return those of these connection ids that Airflow does not know."""
    return [name for name in names if _find(name) is None]


def _find(name: str) -> Any:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
