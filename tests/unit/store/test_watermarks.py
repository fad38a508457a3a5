from __future__ import annotations

from datetime import timedelta

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


def test_a_whole_read_is_due_when_the_last_one_is_old_or_not_known(conn: sa.Connection) -> None:
    place = {"account": ACCOUNT, "sync_type": "suppressions", "side": "crm", "dataset": "contact"}
    week = timedelta(days=7)
    watermarks.move(conn, **place, fingerprint="a", value="one", run_id=1)
    assert watermarks.whole_read_due(conn, **place, every=week)
    watermarks.move(conn, **place, fingerprint="a", value="two", run_id=2, whole=True)
    assert not watermarks.whole_read_due(conn, **place, every=week)
    watermarks.move(conn, **place, fingerprint="a", value="three", run_id=3)
    assert not watermarks.whole_read_due(conn, **place, every=week)
    assert watermarks.whole_read_due(conn, **place, every=timedelta(0))
