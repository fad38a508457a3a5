"""The word lists that the ignore rules look into, which a user edits: one entry a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bothways.config.paths import mappings_folder, shown
from bothways.config.problems import FileProblems, Problem

ROLE_ADDRESSES = "role_addresses.txt"
KNOWN_DOMAINS = "known_domains.txt"


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What the files hold, in lower case and in their order.

    Attributes:
        role_names: Names before the @ that belong to a department.
        domains: Well-known mail domains in ASCII, the commonest first.
    """

    role_names: tuple[str, ...]
    domains: tuple[str, ...]


def load_rule_files() -> RuleFiles:
    """Return the rule files of `include/mappings/`.

    Raises:
        FileProblems: One is missing or has a line that is no entry.
    """
    roles, domains = _role_file(), _domain_file()
    problems = (*roles[1], *domains[1])
    if problems:
        raise FileProblems("The files of the ignore rules have problems; fix them.", problems)
    return RuleFiles(role_names=roles[0], domains=domains[0])


def rule_problems() -> tuple[Problem, ...]:
    """Return what is wrong with the rule files."""
    return (*_role_file()[1], *_domain_file()[1])


_Entries = tuple[tuple[str, ...], tuple[Problem, ...]]


def _role_file() -> _Entries:
    return _read(mappings_folder() / ROLE_ADDRESSES, _role_name, "write the part before the @")


def _domain_file() -> _Entries:
    return _read(mappings_folder() / KNOWN_DOMAINS, _domain, "write a domain such as example.com")


def _read(path: Path, entry: Callable[[str], str | None], remedy: str) -> _Entries:
    try:
        state = path.stat()
        return _entries(path, state.st_mtime_ns, state.st_size, entry, remedy)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        missing = Problem(shown(path), 1, "", f"cannot be read ({reason})", "put the file back")
        return (), (missing,)


@lru_cache(maxsize=16)
def _entries(
    path: Path, _changed: int, _size: int, entry: Callable[[str], str | None], remedy: str
) -> _Entries:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problem = Problem(shown(path), 1, "", "is not UTF-8 text", "save the file as UTF-8")
        return (), (problem,)
    found, problems = [], []
    for line, word in _lines(text):
        accepted = entry(word)
        if accepted is None:
            problems.append(Problem(shown(path), line, "", "not a valid entry", remedy))
        else:
            found.append(accepted)
    return tuple(dict.fromkeys(found)), tuple(problems)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for line, written in enumerate(text.splitlines(), 1):
        word = written.partition("#")[0].strip().lower()
        if word:
            yield line, word


def _role_name(word: str) -> str | None:
    return word if re.fullmatch(r"[^\s@,;]+", word) else None


def _domain(word: str) -> str | None:
    try:
        name = word.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return name if re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]+", name) else None
