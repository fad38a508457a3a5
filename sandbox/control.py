"""The control API below `/_sandbox/`: switches, counters, a look inside; for tests and people."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.emulation import Emulation
from sandbox.faults import Switches, misfits
from sandbox.vendor import ActRefused

Endpoint = Callable[[Request], Awaitable[Response]]


class _Control:
    """The endpoints; the page at `/` lists them, `Switches` describes the faults."""

    def __init__(self, emulations: Mapping[str, Emulation]) -> None:
        self._emulations = emulations

    def routes(self) -> list[Route]:
        prefix = "/_sandbox"
        return [
            Route(f"{prefix}/faults", self.faults, methods=["GET", "PUT", "DELETE"]),
            Route(f"{prefix}/calls", self.calls, methods=["GET", "DELETE"]),
            Route(f"{prefix}/settings", self.settings, methods=["GET", "PUT"]),
            Route(f"{prefix}/reset", self.reset, methods=["POST"]),
            Route(f"{prefix}/copies", self.copies, methods=["PUT", "POST"]),
            Route(f"{prefix}/clock", self.clock, methods=["GET", "POST"]),
            Route(f"{prefix}/{{vendor}}", self.tables, methods=["GET"]),
            Route(f"{prefix}/{{vendor}}/act", self.act, methods=["POST"]),
            Route(f"{prefix}/{{vendor}}/{{table}}", self.table, methods=["GET"]),
        ]

    async def faults(self, request: Request) -> Response:
        if request.method == "PUT":
            wanted = [
                (self._named(name), Switches.parse(switches))
                for name, switches in (await _object(request)).items()
            ]
            for emulations, switches in wanted:
                for emulation in emulations:
                    emulation.context.faults.set(switches)
        elif request.method == "DELETE":
            for emulation in self._emulations.values():
                emulation.context.faults.reset()
        return JSONResponse(
            {
                name: emulation.context.faults.switches.as_json()
                for name, emulation in self._emulations.items()
            }
        )

    async def calls(self, request: Request) -> Response:
        counters = {name: found.context.calls for name, found in self._emulations.items()}
        answer: dict[str, Any] = {name: calls.endpoints() for name, calls in counters.items()}
        answer["totals"] = {name: sum(answer[name].values()) for name in counters}
        answer["rows_written"] = {name: calls.rows_written() for name, calls in counters.items()}
        if request.method == "DELETE":
            for calls in counters.values():
                calls.reset()
        return JSONResponse(answer)

    async def settings(self, request: Request) -> Response:
        if request.method == "PUT":
            wanted = [
                (emulation.context.settings, changes)
                for name, changes in (await _object(request)).items()
                for emulation in self._named(name)
            ]
            for settings, changes in wanted:
                _check(changes, settings)
            for settings, changes in wanted:
                settings.update(changes)
        return JSONResponse(
            {name: emulation.context.settings for name, emulation in self._emulations.items()}
        )

    async def reset(self, request: Request) -> Response:
        body = await _object(request)
        size, seed = int(body.get("people", 0)), int(body.get("seed", 1))
        if size < 0:
            raise ValueError("`people` must be 0 or more.")
        for emulation in self._emulations.values():
            await run_in_threadpool(emulation.reset, size, seed)
        return JSONResponse({"people": size, "seed": seed})

    async def copies(self, request: Request) -> Response:
        name = str((await _object(request))["name"])
        found = True
        for emulation in self._emulations.values():
            if request.method == "PUT":
                await run_in_threadpool(emulation.keep, name)
            else:
                found &= await run_in_threadpool(emulation.restore, name)
        return JSONResponse({"name": name, "found": found})

    async def clock(self, request: Request) -> Response:
        if request.method == "POST":
            body = await _object(request)
            for emulation in self._named(str(body.get("vendor", "*"))):
                emulation.context.clock.advance(float(body["advance_s"]))
        return JSONResponse(
            {
                name: emulation.context.clock.now().isoformat()
                for name, emulation in self._emulations.items()
            }
        )

    async def tables(self, request: Request) -> Response:
        (emulation,) = self._named(request.path_params["vendor"])
        return JSONResponse(emulation.context.database.tables())

    async def act(self, request: Request) -> Response:
        (emulation,) = self._named(request.path_params["vendor"])
        body = await _object(request)

        def act() -> dict[str, Any]:
            emulation.vendor.settle(emulation.context)
            return emulation.vendor.act(emulation.context, body)

        return JSONResponse(await run_in_threadpool(act))

    async def table(self, request: Request) -> Response:
        (emulation,) = self._named(request.path_params["vendor"])
        table = request.path_params["table"]
        rows = await run_in_threadpool(_look, emulation, table, dict(request.query_params))
        return JSONResponse(rows)

    def _named(self, name: str) -> list[Emulation]:
        if name == "*":
            return list(self._emulations.values())
        if name not in self._emulations:
            raise HTTPException(404, f"There is no vendor {name!r}; use {list(self._emulations)}.")
        return [self._emulations[name]]


def _look(emulation: Emulation, table: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """Return rows of a table: `limit`, `offset`, and any column as an equality."""
    emulation.vendor.settle(emulation.context)
    database = emulation.context.database
    if table not in database.tables():
        raise HTTPException(404, f"There is no table {table!r}; use {database.tables()}.")
    limit, offset = int(query.pop("limit", "1000")), int(query.pop("offset", "0"))
    columns = {row["name"] for row in database.rows(f'PRAGMA table_info("{table}")')}
    if unknown := sorted(set(query) - columns):
        raise ValueError(f"Unknown columns {unknown}; use {sorted(columns)}.")
    where = " AND ".join(f'CAST("{column}" AS TEXT) = ?' for column in query) or "1"
    rows = database.rows(
        f'SELECT * FROM "{table}" WHERE {where} LIMIT ? OFFSET ?', (*query.values(), limit, offset)
    )
    return [dict(row) for row in rows]


def _check(changes: Any, settings: Mapping[str, Any]) -> None:
    if not isinstance(changes, dict):
        raise ValueError("Send an object of settings for each vendor.")  # noqa: TRY004
    if unknown := sorted(set(changes) - set(settings)):
        raise ValueError(f"Unknown settings {unknown}; use {sorted(settings)}.")
    if wrong := misfits(changes, settings):
        raise ValueError(f"Wrong values for the settings {wrong}; they are like {settings}.")


async def _object(request: Request) -> dict[str, Any]:
    body = await request.json() if await request.body() else {}
    if not isinstance(body, dict):
        raise HTTPException(400, "Send a JSON object.")
    return body


def _refused(_request: Request, problem: Exception) -> Response:
    if isinstance(problem, HTTPException):
        return JSONResponse({"error": problem.detail}, problem.status_code)
    return JSONResponse({"error": str(problem)}, 400)


def control_app(emulations: Mapping[str, Emulation]) -> Starlette:
    """Return the app that serves everything below `/_sandbox/`."""
    kinds = (
        HTTPException,
        ActRefused,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
        sqlite3.OperationalError,
    )
    return Starlette(
        routes=_Control(emulations).routes(),
        exception_handlers=dict.fromkeys(kinds, _refused),
    )
