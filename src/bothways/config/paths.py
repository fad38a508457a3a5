"""Where a deployment keeps what a user edits: accounts and mappings below `include/`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

INCLUDE_VARIABLE: Final = "BOTHWAYS_INCLUDE"


def include_folder() -> Path:
    """Return the folder that holds `accounts/` and `mappings/`.

    The environment variable `BOTHWAYS_INCLUDE` names it. Otherwise it is `include/` in Airflow's
    home if accounts are kept there, or that of the checkout from which the library runs. The
    working directory decides nothing, since Airflow parses and runs from different places.
    """
    if chosen := os.environ.get(INCLUDE_VARIABLE):
        return Path(chosen).absolute()
    at_home = airflow_home() / "include"
    if (at_home / "accounts").is_dir():
        return at_home
    checkout = Path(__file__).resolve().parents[3] / "include"
    return checkout if checkout.is_dir() else at_home


def airflow_home() -> Path:
    """Return Airflow's home, as Airflow itself finds it."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser().absolute()


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
