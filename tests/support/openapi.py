"""Holds HTTP traffic to a vendor's own OpenAPI files.

The files lie beside the project, in `../shared/specs`; a checkout without them checks nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema

_NULL_IN_LISTINGS = ("htmlContent", "plainTextContent")

SPECS = Path(__file__).parents[2].parent / "shared" / "specs"
DOTDIGITAL_FILES = (
    "dotdigital-contacts-service.json",
    "dotdigital-insight-data-service.json",
    "dotdigital-v2-api-swagger.json",
)
MAILCHIMP_FILES = ("mailchimp-marketing-merged-swagger2.json",)


@dataclass(frozen=True)
class Operation:
    """One operation of a vendor's file: its template, and the components that it refers to."""

    template: str
    method: str
    body: dict[str, Any]
    components: dict[str, Any]


class Contract:
    """The operations of some OpenAPI files.

    Args:
        names: File names in the specs folder.
    """

    def __init__(self, *names: str) -> None:
        self._operations: list[tuple[re.Pattern[str], Operation]] = []
        for name in names:
            document = _modern(json.loads((SPECS / name).read_text()))
            components = _flattened(document["components"])
            for template, path in document["paths"].items():
                for method, body in path.items():
                    if method == "parameters":
                        continue
                    operation = Operation(template, method.upper(), body, components)
                    self._operations.append((_pattern(template, body, components), operation))
        self._operations.sort(key=lambda found: found[1].template.count("{"))

    def operations(self) -> list[Operation]:
        """Return all operations."""
        return [operation for _, operation in self._operations]

    def check(self, answer: httpx.Response) -> None:
        """Fail unless an answer, and the request if it was accepted, are as the file says.

        Raises:
            AssertionError: The operation, the status or a body is not in the file.
        """
        request = answer.request
        path = request.url.path
        operation = self._find(request.method, path)
        assert operation is not None, f"{request.method} {path} is not in the vendor's files"
        if answer.status_code < 400:
            declared = operation.body["responses"]
            assert str(answer.status_code) in declared, (operation.template, answer.status_code)
            if request.content:
                schema = _schema(operation.body.get("requestBody"))
                _validate(json.loads(request.content), schema, operation, _loose)
        answers = operation.body["responses"]
        schema = _schema(answers.get(str(answer.status_code), answers.get("default")))
        if schema is not None:
            _validate(answer.json(), schema, operation, _strict)

    def _find(self, method: str, path: str) -> Operation | None:
        for pattern, operation in self._operations:
            if operation.method == method and pattern.fullmatch(path):
                return operation
        return None


def _modern(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as OpenAPI 3 has it: of Swagger 2, what this module reads is moved."""
    if "swagger" not in document:
        return document
    paths: dict[str, Any] = {}
    for template, path in document["paths"].items():
        shared = path.get("parameters", [])
        # That of the root alone is really called with a slash at its end.
        paths[document["basePath"] + (template.rstrip("/") or "/")] = {
            method: _moved(operation, shared)
            for method, operation in path.items()
            if method != "parameters"
        }
    return {"paths": paths, "components": {"schemas": document.get("definitions", {})}}


def _moved(operation: dict[str, Any], shared: list[dict[str, Any]]) -> dict[str, Any]:
    parameters = [*shared, *operation.get("parameters", [])]
    bodies = [one["schema"] for one in parameters if one["in"] == "body"]
    answers = operation["responses"].items()
    return {
        "parameters": [
            {"name": one["name"], "schema": {"type": one.get("type")}}
            for one in parameters
            if one["in"] == "path"
        ],
        "requestBody": {"content": {"application/json": {"schema": bodies[0]}}} if bodies else None,
        "responses": {
            status: {"content": {"application/json": {"schema": answer.get("schema")}}}
            for status, answer in answers
        },
    }


def _pattern(
    template: str, operation: dict[str, Any], components: dict[str, Any]
) -> re.Pattern[str]:
    kinds = {item["name"]: item.get("schema", {}) for item in operation.get("parameters", [])}

    def part(name: str) -> str:
        kind = kinds.get(name, {})
        if "$ref" in kind:
            kind = components["schemas"][kind["$ref"].rsplit("/", 1)[1]]
        if "enum" in kind:  # an enrolment's status and its id stand in the same place
            return f"(?:{'|'.join(kind['enum'])})"
        return r"\d+" if kind.get("type") == "integer" else r"[^/]+"

    pieces = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(part(p) if number % 2 else re.escape(p) for number, p in enumerate(pieces))
    )


def _schema(holder: dict[str, Any] | None) -> dict[str, Any] | None:
    content = (holder or {}).get("content", {})
    schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


def _flattened(components: dict[str, Any]) -> dict[str, Any]:
    """Merge each closed object with what extends it, as the vendor's generator means it.

    Taken literally, an `allOf` of an object that forbids additional properties and another one
    allows nothing of the other.
    """
    schemas = components["schemas"]
    return {**components, "schemas": {name: _closed(one, schemas) for name, one in schemas.items()}}


def _closed(node: Any, schemas: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_closed(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    parts = [
        schemas[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        for part in node.get("allOf", [])
    ]
    if not any(part.get("additionalProperties") is False for part in parts):
        return {key: _closed(value, schemas) for key, value in node.items()}
    merged = {key: value for part in parts for key, value in part.get("properties", {}).items()}
    required = [name for part in parts for name in part.get("required", [])]
    return {**parts[0], "properties": _closed(merged, schemas), "required": required}


def _strict(node: Any) -> Any:
    """Turn OpenAPI 3.0's `nullable` into JSON Schema, and `oneOf` into `anyOf`.

    In Dotdigital's file an address is two of the kinds of identifier of which it should be one, and
    a campaign must have the content that is null in the portal's examples of listings.
    """
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = {"oneOf": "anyOf"}
    turned = {
        names.get(key, key): _strict(
            {**value, "nullable": True} if key in _NULL_IN_LISTINGS else value
        )
        for key, value in node.items()
        if key != "nullable"
    }
    return {"anyOf": [turned, {"type": "null"}]} if node.get("nullable") is True else turned


def _loose(node: Any) -> Any:
    """Let a request be what the vendor's text allows and its schema contradicts.

    Dotdigital's file closes `channelProperties.email` to the `resubscribeOptions` that it adds to
    it, and types a `contactId` among identifiers in two ways.
    """
    if isinstance(node, list):
        return [_loose(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = _strict(node).items()
    return {key: _loose(value) for key, value in kept if key != "additionalProperties"}


def _validate(
    value: Any, schema: dict[str, Any] | None, operation: Operation, read: Callable[[Any], Any]
) -> None:
    if schema is None:
        return
    whole = {"allOf": [read(schema)], "components": read(operation.components)}
    for problem in jsonschema.Draft7Validator(whole).iter_errors(value):
        where = "/".join(map(str, problem.absolute_path))
        detail = f"{operation.method} {operation.template}: {where}: {problem.message[:300]}"
        raise AssertionError(detail)
