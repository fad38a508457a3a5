"""Reads accounts and mappings, and gathers every problem of every file in one go.

One broken file never hides another: the sound accounts are returned beside the problems.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bothways import discovery
from bothways.config import checks
from bothways.config.account import Account
from bothways.config.document import Document, read_document
from bothways.config.explain import explain
from bothways.config.mapping import Mapping
from bothways.config.paths import accounts_folder, mappings_folder, shown
from bothways.config.problems import FileProblems, Problem, choice
from bothways.config.rules import RuleFiles, load_rule_files, rule_problems
from bothways.errors import ConfigurationError

__all__ = [
    "Loaded",
    "RuleFiles",
    "account_document",
    "all_problems",
    "config_hash",
    "default_account",
    "load_account",
    "load_accounts",
    "load_rule_files",
    "mapping_documents",
]


_State = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """All account files.

    Attributes:
        accounts: The sound accounts, by name.
        problems: What is wrong with the account files and the mappings that they name.
        broken: The names of the accounts that have problems.
    """

    accounts: tuple[Account, ...]
    problems: tuple[Problem, ...]
    broken: tuple[str, ...] = ()


def load_accounts() -> Loaded:
    """Return every account of `include/accounts/`, and every problem of its files."""
    folder = accounts_folder()
    accounts, problems, broken = [], [], []
    paths = sorted(folder.glob("[!.]*.yaml"))
    for path in paths:
        account, found = _read_account(path)
        problems += found
        if account is None:
            broken.append(path.stem)
        else:
            accounts.append(account)
    problems += _second_defaults(accounts)
    problems += _misplaced(folder, paths)
    return Loaded(tuple(accounts), _in_order(problems), tuple(broken))


def default_account() -> str:
    """Return the name of the account to work on where none is named.

    It is the one with `default: true`, or the only one that there is.

    Raises:
        ConfigurationError: There is none, or several and none of them is the default.
    """
    names = [path.stem for path in sorted(accounts_folder().glob("[!.]*.yaml"))]
    chosen = [account.name for account in load_accounts().accounts if account.default]
    if len(chosen) == 1 or len(names) == 1:
        return (chosen or names)[0]
    if not names:
        raise ConfigurationError("There is no account; `bothways init` writes a first one.")
    raise ConfigurationError(
        f"Name an account ({', '.join(names)}), or write `default: true` in the file of one."
    )


def load_account(name: str) -> Account:
    """Return one account; another account's problems do not matter.

    Raises:
        FileProblems: Its file or a mapping that it names has problems (a ConfigurationError).
    """
    path = accounts_folder() / f"{name}.yaml"
    if not path.is_file():
        names = [file.stem for file in accounts_folder().glob("[!.]*.yaml")]
        missing = Problem(shown(path), 1, "", "there is no such file", choice(name, names))
        raise FileProblems(f"There is no account `{name}`; create its file.", [missing])
    account, problems = _read_account(path)
    if account is None:
        raise FileProblems(f"Account `{name}` has problems; fix its files.", problems)
    return account


def all_problems() -> tuple[Problem, ...]:
    """Return what is wrong with any file: accounts, mappings used or not, and rule files.

    Packages that bring connectors or sync types that cannot be used are among it.
    """
    problems = [*load_accounts().problems, *rule_problems(), *_package_problems()]
    for path in sorted(mappings_folder().rglob("[!.]*.yaml")):
        problems += _read_mapping(path)[1]
    return _in_order(problems)


def account_document(name: str) -> Document:
    """Return an account's file, for the lines of its keys."""
    return _document(accounts_folder() / f"{name}.yaml")


def mapping_documents(name: str) -> dict[str, Document]:
    """Return the mapping files that an account names, by entity."""
    named, _ = checks.mapping_files(account_document(name))
    return {entity: _document(path) for entity, path in named.items()}


def config_hash(account: Account) -> str:
    """Return a hash of the configuration that a plan depends on, mappings and defaults included.

    Title, description, whether it is the default, approvers, schedules, events, guard and the time
    that a task may take are left out: they may change during a run.
    """
    effective = account.model_dump(
        mode="json",
        by_alias=True,
        exclude={
            **dict.fromkeys(
                ("title", "description", "default", "approvers", "schedules", "events", "guard"),
                True,
            ),
            **dict.fromkeys(("crm", "marketing", "by_role"), True),
            "settings": {"task_hours"},
        },
    )
    # The same in the short form of a role and in the long one.
    effective["systems"] = {role: one.model_dump() for role, one in account.systems.items()}
    text = json.dumps(effective, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems)))


def _misplaced(folder: Path, read: Container[Path]) -> Iterator[Problem]:
    """Yield files that look like accounts, and that a person may take for read."""
    if not folder.is_dir():
        remedy = "create it, or name the folder above it in BOTHWAYS_INCLUDE"
        yield Problem(shown(folder), 1, "", "there is no such folder", remedy)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in {".yaml", ".yml"} and path not in read and not hidden:
            remedy = f"move it to accounts/{path.stem.lower()}.yaml"
            yield Problem(shown(path), 1, "", "is not read", remedy)


def _second_defaults(accounts: list[Account]) -> Iterator[Problem]:
    chosen = [account.name for account in accounts if account.default]
    for name in chosen[1:]:
        message = f"`{chosen[0]}` is the default as well"
        yield account_document(name).problem(("default",), message, "keep one of the two")


def _package_problems() -> Iterator[Problem]:
    for entry in discovery.broken():
        place, key = f"package {entry.package}", f"{entry.group}.{entry.name}"
        yield Problem(place, 0, key, entry.reason, "repair, upgrade or uninstall the package")


def _read_account(path: Path) -> tuple[Account | None, list[Problem]]:
    document = _document(path)
    content, problems = dict(document.content), list(document.problems)
    if content:
        problems += checks.account_problems(document, path.stem)
        mappings, found = _mappings(document)
        problems += found
        content = {"name": path.stem, **content, "mappings": mappings}
        account, found = _account(document, content, problems)
        problems += found
        if account is not None and not problems:
            return account, []
    return None, problems


def _account(
    document: Document, content: dict[Any, Any], told: list[Problem]
) -> tuple[Account | None, list[Problem]]:
    try:
        account = Account.model_validate(content)
    except ValidationError as error:
        return None, list(explain(error, Account, document, told))
    schedules = {
        name: schedule.in_timezone(account.timezone) for name, schedule in account.schedules.items()
    }
    return account.model_copy(update={"schedules": schedules}), []


def _mappings(document: Document) -> tuple[dict[str, Mapping], list[Problem]]:
    """Return the mappings that an account names, and what is wrong with them."""
    found: dict[str, Mapping] = {}
    problems: list[Problem] = []
    named, wrong = checks.mapping_files(document)
    for entity, path in named.items():
        mapping, own = _read_mapping(path)
        problems += own
        if mapping is not None and mapping.entity != entity:
            other = f"{shown(path)} maps `{mapping.entity}`"
            remedy = f"name it as `{mapping.entity}`, or name a mapping of `{entity}` here"
            problems.append(document.problem(("mappings", entity), other, remedy))
        elif mapping is not None:
            found[entity] = mapping
    return found, [*problems, *wrong]


def _read_mapping(path: Path) -> tuple[Mapping | None, list[Problem]]:
    mapping, problems = _mapping(path, _state(path))
    return mapping, list(problems)


@lru_cache(maxsize=256)
def _mapping(path: Path, _state: _State) -> tuple[Mapping | None, tuple[Problem, ...]]:
    document = _document(path)
    if not document.content:
        return None, tuple(document.problems)
    problems = [*document.problems, *checks.mapping_problems(document)]
    try:
        mapping = Mapping.model_validate(document.content)
    except ValidationError as error:
        return None, (*problems, *explain(error, Mapping, document, problems))
    return (None if problems else mapping), tuple(problems)


def _document(path: Path) -> Document:
    """Read a file once per process and state of the file: every DAG file asks for all accounts."""
    return _cached(path, _state(path))


@lru_cache(maxsize=1024)
def _cached(path: Path, _state: _State) -> Document:
    return read_document(path)


def _state(path: Path) -> _State:
    """Return what changes with a file; None for one that is gone, or a link that leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size  # a changed mode shows in ctime
