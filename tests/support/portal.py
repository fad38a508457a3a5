"""Holds answers to the examples of Dotdigital's portal, which tell what its schemas do not require.

The files lie beside the project, in `../shared/specs/dotdigital-portal`; a checkout without them
checks nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.openapi import SPECS

PORTAL = SPECS / "dotdigital-portal"
# Of every call, whatever it is: not understood, not allowed, too often, or a bad day.
_EVERYWHERE = frozenset({400, 401, 403, 404, 429, 500, 502})


@dataclass(frozen=True)
class _Documented:
    """One operation: its statuses, and an example of an answer for each that has one."""

    template: str
    method: str
    path: re.Pattern[str]
    statuses: frozenset[int]
    examples: dict[int, list[Any]] = field(default_factory=dict)


class Portal:
    """The operations of the portal's files, and the registry of codes."""

    def __init__(self) -> None:
        self.codes = frozenset(
            re.findall(r"^- code: (\w+)", (PORTAL / "error-codes.yml").read_text(), re.MULTILINE)
        )
        self._operations = [
            operation
            for file in sorted(PORTAL.glob("*.yaml"))
            for template, path in json.loads(file.read_text())["paths"].items()
            for operation in _documented(template, path)
        ]
        self._operations.sort(key=lambda one: one.template.count("{"))

    def problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """Return what is wrong with an answer: its status, its code, or what it lacks."""
        found = [
            one for one in self._operations if one.method == method and one.path.fullmatch(path)
        ]
        if status >= 400:
            return self._refused(status, body)
        if not found:
            return []
        known = frozenset[int]().union(*(one.statuses for one in found))
        if status not in known:
            return [f"{method} {found[0].template}: the status {status} is none of {sorted(known)}"]
        each = [
            sorted(set(_missing(example, body, f"{method} {one.template}")))
            for one in found
            for example in one.examples.get(status, ())
        ]
        # Two operations may share a path, and an answer be like either one's example.
        return min(each, key=len, default=[])

    def _refused(self, status: int, body: Any) -> list[str]:
        problems = []
        if status not in _EVERYWHERE | {409, 422}:
            problems.append(f"the status {status} is documented nowhere")
        message = body.get("message") if isinstance(body, dict) else None
        for code in re.findall(r"ERROR_\w+", message or ""):
            if code not in self.codes:
                problems.append(f"{code} is not in the registry of codes")
        return problems


def _documented(template: str, path: dict[str, Any]) -> Iterator[_Documented]:
    # Two operations that differ in the kind of their parameter stand in one place of the path.
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))
    for method, operation in path.items():
        if method == "parameters":
            continue
        answers = operation["responses"]
        yield _Documented(
            template,
            method.upper(),
            pattern,
            frozenset(int(status) for status in answers if status.isdigit()),
            {int(s): list(_examples(one)) for s, one in answers.items() if s.isdigit()},
        )


def _examples(answer: dict[str, Any]) -> Iterator[Any]:
    body = answer.get("content", {}).get("application/json", {})
    told = [one.get("value") for one in body.get("examples", {}).values()]
    for value in [body.get("example"), *told]:
        example = _read(value) if isinstance(value, str) else value
        if isinstance(example, list | dict) and example:
            yield example


def _read(text: str) -> Any:
    """Return an example that was written as text, some with a comma too many."""
    try:
        return json.loads(re.sub(r",\s*([\]}])", r"\1", text))
    except ValueError:
        return None


def _missing(example: Any, answer: Any, where: str) -> Iterator[str]:
    """Yield what an example has and an answer lacks, or has as something else."""
    if example is None or answer is None:
        return
    if isinstance(answer, list):
        likeness = example[0] if isinstance(example, list) and example else example
        for row in answer if not isinstance(likeness, list) else ():
            yield from _missing(likeness, row, where)
    elif isinstance(example, dict):
        if not isinstance(answer, dict):
            yield f"{where} is no object"
            return
        for name, value in example.items():
            if name not in answer:
                yield f"{where} lacks {name}"
            else:
                yield from _missing(value, answer[name], f"{where}.{name}")
    elif _kind(example) != _kind(answer):
        yield f"{where} is {_kind(answer)}, not {_kind(example)}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "an object or an array"
