from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.store import suppressions as store
from tests.unit.store.rows import ACCOUNT, minute, open_run, suppressions

PLATFORM = {"account": ACCOUNT, "side": "marketing"}
ANN = {"id": "1", "email": "Ann@x.org", "suppressed_at": minute(1)}


def _tell(conn: sa.Connection, run_id: int, *rows: dict[str, Any], **more: Any) -> None:
    place = PLATFORM | {"run_id": run_id, "list_keys": {"L1": "news"}} | more
    store.absorb_suppressions(conn, **place, rows=suppressions(*rows))


def _known(conn: sa.Connection, **asked: Any) -> list[dict[str, Any]]:
    frame = store.load_suppressions(conn, account=ACCOUNT, **asked)
    return [dict(row) for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def test_the_gravest_reason_and_the_first_time_are_kept_in_any_order(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    bounced = ANN | {"reason": "bounced", "vendor_reason": "HardBounced"}
    complained = {**ANN, "reason": "complained", "suppressed_at": minute(9)}
    for run_id, row in ((second, complained), (first, bounced), (second, complained), (first, ANN)):
        _tell(conn, run_id, row)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("complained", minute(1))
    assert (row["email_key"], row["list_key"], row["record_id"]) == ("ann@x.org", "", "1")


def test_a_side_that_drops_its_record_does_not_free_the_address(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _tell(conn, first, ANN, {"email": "Bob@x.org"})
    _tell(conn, second, {"id": "1", "deleted": True}, {"email": "bob@x.org", "deleted": True})
    _tell(conn, first, ANN)
    assert [row["deleted_at"] is not None for row in _known(conn)] == [True, True]
    _tell(conn, third, ANN | {"id": "2"})
    assert [row["deleted_at"] is not None for row in _known(conn)] == [False, True]


def test_only_a_reason_lifts_and_an_old_word_does_not_come_back(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _tell(conn, first, ANN)
    whom = pd.DataFrame({"email_key": ["ann@x.org"]})
    with pytest.raises(ValueError, match="lifted for a reason only"):
        store.lift(conn, **PLATFORM, run_id=second, frame=whom, reason=" ")
    again = "subscribed again by the platform's form"
    assert store.lift(conn, **PLATFORM, run_id=second, frame=whom, reason=again) == 1
    _tell(conn, second, ANN)
    assert _known(conn) == []
    later = ANN | {"suppressed_at": minute(10**7), "reason": "bounced"}
    _tell(conn, second, later)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("bounced", minute(10**7))


def test_a_list_s_suppressions_stand_apart(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _tell(conn, run_id, ANN, ANN | {"list_id": "L1"}, ANN | {"list_id": "unmapped"})
    assert [row["list_key"] for row in _known(conn)] == ["", "news", "unmapped"]
    assert len(_known(conn, list_key="news")) == 1
    assert len(_known(conn, list_key="")) == 1
    # In a CRM two people with one address each have a record of their own.
    for member in ("c1", "c2"):
        on_list = ANN | {"id": f"s{member}", "list_id": "L1", "member_id": member}
        _tell(conn, run_id, on_list, side="crm")
    assert [row["member_id"] for row in _known(conn, side="crm")] == ["c1", "c2"]


def test_what_the_other_side_has_is_settled(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _tell(conn, run_id, ANN, {"email": "bob@x.org"}, {"id": "nameless"})
    keys = pd.DataFrame({"email_key": ["ann@x.org", "eve@x.org"]})
    assert [store.settle_suppressions(conn, **PLATFORM, frame=keys) for _ in range(2)] == [1, 0]
    assert [row["email_key"] for row in _known(conn, settled=False)] == ["bob@x.org"]
    assert [row["email_key"] for row in _known(conn, settled=True)] == ["ann@x.org"]


def test_what_we_wrote_is_known_without_being_read(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    frame = pd.DataFrame({"email_key": ["ann@x.org", None], "reason": [None, "bounced"]})
    for _ in range(2):
        store.remember(conn, account=ACCOUNT, side="crm", run_id=run_id, frame=frame)
    (row,) = _known(conn, side="crm", email_keys=pd.Series(["ann@x.org", "eve@x.org"]))
    assert row["reason"] == "suppressed"


def test_one_page_may_tell_an_address_twice(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    undated = ANN | {"reason": "complained", "suppressed_at": None}
    page = (ANN, undated, ANN | {"suppressed_at": minute(10**7)})
    _tell(conn, first, *page)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("complained", minute(1))
    whom = pd.DataFrame({"email_key": ["ann@x.org"]})
    store.lift(conn, **PLATFORM, run_id=second, frame=whom, reason="came back")
    _tell(conn, second, *page)
    assert [row["suppressed_at"] for row in _known(conn)] == [minute(10**7)]
