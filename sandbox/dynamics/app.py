"""The emulation as an ASGI app: token endpoint, bearer check, protection, transactions."""

from __future__ import annotations

import logging
import re
import uuid
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.database import Database
from sandbox.dynamics import auth, definition_writes, routes
from sandbox.dynamics.batch import (
    ChangeSet,
    ChangeSetFailed,
    read_batch,
    run_batch,
    run_change_set,
)
from sandbox.dynamics.catalogue import Definitions
from sandbox.dynamics.errors import VendorError, wrong_verb
from sandbox.dynamics.messages import Call, Reply, error_reply, joined
from sandbox.dynamics.operations import is_write
from sandbox.dynamics.protection import Protection, injected
from sandbox.dynamics.webhooks import Courier
from sandbox.dynamics.work import Work
from sandbox.vendor import VendorContext

API = re.compile(r"/api/data/v9\.[0-2](?:/|$)")
TOKEN = re.compile(r"/([^/]+)/oauth2/(v2\.0/)?token/?")
CONFIGURATION = re.compile(r"/([^/]+)(?:/v2\.0)?/\.well-known/openid-configuration")
KEYS = re.compile(r"/([^/]+)/discovery/v2\.0/keys")
PATHS = re.compile("|".join(f"(?:{one.pattern})" for one in (API, TOKEN, CONFIGURATION, KEYS)))
MAXIMUM_ADDRESS = 32_768  # of a GET; inside a batch it is twice as much

_SERVER = uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/dynamics/server").hex
_log = logging.getLogger(__name__)


class Organization:
    """One emulated organisation: its definitions, its protection, its answers.

    Args:
        context: The sandbox's.
    """

    def __init__(self, context: VendorContext) -> None:
        self._context = context
        self._definitions = Definitions()
        self._courier = Courier()
        self.protection = Protection(context)

    def answer(self, call: Call, origin: str) -> Reply:
        """Answer one request below `/api/data/v9.2/`."""
        try:
            auth.check_bearer(self._context, call, origin)
            ticket = self.protection.enter()
        except VendorError as error:
            return _identified(error_reply(error, call))
        try:
            reply = self._batch(call) if call.path == "$batch" else self.run(call)
        finally:
            left = self.protection.leave(ticket)
        reply.headers.update(left)
        return _identified(reply)

    def run(self, call: Call) -> Reply:
        """Run one request in a transaction of its own."""
        try:
            self.settle()
            database = self._context.database
            with database.write() if is_write(call) else database.read() as connection:
                work = Work(self._context, connection, self._definitions, call)
                reply = routes.answer(work)
        except VendorError as error:
            return error_reply(error, call)
        except Exception as error:  # noqa: BLE001  (a vendor never lets one out)
            # The kind of the error only: its text may hold what a row holds.
            _log.error("The emulation of Dynamics failed with %s", type(error).__name__)
            failed = VendorError(500, "0x80040216", "An unexpected error occurred.")
            return error_reply(failed, call)
        self._courier.deliver(work.deliveries)
        return reply

    def settle(self) -> None:
        """Build the alternate keys that are due."""
        database = self._context.database
        with database.read() as connection:
            work = Work(self._context, connection, self._definitions, _NO_CALL)
            due = definition_writes.due_keys(work)
        if due:
            with database.write() as connection:
                work = Work(self._context, connection, self._definitions, _NO_CALL)
                definition_writes.build_due_keys(work)

    def _batch(self, call: Call) -> Reply:
        try:
            if call.method != "POST":
                raise wrong_verb(call.method)
            items = read_batch(call, int(self._context.settings["batch_limit"]))
        except VendorError as error:
            return error_reply(error, call)
        refused = self._context.rows_refused(len(items))
        return run_batch(call, items, self.run, self._change_set, refused)

    def _change_set(self, change_set: ChangeSet) -> Reply:
        try:
            with self._context.database.write() as connection:
                work = Work(self._context, connection, self._definitions, _NO_CALL)
                reply = run_change_set(work, change_set, routes.answer)
        except ChangeSetFailed as failed:
            return failed.reply
        self._courier.deliver(work.deliveries)
        return reply


_NO_CALL = Call("GET", "", "", {}, b"", "")
_ORGANIZATIONS: WeakKeyDictionary[Database, Organization] = WeakKeyDictionary()


def organization(context: VendorContext) -> Organization:
    """Return the organisation of a context; there is one per database."""
    if context.database not in _ORGANIZATIONS:
        _ORGANIZATIONS[context.database] = Organization(context)
    return _ORGANIZATIONS[context.database]


def create(context: VendorContext) -> ASGIApp:
    """Return the ASGI app."""
    found = organization(context)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        reply = await run_in_threadpool(_dispatch, found, context, request, body)
        headers = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
        response = Response(
            reply.body, reply.status, headers, media_type=reply.headers.get("Content-Type")
        )
        await response(scope, receive, send)

    return app


def _dispatch(found: Organization, context: VendorContext, request: Request, body: bytes) -> Reply:
    origin = f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    path = request.scope["path"]  # decoded; an address put together anew would not be
    api = API.match(path)
    root = f"{origin}{api[0].rstrip('/')}" if api else origin
    call = Call(
        method=request.method,
        path=path[api.end() :].strip("/") if api else path,
        query=request.scope["query_string"].decode("utf-8", "replace"),
        headers=joined(request.headers.items()),
        body=body,
        root=root,
    )
    if not api:
        return _sign_in(context, call, path, origin)
    length = len(origin) + len(request.scope["raw_path"]) + 1 + len(request.scope["query_string"])
    if call.method == "GET" and length > MAXIMUM_ADDRESS:  # status, code and text assumed
        return _identified(error_reply(VendorError(414, "0x0", "The request URL is too long.")))
    return found.answer(call, origin)


def _sign_in(context: VendorContext, call: Call, path: str, origin: str) -> Reply:
    configured = CONFIGURATION.fullmatch(path)
    if configured:
        return auth.configuration(context, configured[1], origin)
    if KEYS.fullmatch(path):
        return auth.keys()
    match = TOKEN.fullmatch(path)
    if match is None or call.method != "POST":
        return Reply(405)
    return auth.token(context, match[1], call, version=2 if match[2] else 1)


def _identified(reply: Reply) -> Reply:
    identity = str(uuid.uuid4())
    reply.headers.update({"x-ms-service-request-id": identity, "REQ_ID": identity})
    # Who sends it back stays on one web server (PAD send-parallel-requests); here there is one.
    reply.headers["Set-Cookie"] = f"ARRAffinity={_SERVER};Path=/;HttpOnly;Secure"
    return reply


def refuse(status: str, _request: Request) -> Response:
    """Return the vendor's own answer for an injected fault."""
    reply = _identified(error_reply(injected(status)))
    headers = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
    return Response(reply.body, reply.status, headers, media_type=reply.headers.get("Content-Type"))


def endpoint(method: str, path: str) -> str:
    """Return the name under which a request is counted: "GET contacts", "POST token"."""
    api = API.match(path)
    if api is None:
        return f"{method} {'token' if TOKEN.fullmatch(path) else path.rpartition('/')[2]}"
    names = [
        re.sub(r"\(.*", "", part).removeprefix("Microsoft.Dynamics.CRM.")
        for part in re.sub(r"\(.*?\)(?=/|$)", "", path[api.end() :]).split("/")
    ]
    return " ".join([method, *(name for name in names if name)]) if any(names) else f"{method} /"
