"""/batches: operations that the vendor carries out after its answer, by the same handlers.

The results are a tar.gz of JSON files behind a signed link, which lives ten minutes and takes no
other credentials, as the storage that the vendor keeps them in refuses two kinds (assumed).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import sqlite3
import tarfile
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox.mailchimp import call as calls
from sandbox.mailchimp import deliveries, errors, storage, values, webhooks
from sandbox.mailchimp.answers import filled
from sandbox.mailchimp.call import MAX_COUNT, ROOT, Call
from sandbox.mailchimp.resource import Resource
from sandbox.mailchimp.storage import Where
from sandbox.vendor import VendorContext

RESULTS = "/mailchimp-batch-results/"
LINK_SECONDS = 600
KEPT = timedelta(days=7)
_SECRET = b"signs the links to the results of batches"


class _Batches(Resource, path="/batches", table="batches"):
    """Those of the last seven days, the newest first (the order is assumed)."""

    order = "started DESC"
    new: ClassVar = {
        "operations*": [
            {
                "method*": ("GET", "POST", "PUT", "PATCH", "DELETE"),
                "path*": str,
                "params": dict,
                "body": str,
                "operation_id": str,
            }
        ]
    }
    methods = ("GET", "POST", "DELETE")
    counts = False

    def asked(self, call: Call) -> Where:
        where = super().asked(call)
        where.add("submitted >= ?", values.stamp(call.context.clock.now() - KEPT))
        return where

    def one(self, call: Call) -> dict[str, Any]:
        row = self.row(call)
        if row["submitted"] < values.stamp(call.context.clock.now() - KEPT):
            raise errors.not_found()
        return self.shown(call, row)

    def make(self, call: Call, body: dict[str, Any]) -> str:
        operations, started = body["operations"], call.context.clock.timestamp()
        if not operations:
            raise errors.invalid(("operations", "This value should not be blank."))
        _check_pending(call)
        row = {
            "operations": storage.dump(operations),
            "total": len(operations),
            "origin": call.origin,
            "submitted": call.now,
            "started": started,
            "due": started + float(call.context.settings["batch_seconds"]),
        }
        return str(super().make(call, row))

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        """Return a batch; once it is finished, with a new link to its results."""
        links = call.links(self.link(row))
        return {**_told(call.context, row, call.origin), "_links": links}


def _check_pending(call: Call) -> None:
    """Refuse a batch where too many are pending, or too many webhooks of batches.

    Raises:
        Problem: 429; the words about batches are assumed from those about webhooks.
    """
    most = call.context.settings["pending_batches"]
    hooks = "webhook_id IN (SELECT id FROM batch_webhooks)"
    for what, source in (
        ("batches", "batches WHERE completed IS NULL"),
        ("webhooks", f"deliveries WHERE state = 'waiting' AND {hooks}"),
    ):
        if call.number(f"SELECT count(*) FROM {source}") >= most:
            detail = f"You have more than {most} pending {what}."
            raise errors.too_many_requests(
                f"{detail} Please wait for some to complete before adding any more batches."
            )


def _told(context: VendorContext, row: sqlite3.Row, origin: str) -> dict[str, Any]:
    """Return a batch as the vendor tells it to clients and webhooks."""
    done = row["completed"] is not None
    status, finished = "finished", row["total"]
    if not done:
        whole = max(row["due"] - row["started"], 1e-9)
        part = min((context.clock.timestamp() - row["started"]) / whole, 0.99)
        status = ("pending", "preprocessing", "started", "finalizing")[int(max(part, 0) * 4)]
        finished = 0
    values = {"status": status, "finished": finished, "completed": row["completed"] or ""}
    values["link"] = _link(context, row["id"], origin) if done else ""
    return filled("batch", {**dict(row), **values})


def _link(context: VendorContext, batch: str, origin: str) -> str:
    until = str(int(context.clock.timestamp()) + LINK_SECONDS)
    query = urlencode({"Expires": until, "Signature": _signature(batch, until)})
    return f"{origin}{RESULTS}{batch}-response.tar.gz?{query}"


def _signature(batch: str, until: str) -> str:
    return hmac.new(_SECRET, f"{batch}:{until}".encode(), hashlib.sha256).hexdigest()


def results(context: VendorContext, request: Request) -> Response:
    """Answer a request for the results of a batch, as the storage behind the link would."""
    query = request.query_params
    batch = request.url.path.removeprefix(RESULTS).removesuffix("-response.tar.gz")
    until, signature = query.get("Expires", ""), query.get("Signature", "")
    if "authorization" in request.headers:
        text = "Only one auth mechanism allowed"
        return _storage_error(400, "InvalidArgument", text)
    if not hmac.compare_digest(signature.encode(), _signature(batch, until).encode()):
        return _storage_error(403, "SignatureDoesNotMatch", "The signature does not match")
    if int(until) < context.clock.timestamp():
        return _storage_error(403, "AccessDenied", "Request has expired")
    row = context.database.row("SELECT results FROM batches WHERE id = ?", (batch,))
    if row is None:
        return _storage_error(404, "NoSuchKey", "The specified key does not exist.")
    return Response(row["results"], media_type="application/x-gzip")


def _storage_error(status: int, code: str, message: str) -> Response:
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{xml}', status, None, "application/xml")


def settle(context: VendorContext) -> None:
    """Carry out the batches that are due, the oldest first; deliver what webhooks wait for."""
    due = "SELECT * FROM batches WHERE completed IS NULL AND due <= ? ORDER BY due, rowid"
    now = (context.clock.timestamp(),)
    if context.database.row(due, now) is not None:
        with context.database.write() as db:
            for row in db.execute(due, now).fetchall():
                _carry_out(context, db, row)
    deliveries.deliver(context)


def _carry_out(context: VendorContext, db: sqlite3.Connection, row: sqlite3.Row) -> None:
    files: list[list[dict[str, Any]]] = [[]]
    errored = 0
    operations = json.loads(row["operations"])
    struck = context.faults.import_faults(len(operations))
    for number, operation in enumerate(operations):
        key = operation.get("operation_id", "")
        if number in struck:
            problem = errors.Problem(500, "InternalServerError", "An unexpected error occurred.")
            answers = [calls.Answer(500, problem.body())]
        else:
            answers = _answers(context, db, row["origin"], operation)
        errored += answers[-1].status not in {200, 204}
        entries = [_entry(key, answer) for answer in answers]
        files[0].append(entries[0])
        files += [[entry] for entry in entries[1:]]
    completed = values.stamp(datetime.fromtimestamp(row["due"], UTC))
    changes = {"completed": completed, "errored": errored, "operations": "[]"}
    changes["results"] = _packed(row["id"], files)
    storage.update(db, "batches", changes, id=row["id"])
    webhooks.announce_batch(
        db, _told(context, storage.one(db, "batches", id=row["id"]), row["origin"])
    )


def _entry(key: str, answer: calls.Answer) -> dict[str, Any]:
    response = "" if answer.body is None else json.dumps(answer.body, ensure_ascii=False)
    return {"status_code": answer.status, "operation_id": key, "response": response}


def _answers(
    context: VendorContext, db: sqlite3.Connection, origin: str, operation: dict[str, Any]
) -> list[calls.Answer]:
    """Carry out one operation; a GET without `count` reads all pages (facts: Mailchimp 6)."""
    method = operation["method"]
    path, _, more = operation["path"].partition("?")
    path = "/" + path.removeprefix(ROOT).strip("/")
    query = dict(parse_qsl(more))
    if method == "GET":
        query |= {name: _word(value) for name, value in operation.get("params", {}).items()}
    raw = operation.get("body", "").encode()

    def once(**paging: str) -> calls.Answer:
        db.execute("SAVEPOINT operation")
        call = Call(context, method, path, {**query, **paging}, raw, origin, "192.0.2.1")
        answer = calls.answer(call)
        if answer.status >= 400:
            db.execute("ROLLBACK TO operation")
        db.execute("RELEASE operation")
        return answer

    if path.startswith("/batches"):  # assumed: a batch cannot hold batches
        return [calls.Answer(404, errors.not_found().body())]
    answers = [once() if method != "GET" or "count" in query else once(count=str(MAX_COUNT))]
    total = (answers[0].body or {}).get("total_items", 0) if method == "GET" else 0
    if "count" not in query:
        offsets = range(MAX_COUNT, total, MAX_COUNT)
        answers += [once(count=str(MAX_COUNT), offset=str(offset)) for offset in offsets]
    return answers


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _packed(batch: str, files: list[list[dict[str, Any]]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        folder = tarfile.TarInfo("./")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for number, entries in enumerate(files):
            data = json.dumps(entries, ensure_ascii=False).encode("utf-8", "replace")
            info = tarfile.TarInfo(f"./{batch}-{number}.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
