"""pydantic's errors in the words of a person who edits YAML: what is wrong, and what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bothways.config.document import Document, Key
from bothways.config.problems import Problem, choice

_NAME_RULE = "use up to 40 lower-case letters, digits and _, starting with a letter"
_DUE = {
    "string_type": ("text", "put the value in quotes"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "bool_parsing": ("true or false", "write true or false without quotes"),
    "int_type": ("a whole number", "write digits only"),
    "int_parsing": ("a whole number", "write digits only"),
    "int_from_float": ("a whole number", "write digits only"),
    "float_type": ("a number", "write digits, without quotes"),
    "float_parsing": ("a number", "write digits, without quotes"),
    "finite_number": ("a number", "write digits, without quotes"),
    "model_type": ("`key: value` lines", "write its keys on separate lines, indented"),
    "model_attributes_type": ("`key: value` lines", "write its keys on separate lines, indented"),
    "dict_type": ("`key: value` lines", "write its keys on separate lines, indented"),
    "tuple_type": ("a list", "write its items in [brackets]"),
    "list_type": ("a list", "write its items in [brackets]"),
}
_BOUNDS = {
    "greater_than_equal": ("is too small", "{ge} or more"),
    "less_than_equal": ("is too large", "{le} or less"),
    "greater_than": ("is too small", "more than {gt}"),
    "less_than": ("is too large", "less than {lt}"),
}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    document: Document,
    told: Iterable[Problem],
    *,
    place: Key = (),
) -> Iterator[Problem]:
    """Yield a problem for each of pydantic's errors.

    Args:
        error: What validation raised.
        model: The model that the file, or the part of it at ``place``, is validated by.
        document: The file.
        told: What has been said of the file before; nothing more is said of the same keys.
        place: The key of the part that is validated.
    """
    before = {problem.key for problem in told}
    for item in error.errors(include_url=False):
        key = tuple(str(part) for part in item["loc"] if part != "[key]")
        message, remedy = _words(dict(item), model, key)
        problem = document.problem((*place, *key), message, remedy)
        if problem.key not in before:
            yield problem


def _words(item: dict[str, Any], model: type[BaseModel], key: Key) -> tuple[str, str]:
    kind, written = item["type"], item["input"]
    context: Mapping[str, Any] = item.get("ctx", {})
    match kind:
        case "extra_forbidden":
            found = "unknown key", choice(key[-1], _keys(_model_at(model, key[:-1])))
        case "missing":
            found = "is missing", f"add `{key[-1]}:` with its value"
        case _ if written is None:
            found = "has no value", "write one, or remove the key"
        case "value_error":
            found = _halves(str(context["error"]))
        case "literal_error" | "enum":
            allowed = re.findall(r"'([^']*)'", str(context["expected"]))
            found = f"{_short(written)} is not allowed", choice(written, allowed)
        case "string_pattern_mismatch":
            found = f"{_short(written)} is not a valid name", _NAME_RULE
        case "string_too_short":
            found = "is empty", "write a name, or remove the key"
        case _ if kind in _DUE:
            due, remedy = _DUE[kind]
            found = f"must be {due}, not {_kind(written)}", remedy
        case _ if kind in _BOUNDS:
            message, form = _BOUNDS[kind]
            found = f"{_short(written)} {message}", f"write {form.format(**context)}"
        case _:
            found = f"is not valid ({item['msg']})", "compare it with docs/configuring.md"
    return found


def _halves(sentence: str) -> tuple[str, str]:
    """Split our own sentences, which end with what to do."""
    message, _, remedy = sentence.partition("; ")
    return message, remedy or "compare it with docs/configuring.md"


def _short(written: object) -> str:
    """Show a word that was written; longer things may hold what belongs to nobody else."""
    text = str(written) if isinstance(written, str | int | float) else _kind(written)
    return f"`{text}`" if len(text) <= 40 and text.isprintable() else "the value"


def _kind(written: object) -> str:
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, f"the YAML word {str(written).lower()}"),
        (str, "text"),
        ((int, float), "a number"),
        (dict, "a group of keys"),
        (list, "a list"),
    ]
    return next((name for kind, name in kinds if isinstance(written, kind)), "a date")


def _keys(model: type[BaseModel] | None) -> Iterable[str]:
    """Return the keys that YAML may have for a model."""
    return [field.alias or name for name, field in model.model_fields.items()] if model else ()


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    """Return the model that describes what stands at a key."""
    found: Any = model
    for part in key:
        if _is_model(found):
            fields = {field.alias or name: field for name, field in found.model_fields.items()}
            found = fields[part].annotation if part in fields else None
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        else:  # a tuple's items
            found = next(iter(_models_in(found)), None)
    return next(iter(_models_in(found)), None) if not _is_model(found) else found


def _is_model(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseModel)


def _models_in(annotation: Any) -> Iterator[Any]:
    yield from (part for part in get_args(annotation) if _is_model(part))
