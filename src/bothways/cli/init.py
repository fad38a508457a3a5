"""`bothways init`: writes into an Airflow's folder what a user of Bothways edits."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import typer

from bothways.config.account import NAME_PATTERN
from bothways.config.paths import INCLUDE_VARIABLE, airflow_home, include_folder
from bothways.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parents[1]
_ACCOUNT = _PACKAGE / "templates" / "account.yaml"
_FOLDERS = ("dags", "include/mappings")


def init(folder: Path | None, account: str) -> None:
    """Write DAG files, mappings and a first account, keep what is there, and say what comes next.

    Raises:
        ConfigurationError: There is no such folder, or the account's name is not one.
    """
    if not re.fullmatch(NAME_PATTERN, account):
        raise ConfigurationError(
            f"`{account}` is not a valid account name; use up to 40 lower-case letters, digits and "
            "_, starting with a letter."
        )
    root = (folder or airflow_home()).absolute()
    if not root.is_dir():
        raise ConfigurationError(
            f"There is no folder {root}; name the home of your Airflow, or create it."
        )
    for source, name in [*_shared_files(), *_first_account(root, account)]:
        path = root / name
        if path.exists():
            typer.echo(f"kept     {path}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            typer.echo(f"written  {path}")
    typer.echo(_next_steps(root))


def _shared_files() -> Iterator[tuple[Path, Path]]:
    """Yield DAG files, mappings and rule files, and where they go below the folder."""
    templates = _templates()
    for folder in _FOLDERS:
        for path in sorted((templates / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, path.relative_to(templates)


def _first_account(root: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield the template of an account, unless there is an account of any name."""
    folder = Path("include", "accounts")
    if not any((root / folder).glob("[!.]*.yaml")):
        yield _ACCOUNT, folder / f"{name}.yaml"


def _next_steps(root: Path) -> str:
    steps = [
        "Have Airflow read these DAG files: its `dags_folder` is usually `dags` in its home.",
        "Create the connections `bothways_store` (type postgres) and those that the account names, "
        "then run `bothways migrate`.",
        f"Edit {root / 'include' / 'accounts'}, then run `bothways check`, "
        "`bothways check --live` and `bothways prepare <account>`.",
    ]
    if include_folder() != root / "include":
        variable = f"{INCLUDE_VARIABLE}={root / 'include'}"
        steps.insert(0, f"Set {variable} for all of Airflow's processes, and for this command.")
    return "\nNext:\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1))


def _templates() -> Path:
    """Return the folder of the templates: the wheel's copies, or the checkout's own files."""
    built = _PACKAGE / "templates"
    return built if (built / "dags").is_dir() else _PACKAGE.parents[1]
