"""Redirects the console's address without a trailing slash, where Airflow shows an empty page."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/bothways"
"""Where the console is mounted in Airflow."""


class AddSlash:
    """Redirects PREFIX to PREFIX with a trailing slash; passes everything else on.

    Args:
        app: Airflow's own application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        root = scope.get("root_path", "")
        path = str(scope.get("path", "")).removeprefix(root)
        if scope["type"] != "http" or path != PREFIX:
            await self.app(scope, receive, send)
            return
        query = scope.get("query_string", b"").decode("latin-1")
        place = f"{root}{PREFIX}/" + (f"?{query}" if query else "")
        await RedirectResponse(place, 307)(scope, receive, send)
