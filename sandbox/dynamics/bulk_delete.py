"""The action BulkDelete: deletes what queries find (its payload: the vendor's SDK for Python).

The vendor works on it later, by a job; here it is done when the answer comes (assumed).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.dynamics.conditions import Condition, Place
from sandbox.dynamics.deleting import delete
from sandbox.dynamics.errors import VendorError, query_error, type_name, unresolved_action
from sandbox.dynamics.fetchxml import condition
from sandbox.dynamics.lists import delete_listmember
from sandbox.dynamics.messages import Reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.values import new_guid
from sandbox.dynamics.work import Work

# Operators of a QueryExpression by the name that FetchXML has for them.
_OPERATORS = {
    "Equal": "eq",
    "NotEqual": "ne",
    "GreaterThan": "gt",
    "GreaterEqual": "ge",
    "LessThan": "lt",
    "LessEqual": "le",
    "In": "in",
    "NotIn": "not-in",
    "Null": "null",
    "NotNull": "not-null",
    "Like": "like",
    "BeginsWith": "begins-with",
    "EndsWith": "ends-with",
}
_REQUIRED = {"QuerySet", "JobName", "SendEmailNotification", "ToRecipients", "CCRecipients"}


def answer(work: Work) -> Reply:
    """Answer the action: the id of a job that is done already."""
    body = work.call.json()
    if not body.keys() >= _REQUIRED or not isinstance(body["QuerySet"], list):
        raise unresolved_action()
    for query in body["QuerySet"]:
        _delete_found(work, query)
    context = f"{work.call.root}/$metadata#{type_name('BulkDeleteResponse')}"
    return json_reply({"@odata.context": context, "JobId": new_guid()})


def _delete_found(work: Work, query: Any) -> None:
    name = query.get("EntityName") if isinstance(query, dict) else None
    table = work.catalogue.tables.get(str(name))
    if table is None:
        raise query_error("A query of the QuerySet names no table.")
    found = _filter(work, table, query.get("Criteria"))
    rows = work.connection.execute(
        f'SELECT t.{table.primary_id} FROM "{table.name}" AS t WHERE {found.sql}', found.values
    ).fetchall()
    for (row_id,) in rows:
        if table.name == "listmember":
            delete_listmember(work, row_id)
        else:
            delete(work, table, row_id)


def _filter(work: Work, table: Table, criteria: Any) -> Condition:
    if criteria is None:
        return Condition("1", ())
    if not isinstance(criteria, dict):
        raise _misshapen()
    parts = [_condition(work, table, one) for one in _list(criteria, "Conditions")]
    parts += [_filter(work, table, one) for one in _list(criteria, "Filters")]
    word = " OR " if criteria.get("FilterOperator") == "Or" else " AND "
    sql = word.join(part.sql for part in parts) or "1"
    return Condition(f"({sql})", tuple(value for part in parts for value in part.values))


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    found = body.get(name) or []
    if not isinstance(found, list):
        raise _misshapen()
    return found


def _misshapen() -> VendorError:
    return query_error("The Criteria of a query are not those of a FilterExpression.")


def _condition(work: Work, table: Table, given: Any) -> Condition:
    if not isinstance(given, dict):
        raise _misshapen()
    column = table.by_name.get(str(given.get("AttributeName")))
    operator = _OPERATORS.get(str(given.get("Operator")))
    if column is None or operator is None:
        raise VendorError(400, "0x80041103", "A condition has no such column or operator.")
    texts = [
        str(value.get("Value") if isinstance(value, dict) else value).encode(errors="replace")
        for value in _list(given, "Values")
    ]
    place = Place(f"t.{column.name}", column)
    return condition(place, operator, [text.decode() for text in texts], work)
