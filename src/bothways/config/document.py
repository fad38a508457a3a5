"""A YAML file as plain values, with the line of every key and with what is wrong in its YAML.

Stricter than YAML where YAML guesses silently: of a key that stands twice it would take the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bothways.config.paths import shown
from bothways.config.problems import Problem

Key = tuple[str, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAP, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
# An account with a thousand lists has about 10,000; beyond lies an alias of aliases of aliases.
_MOST_VALUES = 200_000
_LARGEST_FILE = 5_000_000
_DEEPEST = 50


@dataclass(slots=True)
class Document:
    """A file that was read.

    Attributes:
        file: Its name in problems.
        content: Its values; {} where it could not be read as keys and values.
        problems: What is wrong with its YAML.
        lines: The line of each key and item, by its path.
    """

    file: str
    content: dict[Any, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Key, int] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """Return the line of a key, or of the nearest key above it that the file has."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def problem(self, key: Key, message: str, remedy: str) -> Problem:
        """Return a problem at a key."""
        return Problem(self.file, self.line(key), ".".join(map(_on_one_line, key)), message, remedy)


def read_document(path: Path) -> Document:
    """Read a file; whatever is wrong with it is among the problems, never an exception."""
    document = Document(shown(path))
    text = _text(path, document)
    if text is not None:
        with _yaml_problems(document, text):
            _Reading(document, _Loader(text)).read()
    return document


def _on_one_line(name: str) -> str:
    return " ".join(name.split())[:60]


def _text(path: Path, document: Document) -> str | None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message, remedy = f"cannot be read ({reason})", "give Airflow permission to read the file"
        document.problems.append(document.problem((), message, remedy))
        return None
    if len(raw) > _LARGEST_FILE:
        message, remedy = "is larger than 5 MB", "split it: one account or entity per file"
        document.problems.append(document.problem((), message, remedy))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message, remedy = "is not UTF-8 text", "save the file as UTF-8"
        document.problems.append(Problem(document.file, line, "", message, remedy))
        return None


@contextmanager
def _yaml_problems(document: Document, text: str) -> Iterator[None]:
    try:
        yield
    except yaml.YAMLError as error:
        document.problems.append(_yaml_problem(document.file, text, error))
    except RecursionError:
        message, remedy = "is nested too deeply", "use the keys of docs/configuring.md only"
        document.problems.append(Problem(document.file, 1, "", message, remedy))


def _yaml_problem(file: str, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else _line_of(text, getattr(error, "position", 0))
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    if "\t" in _indentation(text, line):
        return Problem(file, line, "", "a tab in the indentation", "indent with spaces")
    if "single document" in str(error):
        return Problem(file, line, "", "a second document begins", "remove the line `---`")
    remedy = "look at this line and the one above: indentation, colons, quotes and brackets"
    return Problem(file, line, "", f"not YAML ({what})", remedy)


def _line_of(text: str, position: object) -> int:
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _indentation(text: str, line: int) -> str:
    lines = text.split("\n")
    shown_line = lines[line - 1] if line <= len(lines) else ""
    return shown_line[: len(shown_line) - len(shown_line.lstrip())]


class _Reading:
    """Turns YAML's nodes into values and notes where each key stands."""

    def __init__(self, document: Document, loader: Any) -> None:
        self._document = document
        self._loader = loader
        self._values = 0
        self._seen: set[int] = set()

    def read(self) -> None:
        try:
            node = self._loader.get_single_node()
            if node is None or (isinstance(node, yaml.MappingNode) and not node.value):
                self._report((), "is empty", "write the keys of docs/configuring.md, or remove it")
            elif not isinstance(node, yaml.MappingNode):
                self._report(
                    (), "expected `key: value` lines", "start each line with a key and a colon"
                )
            else:
                content = self._value(node, ())
                self._document.content = content if isinstance(content, dict) else {}
        finally:
            self._loader.dispose()

    def _value(self, node: yaml.Node, key: Key) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or len(key) > _DEEPEST:
            raise RecursionError
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            for number, item in enumerate(node.value):
                self._document.lines[*key, str(number)] = item.start_mark.line + 1
            return [self._value(item, (*key, str(n))) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        self._report(key, f"unknown tag `{node.tag}`", "write the value without a tag")
        return None

    def _scalar(self, node: yaml.ScalarNode, key: Key) -> Any:
        try:
            return self._loader.construct_object(node)
        except Exception:  # noqa: BLE001 - a scalar such as 2026-02-31 fails in any of many ways
            self._report(key, "is not a value that YAML can read", "put it in quotes")
            return None

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[Any, Any]:
        if id(node) not in self._seen:  # an alias brings the same node again
            self._seen.add(id(node))
            self._check_keys(node, key)
            self._loader.flatten_mapping(node)  # `<<: *defaults`
        found = {}
        for name, item in node.value:
            if isinstance(name, yaml.ScalarNode):
                place = (*key, name.value)
                self._document.lines.setdefault(place, name.start_mark.line + 1)
                found[self._scalar(name, place)] = self._value(item, place)
        return found

    def _check_keys(self, node: yaml.MappingNode, key: Key) -> None:
        first: dict[str, int] = {}
        for name, _ in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                self._report(key, "has a key that is not a word", "write one word before the colon")
                continue
            place = (*key, name.value)
            self._document.lines[place] = line
            if name.value in first:
                again = f"duplicate of line {first[name.value]}"
                self._report(place, again, "keep one of the two")
            first.setdefault(name.value, line)

    def _report(self, key: Key, message: str, remedy: str) -> None:
        self._document.problems.append(self._document.problem(key, message, remedy))
