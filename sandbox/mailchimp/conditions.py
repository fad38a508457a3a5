"""The conditions of saved segments, as SQL over members `m`.

Emulated are those on text merge fields, addresses, tags and interests; the vendor has many more.
"""

from __future__ import annotations

from typing import Any

from sandbox.mailchimp import errors
from sandbox.mailchimp.shapes import Shape, faults
from sandbox.mailchimp.values import like

_LIKE = {"contains": "%{}%", "notcontain": "%{}%", "starts": "{}%", "ends": "%{}"}


def where(options: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the condition on the members of a saved segment, and its parameters.

    Raises:
        Problem: A condition that is not emulated (501), or that is none (400).
    """
    parts, parameters = [], []
    for number, condition in enumerate(options["conditions"]):
        sql, more = _condition(condition, f"options.conditions.{number}")
        parts.append(f"({sql})")
        parameters += more
    return f"({(' OR ' if options['match'] == 'any' else ' AND ').join(parts)})", parameters


def _condition(condition: dict[str, Any], field: str) -> tuple[str, list[Any]]:
    kind = condition.get("condition_type")
    if kind in {"TextMerge", "EmailAddress"}:
        return _text(condition, str(kind), field)
    if kind == "StaticSegment":
        op = _part(condition, "op", ("static_is", "static_not"), field)
        sql = "m.id IN (SELECT member_id FROM member_tags WHERE segment_id = ?)"
        return (f"NOT {sql}" if op == "static_not" else sql), [_scalar(condition, field)]
    if kind == "Interests":
        return _interests(condition, field)
    raise errors.not_emulated(f"The condition type {kind!r}")


def _part(condition: dict[str, Any], name: str, shape: Shape, field: str) -> Any:
    """Return a part of a condition, which must have a shape."""
    if found := list(faults(condition.get(name), shape, f"{field}.{name}")):
        raise errors.invalid(*found)
    return condition[name]


def _scalar(condition: dict[str, Any], field: str) -> str | int | float:
    value = condition.get("value", "")
    if not isinstance(value, str | int | float):
        raise errors.invalid((f"{field}.value", "Schema describes string"))
    return value


def _text(condition: dict[str, Any], kind: str, field: str) -> tuple[str, list[Any]]:
    ops = ("is", "not", "greater", "less", *_LIKE, "blank", "blank_not")
    op, value = _part(condition, "op", ops, field), str(_scalar(condition, field))
    parameters: list[Any] = []
    column = "m.email"
    if kind == "TextMerge":
        column = "coalesce(json_extract(m.merge_fields, '$.' || json_quote(?)), '')"
        parameters.append(_part(condition, "field", str, field))
    if op in {"blank", "blank_not"}:
        return f"{column} {'=' if op == 'blank' else '<>'} ''", parameters
    if op in _LIKE:
        no = "NOT " if op == "notcontain" else ""
        return f"{column} {no}LIKE ? ESCAPE '\\'", [*parameters, like(_LIKE[op], value)]
    sign = {"is": "=", "not": "<>", "greater": ">", "less": "<"}[op]
    return f"lower({column}) {sign} lower(?)", [*parameters, value]


def _interests(condition: dict[str, Any], field: str) -> tuple[str, list[Any]]:
    ops = ("interestcontains", "interestcontainsall", "interestnotcontains")
    op, ids = _part(condition, "op", ops, field), _part(condition, "value", [str], field)
    if not ids:
        raise errors.invalid((f"{field}.value", "This value should not be blank."))
    ids = sorted(set(ids))
    held = (
        "(SELECT count(*) FROM member_interests WHERE member_id = m.id"
        f" AND interest_id IN ({', '.join('?' * len(ids))}))"
    )
    bound = {"interestcontains": "> 0", "interestnotcontains": "= 0"}.get(op, f"= {len(ids)}")
    return f"{held} {bound}", ids
