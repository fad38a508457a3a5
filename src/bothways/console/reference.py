"""The API's OpenAPI description in words, for the page that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_KINDS: Final = {
    "integer": "number",
    "string": "text",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}
_FORMATS: Final = {"date-time": "time with its zone"}


@dataclass(frozen=True, slots=True)
class Given:
    """One thing that a caller gives.

    Attributes:
        name: Its name.
        place: path, query or body.
        kind: What it may be, in words.
        required: Whether it must be given.
    """

    name: str
    place: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: GET or POST.
        path: Its path below the console's prefix.
        title: What it is, in a few words.
        text: What it does.
        given: What a caller gives.
        answer: The fields of the answer.
    """

    method: str
    path: str
    title: str
    text: str
    given: Sequence[Given]
    answer: Sequence[str]


def endpoints(schema: Mapping[str, Any]) -> list[Endpoint]:
    """Return what an OpenAPI description holds, in its order."""
    return [
        Endpoint(
            method.upper(),
            path,
            item["summary"],
            item.get("description", ""),
            [*_parameters(schema, item), *_body(schema, item)],
            _answer(schema, item),
        )
        for path, methods in schema["paths"].items()
        for method, item in methods.items()
    ]


def _parameters(schema: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[Given]:
    for one in item.get("parameters", ()):
        if one["in"] in ("path", "query"):
            kind = _kind(schema, one["schema"]).removesuffix(" or null")  # left out instead
            yield Given(one["name"], one["in"], kind, one.get("required", False))


def _body(schema: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[Given]:
    content = item.get("requestBody", {}).get("content", {})
    for media in content.values():
        model = _resolved(schema, media["schema"])
        for name, field in model["properties"].items():
            required = name in model.get("required", ())
            yield Given(name, "body", _kind(schema, field), required)


def _answer(schema: Mapping[str, Any], item: Mapping[str, Any]) -> Sequence[str]:
    """Return the fields of the answer that is no error; of each part, where it is a list."""
    answers = [answer for status, answer in item["responses"].items() if status.startswith("2")]
    model = _resolved(schema, answers[0]["content"]["application/json"]["schema"])
    model = _resolved(schema, model.get("items", model))
    return list(model["properties"])


def _kind(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    field = _resolved(schema, field)
    if "anyOf" in field:
        return " or ".join(_kind(schema, one) for one in field["anyOf"])
    if "enum" in field:
        return "one of " + ", ".join(map(str, field["enum"]))
    if field.get("type") == "array":
        return f"several times: {_kind(schema, field['items'])}"
    if "properties" in field:
        return f"object with {', '.join(field['properties'])}"
    if "default" in field and field["default"] not in ("", None):
        return f"{_simple(field)}, otherwise {str(field['default']).lower()}"
    return _simple(field)


def _simple(field: Mapping[str, Any]) -> str:
    kind = _FORMATS.get(field.get("format", "")) or _KINDS.get(field.get("type", ""), "anything")
    most = field.get("maximum")
    if most is None or most >= 2**63 - 1:
        return kind
    return f"{kind} from {field.get('minimum', 0)} to {most}"


def _resolved(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = field.get("$ref")
    if reference is None:
        return field
    found: Mapping[str, Any] = schema["components"]["schemas"][reference.rsplit("/", 1)[-1]]
    return found
