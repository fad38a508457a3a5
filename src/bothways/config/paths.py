"""Where a deployment keeps what a user edits: accounts and mappings below `include/`."""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE_VARIABLE = "BOTHWAYS_INCLUDE"


def include_folder() -> Path:
    """Return the folder that holds `accounts/` and `mappings/`.

    It is found from this file, never from the working directory, since Airflow parses and runs
    from different places. The environment variable `BOTHWAYS_INCLUDE` names another one.
    """
    chosen = os.environ.get(INCLUDE_VARIABLE)
    return Path(chosen).absolute() if chosen else Path(__file__).resolve().parents[3] / "include"


def accounts_folder() -> Path:
    """Return the folder of the account files."""
    return include_folder() / "accounts"


def mappings_folder() -> Path:
    """Return the folder of the field mappings and the rule files."""
    return include_folder() / "mappings"


def shown(path: Path) -> str:
    """Return a path as problems name it: relative to `include/`, with forward slashes."""
    folder = include_folder()
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
