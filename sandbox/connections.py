"""Open connections, so that a fault can close one without an answer."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

Addresses = tuple[Any, Any]


class Connections:
    """The transports of the server's open connections, by the addresses of both ends."""

    def __init__(self) -> None:
        self._transports: dict[Addresses, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """Return the uvicorn protocol that keeps this register."""
        transports = self._transports

        class Registered(HttpToolsProtocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self.ends = (get_remote_addr(transport), get_local_addr(transport))
                transports[self.ends] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.ends, None)
                super().connection_lost(exc)

        return Registered

    async def close(self, scope: Scope, receive: Receive) -> None:
        """Close a request's connection after what has been sent, and wait until it is closed."""
        transport = self._transports.get((scope.get("client"), scope.get("server")))
        if transport is None:
            raise ConnectionResetError("The sandbox cuts connections only under its own server.")
        transport.close()
        await disconnected(receive)


async def disconnected(receive: Receive) -> None:
    """Wait until the connection of a request is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass
