"""Who may call, and how often (facts: Dotdigital 1.1 and 1.3).

Calls are counted per minute in four tiers. Which call belongs to which tier is assumed from the
tiers' descriptions: all that import or list much are in the low one. The numbers depend on the
account's package, so they are settings; of the package Basic only that of the low tier is known
(support article 8592585). The old scheme counts all calls of an hour together.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import secrets
from threading import Lock

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.dotdigital.errors import too_many_calls
from sandbox.vendor import VendorContext

USER = "apiuser-sandbox@apiconnector.example"
PASSWORD = "sandbox-password"  # noqa: S105 (a sandbox's password is no secret)

_BASIC = {"lowCallRate": 35}
_JOBS = r"/(contacts/v3|v2/contacts)/(import|delete|deletion)/|/v2/segments/refresh/"
_TIERS = (
    ("unlimited", re.compile(rf"GET ({_JOBS})")),
    ("lowCallRate", re.compile(r"\w+ /(contacts/v3|v2/contacts)/(import|delete)\b")),
    ("lowCallRate", re.compile(r"GET /contacts/v3$|GET /v2/(address-books|segments|contacts)$")),
    ("lowCallRate", re.compile(r"GET /v2/.*(-since/|/contacts$|/score$|/(public|private)$)")),
    ("mediumCallRate", re.compile(r"GET /v2/campaigns/\d+(/summary|/with-details)?$")),
    ("lowCallRate", re.compile(r"GET /v2/campaigns\b")),
    ("lowCallRate", re.compile(r"POST /v2/.*(/import|/delete|/delete-all|-collection)\b")),
    ("lowCallRate", re.compile(r"PUT /v2/contacts/suppress-contacts$")),
    ("lowCallRate", re.compile(r"GET /v2/(surveys(/\d+/responses)?|programs)$")),
    ("lowCallRate", re.compile(r"GET /v2/programs/enrolments/(Processing|Finished)$")),
    ("lowCallRate", re.compile(r"GET /insightData/v3/contacts/[^/]+(/[^/]+/[^/]+)?$")),
    ("highCallRate", re.compile(r"GET ")),
)
CALLS = "dotdigital.calls"
"""Where a request's scope holds the calls of this hour, itself among them."""

_DENIED = "Authorization has been denied for this request."


def tier(method: str, path: str) -> str:
    """Return the tier of a call: "unlimited", or the word of the scope header."""
    call = f"{method} {path}"
    return next((name for name, pattern in _TIERS if pattern.match(call)), "mediumCallRate")


class Gate:
    """Lets authorised calls within the limits through to the app, and adds the limit headers."""

    def __init__(self, context: VendorContext, app: ASGIApp) -> None:
        self._context = context
        self._app = app
        self._lock = Lock()
        self._windows: dict[str, tuple[int, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not _authorised(Headers(scope=scope)):
            await JSONResponse({"message": _DENIED}, 401)(scope, receive, send)
            return
        used, _ = self._use("hour", 3600)
        scope = {**scope, CALLS: used}
        if self._context.settings["limit_scheme"] == "hourly":
            await self._hourly(scope, receive, send, used)
        else:
            await self._tiered(scope, receive, send)

    async def _hourly(self, scope: Scope, receive: Receive, send: Send, used: int) -> None:
        if used > self._context.settings["calls_per_hour"]:
            problem = {"message": "Error: ERROR_APIUSAGE_EXCEEDED"}
            await JSONResponse(problem, 400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _tiered(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = tier(scope["method"], scope["path"])
        if name == "unlimited":
            await self._app(scope, receive, send)
            return
        used, reset = self._use(name, 60)
        limit = self._limit(name)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Scope": name,
        }

        async def send_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if used > limit:
            problem = too_many_calls(scope["path"])
            await JSONResponse(problem.body, problem.status)(scope, receive, send_limits)
        else:
            await self._app(scope, receive, send_limits)

    def _limit(self, name: str) -> int:
        settings = self._context.settings
        basic = _BASIC if settings["package"] == "Basic" else {}
        return int(basic.get(name, settings[name]))

    def _use(self, name: str, seconds: int) -> tuple[int, int]:
        """Count a call; return the calls in its window and when the window ends (epoch)."""
        now = self._context.clock.timestamp()
        with self._lock:
            end, used = self._windows.get(name, (0, 0))
            if now >= end:  # assumed: a window opens with its first call
                end, used = math.ceil(now) + seconds, 0
            self._windows[name] = (end, used + 1)
        return used + 1, end


def _authorised(headers: Headers) -> bool:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(credentials, validate=True)
    except (ValueError, binascii.Error):
        return False
    return secrets.compare_digest(given, f"{USER}:{PASSWORD}".encode())
