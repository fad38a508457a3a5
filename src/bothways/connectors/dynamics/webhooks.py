"""Registering webhooks: one service endpoint, and an asynchronous step for each message and table.

Second fact sheet, section 1. An endpoint is told from others by its URL, a step by its name. That
the messages of lists have filters by which they can be registered is assumed; one for which there
is none is left to the schedule. The messages of associations are of no table: a step of theirs is
told of any two rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bothways.connectors.base import EventAccess, EventsWanted
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.events import (
    ASSOCIATION_MESSAGES,
    MEMBER_ROW,
    MEMBERSHIP_MESSAGES,
)
from bothways.connectors.dynamics.names import PEOPLE, Names
from bothways.connectors.dynamics.own_tables import OwnTable
from bothways.connectors.dynamics.queries import query, text
from bothways.discovery import record_kinds
from bothways.vocabulary import Topic

_ENDPOINTS: Final = "serviceendpoints"
_STEPS: Final = "sdkmessageprocessingsteps"
_NAME: Final = "Bothways"
_WEBHOOK: Final = {"contract": 8, "authtype": 4, "messageformat": 2, "connectionmode": 1}
_LATER: Final = {
    "stage": 40,
    "mode": 1,
    "rank": 1,
    "supporteddeployment": 0,
    "asyncautodelete": True,
}
# What syncs read of people beside the mapped columns.
_ALWAYS: Final = ("donotbulkemail", "emailaddress1", "statecode")


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be told: a message of a table, and of changes the columns that matter.

    Without a table, it is of rows of any.
    """

    message: str
    table: str = ""
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{_NAME}: {self.message} of {self.table or 'any rows'}"

    @property
    def columns_text(self) -> str:
        return ",".join(self.columns)


class Webhooks:
    """Tells what is registered, registers what is not, and takes it away.

    Args:
        client: The Web API.
        names: What is ours in the environment.
    """

    def __init__(self, client: Dataverse, names: Names) -> None:
        self._client = client
        self._names = names

    def unregistered(self, wanted: EventsWanted) -> list[str]:
        """Return a sentence for each thing that is yet to be registered, or differs."""
        endpoint, steps = self._endpoint(wanted.url), self._steps(wanted)
        if endpoint is None:
            return [_endpoint_sentence(wanted.url), *map(_sentence, steps)]
        there = self._registered(endpoint)
        found = [] if wanted.known else [f"Another key for {wanted.url}."]
        return found + [_sentence(step) for step in steps if not _is_there(step, there)]

    def register(self, wanted: EventsWanted) -> Iterator[EventAccess]:
        """Register what is not; a step whose columns differ is changed."""
        user = str(self._client.get("WhoAmI")["UserId"]).lower()
        endpoint, told = self._endpoint(wanted.url), wanted.secret
        key = {"authvalue": wanted.secret}
        if endpoint is None:
            title = {"name": f"{_NAME} {wanted.url}"[:256], "url": wanted.url}
            body: dict[str, Any] = {**title, **_WEBHOOK, **key}
            self._client.send("POST", _ENDPOINTS, body, retry="never")
            endpoint = self._endpoint(wanted.url) or ""
        elif not wanted.known:
            self._client.send("PATCH", f"{_ENDPOINTS}({endpoint})", key, retry="keyed")
        else:
            told = ""
        yield EventAccess(told, user)
        there = self._registered(endpoint)
        for step, place in self._places(self._steps(wanted)):
            before = there.get(step.name)
            columns = {"filteringattributes": step.columns_text}
            if before is None:
                bound = {"eventhandler_serviceendpoint@odata.bind": f"/{_ENDPOINTS}({endpoint})"}
                body = {"name": step.name, **_LATER, **place, **bound}
                body |= columns if step.columns else {}
                self._client.send("POST", _STEPS, body, retry="never")
            elif not _is_there(step, there):
                path = f"{_STEPS}({before['sdkmessageprocessingstepid']})"
                self._client.send("PATCH", path, columns, retry="keyed")

    def registered(self, url: str) -> list[str]:
        """Return a sentence for each webhook that leads to a URL."""
        endpoint = self._endpoint(url)
        if endpoint is None:
            return []
        return [_endpoint_sentence(url), *(f"{name}." for name in self._registered(endpoint))]

    def unregister(self, url: str) -> None:
        """Take away the endpoint and its steps."""
        endpoint = self._endpoint(url)
        if endpoint is None:
            return
        for row in self._registered(endpoint).values():
            path = f"{_STEPS}({row['sdkmessageprocessingstepid']})"
            self._client.send("DELETE", path, retry="keyed")
        self._client.send("DELETE", f"{_ENDPOINTS}({endpoint})", retry="keyed")

    def _endpoint(self, url: str) -> str | None:
        """Return the id of the endpoint with a URL; None if there is none."""
        asked = query(_ENDPOINTS, select=("serviceendpointid",), where=f"url eq {text(url)}")
        rows = [row for body in self._client.pages(asked) for row in rows_of(body)]
        return str(rows[0]["serviceendpointid"]) if rows else None

    def _registered(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """Return the steps of an endpoint by name, whether they are enabled or not."""
        columns = ("sdkmessageprocessingstepid", "name", "filteringattributes")
        asked = query(_STEPS, select=columns, where=f"_eventhandler_value eq {endpoint}")
        rows = [row for body in self._client.pages(asked) for row in rows_of(body)]
        return {str(row["name"]): row for row in rows}

    def _steps(self, wanted: EventsWanted) -> list[_Step]:
        """Return what is to be registered, and can be."""
        return [step for step, _ in self._places(list(self._wanted(wanted)))]

    def _wanted(self, wanted: EventsWanted) -> Iterator[_Step]:
        if Topic.PEOPLE in wanted.topics:
            for table in PEOPLE:
                columns = {*_ALWAYS, *wanted.fields.get(table, ())}
                yield _Step("Create", table)
                yield _Step("Update", table, tuple(sorted(columns)))
                yield _Step("Delete", table)
            yield from (_Step(message, "list") for message in MEMBERSHIP_MESSAGES)
            yield from (_Step(message, MEMBER_ROW) for message in ("Create", "Delete"))
            yield from map(_Step, ASSOCIATION_MESSAGES)
        if Topic.CONSENT in wanted.topics:
            yield _Step("Create", self._names.suppression)
            yield _Step("Update", self._names.suppression)
        for kind in record_kinds().values():
            if kind.topic in wanted.topics and kind.name not in self._names.tables:
                own = OwnTable(kind, self._names)
                yield _Step("Create", own.name)
                yield _Step("Update", own.name, (own.column("name"),))
                yield _Step("Delete", own.name)

    def _places(self, steps: list[_Step]) -> Iterator[tuple[_Step, Mapping[str, str]]]:
        """Yield the steps that can be registered, with message and filter as a body binds them."""
        yield from self._of_no_table([step for step in steps if not step.table])
        steps = [step for step in steps if step.table]
        if not steps:
            return
        tables = " or ".join(
            f"primaryobjecttypecode eq {text(table)}"
            for table in dict.fromkeys(step.table for step in steps)
        )
        messages = " or ".join(
            f"sdkmessageid/name eq {text(message)}"
            for message in dict.fromkeys(step.message for step in steps)
        )
        asked = query(
            "sdkmessagefilters",
            select=("sdkmessagefilterid", "primaryobjecttypecode"),
            where=f"({tables}) and ({messages})",
            expand="sdkmessageid($select=sdkmessageid,name)",
        )
        found = {
            (row["sdkmessageid"]["name"], row["primaryobjecttypecode"]): row
            for body in self._client.pages(asked)
            for row in rows_of(body)
        }
        for step in steps:
            row = found.get((step.message, step.table))
            if row is not None:
                message, only = row["sdkmessageid"]["sdkmessageid"], row["sdkmessagefilterid"]
                yield (
                    step,
                    {
                        "sdkmessageid@odata.bind": f"/sdkmessages({message})",
                        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({only})",
                    },
                )

    def _of_no_table(self, steps: list[_Step]) -> Iterator[tuple[_Step, Mapping[str, str]]]:
        if not steps:
            return
        names = " or ".join(f"name eq {text(step.message)}" for step in steps)
        asked = query("sdkmessages", select=("sdkmessageid", "name"), where=names)
        found = {row["name"]: row for body in self._client.pages(asked) for row in rows_of(body)}
        for step in steps:
            if row := found.get(step.message):
                yield step, {"sdkmessageid@odata.bind": f"/sdkmessages({row['sdkmessageid']})"}


def _is_there(step: _Step, there: Mapping[str, Mapping[str, Any]]) -> bool:
    row = there.get(step.name)
    return row is not None and str(row.get("filteringattributes") or "") == step.columns_text


def _endpoint_sentence(url: str) -> str:
    return f"Service endpoint to {url}."


def _sentence(step: _Step) -> str:
    return f"{step.name}" + (f", where one of {step.columns_text} is set." if step.columns else ".")
