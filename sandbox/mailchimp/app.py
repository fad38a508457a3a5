"""The Mailchimp app: who may call, and how many at once; answers to faults."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import uuid

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.mailchimp import (
    batches,
    campaigns,
    deliveries,
    fields,
    lists,
    member_calls,
    reports,
    segments,
    webhooks,
)
from sandbox.mailchimp import call as calls
from sandbox.mailchimp.call import ROOT, Answer, Call
from sandbox.mailchimp.errors import JSON, LINK, PROBLEM, Problem, too_many_requests
from sandbox.vendor import VendorContext

KEY = "0123456789abcdef0123456789abcdef-us1"
ROUTED = (batches, campaigns, fields, lists, member_calls, reports, segments, webhooks)
"""The modules that register what is emulated."""

_PARAMETER = re.compile(r"\{\w+\}")


def create(context: VendorContext) -> ASGIApp:
    """Return the vendor's app."""
    return _App(context)


def endpoint(method: str, path: str) -> str:
    """Return a request's name for the counters: ids and addresses are left out of it."""
    if path.startswith(batches.RESULTS):
        return f"{method} {batches.RESULTS}{{id}}"
    template = calls.template(_url(path)) or "(not emulated)"
    return f"{method} {re.sub(_PARAMETER, '{id}', template)}"


def _url(path: str) -> str:
    """Return a path below that of the API's version."""
    url = path.removeprefix(ROOT)
    return url if url == "/" else url.rstrip("/") or "/"


def refuse(kind: str, _request: Request) -> Response:
    """Return the vendor's answer to a fault."""
    if kind == "502":
        # The vendor's network closed the connection, and answers in HTML (facts: Mailchimp 1).
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    problem = too_many_requests()
    if kind == "500":
        problem = Problem(500, "InternalServerError", "An unexpected internal error has occurred.")
    return _response(Answer(problem.status, problem.body()))


class _App:
    def __init__(self, context: VendorContext) -> None:
        self._context = context
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        if request.url.path.startswith(batches.RESULTS):
            response = await run_in_threadpool(batches.results, self._context, request)
        elif (refusal := _unauthorised(request.headers)) is not None:
            response = _response(Answer(401, refusal.body()))
        elif self._running >= self._context.settings["connections"]:
            problem = too_many_requests()
            response = _response(Answer(429, problem.body()))
        else:
            self._running += 1
            try:
                response = await self._served(request)
            finally:
                self._running -= 1
        await response(scope, receive, send)

    async def _served(self, request: Request) -> Response:
        raw = await request.body()
        await asyncio.sleep(self._context.settings["seconds_per_call"])
        return await run_in_threadpool(self._answer, request, raw)

    def _answer(self, request: Request, raw: bytes) -> Response:
        method = request.method
        if method == "POST":
            method = request.headers.get("x-http-method-override", method).upper()
        batches.settle(self._context)
        origin = f"{request.url.scheme}://{request.url.netloc}"
        ip = request.client.host if request.client else ""
        url, query = _url(request.url.path), request.query_params
        answer = calls.answer(Call(self._context, method, url, query, raw, origin, ip))
        deliveries.deliver(self._context)
        return _response(answer)


def _response(answer: Answer) -> Response:
    """Return an answer with the headers of the vendor's, also where it has no body."""
    if answer.status >= 400:
        headers = {**answer.headers, "Link": LINK, "X-Request-Id": answer.body["instance"]}
        return JSONResponse(answer.body, answer.status, headers, PROBLEM)
    headers = {"X-Request-Id": str(uuid.uuid4())}
    if answer.body is None:
        return Response(None, answer.status, headers, JSON)
    return JSONResponse(answer.body, answer.status, headers, JSON)


def _unauthorised(headers: Headers) -> Problem | None:
    """Return the refusal of a request without the key, or with another one.

    The vendor's oldest name of a bearer is understood too (singer-io/tap-mailchimp sends it), and
    so is the request for a refusal (facts: Mailchimp 1).
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    given = b""
    if scheme.lower() in {"bearer", "oauth"}:
        given = credentials.strip().encode()
    elif scheme.lower() == "basic":
        try:
            given = base64.b64decode(credentials, validate=True).partition(b":")[2]
        except (ValueError, binascii.Error):
            given = b""
    if not given or headers.get("x-trigger-error") == "APIKeyMissing":
        return Problem(401, "API Key Missing", "Your request did not include an API key.")
    if secrets.compare_digest(given, KEY.encode()):
        return None
    detail = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    return Problem(401, "API Key Invalid", detail)
