"""Where a task finds its store and its staging folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bothways.engine.staging import Staging
    from bothways.store.db import Store

STORE_CONNECTION = "bothways_store"
STAGING_VARIABLE = "BOTHWAYS_STAGING"


@contextmanager
def open_store() -> Iterator[Store]:
    """Open the store that the Airflow connection `bothways_store` names."""
    from bothways.store.db import Store

    store = Store(store_url())
    try:
        yield store
    finally:
        store.dispose()


def store_url() -> str:
    """Return the store's URL, as SQLAlchemy with psycopg 3 reads it.

    Raises:
        ConfigurationError: There is no connection `bothways_store`.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from bothways.errors import ConfigurationError

    try:
        uri = str(BaseHook.get_connection(STORE_CONNECTION).get_uri())
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Airflow has no connection `{STORE_CONNECTION}`; "
            "create it with type postgres and the address of the store's database."
        ) from error
    return "postgresql+psycopg" + uri[uri.index("://") :]


def staging_for(account: str, run_id: int) -> Staging:
    """Return the staging folder of a run.

    Its root is the environment variable `BOTHWAYS_STAGING`: a path, or the URL of a bucket that
    every worker reaches.
    """
    from airflow.sdk import ObjectStoragePath

    from bothways.engine.staging import Staging
    from bothways.errors import ConfigurationError

    root = os.environ.get(STAGING_VARIABLE)
    if not root:
        raise ConfigurationError(
            f"The environment variable {STAGING_VARIABLE} is not set; "
            "give it a folder or bucket that every worker reaches."
        )
    url = root if "://" in root else f"file://{Path(root).resolve()}"
    return Staging(ObjectStoragePath(url) / account / str(run_id))
