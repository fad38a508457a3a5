"""How webhooks are delivered: form-encoded, signed, and again for 75 minutes if nobody takes them.

Deliveries lie in the database until they are taken, and are sent from a thread of their own, so
that no request waits for a receiver.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import urllib.error
import urllib.request
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlencode

from sandbox.vendor import VendorContext

TIMEOUT_S = 10
RETRIES_S = (300, 600, 1200, 2400)
"""Seconds from each try to the next: 75 minutes altogether (how they are spread is assumed)."""

_BUSY = Lock()
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Return whether a receiver answers the GET by which the vendor validates it."""
    try:
        return 200 <= _status(urllib.request.Request(url)) < 300  # noqa: S310 (checked by callers)
    except ValueError:
        return False


def queue(db: sqlite3.Connection, hook: sqlite3.Row, what: dict[str, Any], at: float) -> None:
    """Queue a payload, a nested object, for a webhook."""
    db.execute(
        "INSERT INTO deliveries (webhook_id, url, secret, body, due, tries, state)"
        " VALUES (?, ?, ?, ?, ?, 0, 'waiting')",
        (hook["id"], hook["url"], hook["secret"], urlencode(list(_flat(what))), at),
    )


def _flat(what: dict[str, Any], above: str = "") -> Any:
    for name, value in what.items():
        key = f"{above}[{name}]" if above else name
        if isinstance(value, dict):
            yield from _flat(value, key)
        else:
            yield key, value


def deliver(context: VendorContext) -> None:
    """Begin to send the deliveries that are due, in a thread, unless one does so already."""
    if _due(context) is not None:
        Thread(target=_send_all, args=(context,), daemon=True).start()


def _due(context: VendorContext) -> sqlite3.Row | None:
    sql = "SELECT * FROM deliveries WHERE state = 'waiting' AND due <= ? ORDER BY due, id"
    return context.database.row(sql, (context.clock.timestamp(),))


def _send_all(context: VendorContext) -> None:
    try:
        while (row := _due(context)) is not None and _BUSY.acquire(blocking=False):
            try:
                _send(context, row)
            finally:
                _BUSY.release()
    except sqlite3.OperationalError:
        return  # the tables were just emptied, and what was due with them


def _send(context: VendorContext, row: sqlite3.Row) -> None:
    body, sent = row["body"].encode(), str(int(context.clock.timestamp()))
    signed = hmac.new(row["secret"].encode(), f"{sent}.".encode() + body, hashlib.sha256)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "MailChimp",
        "X-Mailchimp-Signature": f"t={sent},v1={signed.hexdigest()}",
    }
    request = urllib.request.Request(row["url"], body, headers)  # noqa: S310 (checked when made)
    status, tries = _status(request), row["tries"] + 1
    state, due = "waiting", row["due"]
    if 200 <= status < 300:
        state = "delivered"
    elif status == 410 or tries > len(RETRIES_S):
        state = "failed"
    else:
        due = context.clock.timestamp() + RETRIES_S[tries - 1]
    with context.database.write() as db:
        sql = "UPDATE deliveries SET tries = ?, due = ?, state = ?, answer = ? WHERE id = ?"
        db.execute(sql, (tries, due, state, status, row["id"]))
        if status == 410:
            for table in ("webhooks", "batch_webhooks"):
                db.execute(f"UPDATE {table} SET enabled = 0 WHERE id = ?", (row["webhook_id"],))


def _status(request: urllib.request.Request) -> int:
    """Return the status of an answer; 0 where there is none."""
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code
    except OSError:
        return 0


def flags(text: str) -> dict[str, bool]:
    """Return what is stored of the events or sources of a webhook."""
    return dict(json.loads(text))
