"""Keeps addresses and keys out of what Airflow logs.

Airflow writes the body of each request that changes something into its event log, before it checks
the body (`action_logging`, Airflow 3.3.2), and every viewer may read that log. So a request about a
DAG of ours that names an address is refused before Airflow has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bothways.console.dags import ERASE
from bothways.console.slash import PREFIX
from bothways.discovery import sync_types

REFUSED: Final = (
    "Requests to Airflow must not contain an email address, since Airflow would keep it in its "
    "event log; choose people in the Sync Audit console, or give ids or a selection."
)
# `@`, its wide form, which normalises to it, and what a URL makes of it.
_AT: Final = ("@", "\uff20", "%40")
_LOGGED: Final = ("POST", "PUT", "PATCH", "DELETE")
KEPT_QUERY: Final = "bothways.query"
"""Where the scope of a request keeps a query that is not to be logged."""
_EVENTS: Final = f"{PREFIX}/events/"
_PATH: Final = re.compile(r"/api/v2/(?:dags/(?P<dag>[^/]+)(?:/|$)|backfills(?:/|$))")


class NoAddresses:
    """ASGI middleware that answers 422 to what would put an address into Airflow's event log.

    Args:
        app: Airflow's API server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        place = _PATH.search(scope["path"]) if scope["type"] == "http" else None
        if place is None or scope["method"] not in _LOGGED:
            await self.app(scope, receive, send)
            return
        messages = await _read(receive)
        texts = list(_texts(b"".join(message.get("body", b"") for message in messages)))
        ours = any(_is_ours(text) for text in (place["dag"] or "", *texts))
        told = (scope["path"], unquote(scope["query_string"].decode("latin-1")), *texts)
        if ours and any(mark in text for text in told for mark in _AT):
            await JSONResponse({"detail": REFUSED}, status_code=422)(scope, receive, send)
            return
        await self.app(scope, _again(messages, receive), send)


class NoKeys:
    """ASGI middleware that keeps the query of a vendor's event out of Airflow's access log.

    A vendor may show that it is itself by a key in the URL, and Airflow logs URLs once it has
    answered (`http_access_log`, Airflow 3.3.2). The endpoint finds the query under KEPT_QUERY.

    Args:
        app: Airflow's API server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and _EVENTS in scope["path"]:
            scope[KEPT_QUERY], scope["query_string"] = scope["query_string"], b""
        await self.app(scope, receive, send)


def _is_ours(dag_id: str) -> bool:
    account, _, sync_type = dag_id.rpartition("__")
    return bool(account) and sync_type in (*sync_types(), ERASE)


async def _read(receive: Receive) -> list[Message]:
    """Return the messages that a request's body comes in."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Hand out messages that were read, and then whatever follows them."""
    waiting = iter(messages)

    async def next_message() -> Message:
        for message in waiting:
            return message
        return await receive()

    return next_message


def _texts(body: bytes) -> Iterator[str]:
    """Yield every string of a JSON body, keys too; a body that is not JSON is not logged."""
    try:
        found: list[Any] = [json.loads(body)] if body else []
    except (ValueError, RecursionError):
        return
    while found:
        value = found.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            found += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            found += value


__all__ = ["KEPT_QUERY", "REFUSED", "NoAddresses", "NoKeys"]
