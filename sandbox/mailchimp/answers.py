"""How what is found is shown: answers.json, by what is shown.

There "$name" stands for a value, "$open.total" for one within another, and what has no value is
left out; in other texts "{name}" is one. The rest is what an account of the sandbox always shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

ANSWERS: dict[str, dict[str, Any]] = json.loads(
    files("sandbox.mailchimp").joinpath("answers.json").read_text(encoding="utf-8")
)
_NONE = object()


def filled(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with the values of this time."""
    return dict(_filled(ANSWERS[name], values))


def _filled(answer: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(answer, dict):
        parts = ((name, _filled(part, values)) for name, part in answer.items())
        return {name: part for name, part in parts if part is not _NONE}
    if not isinstance(answer, str):
        return answer
    if not answer.startswith("$"):
        return answer.format_map(values)
    name, _, within = answer[1:].partition(".")
    value = values.get(name, _NONE)
    return value[within] if within else value
