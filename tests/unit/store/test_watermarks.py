from __future__ import annotations

import sqlalchemy as sa

from bothways.store import watermarks
from tests.unit.store.rows import ACCOUNT


def test_a_watermark_holds_only_for_what_was_asked(conn: sa.Connection) -> None:
    place = {"account": ACCOUNT, "sync_type": "suppressions", "side": "crm", "dataset": "contact"}
    assert watermarks.read(conn, **place, fingerprint="a") is None
    for value in ("one", "two"):
        watermarks.move(conn, **place, fingerprint="a", value=value, run_id=1)
    assert watermarks.read(conn, **place, fingerprint="a") == "two"
    assert watermarks.read(conn, **place, fingerprint="b") is None
    watermarks.forget(conn, **place)
    assert watermarks.read(conn, **place, fingerprint="a") is None
