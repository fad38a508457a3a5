"""Where a task finds its store and its staging folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bothways.orchestration.connections import open_store, store_url

if TYPE_CHECKING:
    from upath import UPath

    from bothways.engine.staging import Staging

__all__ = ["open_store", "staging_for", "staging_root", "store_url"]

STAGING_VARIABLE = "BOTHWAYS_STAGING"


def staging_for(account: str, run_id: int) -> Staging:
    """Return the staging folder of a run."""
    from bothways.engine.staging import Staging

    return Staging(staging_root() / account / str(run_id))


def staging_root() -> UPath:
    """Return the folder of all staging.

    It is the environment variable `BOTHWAYS_STAGING`: a path, or the URL of a bucket that every
    worker reaches.

    Raises:
        ConfigurationError: The variable is not set.
    """
    from airflow.sdk import ObjectStoragePath

    from bothways.errors import ConfigurationError

    root = os.environ.get(STAGING_VARIABLE)
    if not root:
        raise ConfigurationError(
            f"The environment variable {STAGING_VARIABLE} is not set; "
            "give it a folder or bucket that every worker reaches."
        )
    url = root if "://" in root else f"file://{Path(root).resolve()}"
    # To mypy it is no UPath, since it hands on to one.
    return cast("UPath", ObjectStoragePath(url))
