"""The sandbox as one ASGI app: finds the vendors, dispatches to them, counts and injects faults."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import sandbox
from sandbox.calls import Calls
from sandbox.clock import Clock
from sandbox.connections import Connections, disconnected
from sandbox.control import control_app
from sandbox.database import Database
from sandbox.emulation import Emulation
from sandbox.faults import Faults
from sandbox.page import page
from sandbox.vendor import Vendor, VendorContext


@dataclass(frozen=True)
class Settings:
    """What a sandbox is started with.

    Attributes:
        data: The folder of the databases. What is in it is kept.
        people: The size of the population of a new folder.
        seed: Which population.
    """

    data: Path
    people: int = 5_000
    seed: int = 1


def find_vendors() -> list[Vendor]:
    """Return the vendors: every package below `sandbox` that exposes `VENDOR`."""
    modules = (
        importlib.import_module(f"sandbox.{found.name}")
        for found in pkgutil.iter_modules(sandbox.__path__)
        if found.ispkg
    )
    return [module.VENDOR for module in modules if hasattr(module, "VENDOR")]


def create_app(settings: Settings, connections: Connections | None = None) -> Sandbox:
    """Start every vendor on its database, filling those that are new.

    Args:
        settings: Where the data are, and the population of a new folder.
        connections: The register of the server that will run the app; without one, faults that
            close a connection raise `ConnectionResetError` instead.
    """
    emulations = {}
    for vendor in find_vendors():
        database = Database(settings.data / f"{vendor.name}.sqlite", vendor.schema, vendor.register)
        context = VendorContext(database, Clock(), Faults(), Calls(), dict(vendor.settings))
        emulation = Emulation(vendor, context)
        if not database.seeded:
            emulation.fill(settings.people, settings.seed)
        emulations[vendor.name] = emulation
    return Sandbox(emulations, connections or Connections())


class Sandbox:
    """The ASGI app: the page at `/`, the control API below `/_sandbox/`, vendors elsewhere."""

    def __init__(self, emulations: dict[str, Emulation], connections: Connections) -> None:
        self.emulations = emulations
        self._connections = connections
        self._control = control_app(emulations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/":
            html = page([emulation.vendor for emulation in self.emulations.values()])
            await HTMLResponse(html)(scope, receive, send)
        elif path.startswith("/_sandbox"):
            await self._control(scope, receive, send)
        else:
            await self._vendor(scope, receive, send)

    async def _vendor(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        for emulation in self.emulations.values():
            if emulation.vendor.paths.match(path):
                emulation.context.calls.count(emulation.vendor.endpoint(method, path))
                await self._answer(emulation, scope, receive, _dated(send, emulation))
                return
        problem = {"error": "No vendor has this path; the page at / says what is emulated."}
        await JSONResponse(problem, 404)(scope, receive, send)

    async def _answer(
        self, emulation: Emulation, scope: Scope, receive: Receive, send: Send
    ) -> None:
        verdict = emulation.context.faults.strike(scope["method"], scope["path"])
        if verdict.latency_ms:
            await asyncio.sleep(verdict.latency_ms / 1000)
        match verdict.kind:
            case None:
                await emulation.app(scope, receive, send)
            case "timeout":
                wait = emulation.context.faults.switches.timeout_s
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(disconnected(receive), wait)
                    return
                await self._connections.close(scope, receive)
            case "cut" | "after_write":
                answer = await _unsent_answer(emulation.app, scope, receive)
                if verdict.kind == "cut":
                    await _send_half(answer, send)
                await self._connections.close(scope, receive)
            case "html_200":
                html = "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
                await HTMLResponse(html)(scope, receive, send)
            case refusal:
                response = emulation.vendor.refuse(refusal, Request(scope, receive))
                await response(scope, receive, send)


async def _unsent_answer(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    answer: list[Message] = []

    async def keep(message: Message) -> None:
        answer.append(message)

    await app(scope, receive, keep)
    return answer


async def _send_half(answer: list[Message], send: Send) -> None:
    start, *parts = answer
    body = b"".join(part.get("body", b"") for part in parts)
    if body:
        await send(start)
        half = body[: max(1, len(body) // 2)]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def _dated(send: Send, emulation: Emulation) -> Send:
    """Put the vendor's time on an answer; the server's own `Date` is switched off for that."""

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = format_datetime(emulation.context.clock.now(), usegmt=True).encode()
            message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
        await send(message)

    return dated


async def _lifespan(receive: Receive, send: Send) -> None:
    message: dict[str, Any] = {}
    while message.get("type") != "lifespan.shutdown":
        message = dict(await receive())
        await send({"type": f"{message['type']}.complete"})
