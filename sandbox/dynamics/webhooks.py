"""Calling webhooks: what a registered step is told of a request once it has been committed.

Asynchronous steps of the authentication WebhookKey only. Nothing keeps what could not be
delivered: there is one more try, after 502, 503 or 504 (second fact sheet, section 1).
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from sandbox.dynamics.errors import VendorError, invalid_argument
from sandbox.dynamics.model import Column, Table
from sandbox.dynamics.values import new_guid
from sandbox.dynamics.work import BUSINESS_UNIT_ID, ORGANIZATION_ID, Delivery, Work
from sandbox.receivers import status

_CONTRACTS: Final = "http://schemas.microsoft.com/xrm/2011/Contracts"
_WEBHOOK, _WEBHOOK_KEY, _AFTER, _LATER = 8, 4, 40, 1
_PORTS: Final = (None, 80, 443)
_LARGEST: Final = 256 * 1024
_PATIENCE_S: Final = 60.0
_AGAIN: Final = (502, 503, 504)
_HIDDEN: Final = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")


def check_row(work: Work, table: Table, row: dict[str, Any]) -> None:
    """Check an endpoint or a step, and hide the key of an endpoint, which nobody can read.

    Raises:
        VendorError: It is not accepted; the texts are assumed.
    """
    if table.name == "serviceendpoint":
        _check_endpoint(work, row)
    elif table.name == "sdkmessageprocessingstep":
        _check_step(work, row)


def _check_endpoint(work: Work, row: dict[str, Any]) -> None:
    if row["contract"] != _WEBHOOK or row["authtype"] != _WEBHOOK_KEY:
        raise VendorError(501, "0x0", "This sandbox emulates webhooks with a WebhookKey only.")
    address = urlsplit(row["url"] or "")
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise invalid_argument("The URL of the service endpoint is not valid.")
    if address.port not in _PORTS and not work.context.settings["webhooks_to_any_port"]:
        raise invalid_argument("The URL of the service endpoint may use port 80 or 443 only.")
    if row.get("authvalue"):
        work.connection.execute(
            "INSERT OR REPLACE INTO _webhook_key VALUES (?, ?)",
            (row["serviceendpointid"], row["authvalue"]),
        )
        row.update({"authvalue": None, "isauthvalueset": 1})


def _check_step(work: Work, row: Mapping[str, Any]) -> None:
    if row.get("eventhandler") is None or row.get("sdkmessageid") is None:
        raise invalid_argument("A step needs a message and an event handler.")
    if row.get("mode") != _LATER:
        raise VendorError(501, "0x0", "This sandbox emulates asynchronous steps only.")
    if row.get("stage") != _AFTER:
        raise invalid_argument("An asynchronous step must run in stage 40, after the operation.")
    if row.get("sdkmessagefilterid") is not None:
        query = "SELECT sdkmessageid FROM sdkmessagefilter WHERE sdkmessagefilterid = ?"
        found = work.connection.execute(query, (row["sdkmessagefilterid"],)).fetchone()
        if found[0] != row["sdkmessageid"]:
            raise invalid_argument("The filter of the step is of another message.")


def tell_row(work: Work, message: str, table: Table, row: Mapping[str, Any]) -> None:
    """Have webhooks told that a row was created, changed or deleted.

    Args:
        work: The request's surroundings.
        message: Create, Update or Delete.
        table: The row's table.
        row: Its id, and the columns that were set.
    """
    row_id = row[table.primary_id]
    if message == "Delete":  # what it is then is inferred
        target = _typed("EntityReference", Id=row_id, LogicalName=table.name)
    else:
        attributes = [
            {"key": name, "value": _value(table.by_name[name], row, value)}
            for name, value in row.items()
            if table.has(name)
        ]
        target = _typed("Entity", Attributes=attributes, Id=row_id, LogicalName=table.name)
    _tell(work, message, (table.name, row_id), {"Target": target}, frozenset(row))


def tell_list(work: Work, message: str, list_id: str, **parameters: Any) -> None:
    """Have webhooks told that members were put on a list, or taken off it."""
    _tell(work, message, ("list", list_id), {"ListId": list_id, **parameters}, frozenset())


def tell_association(
    work: Work, message: str, relationship: str, target: tuple[str, str], related: tuple[str, str]
) -> None:
    """Have webhooks told that two rows were associated, or no longer are.

    The parameters are inferred from the SDK, their JSON and the primary entity are assumed.

    Args:
        work: The request's surroundings.
        message: Associate or Disassociate.
        relationship: Its schema name.
        target: Table and id of the row whose collection was changed.
        related: Those of the row in it.
    """
    ends = [_typed("EntityReference", Id=row, LogicalName=name) for name, row in (target, related)]
    named = {"SchemaName": relationship, "PrimaryEntityRole": None}
    parameters = {"Target": ends[0], "Relationship": named, "RelatedEntities": ends[1:]}
    _tell(work, message, target, parameters, frozenset())


def _tell(
    work: Work,
    message: str,
    place: tuple[str, str],
    parameters: Mapping[str, Any],
    columns: frozenset[str],
) -> None:
    table, row_id = place
    for step in work.steps:
        if step["message"] != message or step["entity"] not in {None, table}:
            continue
        wanted = {one.strip() for one in (step["columns"] or "").split(",")} - {""}
        if message == "Update" and wanted and not wanted & columns:
            continue
        context = _context(work, message, table, row_id)
        given = [{"key": name, "value": value} for name, value in parameters.items()]
        owner = _typed("", Id=step["id"], LogicalName="sdkmessageprocessingstep")
        context |= {"InputParameters": given, "OwningExtension": owner}
        work.deliveries.append(Delivery(step["url"], step["key"], message, table, context))


def _context(work: Work, message: str, table: str, row_id: str) -> dict[str, Any]:
    user = {"InitiatingUserId": work.user_id, "UserId": work.user_id}
    return user | {
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "CorrelationId": new_guid(),
        "Depth": 1,
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": f"/Date({int(work.now.timestamp() * 1000)}+0000)/",
        "OperationId": new_guid(),
        "OrganizationId": ORGANIZATION_ID,
        "OrganizationName": "contoso",
        "OutputParameters": [],
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": row_id,
        "PrimaryEntityName": table,
        "RequestId": None,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": _AFTER,
    }


def _value(column: Column, row: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return None
    if column.is_lookup:
        target = row.get(f"{column.name}__type") or column.targets[0]
        return _typed("EntityReference", Id=value, LogicalName=target)
    write = _WRITTEN.get(column.type)
    return value if write is None else write(value)


def _moment(value: str) -> str:
    moment = datetime.fromisoformat(value if "T" in value else f"{value}T00:00:00Z")
    return f"/Date({int(moment.timestamp() * 1000)})/"


def _option(value: Any) -> dict[str, Any]:
    return _typed("OptionSetValue", Value=int(value))


def _typed(kind: str, **values: Any) -> dict[str, Any]:
    """Return an object as the vendor's serializer writes it."""
    named = {"__type": f"{kind}:{_CONTRACTS}"} if kind else {}
    if "LogicalName" in values:
        values |= {"KeyAttributes": [], "RowVersion": None}
    return named | values


_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Picklist": _option,
    "State": _option,
    "Status": _option,
    "MultiSelectPicklist": lambda value: [_option(one) for one in str(value).split(",")],
    "Money": lambda value: _typed("Money", Value=value),
    "Boolean": bool,
    "DateTime": _moment,
}


@dataclass
class Courier:
    """Delivers in the background, one after the other, in the order of what happened."""

    _waiting: queue.SimpleQueue[Delivery] = field(default_factory=queue.SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Deliver these; returns at once."""
        for one in deliveries:
            self._waiting.put(one)
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while True:
            one = self._waiting.get()
            if _delivered(one) in _AGAIN:
                _delivered(one)


def _delivered(one: Delivery) -> int:
    """Deliver; return the status of the answer, 0 where there is none."""
    body, large = json.dumps(one.context).encode(), {}
    if len(body) > _LARGEST:
        kept = {name: value for name, value in one.context.items() if name not in _HIDDEN}
        body, large = json.dumps(kept).encode(), {"x-ms-dynamics-msg-size-exceeded": "true"}
    joint = "&" if "?" in one.url else "?"
    return status(
        f"{one.url}{joint}code={quote(one.key, safe='')}",
        _PATIENCE_S,
        body,
        {
            "Content-Type": "application/json",  # assumed
            "x-ms-dynamics-organization": "contoso.crm4.dynamics.com",
            "x-ms-dynamics-entity-name": one.table,
            "x-ms-dynamics-request-name": one.message,
            "x-ms-correlation-request-id": one.context["CorrelationId"],
            **large,
        },
    )
