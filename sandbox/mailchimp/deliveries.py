"""How webhooks are delivered: form-encoded, signed, and again for 75 minutes if nobody takes them.

Deliveries lie in the database until they are taken, and are sent from a thread of their own, so
that no request waits for a receiver.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlencode

from sandbox.mailchimp import storage
from sandbox.receivers import status
from sandbox.vendor import VendorContext

TIMEOUT_S = 10
RETRIES_S = (300, 600, 1200, 2400)
"""Seconds from each try to the next: 75 minutes altogether (how they are spread is assumed)."""

_BUSY = Lock()


def answers(url: str) -> bool:
    """Return whether a receiver answers the GET by which the vendor validates it."""
    return 200 <= status(url, TIMEOUT_S) < 300


def queue(db: sqlite3.Connection, hook: sqlite3.Row, what: dict[str, Any], at: float) -> None:
    """Queue a payload, a nested object, for a webhook."""
    row = {"webhook_id": hook["id"], "url": hook["url"], "secret": hook["secret"], "due": at}
    storage.insert(db, "deliveries", {**row, "body": urlencode(list(_flat(what)))})


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
    answer, tries = status(row["url"], TIMEOUT_S, body, headers), row["tries"] + 1
    state, due = "waiting", row["due"]
    if 200 <= answer < 300:
        state = "delivered"
    elif answer == 410 or tries > len(RETRIES_S):
        state = "failed"
    else:
        due = context.clock.timestamp() + RETRIES_S[tries - 1]
    with context.database.write() as db:
        sql = "UPDATE deliveries SET tries = ?, due = ?, state = ?, answer = ? WHERE id = ?"
        db.execute(sql, (tries, due, state, answer, row["id"]))
        if answer == 410:
            for table in ("webhooks", "batch_webhooks"):
                db.execute(f"UPDATE {table} SET enabled = 0 WHERE id = ?", (row["webhook_id"],))
